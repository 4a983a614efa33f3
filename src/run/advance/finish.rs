//! The end of a run.

use super::{block, time};
use crate::failure::{Failure, FailureKind};
use crate::plan::{OnFailure, OnReject, Step};
use crate::run::decide::{is_unknown, on_reject};
use crate::run::event::Event;
use crate::run::payload::{EffectClass, RunDecided, RunEnded, RunFailed, StepFailure};
use crate::run::scope::RunScope;
use crate::run::state::{AttemptStatus, RunState, StepState, StepStatus};
use crate::run::summary::RunStatus;

/// How a run whose own steps have all settled ends.
pub(super) fn decided(state: &RunState) -> RunDecided {
    let mut end = run_outputs(state);
    let cancel = state.cancel.clone();
    if cancel.is_none() {
        warn_of_tolerated(state, &mut end.warnings);
    }
    let mut failures = failures(state);
    if let Some((step, failure)) = time::timed_out(state) {
        let first = StepFailure {
            step,
            attempt: 0,
            event: None,
            failure,
        };
        failures.insert(0, first);
    }
    failures.truncate(FAILURES_MAX);
    let rejected = own_steps(state).find(|(step, step_state)| {
        step_state.status == StepStatus::Rejected && on_reject(step) == OnReject::Reject
    });
    let status = match (&cancel, failures.is_empty(), rejected) {
        (Some(reason), _, _) => {
            end.reason.clone_from(reason);
            RunStatus::Cancelled
        }
        (None, false, _) => RunStatus::Failed,
        (None, true, Some((_, step_state))) => {
            end.reason.clone_from(&step_state.why);
            RunStatus::Rejected
        }
        (None, true, None) => RunStatus::Succeeded,
    };
    RunDecided {
        status,
        end,
        failures,
    }
}

/// Failures that a decision names; the steps have all of them.
const FAILURES_MAX: usize = 20;

/// The event that ends a run, with what handlers have to say.
pub(super) fn terminal(decided: &RunDecided, warnings: Vec<String>) -> Event {
    let mut end = decided.end.clone();
    end.warnings.extend(warnings);
    match (decided.status, decided.failures.first()) {
        (RunStatus::Failed, Some(first)) => Event::RunFailed(RunFailed {
            step: first.step.clone(),
            failure: first.failure.clone(),
            end,
        }),
        (RunStatus::Cancelled, _) => Event::RunCancelled(end),
        (RunStatus::Rejected, _) => Event::RunRejected(end),
        (
            RunStatus::Succeeded
            | RunStatus::Failed
            | RunStatus::Pending
            | RunStatus::Running
            | RunStatus::Waiting
            | RunStatus::Paused,
            _,
        ) => Event::RunSucceeded(end),
    }
}

/// The steps of the run that stand in no container.
fn own_steps(state: &RunState) -> impl Iterator<Item = (&Step, &StepState)> {
    let steps = state.steps_of(0);
    steps.filter(|(step, _)| step.parent.is_none())
}

/// The failures that nothing tolerated, first in time first, each with the innermost step that it came from.
fn failures(state: &RunState) -> Vec<StepFailure> {
    let mut failures: Vec<(&StepState, Failure)> = own_steps(state)
        .filter_map(|(step, step_state)| {
            Some((step_state, block::broken(step, step_state)?.failure?))
        })
        .collect();
    failures.sort_by_key(|(step_state, _)| step_state.ended_at);
    let named = failures.into_iter().map(|(step_state, failure)| {
        let step = block::origin(state, step_state.node);
        let inner = state.step(&step).map(|(_, inner)| inner);
        let attempts = inner.map_or(0, |inner| inner.attempts.len());
        StepFailure {
            step,
            attempt: u32::try_from(attempts).unwrap_or(u32::MAX),
            event: inner.and_then(|inner| inner.ended_by),
            failure,
        }
    });
    named.collect()
}

/// What went wrong and was allowed to.
fn warn_of_tolerated(state: &RunState, warnings: &mut Vec<String>) {
    for (step, step_state) in state.own_steps() {
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
    for (_, step_state) in state.own_steps() {
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
    state.current_attempts().last().is_some_and(|attempt| {
        attempt.effect == EffectClass::Write
            && matches!(&attempt.status, AttemptStatus::Failed { failure, .. }
                if failure.kind == FailureKind::Cancelled)
    })
}
