//! Places in groups and locks: wished for, given up while people are waited for.

use super::evaluate::{evaluate, text};
use crate::expression::Template;
use crate::failure::Failure;
use crate::plan::{Concurrency, Step, WhenFull};
use crate::run::event::Event;
use crate::run::payload::{RunQueued, SlotWish, SlotsReleased, StepQueued};
use crate::run::scope::RunScope;
use crate::run::state::{RunState, StepState};
use crate::run::summary::RunStatus;

/// The run as a whole: it queues for its group, and gives its place up while it waits for people.
pub(super) fn run(state: &RunState) -> Result<Option<Event>, Failure> {
    let Some(concurrency) = &state.plan.concurrency else {
        return Ok(None);
    };
    let Some(slots) = &state.slots else {
        let scope = RunScope::new(state);
        let wishes = vec![group(concurrency, &scope)?];
        return Ok(Some(Event::RunQueued(RunQueued { wishes })));
    };
    let rests =
        slots.admitted && concurrency.release_while_waiting && state.status() == RunStatus::Waiting;
    Ok(rests.then_some(Event::SlotsReleased(SlotsReleased { step: None })))
}

/// The step as a whole: what it needs before it begins, once.
pub(super) fn step(
    state: &RunState,
    step: &Step,
    step_state: &StepState,
) -> Result<Option<Event>, Failure> {
    if step_state.slots.is_some() || !step.wants_places() {
        return Ok(None);
    }
    let scope = RunScope::at(state, step_state.node.frame);
    let mut wishes = Vec::new();
    if let Some(concurrency) = &step.concurrency {
        wishes.push(group(concurrency, &scope)?);
    }
    for (index, lock) in step.locks.iter().enumerate() {
        wishes.push(SlotWish {
            key: format!("lock:{}", name(lock, &scope, &format!("locks[{index}]"))?),
            limit: 1,
            when_full: WhenFull::Queue,
        });
    }
    Ok(Some(Event::StepQueued(StepQueued {
        step: step_state.path.clone(),
        wishes,
    })))
}

/// A container that gives its locks up while people are waited for inside it.
pub(super) fn rest(state: &RunState, step: &Step, step_state: &StepState) -> Option<Event> {
    let slots = step_state.slots.as_ref()?;
    let rests = step.release_on_wait && slots.admitted && state.status() == RunStatus::Waiting;
    rests.then(|| {
        Event::SlotsReleased(SlotsReleased {
            step: Some(step_state.path.clone()),
        })
    })
}

fn group(concurrency: &Concurrency, scope: &RunScope<'_>) -> Result<SlotWish, Failure> {
    Ok(SlotWish {
        key: format!(
            "group:{}",
            name(&concurrency.group, scope, "concurrency.group")?
        ),
        limit: concurrency.limit,
        when_full: concurrency.when_full,
    })
}

fn name(template: &Template, scope: &RunScope<'_>, place: &str) -> Result<String, Failure> {
    text(&evaluate(template, scope, place)?, place)
}
