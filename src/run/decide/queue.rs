//! Places in groups and locks that the engine found free.

use super::{expect, find};
use crate::id::StepPath;
use crate::run::command::Refusal;
use crate::run::event::{Empty, Event};
use crate::run::payload::{StepAdmitted, StepBlocked};
use crate::run::state::{RunState, Slots, StepStatus};
use crate::run::summary::RunStatus;

/// Takes what is wished, if the steps of this run leave room for it too.
pub(super) fn admit(
    state: &RunState,
    step: Option<StepPath>,
    room: &[u32],
) -> Result<Vec<Event>, Refusal> {
    let stale = || Refusal::Stale("nothing waits for that place".to_owned());
    let waits = |slots: Option<&Slots>| slots.is_some_and(|slots| !slots.admitted);
    let Some(path) = step else {
        if !waits(state.slots.as_ref()) || state.cancel.is_some() {
            return Err(stale());
        }
        return Ok(vec![Event::RunAdmitted(Empty {})]);
    };
    let (_, step_state) = find(state, &path)?;
    let node = step_state.node;
    let slots = step_state.slots.as_ref().filter(|slots| waits(Some(slots)));
    let slots = slots.filter(|_| !step_state.status.is_settled() && state.stop_of(node).is_none());
    let slots = slots.ok_or_else(stale)?;
    if step_state.status == StepStatus::Running && state.status() == RunStatus::Waiting {
        return Err(stale());
    }
    for (wish, room) in slots.wishes.iter().zip(room) {
        // What a step around this one holds it holds for the steps inside it too.
        let own = state.held().filter(|(holder, held)| {
            let around = holder.is_some_and(|holder| is_inside(&path, holder));
            held.key == wish.key && holder.is_some() && !around
        });
        if u32::try_from(own.count()).unwrap_or(u32::MAX) >= *room {
            return Err(Refusal::Stale(format!("`{}` is held", wish.key)));
        }
    }
    Ok(vec![Event::StepAdmitted(StepAdmitted { step: path })])
}

/// Whether the step at `path` stands inside the one at `holder`.
fn is_inside(path: &StepPath, holder: &StepPath) -> bool {
    let rest = path.as_str().strip_prefix(holder.as_str());
    rest.is_some_and(|rest| rest.starts_with(['.', '[']))
}

/// The step is left out, as its author wished.
pub(super) fn refuse(state: &RunState, path: StepPath, why: String) -> Result<Vec<Event>, Refusal> {
    let (_, step_state) = find(state, &path)?;
    expect(&path, step_state, &[StepStatus::Ready])?;
    Ok(vec![Event::StepSkipped(StepBlocked {
        step: path,
        why,
        only_skips: true,
    })])
}
