//! A plan as a drawing: lines of text for a terminal, Mermaid for a page, SVG for everything else.

mod layout;
mod svg;

use std::fmt::Write as _;

pub use svg::to_svg;

use super::{EdgeKind, Plan, Step, StepKind};
use crate::expression::Expression;

/// Draws the plan as lines of text: steps in the order of the file, arms indented, and what each waits for.
#[must_use]
pub fn to_text(plan: &Plan) -> String {
    let mut out = format!("{}\n", plan.name);
    for step in plan.steps.iter().filter(|step| step.parent.is_none()) {
        text_step(plan, step, 1, &mut out);
    }
    out
}

fn text_step(plan: &Plan, step: &Step, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    let mut line = format!("{indent}{} ({})", step.id, kind_word(step));
    let waits: Vec<String> = step
        .edges
        .iter()
        .map(|edge| edge_text(edge.kind, edge.from.as_str()))
        .collect();
    if !waits.is_empty() {
        line.push_str(&format!(" ← {}", waits.join(", ")));
    }
    if let Some(condition) = &step.condition {
        line.push_str(&format!(" if {condition}"));
    }
    out.push_str(&line);
    out.push('\n');
    let StepKind::Switch(switch) = &step.kind else {
        return;
    };
    for arm in &switch.arms {
        let _ = writeln!(
            out,
            "{indent}  {}: {}",
            arm.name,
            when_text(arm.when.as_ref())
        );
        for nested in arm.steps.iter().filter_map(|path| plan.steps.at(path)) {
            text_step(plan, nested, depth + 2, out);
        }
    }
}

fn when_text(when: Option<&Expression>) -> String {
    when.map_or_else(|| "else".to_owned(), |when| format!("when {when}"))
}

fn kind_word(step: &Step) -> String {
    match step.kind.as_python() {
        Some(python) => format!("python, {}", python.mode),
        None => step.kind.as_str().to_owned(),
    }
}

fn edge_text(kind: EdgeKind, from: &str) -> String {
    match kind {
        EdgeKind::Needs => format!("{from} (needs)"),
        EdgeKind::Reference => format!("{from} (reads)"),
        EdgeKind::Previous => format!("{from} (before)"),
        EdgeKind::After => format!("{from} (after)"),
    }
}

/// Draws the plan as a Mermaid flowchart. Dotted arrows only order; the others ask for success.
#[must_use]
pub fn to_mermaid(plan: &Plan) -> String {
    let mut out = String::from("flowchart TD\n");
    for step in plan.steps.iter().filter(|step| step.parent.is_none()) {
        mermaid_step(plan, step, 1, &mut out);
    }
    for (index, step) in plan.steps.iter().enumerate() {
        for edge in &step.edges {
            let Some(from) = plan.steps.position(&edge.from) else {
                continue;
            };
            let arrow = match edge.kind {
                EdgeKind::Needs | EdgeKind::Reference => "-->",
                EdgeKind::Previous => "--->",
                EdgeKind::After => "-.->",
            };
            let _ = writeln!(out, "  s{from} {arrow} s{index}");
        }
    }
    out
}

fn mermaid_step(plan: &Plan, step: &Step, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    let Some(index) = plan.steps.position(&step.path) else {
        return;
    };
    let label = quoted(&step.id);
    match &step.kind {
        StepKind::Python(_) => {
            let _ = writeln!(out, "{indent}s{index}[{label}]");
        }
        StepKind::Set(_)
        | StepKind::Foreach(_)
        | StepKind::Until(_)
        | StepKind::Parallel(_)
        | StepKind::Workflow(_)
        | StepKind::Wait(_)
        | StepKind::Http(_)
        | StepKind::Notify(_)
        | StepKind::Notebook(_)
        | StepKind::Fail(_)
        | StepKind::Succeed(_) => {
            let _ = writeln!(out, "{indent}s{index}({label})");
        }
        StepKind::Approval(_) => {
            let _ = writeln!(out, "{indent}s{index}{{{{{label}}}}}");
        }
        StepKind::Switch(switch) => {
            let _ = writeln!(out, "{indent}s{index}{{{label}}}");
            for (position, arm) in switch.arms.iter().enumerate() {
                if arm.steps.is_empty() {
                    continue;
                }
                let _ = writeln!(
                    out,
                    "{indent}subgraph s{index}a{position} [{}]",
                    quoted(&arm.name)
                );
                for nested in arm.steps.iter().filter_map(|path| plan.steps.at(path)) {
                    mermaid_step(plan, nested, depth + 1, out);
                }
                let _ = writeln!(out, "{indent}end");
                let _ = writeln!(out, "{indent}s{index} -.-> s{index}a{position}");
            }
        }
    }
}

/// A label in quotes; ids and names of arms hold nothing that Mermaid could take for its own.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "'"))
}
