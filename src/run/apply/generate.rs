//! Code that was written, in the fold.

use std::sync::Arc;

use super::Applied;
use crate::plan::Step;
use crate::run::cache::Look;
use crate::run::event::Recorded;
use crate::run::generate::{Generation, Standing, standing};
use crate::run::payload::{AttemptStarted, CodeGenerated, Phase};
use crate::run::state::{AttemptStatus, RunState, StepState, StepStatus};

impl RunState {
    pub(super) fn code_generated(
        &mut self,
        generated: &CodeGenerated,
        recorded: &Recorded,
    ) -> Applied {
        if generated.code.is_some() == generated.failure.is_some() {
            return Err("it has either code or a failure".to_owned());
        }
        let path = &generated.step;
        match generated.attempt {
            Some(attempt) => {
                let open = self.unsettled(path)?.open_attempt();
                if open.map(|open| open.phase) != Some(Phase::Generate) {
                    return Err(format!("no code is being written for `{path}`"));
                }
                let status = match &generated.failure {
                    None => AttemptStatus::Succeeded,
                    Some(failure) => AttemptStatus::Failed {
                        failure: failure.clone(),
                        counted: true,
                    },
                };
                self.close_attempt(path, attempt, status, recorded.time)?;
            }
            None => {
                let node = self.expect(path, &[StepStatus::Ready])?.node;
                let first = self.node(node).is_some_and(|(step, state)| {
                    matches!(standing(step, state), Standing::Due(_))
                        && state.generation().is_none()
                });
                if generated.reused.is_none() || !first {
                    return Err(format!("`{path}` can't take code of another run now"));
                }
            }
        }
        let state = self.unsettled(path)?;
        state.status = StepStatus::Ready;
        state.analysis = None;
        state.code_approved = false;
        // What a person changed was the code before.
        state.edit = None;
        // Whether there is an earlier result was asked about other code.
        state.look = Look::default();
        state.generations.push(Generation {
            seq: recorded.seq,
            record: Arc::new(generated.clone()),
            after: state.attempts.len(),
        });
        Ok(())
    }
}

/// Nothing is written for a step whose code is there.
pub(super) fn may_write(step: &Step, state: &StepState, started: &AttemptStarted) -> Applied {
    if started.subject.is_some() {
        return Err("it runs no code".to_owned());
    }
    match standing(step, state) {
        Standing::Due(_) => Ok(()),
        Standing::There | Standing::Spent(_) => Err("no code is to be written for it".to_owned()),
    }
}
