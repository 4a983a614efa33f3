//! What the search for an earlier result found, and wishes that steps run.

use super::{expect, find};
use crate::id::StepPath;
use crate::run::cache::{is_owed, refused, set_aside};
use crate::run::command::Refusal;
use crate::run::event::Event;
use crate::run::payload::{CacheBypassed, CacheMissed, StepReused};
use crate::run::state::{RunState, StepStatus};

pub(super) fn reused(state: &RunState, reused: StepReused) -> Result<Vec<Event>, Refusal> {
    owed(state, &reused.step)?;
    let (step, step_state) = find(state, &reused.step)?;
    let begins = state.stop_of(step_state.node).is_none() && state.paused.is_none();
    if !begins || set_aside(state, step, step_state).is_some() {
        let why = format!("step `{}` is not to take a result now", reused.step);
        return Err(Refusal::Stale(why));
    }
    Ok(vec![Event::StepReused(Box::new(reused))])
}

pub(super) fn missed(state: &RunState, missed: CacheMissed) -> Result<Vec<Event>, Refusal> {
    owed(state, &missed.step)?;
    let (_, step_state) = find(state, &missed.step)?;
    if refused(state, step_state).is_some() {
        let why = format!("step `{}` keeps no result now", missed.step);
        return Err(Refusal::Stale(why));
    }
    Ok(vec![Event::CacheMissed(missed)])
}

fn owed(state: &RunState, path: &StepPath) -> Result<(), Refusal> {
    let (step, step_state) = find(state, path)?;
    expect(path, step_state, &[StepStatus::Ready])?;
    if is_owed(step, step_state) {
        return Ok(());
    }
    Err(Refusal::Stale(format!(
        "for step `{path}` no result is looked for now"
    )))
}

/// Nothing is recorded that is known already.
pub(super) fn bypass(state: &RunState, wish: CacheBypassed) -> Vec<Event> {
    let known = &state.bypass;
    let mut steps = wish.steps.iter();
    if (known.all || !wish.all) && steps.all(|step| known.steps.contains(step)) {
        return Vec::new();
    }
    vec![Event::CacheBypassed(wish)]
}
