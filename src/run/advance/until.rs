//! Until: a round of steps, then the condition, again and again.

use serde_json::Value;

use super::evaluate::{truth, values};
use super::{block, leave};
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::plan::{Step, UntilStep};
use crate::run::event::Event;
use crate::run::payload::{BlockStatus, RoundClosed, RoundStarted, StepSucceeded, Values};
use crate::run::retry::Moment;
use crate::run::scope::RunScope;
use crate::run::state::{RunState, StepState};

/// What goes on in an until: a round begins, ends, was the last one.
pub(super) fn running(
    state: &RunState,
    step: &Step,
    step_state: &StepState,
    until: &UntilStep,
    moment: Moment,
) -> Vec<Event> {
    let begun = step_state
        .rounds
        .as_ref()
        .map_or(0, |rounds| rounds.frames.len());
    let closed = step_state
        .rounds
        .as_ref()
        .and_then(|rounds| rounds.closed.last());
    let last = closed.filter(|closed| usize::try_from(closed.number) == Ok(begun));
    let Some(last) = last.map(AsRef::as_ref) else {
        if begun == 0 {
            return vec![begin(step_state, 1)];
        }
        return close(state, step_state, until, moment)
            .into_iter()
            .collect();
    };
    if last.status != BlockStatus::Succeeded && leave::own_or_no_stop(state, step_state) {
        if let Some(failure) = &last.failure {
            let mut failure = failure.clone();
            failure.message = format!("round {}: {}", last.number, failure.message);
            return vec![leave::failed(step_state, failure)];
        }
        if last.status == BlockStatus::Rejected {
            let why = last.why.clone().unwrap_or_default();
            return vec![leave::rejected(step_state, why)];
        }
    }
    if let Some(event) = leave::stopped(state, step, step_state) {
        return vec![event];
    }
    if last.done {
        let mut outputs = if until.collect.is_empty() {
            last.by_id.clone()
        } else {
            last.outputs.clone()
        };
        outputs.insert("rounds".to_owned(), Value::from(last.number));
        return vec![Event::StepSucceeded(StepSucceeded {
            step: step_state.path.clone(),
            outputs,
        })];
    }
    match last.next_at {
        Some(at) if at > moment.now || state.is_held_back(step_state.node) => Vec::new(),
        Some(_) => vec![begin(step_state, last.number.saturating_add(1))],
        None => vec![leave::failed(step_state, exhausted(until))],
    }
}

fn begin(step_state: &StepState, number: u32) -> Event {
    Event::RoundStarted(RoundStarted {
        step: step_state.path.clone(),
        number,
    })
}

fn exhausted(until: &UntilStep) -> Failure {
    let message = format!(
        "`{}` was still false after {} rounds",
        until.condition.source(),
        until.max
    );
    Failure::new(FailureKind::Timeout, code::UNTIL_EXHAUSTED, message)
        .hint("raise `max` or `every`, or handle it with `on_failure: continue`")
}

/// Ends the round that is under way when all its steps have settled, and tries the condition.
fn close(
    state: &RunState,
    step_state: &StepState,
    until: &UntilStep,
    moment: Moment,
) -> Option<Event> {
    let rounds = step_state.rounds.as_ref()?;
    let frame = *rounds.frames.last()?;
    let ended = block::ended(state, frame, &until.steps)?;
    let number = u32::try_from(rounds.frames.len()).unwrap_or(u32::MAX);
    let mut closed = RoundClosed {
        step: step_state.path.clone(),
        number,
        status: ended.status,
        done: false,
        outputs: Values::new(),
        by_id: block::outputs_by_id(state, frame, &until.steps),
        next_at: None,
        failure: ended.failure,
        why: ended.why,
    };
    if closed.status == BlockStatus::Succeeded {
        let scope = RunScope::at(state, frame);
        let tried = truth(&until.condition, &scope, "until.condition")
            .and_then(|done| Ok((done, values(&until.collect, &scope, "collect")?)));
        match tried {
            Ok((done, outputs)) => {
                closed.done = done;
                closed.outputs = outputs;
            }
            Err(failure) => {
                closed.status = BlockStatus::Failed;
                closed.failure = Some(failure);
            }
        }
        if closed.status == BlockStatus::Succeeded && !closed.done && number < until.max {
            closed.next_at = Some(moment.now.plus(until.every.unwrap_or_default()));
        }
    }
    Some(Event::RoundClosed(closed))
}
