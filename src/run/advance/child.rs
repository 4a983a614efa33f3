//! Runs inside runs: how the step ends with its run.

use serde_json::json;

use super::{internal, leave, succeeded};
use crate::plan::{Step, WorkflowStep};
use crate::run::RunStatus;
use crate::run::event::Event;
use crate::run::payload::{ChildRunClosed, Values};
use crate::run::state::{RunState, StepState};

/// What a step whose run exists does without help: it ends like that run, or at once when it need not wait.
pub(super) fn running(
    state: &RunState,
    step: &Step,
    step_state: &StepState,
    workflow: &WorkflowStep,
) -> Vec<Event> {
    let Some(child) = step_state.children.last() else {
        return Vec::new();
    };
    if !workflow.wait {
        let outputs = Values::from_iter([("run_id".to_owned(), json!(child.run))]);
        return vec![succeeded(step_state, outputs)];
    }
    let Some(closed) = &child.closed else {
        return Vec::new();
    };
    if let Some(event) = leave::stopped(state, step, step_state) {
        return vec![event];
    }
    vec![end(step_state, closed)]
}

fn end(step_state: &StepState, closed: &ChildRunClosed) -> Event {
    let reason = || closed.reason.clone().unwrap_or_default();
    match closed.status {
        RunStatus::Succeeded => succeeded(step_state, closed.outputs.clone()),
        RunStatus::Rejected => leave::rejected(step_state, reason()),
        RunStatus::Failed
        | RunStatus::Cancelled
        | RunStatus::Pending
        | RunStatus::Running
        | RunStatus::Waiting
        | RunStatus::Paused => {
            let failure = closed.failure.clone();
            leave::failed(
                step_state,
                failure.unwrap_or_else(|| internal("its run failed without a reason")),
            )
        }
    }
}
