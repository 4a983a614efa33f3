//! Waiting for a time or for a signal.

use serde_json::{Value as Json, json};

use super::evaluate::evaluate;
use super::{leave, succeeded};
use crate::code;
use crate::expression::{self, DateTime, Value, parse_duration};
use crate::failure::{Failure, FailureKind};
use crate::plan::{OnWaitTimeout, StepKind, WaitOn, WaitStep};
use crate::run::event::Event;
use crate::run::payload::{SignalConsumed, Values};
use crate::run::retry::Moment;
use crate::run::scope::RunScope;
use crate::run::state::{RunState, Signal, StepState, StepStatus};
use crate::time::Timestamp;

/// Input of a ready step that waits for a time: the instant.
const AT: &str = "at";
/// Input of a ready step that waits for a signal with a time limit: the instant when it gives up.
const EXPIRES_AT: &str = "expires_at";

/// What is fixed when the step becomes ready: the instants.
pub(super) fn inputs(
    wait: &WaitStep,
    scope: &RunScope<'_>,
    moment: Moment,
) -> Result<Values, Failure> {
    let mut inputs = Values::new();
    match &wait.on {
        WaitOn::Duration(template) => {
            let value = evaluate(template, scope, "wait.duration")?;
            let at = moment.now.plus(duration(&value)?);
            inputs.insert(AT.to_owned(), json!(at));
        }
        WaitOn::Until(template) => {
            let value = evaluate(template, scope, "wait.until")?;
            inputs.insert(AT.to_owned(), json!(instant(&value)?));
        }
        WaitOn::Signal { name, .. } => {
            inputs.insert("signal".to_owned(), json!(name));
            if let Some(limit) = wait.timeout {
                inputs.insert(EXPIRES_AT.to_owned(), json!(moment.now.plus(limit)));
            }
        }
    }
    Ok(inputs)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other type is refused alike"
)]
fn duration(value: &Value) -> Result<std::time::Duration, Failure> {
    let read = match value {
        // A difference that lies in the past passes at once.
        Value::Duration(duration) => {
            Ok(std::time::Duration::try_from(*duration).unwrap_or_default())
        }
        Value::Str(text) => parse_duration(text).map_err(|error| error.to_string()),
        other => Err(format!("it is {}", other.type_name())),
    };
    read.map_err(|why| {
        let message = format!("wait.duration is no length of time: {why}");
        Failure::new(FailureKind::Code, code::WRONG_TYPE, message)
            .hint("write 90s, 5m, 2h or 1d, or an expression that gives a duration")
    })
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other type is refused alike"
)]
fn instant(value: &Value) -> Result<Timestamp, Failure> {
    let read = match value {
        Value::DateTime(instant) => Some(*instant),
        Value::Str(text) => DateTime::parse(text),
        _ => None,
    };
    let instant = read.map(|instant| Timestamp::from_micros(instant.instant().as_microsecond()));
    instant.ok_or_else(|| {
        let message = format!("wait.until is no instant: it is {}", value.type_name());
        Failure::new(FailureKind::Code, code::WRONG_TYPE, message)
            .hint("write an instant with its offset from UTC, for example 2026-03-01T06:00:00Z")
    })
}

/// What becomes of a step that waits.
pub(super) fn waiting(
    state: &RunState,
    step_state: &StepState,
    wait: &WaitStep,
    moment: Moment,
) -> Vec<Event> {
    let passed = |at: Option<Timestamp>| at.is_some_and(|at| at <= moment.now);
    let Some(name) = wait.signal() else {
        let over = passed(step_state.wakes_at());
        return if over {
            vec![succeeded(step_state, Values::new())]
        } else {
            Vec::new()
        };
    };
    if let Some(signal) = step_state.signal {
        let taken = state.signals.iter().find(|taken| taken.seq == signal);
        let mut outputs = taken
            .map(|taken| taken.received.payload.clone())
            .unwrap_or_default();
        if wait.on_timeout == OnWaitTimeout::Continue {
            outputs.insert(TIMED_OUT.to_owned(), Json::Bool(false));
        }
        return vec![succeeded(step_state, outputs)];
    }
    if let Some(signal) = next_signal(state, step_state, name) {
        return vec![Event::SignalConsumed(SignalConsumed {
            step: step_state.path.clone(),
            signal: signal.seq,
        })];
    }
    if !passed(step_state.wakes_at()) {
        return Vec::new();
    }
    match wait.on_timeout {
        OnWaitTimeout::Continue => {
            let outputs = Values::from_iter([(TIMED_OUT.to_owned(), Json::Bool(true))]);
            vec![succeeded(step_state, outputs)]
        }
        OnWaitTimeout::Fail => {
            let limit = wait
                .timeout
                .map(expression::format_duration)
                .unwrap_or_default();
            let message = format!("no signal `{name}` came within {limit}");
            let failure = Failure::new(FailureKind::Timeout, code::SIGNAL_TIMEOUT, message)
                .hint("raise `timeout`, or go on without it with `on_timeout: continue`");
            vec![leave::failed(step_state, failure)]
        }
    }
}

/// Output that says whether a signal came too late.
const TIMED_OUT: &str = "timed_out";

/// The oldest signal of that name that nobody took. Of several steps that wait for the name the first takes it.
fn next_signal<'a>(state: &'a RunState, step_state: &StepState, name: &str) -> Option<&'a Signal> {
    let mut rivals = state
        .frontier()
        .take_while(|(_, rival)| rival.node != step_state.node);
    let taken = rivals.any(|(step, rival)| {
        let same = matches!(&step.kind, StepKind::Wait(wait) if wait.signal() == Some(name));
        same && rival.status == StepStatus::Waiting && rival.signal.is_none()
    });
    let mut buffered = state.signals.iter();
    buffered
        .find(|signal| signal.consumed_by.is_none() && signal.received.name == name)
        .filter(|_| !taken)
}

impl StepState {
    /// When a step that waits goes on without anybody's doing.
    pub(in crate::run) fn wakes_at(&self) -> Option<Timestamp> {
        let at = self
            .inputs
            .get(AT)
            .or_else(|| self.inputs.get(EXPIRES_AT))?;
        serde_json::from_value(at.clone()).ok()
    }
}
