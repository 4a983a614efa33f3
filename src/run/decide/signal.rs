//! Signals from outside.

use crate::plan::{self, Plan, StepKind, WaitOn};
use crate::run::command::Refusal;
use crate::run::event::Event;
use crate::run::payload::{SignalReceived, Values};
use crate::run::state::RunState;

/// Most signals that a run keeps until somebody takes them.
pub(super) const SIGNALS_MAX: usize = 1_000;

/// Decides what a signal means.
pub(super) fn decide(
    state: &RunState,
    name: String,
    payload: Values,
    key: Option<String>,
) -> Result<Vec<Event>, Refusal> {
    let same = |key: &String| {
        let mut known = state.signals.iter();
        known
            .any(|signal| signal.received.name == name && signal.received.key.as_ref() == Some(key))
    };
    if key.as_ref().is_some_and(same) {
        return Ok(Vec::new());
    }
    let payload = checked(&state.plan, &name, payload)?;
    let buffered = state
        .signals
        .iter()
        .filter(|signal| signal.consumed_by.is_none());
    if buffered.count() >= SIGNALS_MAX {
        let message = format!("{SIGNALS_MAX} signals wait already to be taken");
        return Err(Refusal::BadSignal { name, message });
    }
    Ok(vec![Event::SignalReceived(SignalReceived {
        name,
        payload,
        key,
    })])
}

/// Checks a payload against what the step that waits for it declares.
fn checked(plan: &Plan, name: &str, payload: Values) -> Result<Values, Refusal> {
    let mut known: Vec<&str> = Vec::new();
    for step in plan.steps.iter() {
        let StepKind::Wait(wait) = &step.kind else {
            continue;
        };
        let WaitOn::Signal {
            name: awaited,
            payload: fields,
        } = &wait.on
        else {
            continue;
        };
        if awaited != name {
            known.push(awaited);
            continue;
        }
        let Some(fields) = fields else {
            return Ok(payload);
        };
        return plan::check_record(fields, payload, "payload").map_err(|fault| {
            Refusal::BadSignal {
                name: name.to_owned(),
                message: format!("{} {}", fault.at, fault.message),
            }
        });
    }
    Err(Refusal::UnknownSignal {
        name: name.to_owned(),
        known: if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        },
    })
}
