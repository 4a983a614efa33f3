//! The steps of a run as a tree: where each stands, how long it took, why it did not run.

use std::time::Duration;

use super::text::{dim, elapsed, line, painted_mark, time};
use super::written;
use crate::plan::{Handlers, Step};
use crate::run::{AttemptStatus, RunState, StepState, StepStatus};

/// The tree, one line for a step, the steps of an arm under their switch.
pub(in crate::cli) fn tree(state: &RunState, indent: usize) -> String {
    state
        .steps()
        .map(|(step, step_state)| {
            let depth = indent + 2 * depth(state, step);
            format!("{}{}\n", " ".repeat(depth), row(step, step_state))
        })
        .collect()
}

fn depth(state: &RunState, step: &Step) -> usize {
    let parent = |step: &Step| state.plan.steps.at(&step.parent.as_ref()?.step);
    std::iter::successors(parent(step), |above| parent(above)).count()
}

fn row(step: &Step, state: &StepState) -> String {
    // A handler has no line of its own; its steps say where they stand.
    let in_handler = step
        .parent
        .as_ref()
        .is_some_and(|parent| parent.step.as_str() == Handlers::PATH);
    let path = state.path.as_str();
    let name = match path.rfind('[') {
        _ if in_handler => path,
        // The key of the item, the number of the round: without it the same step would stand there many times.
        Some(at) => path.get(at..).unwrap_or(path),
        None => step.id.as_str(),
    };
    let mut text = format!("{} {}", painted_mark(mark(state.status)), line(name));
    if state.status != StepStatus::Succeeded {
        text.push_str(&format!("  {}", word(state.status)));
    }
    if let Some(branch) = &state.branch {
        text.push_str(&format!("  → {}", line(&branch.arm)));
    }
    if let Some(duration) = duration(state) {
        text.push_str(&format!("  {}", dim(&elapsed(duration))));
    }
    if let Some(reused) = &state.look.reused {
        text.push_str(&format!("  {}", dim(&reused.told())));
    }
    if let Some(missing) = unheld(state) {
        text.push_str(&format!("  {}", dim(&missing)));
    }
    if let Some(at) = state.files_removed {
        text.push_str(&format!(
            "  {}",
            dim(&format!("files removed {}", time(at)))
        ));
    }
    if state.tries() > 1 {
        text.push_str(&format!("  {} attempts", state.tries()));
    }
    if let Some(worker) = state.open_attempt().and_then(|open| open.worker.as_ref()) {
        text.push_str(&format!("  {}", dim(&format!("by {}", line(worker)))));
    }
    if let Some(by) = written::by(state) {
        text.push_str(&format!("  {}", dim(&by)));
    }
    if let Some(retry) = state.retry.as_ref().filter(|_| !state.status.is_settled()) {
        text.push_str(&format!("  next attempt at {}", time(retry.at)));
    }
    let why = state
        .failure
        .as_ref()
        .map(|failure| failure.message.as_str())
        .or(state.why.as_deref());
    if let Some(why) = why {
        text.push_str(&format!("  {}", line(why)));
    }
    text
}

/// The layers that did not keep its code apart, when there are such.
fn unheld(state: &StepState) -> Option<String> {
    let layers = &state.result.as_ref()?.isolation.layers;
    let missing = layers.iter().filter(|layer| !layer.held);
    let names: Vec<&str> = missing.map(|layer| layer.name.as_str()).collect();
    (!names.is_empty()).then(|| format!("not kept apart by {}", names.join(", ")))
}

/// The sign of a status.
pub(in crate::cli) fn mark(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Succeeded => "✓",
        StepStatus::Failed | StepStatus::Rejected => "✗",
        StepStatus::Skipped | StepStatus::NotRun | StepStatus::Cancelled => "–",
        StepStatus::Waiting | StepStatus::Unknown => "?",
        StepStatus::Ready | StepStatus::Running => "•",
        StepStatus::Pending => "·",
    }
}

fn word(status: StepStatus) -> &'static str {
    match status {
        StepStatus::NotRun => "not run",
        StepStatus::Pending
        | StepStatus::Ready
        | StepStatus::Running
        | StepStatus::Waiting
        | StepStatus::Succeeded
        | StepStatus::Failed
        | StepStatus::Skipped
        | StepStatus::Rejected
        | StepStatus::Cancelled
        | StepStatus::Unknown => status.as_str(),
    }
}

/// Time spent in attempts that ended.
fn duration(state: &StepState) -> Option<Duration> {
    let ended = state
        .attempts
        .iter()
        .filter(|attempt| attempt.status != AttemptStatus::Open);
    let times: Vec<Duration> = ended
        .filter_map(|attempt| Some(attempt.ended_at?.since(attempt.started_at)))
        .collect();
    (!times.is_empty()).then(|| times.iter().sum())
}
