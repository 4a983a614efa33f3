//! `stepwell graph`: a workflow drawn.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::super::compile::compile;
use super::super::error::Error;
use super::super::{Context, Exit};
use crate::plan::{Plan, graph};

/// Draw a workflow as text or as a Mermaid flowchart
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The workflow file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// As a Mermaid flowchart
    #[arg(long)]
    mermaid: bool,
}

pub(in crate::cli) fn perform(context: &Context, arguments: &Arguments) -> Result<Exit, Error> {
    let compiled = compile(context, &arguments.file, None)?;
    let plan = &compiled.plan;
    context.output.diagnostics(&compiled.warnings);
    context.output.result(
        || document(plan),
        || {
            if arguments.mermaid {
                graph::to_mermaid(plan)
            } else {
                graph::to_text(plan)
            }
        },
    );
    Ok(Exit::Succeeded)
}

fn document(plan: &Plan) -> Value {
    let steps = plan.steps.iter().map(|step| {
        json!({"step": step.path, "kind": step.kind.as_str(), "parent": step.parent, "edges": step.edges})
    });
    json!({
        "workflow": plan.name,
        "steps": steps.collect::<Vec<_>>(),
        "mermaid": graph::to_mermaid(plan),
    })
}
