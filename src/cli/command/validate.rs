//! `stepwell validate`: every fault of workflow files, without running anything.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::super::compile::compile;
use super::super::error::Error;
use super::super::view::text::line;
use super::super::{Context, Exit};
use crate::plan::graph::occasion;
use crate::plan::{EdgeKind, HandlerKind, Handlers, Parent, Plan, Step, StepKind};

/// Check workflow files and print every fault
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The workflow files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Also say what each step waits for, and why
    #[arg(long)]
    explain: bool,
}

pub(in crate::cli) fn perform(context: &Context, arguments: &Arguments) -> Result<Exit, Error> {
    context.config()?;
    let mut exits = Vec::new();
    let mut documents = Vec::new();
    for file in &arguments.files {
        let name = file.display().to_string();
        let (exit, document) = match compile(context, file, None) {
            Ok(compiled) => {
                if !context.output.is_json() {
                    context.output.diagnostics(&compiled.warnings);
                    context
                        .output
                        .text(&accepted(&name, &compiled.plan, arguments.explain));
                }
                let edges = arguments.explain.then(|| edges_json(&compiled.plan));
                let document = json!({
                    "file": name,
                    "valid": true,
                    "workflow": compiled.plan.name,
                    "plan": compiled.plan.digest(),
                    "diagnostics": compiled.warnings,
                    "edges": edges,
                });
                (Exit::Succeeded, document)
            }
            Err(error) => {
                if !context.output.is_json() {
                    context.output.error(&error);
                }
                let document =
                    json!({"file": name, "valid": false, "diagnostics": error.diagnostics()});
                (error.exit(), document)
            }
        };
        exits.push(exit);
        documents.push(document);
    }
    if context.output.is_json() {
        context.output.document(&json!({"files": documents}));
    }
    Ok(Exit::gravest(exits))
}

fn accepted(name: &str, plan: &Plan, explain: bool) -> String {
    let count = plan.steps.len();
    let steps = if count == 1 { "step" } else { "steps" };
    let mut text = format!("{}: valid, {count} {steps}\n", line(name));
    if explain {
        for step in plan.steps.iter() {
            text.push_str(&waits(plan, step));
        }
    }
    text
}

fn waits(plan: &Plan, step: &Step) -> String {
    let mut text = format!("  {}\n", step.path);
    if let Some(parent) = &step.parent {
        text.push_str(&format!("    {}\n", runs_when(plan, parent)));
    }
    if step.edges.is_empty() && step.parent.is_none() {
        text.push_str("    starts at once\n");
    }
    for edge in &step.edges {
        text.push_str(&format!(
            "    waits for {}: {}\n",
            edge.from,
            why(edge.kind)
        ));
    }
    if let Some(condition) = &step.condition {
        text.push_str(&format!("    if {}\n", line(condition.source())));
    }
    text
}

/// What stands around the step, and when that lets it run.
fn runs_when(plan: &Plan, parent: &Parent) -> String {
    if let Some(kind) =
        HandlerKind::parse(&parent.arm).filter(|_| parent.step.as_str() == Handlers::PATH)
    {
        return format!("runs when {}", occasion(kind));
    }
    let arm = line(&parent.arm);
    let around = &parent.step;
    match plan.steps.at(around).map(|step| &step.kind) {
        Some(StepKind::Foreach(foreach)) => {
            format!("runs for every {} of {around}", line(&foreach.name))
        }
        Some(StepKind::Until(until)) => {
            format!("runs in every {} of {around}", line(&until.name))
        }
        Some(StepKind::Parallel(_)) => format!("runs in the branch {arm} of {around}"),
        _ => format!("runs when {around} takes the arm {arm}"),
    }
}

fn why(kind: EdgeKind) -> &'static str {
    match kind {
        EdgeKind::Needs => "written in `needs`; it must succeed",
        EdgeKind::Reference => "an expression reads its outputs; it must succeed",
        EdgeKind::Previous => "it stands before it; it must succeed or be skipped",
        EdgeKind::After => "it must have ended, whatever the result",
    }
}

fn edges_json(plan: &Plan) -> Vec<Value> {
    plan.steps
        .iter()
        .flat_map(|step| {
            step.edges.iter().map(
                |edge| json!({"step": step.path, "waits_for": edge.from, "kind": edge.kind, "why": why(edge.kind)}),
            )
        })
        .collect()
}
