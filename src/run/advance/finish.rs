//! The end of a run.

use super::{block, time};
use crate::failure::{Failure, FailureKind};
use crate::id::StepPath;
use crate::plan::{OnFailure, OnReject, Step};
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
    warn_of_tolerated(state, &mut end.warnings);
    let over = time::timed_out(state);
    if let Some((step, failure)) = over.or_else(|| first_failure(state)) {
        return Event::RunFailed(RunFailed { step, failure, end });
    }
    let rejected = own_steps(state).find(|(step, step_state)| {
        step_state.status == StepStatus::Rejected && on_reject(step) == OnReject::Reject
    });
    if let Some((_, step_state)) = rejected {
        end.reason.clone_from(&step_state.why);
        return Event::RunRejected(end);
    }
    Event::RunSucceeded(end)
}

/// The steps of the run that stand in no container.
fn own_steps(state: &RunState) -> impl Iterator<Item = (&Step, &StepState)> {
    let steps = state.steps_of(0);
    steps.filter(|(step, _)| step.parent.is_none())
}

/// The first failure in time that nothing tolerated, and the innermost step that it came from.
fn first_failure(state: &RunState) -> Option<(StepPath, Failure)> {
    let failures = own_steps(state).filter_map(|(step, step_state)| {
        Some((step_state, block::broken(step, step_state)?.failure?))
    });
    let (step_state, failure) = failures.min_by_key(|(step_state, _)| step_state.ended_at)?;
    Some((block::origin(state, step_state.node), failure))
}

/// What went wrong and was allowed to.
fn warn_of_tolerated(state: &RunState, warnings: &mut Vec<String>) {
    for (step, step_state) in state.steps() {
        let path = &step_state.path;
        if step_state.status == StepStatus::Failed && step.failure_means() != OnFailure::Fail {
            let failure = step_state.failure.as_ref();
            let message = failure.map_or("", |failure| failure.message.as_str());
            warnings.push(format!("step `{path}` failed: {message}"));
        }
        if step_state.status == StepStatus::Rejected && on_reject(step) == OnReject::Skip {
            let why = step_state.why.as_deref().unwrap_or_default();
            warnings.push(format!("step `{path}` was {why}"));
        }
        if step_state.status == StepStatus::Succeeded
            && let Some(map) = step_state.map.as_ref().filter(|map| map.failed > 0)
        {
            let (failed, all) = (map.failed, map.items.len());
            warnings.push(format!(
                "step `{path}`: {failed} of {all} items did not succeed"
            ));
        }
    }
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
    for (_, step_state) in state.steps() {
        if stopped_half_way(step_state) {
            end.warnings.push(format!(
                "step `{}`: a write was stopped while it ran; how far it came is not known",
                step_state.path
            ));
        }
        if is_unknown(step_state) {
            end.warnings.push(format!(
                "step `{}`: the outcome of a write is unknown",
                step_state.path
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
