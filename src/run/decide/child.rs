//! What the engine tells of runs inside the run.

use super::{expect, find};
use crate::id::StepPath;
use crate::run::command::Refusal;
use crate::run::event::Event;
use crate::run::payload::{ChildRunClosed, ChildRunStarted, ChildRunWaiting};
use crate::run::state::{RunState, StepStatus};

pub(super) fn started(state: &RunState, started: ChildRunStarted) -> Result<Vec<Event>, Refusal> {
    let (_, step_state) = find(state, &started.step)?;
    expect(&started.step, step_state, &[StepStatus::Ready])?;
    Ok(vec![Event::ChildRunStarted(started)])
}

pub(super) fn waits(state: &RunState, waiting: ChildRunWaiting) -> Result<Vec<Event>, Refusal> {
    is_open(state, &waiting.step)?;
    Ok(vec![Event::ChildRunWaiting(waiting)])
}

pub(super) fn ended(state: &RunState, closed: ChildRunClosed) -> Result<Vec<Event>, Refusal> {
    is_open(state, &closed.step)?;
    Ok(vec![Event::ChildRunClosed(closed)])
}

fn is_open(state: &RunState, path: &StepPath) -> Result<(), Refusal> {
    let (_, step_state) = find(state, path)?;
    let child = step_state.children.last();
    if child.is_some_and(|child| child.closed.is_none()) && !step_state.status.is_settled() {
        return Ok(());
    }
    Err(Refusal::Stale(format!(
        "step `{path}` has no run under way"
    )))
}
