//! Attempts in the fold.

use super::Applied;
use super::generate::may_write;
use crate::approval::Verdict;
use crate::id::StepPath;
use crate::plan::{Step, StepKind};
use crate::run::event::Recorded;
use crate::run::generate::{Standing, standing};
use crate::run::payload::{
    AttemptFailed, AttemptOutcomeUnknown, AttemptStarted, Phase, ResultRecorded, RetryScheduled,
};
use crate::run::state::{Attempt, AttemptStatus, RunState, StepState, StepStatus};
use crate::time::Timestamp;

impl RunState {
    pub(super) fn attempt_started(
        &mut self,
        started: &AttemptStarted,
        recorded: &Recorded,
    ) -> Applied {
        let state = self.expect(&started.step, &[StepStatus::Ready])?;
        let next = u32::try_from(state.attempts.len()).unwrap_or(u32::MAX) + 1;
        if started.attempt != next {
            return Err(format!(
                "attempt {next} was expected, not {}",
                started.attempt
            ));
        }
        if state.slots.as_ref().is_some_and(|slots| !slots.admitted) {
            return Err("it waits for a place or a lock".to_owned());
        }
        let node = state.node;
        if let Some((step, state)) = self.node(node) {
            may_start(step, state, started)?;
        }
        let state = self.expect(&started.step, &[StepStatus::Ready])?;
        state.status = StepStatus::Running;
        state.retry = None;
        state.attempts.push(Attempt {
            number: started.attempt,
            phase: started.phase,
            started_at: recorded.time,
            epoch: recorded.epoch,
            worker: recorded.actor.worker().map(str::to_owned),
            effect: started.effect,
            status: AttemptStatus::Open,
            ended_at: None,
        });
        Ok(())
    }

    /// Whoever writes code leaves code, nothing else.
    pub(super) fn executes(&mut self, path: &StepPath) -> Applied {
        match self.unsettled(path)?.open_attempt() {
            Some(open) if open.phase == Phase::Generate => {
                Err(format!("code is being written for `{path}`"))
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn close_attempt(
        &mut self,
        path: &StepPath,
        number: u32,
        status: AttemptStatus,
        at: Timestamp,
    ) -> Applied {
        let state = self.unsettled(path)?;
        let Some(attempt) = state
            .attempts
            .last_mut()
            .filter(|attempt| attempt.number == number)
        else {
            return Err(format!("attempt {number} of `{path}` is not the newest"));
        };
        // A person who decides about an unknown outcome closes that attempt once more, as failed.
        let unknown = matches!(attempt.status, AttemptStatus::Unknown { .. });
        if attempt.status != AttemptStatus::Open && !unknown {
            return Err(format!("attempt {number} of `{path}` has ended already"));
        }
        attempt.status = status;
        attempt.ended_at = Some(at);
        Ok(())
    }

    pub(super) fn attempt_failed(&mut self, failed: &AttemptFailed, at: Timestamp) -> Applied {
        let status = AttemptStatus::Failed {
            failure: failed.failure.clone(),
            counted: failed.counted,
        };
        self.close_attempt(&failed.step, failed.attempt, status, at)?;
        self.unsettled(&failed.step)?.status = StepStatus::Ready;
        Ok(())
    }

    pub(super) fn attempt_unknown(
        &mut self,
        unknown: &AttemptOutcomeUnknown,
        at: Timestamp,
    ) -> Applied {
        let status = AttemptStatus::Unknown {
            evidence: unknown.evidence.clone(),
        };
        self.close_attempt(&unknown.step, unknown.attempt, status, at)?;
        self.unsettled(&unknown.step)?.status = StepStatus::Unknown;
        Ok(())
    }

    pub(super) fn retry_scheduled(&mut self, retry: &RetryScheduled) -> Applied {
        self.expect(&retry.step, &[StepStatus::Ready])?.retry = Some(Box::new(retry.clone()));
        Ok(())
    }

    pub(super) fn result_recorded(&mut self, result: &ResultRecorded) -> Applied {
        self.executes(&result.step)?;
        let seq = self.seq + 1;
        let state = self.unsettled(&result.step)?;
        if state.open_attempt().map(|attempt| attempt.number) != Some(result.attempt) {
            return Err(format!("attempt {} is not under way", result.attempt));
        }
        state.look.result_seq = Some(seq);
        state.result = Some(Box::new(result.clone()));
        Ok(())
    }
}

/// Invariant 7: no code that needs an approval starts without one for exactly this subject.
fn may_start(step: &Step, state: &StepState, started: &AttemptStarted) -> Applied {
    if started.phase == Phase::Generate {
        return may_write(step, state, started);
    }
    if standing(step, state) != Standing::There {
        return Err("its code is not written".to_owned());
    }
    if !matches!(step.kind, StepKind::Python(_)) {
        return if !step.kind.is_action() {
            Err("a step of its kind has no attempts".to_owned())
        } else if started.subject.is_some() {
            Err("it runs no code".to_owned())
        } else {
            Ok(())
        };
    }
    if state.look.reused.is_some() {
        return Err("an earlier result stands for it".to_owned());
    }
    let Some(analysis) = &state.analysis else {
        return Err("its code was not analysed".to_owned());
    };
    if started.subject != Some(analysis.subject) {
        return Err("it is not what was analysed".to_owned());
    }
    if analysis.decision.verdict != Verdict::Pass && !state.code_approved {
        return Err("its code was not approved".to_owned());
    }
    Ok(())
}
