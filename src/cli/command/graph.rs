//! `stepwell graph`: a workflow drawn.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::super::compile::compile;
use super::super::error::Error;
use super::super::view::text::line;
use super::super::{Context, Exit};
use crate::plan::{Plan, graph};

/// Draw a workflow as text, as a Mermaid flowchart or as SVG
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The workflow file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// As a Mermaid flowchart
    #[arg(long)]
    mermaid: bool,
    /// As an SVG picture
    #[arg(long, conflicts_with = "mermaid")]
    svg: bool,
    /// Write the picture into this file
    #[arg(short, long, value_name = "FILE", requires = "svg")]
    output: Option<PathBuf>,
}

pub(in crate::cli) fn perform(context: &Context, arguments: &Arguments) -> Result<Exit, Error> {
    let compiled = compile(context, &arguments.file, None)?;
    let plan = &compiled.plan;
    context.output.diagnostics(&compiled.warnings);
    if let Some(file) = &arguments.output {
        let path = context.settings.absolute(file);
        std::fs::write(&path, graph::to_svg(plan))
            .map_err(|error| Error::unwritable(file, &error))?;
        context.output.result(
            || json!({"workflow": plan.name, "file": file.display().to_string()}),
            || format!("wrote {}\n", line(&file.display().to_string())),
        );
        return Ok(Exit::Succeeded);
    }
    context.output.result(
        || document(plan),
        || {
            if arguments.svg {
                graph::to_svg(plan)
            } else if arguments.mermaid {
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
        "svg": graph::to_svg(plan),
    })
}
