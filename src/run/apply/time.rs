//! Pauses, deadlines and signals in the fold.

use super::Applied;
use crate::plan::{Step, StepKind};
use crate::run::Seq;
use crate::run::frame::Stop;
use crate::run::payload::{DeadlinePassed, RunPaused, SignalConsumed, SignalReceived};
use crate::run::state::{RunState, Signal, StepStatus};

impl RunState {
    pub(super) fn pause(&mut self, paused: &RunPaused) -> Applied {
        match self.paused.replace(paused.clone()) {
            Some(_) => Err("the run is paused already".to_owned()),
            None => Ok(()),
        }
    }

    pub(super) fn unpause(&mut self) -> Applied {
        match self.paused.take() {
            Some(_) => Ok(()),
            None => Err("the run is not paused".to_owned()),
        }
    }

    pub(super) fn deadline_passed(&mut self, passed: &DeadlinePassed) -> Applied {
        let state = self.unsettled(&passed.step)?;
        if state.ready_at.is_none() {
            return Err(format!("`{}` was not ready yet", passed.step));
        }
        state.stop = Some(Stop::Deadline);
        Ok(())
    }

    pub(super) fn signal_received(&mut self, signal: &SignalReceived, seq: Seq) -> Applied {
        self.signals.push(Signal {
            seq,
            received: signal.clone(),
            consumed_by: None,
        });
        Ok(())
    }

    pub(super) fn signal_consumed(&mut self, consumed: &SignalConsumed) -> Applied {
        let step = &consumed.step;
        let state = self.expect(step, &[StepStatus::Waiting])?;
        if state.signal.is_some() {
            return Err(format!("`{step}` has its signal"));
        }
        let node = state.node;
        let waits_for = match self.node(node) {
            Some((
                Step {
                    kind: StepKind::Wait(wait),
                    ..
                },
                _,
            )) => wait.signal().map(str::to_owned),
            Some(_) | None => None,
        };
        let mut buffered = self.signals.iter_mut();
        let Some(signal) = buffered.find(|signal| signal.seq == consumed.signal) else {
            return Err(format!("event {} is no signal", consumed.signal));
        };
        if signal.consumed_by.is_some() || waits_for.as_ref() != Some(&signal.received.name) {
            return Err(format!("signal {} is not for `{step}`", consumed.signal));
        }
        signal.consumed_by = Some(step.clone());
        self.expect(step, &[StepStatus::Waiting])?.signal = Some(consumed.signal);
        Ok(())
    }
}
