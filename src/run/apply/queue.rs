//! Places and locks in the fold.

use super::Applied;
use crate::id::StepPath;
use crate::run::frame::NodeId;
use crate::run::payload::{SlotWish, SlotsReleased, StepQueued};
use crate::run::state::{RunState, Slots, StepStatus};

impl RunState {
    pub(super) fn run_queued(&mut self, wishes: &[SlotWish]) -> Applied {
        if self.slots.is_some() {
            return Err("the run is queued already".to_owned());
        }
        self.slots = Some(Slots::wished(wishes));
        Ok(())
    }

    pub(super) fn run_admitted(&mut self) -> Applied {
        match self.slots.as_mut().filter(|slots| !slots.admitted) {
            Some(slots) => {
                slots.admitted = true;
                Ok(())
            }
            None => Err("the run waits for no place".to_owned()),
        }
    }

    pub(super) fn step_queued(&mut self, queued: &StepQueued) -> Applied {
        let state = self.unsettled(&queued.step)?;
        if state.slots.is_some() {
            return Err(format!("`{}` is queued already", queued.step));
        }
        state.slots = Some(Slots::wished(&queued.wishes));
        Ok(())
    }

    pub(super) fn step_admitted(&mut self, path: &StepPath) -> Applied {
        let state = self.unsettled(path)?;
        let node = state.node;
        let Some(slots) = state.slots.as_mut().filter(|slots| !slots.admitted) else {
            return Err(format!("`{path}` waits for no place"));
        };
        slots.admitted = true;
        let begins = state.status == StepStatus::Ready;
        self.holding.insert(node);
        if begins {
            self.begin_at_once(node)
        } else {
            Ok(())
        }
    }

    pub(super) fn slots_released(&mut self, released: &SlotsReleased) -> Applied {
        let Some(path) = &released.step else {
            return match self.slots.as_mut().filter(|slots| slots.admitted) {
                Some(slots) => {
                    slots.admitted = false;
                    slots.again = true;
                    Ok(())
                }
                None => Err("the run holds no place".to_owned()),
            };
        };
        let state = self.unsettled(path)?;
        let node = state.node;
        let Some(slots) = state.slots.as_mut().filter(|slots| slots.admitted) else {
            return Err(format!("`{path}` holds nothing"));
        };
        slots.admitted = false;
        slots.again = true;
        self.holding.remove(&node);
        Ok(())
    }

    /// A step that has ended holds nothing.
    pub(super) fn lets_go(&mut self, node: NodeId) {
        self.holding.remove(&node);
    }
}
