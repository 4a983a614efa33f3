//! A plan as a drawing: lines of text for a terminal, Mermaid for a page, SVG for everything else.

mod layout;
mod svg;

use std::fmt::Write as _;

pub use svg::to_svg;

use super::{EdgeKind, HandlerKind, Plan, Step, StepKind};
use crate::expression::Expression;
use crate::id::StepPath;

/// Draws the plan as lines of text: steps in the order of the file, what stands inside a container indented, and
/// what each waits for.
#[must_use]
pub fn to_text(plan: &Plan) -> String {
    let mut out = format!("{}\n", plan.name);
    for step in plan.steps.iter().filter(|step| step.parent.is_none()) {
        text_step(plan, step, 1, &mut out);
    }
    for (kind, steps) in &plan.handlers.steps {
        let _ = writeln!(out, "  when {}", occasion(*kind));
        text_steps(plan, steps, 2, &mut out);
    }
    out
}

fn text_steps(plan: &Plan, steps: &[StepPath], depth: usize, out: &mut String) {
    for step in steps.iter().filter_map(|path| plan.steps.at(path)) {
        text_step(plan, step, depth, out);
    }
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
    for block in blocks(&step.kind) {
        let _ = writeln!(out, "{indent}  {}", block.title());
        text_steps(plan, block.steps, depth + 2, out);
    }
}

/// Steps that stand together inside a container.
struct Block<'p> {
    /// The name of the arm or the branch; empty in a loop.
    name: &'p str,
    /// When they run.
    when: String,
    steps: &'p [StepPath],
}

impl Block<'_> {
    fn title(&self) -> String {
        if self.name.is_empty() {
            return self.when.clone();
        }
        if self.when.is_empty() {
            return self.name.to_owned();
        }
        format!("{}: {}", self.name, self.when)
    }
}

/// The blocks of a container; none for other kinds.
fn blocks(kind: &StepKind) -> Vec<Block<'_>> {
    match kind {
        StepKind::Switch(switch) => switch
            .arms
            .iter()
            .map(|arm| Block {
                name: &arm.name,
                when: when_text(arm.when.as_ref()),
                steps: &arm.steps,
            })
            .collect(),
        StepKind::Parallel(parallel) => parallel
            .branches
            .iter()
            .map(|branch| Block {
                name: &branch.name,
                when: String::new(),
                steps: &branch.steps,
            })
            .collect(),
        StepKind::Foreach(foreach) => vec![Block {
            name: "",
            when: format!("for each {}, {} at once", foreach.name, foreach.concurrency),
            steps: &foreach.steps,
        }],
        StepKind::Until(until) => vec![Block {
            name: "",
            when: format!("until {}, at most {} rounds", until.condition, until.max),
            steps: &until.steps,
        }],
        StepKind::Python(_)
        | StepKind::Set(_)
        | StepKind::Approval(_)
        | StepKind::Workflow(_)
        | StepKind::Wait(_)
        | StepKind::Http(_)
        | StepKind::Notify(_)
        | StepKind::Notebook(_)
        | StepKind::Action(_)
        | StepKind::Fail(_)
        | StepKind::Succeed(_) => Vec::new(),
    }
}

/// When a handler runs, as the end of a sentence that begins with "when".
#[must_use]
pub fn occasion(kind: HandlerKind) -> &'static str {
    match kind {
        HandlerKind::Waiting => "a question waits",
        HandlerKind::Failure => "the run failed",
        HandlerKind::Success => "the run succeeded",
        HandlerKind::Reject => "a person said no and the run ends with it",
        HandlerKind::Cancel => "the run was cancelled",
        HandlerKind::Finish => "the run ends, whatever its result",
    }
}

fn when_text(when: Option<&Expression>) -> String {
    when.map_or_else(|| "else".to_owned(), |when| format!("when {when}"))
}

fn kind_word(step: &Step) -> String {
    if let StepKind::Python(python) = &step.kind {
        format!("python, {}", python.mode)
    } else if let StepKind::Workflow(child) = &step.kind {
        format!("workflow {}, {}", child.name, child.file)
    } else if let StepKind::Action(action) = &step.kind {
        format!("action {}, {}", action.name, action.mode)
    } else {
        step.kind.as_str().to_owned()
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
    for (position, (kind, steps)) in plan.handlers.steps.iter().enumerate() {
        let label = quoted(&format!("when {}", occasion(*kind)));
        let _ = writeln!(out, "  subgraph h{position} [{label}]");
        for step in steps.iter().filter_map(|path| plan.steps.at(path)) {
            mermaid_step(plan, step, 2, &mut out);
        }
        out.push_str("  end\n");
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
    let shape = match &step.kind {
        StepKind::Python(_) => format!("[{label}]"),
        StepKind::Approval(_) => format!("{{{{{label}}}}}"),
        StepKind::Switch(_) => format!("{{{label}}}"),
        StepKind::Workflow(_) => format!("[[{label}]]"),
        StepKind::Set(_)
        | StepKind::Foreach(_)
        | StepKind::Until(_)
        | StepKind::Parallel(_)
        | StepKind::Wait(_)
        | StepKind::Http(_)
        | StepKind::Notify(_)
        | StepKind::Notebook(_)
        | StepKind::Action(_)
        | StepKind::Fail(_)
        | StepKind::Succeed(_) => format!("({label})"),
    };
    let _ = writeln!(out, "{indent}s{index}{shape}");
    for (position, block) in blocks(&step.kind).iter().enumerate() {
        if block.steps.is_empty() {
            continue;
        }
        let title = if block.name.is_empty() {
            &block.when
        } else {
            block.name
        };
        let title = quoted(title);
        let _ = writeln!(out, "{indent}subgraph s{index}a{position} [{title}]");
        for nested in block.steps.iter().filter_map(|path| plan.steps.at(path)) {
            mermaid_step(plan, nested, depth + 1, out);
        }
        let _ = writeln!(out, "{indent}end");
        let _ = writeln!(out, "{indent}s{index} -.-> s{index}a{position}");
    }
}

/// A label in quotes; inside of them only the quotes themselves mean something to Mermaid.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "'"))
}
