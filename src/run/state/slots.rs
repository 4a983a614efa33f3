//! Places in groups and locks that a run and its steps wait for and hold.

use super::RunState;
use crate::id::StepPath;
use crate::run::frame::NodeId;
use crate::run::payload::SlotWish;

/// What a run or a step needs before it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    /// All of it, or nothing.
    pub wishes: Vec<SlotWish>,
    /// Whether it has it.
    pub admitted: bool,
    /// Whether it had it before and gave it up: then it only queues, whatever else its author wished.
    pub again: bool,
}

impl Slots {
    pub(in crate::run) fn wished(wishes: &[SlotWish]) -> Self {
        Self {
            wishes: wishes.to_vec(),
            admitted: false,
            again: false,
        }
    }
}

impl RunState {
    /// What the run and its steps hold, with the step that holds it.
    pub fn held(&self) -> impl Iterator<Item = (Option<&StepPath>, &SlotWish)> {
        let own = self
            .slots
            .iter()
            .filter(|slots| slots.admitted && self.ending.is_none());
        let own = own.flat_map(|slots| slots.wishes.iter().map(|wish| (None, wish)));
        let steps = self.holding.iter().filter_map(|node| {
            let (_, state) = self.node(*node)?;
            Some((&state.path, state.slots.as_ref()?))
        });
        own.chain(
            steps.flat_map(|(path, slots)| slots.wishes.iter().map(move |wish| (Some(path), wish))),
        )
    }

    /// Whether anything is held.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.held().next().is_some()
    }

    /// Whether the step, or anything around it, or the run, waits for a place, or the run is paused.
    #[must_use]
    pub fn is_held_back(&self, node: NodeId) -> bool {
        if self.paused.is_some() {
            return true;
        }
        // Handlers are no part of what the group bounds.
        let waits = |slots: &Option<Slots>| slots.as_ref().is_some_and(|slots| !slots.admitted);
        let mut next = Some(node);
        let mut outermost = node;
        while let Some(here) = next {
            outermost = here;
            next = self.around(here);
            let around = next.and_then(|around| self.node(around));
            if around.is_some_and(|(_, state)| waits(&state.slots)) {
                return true;
            }
        }
        let gated = outermost.frame == 0 && self.plan.concurrency.is_some();
        gated && self.slots.as_ref().is_none_or(|slots| !slots.admitted)
    }
}
