//! How steps are left that do not end well: failed, rejected, stopped.

use super::block::Ended;
use super::{internal, question};
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::plan::Step;
use crate::run::event::{Event, StepNamed};
use crate::run::frame::Stop;
use crate::run::payload::{BlockStatus, StepBlocked, StepFailed};
use crate::run::state::{RunState, StepState, StepStatus};

/// The step has failed.
pub(super) fn failed(step_state: &StepState, failure: Failure) -> Event {
    Event::StepFailed(StepFailed {
        step: step_state.path.clone(),
        failure,
    })
}

/// A person said no to it, or inside it.
pub(super) fn rejected(step_state: &StepState, why: String) -> Event {
    Event::StepRejected(StepBlocked {
        step: step_state.path.clone(),
        why,
        only_skips: false,
    })
}

/// Whether what went wrong inside a container is its own affair: nothing around it was stopped.
pub(super) fn own_or_no_stop(state: &RunState, step_state: &StepState) -> bool {
    match &step_state.stop {
        Some(Stop::ItemFailed { .. }) => true,
        Some(_) => false,
        None => state.stop_of(step_state.node).is_none(),
    }
}

/// The end of a step that was stopped and has nothing under way any more.
pub(super) fn stopped(state: &RunState, step: &Step, step_state: &StepState) -> Option<Event> {
    let stop = state.stop_of(step_state.node)?;
    if step_state.stop.as_ref() == Some(&Stop::Deadline) {
        return Some(failed(step_state, past_deadline(step)));
    }
    if step_state.status == StepStatus::Pending && *stop != Stop::Cancelled {
        return Some(Event::StepNotRun(StepBlocked {
            step: step_state.path.clone(),
            why: stop.why(),
            only_skips: false,
        }));
    }
    Some(Event::StepCancelled(StepNamed {
        step: step_state.path.clone(),
        why: Some(stop.why()),
    }))
}

fn past_deadline(step: &Step) -> Failure {
    let limit = step.deadline.map(crate::expression::format_duration);
    let message = format!(
        "the deadline of {} has passed",
        limit.unwrap_or_else(|| "the step".to_owned())
    );
    Failure::new(FailureKind::Timeout, code::DEADLINE_EXCEEDED, message)
        .hint("`deadline` counts everything from when the step is ready: attempts, delays, queues and people")
}

/// A stopped step that is no container with something under way: its question is closed, then it ends.
pub(super) fn put_down(state: &RunState, step: &Step, step_state: &StepState) -> Vec<Event> {
    let mut events = question::supersede(state, step_state);
    events.extend(stopped(state, step, step_state));
    events
}

/// The end of a container whose steps did not end well, or that was stopped. `None` = it ended well.
pub(super) fn block(
    state: &RunState,
    step: &Step,
    step_state: &StepState,
    ended: &Ended,
) -> Option<Event> {
    if own_or_no_stop(state, step_state) {
        match ended.status {
            BlockStatus::Failed => {
                let failure = ended
                    .failure
                    .clone()
                    .unwrap_or_else(|| internal("no failure"));
                return Some(failed(step_state, failure));
            }
            BlockStatus::Rejected => {
                return Some(rejected(step_state, ended.why.clone().unwrap_or_default()));
            }
            BlockStatus::Succeeded | BlockStatus::Cancelled => {}
        }
    }
    stopped(state, step, step_state)
}
