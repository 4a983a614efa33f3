//! The end of a run.

use super::internal;
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::plan::{OnFailure, OnReject, Step, StepKind};
use crate::run::decide::{is_unknown, on_reject};
use crate::run::event::Event;
use crate::run::payload::{EffectClass, RunEnded, RunFailed};
use crate::run::scope::RunScope;
use crate::run::state::{AttemptStatus, RunState, StepState, StepStatus};

/// The event that ends a run whose steps have all settled.
pub(super) fn finish(state: &RunState) -> Event {
    let mut end = run_outputs(state);
    if let Some(reason) = &state.cancel {
        end.reason.clone_from(reason);
        return Event::RunCancelled(end);
    }
    let mut failures: Vec<(&Step, &StepState, Failure)> = Vec::new();
    let mut rejected: Option<String> = None;
    for (step, step_state) in state.steps() {
        match step_state.status {
            StepStatus::Failed => {
                let failure = step_state
                    .failure
                    .clone()
                    .unwrap_or_else(|| internal("a failure without reason"));
                if step.on_failure == OnFailure::Fail {
                    failures.push((step, step_state, failure));
                } else {
                    end.warnings
                        .push(format!("step `{}` failed: {}", step.path, failure.message));
                }
            }
            StepStatus::Rejected => match on_reject(step) {
                OnReject::Reject => rejected = rejected.or_else(|| step_state.why.clone()),
                OnReject::Skip => {
                    let why = step_state.why.clone().unwrap_or_default();
                    end.warnings.push(format!("step `{}` was {why}", step.path));
                }
                OnReject::Fail => {
                    let why = step_state.why.clone().unwrap_or_default();
                    let failure = Failure::new(FailureKind::Policy, code::REJECTED, why);
                    failures.push((step, step_state, failure));
                }
            },
            StepStatus::Pending
            | StepStatus::Ready
            | StepStatus::Running
            | StepStatus::Waiting
            | StepStatus::Unknown
            | StepStatus::Succeeded
            | StepStatus::Skipped
            | StepStatus::NotRun
            | StepStatus::Cancelled => {}
        }
    }
    // The first in time; of a switch and the step inside it that failed it, the one inside.
    failures.sort_by_key(|(step, step_state, _)| {
        (
            step_state.ended_at,
            matches!(step.kind, StepKind::Switch(_)),
        )
    });
    if let Some((step, _, failure)) = failures.into_iter().next() {
        return Event::RunFailed(RunFailed {
            step: step.path.clone(),
            failure,
            end,
        });
    }
    if rejected.is_some() {
        end.reason = rejected;
        return Event::RunRejected(end);
    }
    Event::RunSucceeded(end)
}

fn run_outputs(state: &RunState) -> RunEnded {
    let scope = RunScope::new(state);
    let mut end = RunEnded::default();
    for (name, template) in &state.plan.outputs {
        match template.evaluate(&scope) {
            Ok(value) => {
                end.outputs.insert(name.clone(), value.to_json());
            }
            Err(error) => {
                end.warnings
                    .push(format!("output `{name}` is absent: {}", error.message));
            }
        }
    }
    for (step, step_state) in state.steps() {
        if stopped_half_way(step_state) {
            end.warnings.push(format!(
                "step `{}`: a write was stopped while it ran; how far it came is not known",
                step.path
            ));
        }
        if is_unknown(step_state) {
            end.warnings.push(format!(
                "step `{}`: the outcome of a write is unknown",
                step.path
            ));
        }
    }
    end
}

/// Whether the newest attempt was a write that a cancel stopped.
fn stopped_half_way(state: &StepState) -> bool {
    state.attempts.last().is_some_and(|attempt| {
        attempt.effect == EffectClass::Write
            && matches!(&attempt.status, AttemptStatus::Failed { failure, .. }
                if failure.kind == FailureKind::Cancelled)
    })
}
