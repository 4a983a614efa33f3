//! Results that are taken again, in the fold.

use std::sync::Arc;

use super::Applied;
use crate::run::cache::{is_owed, refused, set_aside};
use crate::run::payload::{CacheBypassed, CacheMissed, Miss, StepReused};
use crate::run::state::{RunState, StepStatus};

impl RunState {
    /// An earlier result stands for what the code would leave. Never for a write, after a person decided something
    /// about the step, where changes were asked for, or where somebody wants it to run.
    pub(super) fn step_reused(&mut self, reused: &StepReused) -> Applied {
        let node = self.expect(&reused.step, &[StepStatus::Ready])?.node;
        let Some((step, state)) = self.node(node) else {
            return Err("a step is not in its frame".to_owned());
        };
        if !is_owed(step, state) {
            return Err("no earlier result may stand for it".to_owned());
        }
        if let Some(miss) = set_aside(self, step, state) {
            return Err(format!("its code must run: {}", miss.told()));
        }
        let state = self.expect(&reused.step, &[StepStatus::Ready])?;
        state.result = Some(Box::new(reused.result.clone()));
        state.look.reused = Some(Arc::new(reused.clone()));
        Ok(())
    }

    pub(super) fn cache_missed(&mut self, missed: &CacheMissed) -> Applied {
        let node = self.expect(&missed.step, &[StepStatus::Ready])?.node;
        let Some((step, state)) = self.node(node) else {
            return Err("a step is not in its frame".to_owned());
        };
        if !is_owed(step, state) {
            return Err("no earlier result was looked for".to_owned());
        }
        let may_keep = refused(self, state).is_none();
        if !may_keep && (missed.key.is_some() || !matches!(missed.reason, Miss::Refused { .. })) {
            return Err("what it leaves must not be kept".to_owned());
        }
        let state = self.expect(&missed.step, &[StepStatus::Ready])?;
        state.look.missed = Some(Arc::new(missed.clone()));
        Ok(())
    }

    pub(super) fn cache_bypassed(&mut self, bypassed: &CacheBypassed) {
        self.bypass.all |= bypassed.all;
        for step in &bypassed.steps {
            if !self.bypass.steps.contains(step) {
                self.bypass.steps.push(step.clone());
            }
        }
    }
}
