//! Bookkeeping: what follows from the state alone. Steps become ready, ask, are skipped, end; runs end.
//!
//! Every consequence is derived here and none is only ever written beside its cause, so a history that was
//! cut off at any event goes on from there.

mod approval;
mod enter;
mod evaluate;
mod finish;
mod python;
mod switch;

pub use python::blocked;

use evaluate::values;
use finish::finish;

use super::event::{Event, StepNamed};
use super::payload::{StepFailed, StepSucceeded};
use super::retry::Moment;
use super::scope::RunScope;
use super::state::{RunState, StepState, StepStatus};
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::plan::{Step, StepKind};

/// One round of bookkeeping: what follows at once from the state. Empty when nothing does.
///
/// The events of a round concern different steps, so their order does not matter; what follows from
/// them is the next round's.
#[must_use]
pub fn advance(state: &RunState, moment: Moment) -> Vec<Event> {
    if state.ending.is_some() || state.started_at.is_none() {
        return Vec::new();
    }
    if state.all_settled() {
        return vec![finish(state)];
    }
    state
        .frontier()
        .flat_map(|(step, step_state)| match state.cancel {
            Some(_) => cancelled(state, step, step_state),
            None => follow(state, step, step_state, moment),
        })
        .collect()
}

/// What a cancel does to a step: questions are closed, then it ends. An open attempt is stopped first, by an effect.
fn cancelled(state: &RunState, step: &Step, step_state: &StepState) -> Vec<Event> {
    if step_state.open_attempt().is_some() {
        return Vec::new();
    }
    match step_state.status {
        StepStatus::Running if matches!(step.kind, StepKind::Switch(_)) => {
            switch::leave_arm(state, step, step_state)
        }
        StepStatus::Running => python::running(step, step_state),
        StepStatus::Pending
        | StepStatus::Ready
        | StepStatus::Waiting
        | StepStatus::Unknown
        | StepStatus::Succeeded
        | StepStatus::Failed
        | StepStatus::Skipped
        | StepStatus::NotRun
        | StepStatus::Rejected
        | StepStatus::Cancelled => {
            let mut events = approval::close(state, step_state, true);
            events.push(Event::StepCancelled(StepNamed {
                step: step.path.clone(),
            }));
            events
        }
    }
}

fn follow(state: &RunState, step: &Step, step_state: &StepState, moment: Moment) -> Vec<Event> {
    match step_state.status {
        StepStatus::Pending => enter::enter(state, step),
        StepStatus::Ready => ready(state, step, step_state, moment).unwrap_or_else(|failure| {
            vec![Event::StepFailed(StepFailed {
                step: step.path.clone(),
                failure,
            })]
        }),
        StepStatus::Running if matches!(step.kind, StepKind::Switch(_)) => {
            switch::leave_arm(state, step, step_state)
        }
        StepStatus::Running => python::running(step, step_state),
        StepStatus::Waiting => approval::close(state, step_state, false),
        StepStatus::Unknown => python::unknown(state, step, step_state),
        StepStatus::Succeeded
        | StepStatus::Failed
        | StepStatus::Skipped
        | StepStatus::NotRun
        | StepStatus::Rejected
        | StepStatus::Cancelled => Vec::new(),
    }
}

fn ready(
    state: &RunState,
    step: &Step,
    step_state: &StepState,
    moment: Moment,
) -> Result<Vec<Event>, Failure> {
    match &step.kind {
        StepKind::Python(_) => Ok(python::ready(state, step, step_state, moment)),
        StepKind::Set(set) => {
            let outputs = values(&set.values, &RunScope::new(state), "set")?;
            Ok(vec![Event::StepSucceeded(StepSucceeded {
                step: step.path.clone(),
                outputs,
            })])
        }
        StepKind::Switch(switch) => switch::choose(state, step, switch),
        StepKind::Approval(approval) => approval::work(state, step, step_state, approval),
        StepKind::Foreach(_)
        | StepKind::Until(_)
        | StepKind::Parallel(_)
        | StepKind::Workflow(_)
        | StepKind::Wait(_)
        | StepKind::Http(_)
        | StepKind::Notify(_)
        | StepKind::Notebook(_)
        | StepKind::Fail(_)
        | StepKind::Succeed(_) => Err(internal("the compiler lets no such step through yet")),
    }
}

fn internal(message: &str) -> Failure {
    Failure::new(FailureKind::Internal, code::INTERNAL, message)
}
