//! Runs made from other runs, and runs that go on with another version of their workflow.

use std::collections::HashMap;
use std::sync::Arc;

use super::history::History;
use super::{Engine, Error, NewRun, action};
use crate::id::{Digest, RunId, StepPath};
use crate::plan::Plan;
use crate::run::payload::{CacheBypassed, PlanMigrated, StepCopied, Trigger};
use crate::run::{Actor, Event, Recorded, RunState, Seq};

/// Records read at a time.
const READ_RECORDS: usize = 4_096;

/// A run to be made from another one.
#[derive(Debug, Clone)]
pub struct NewFork {
    /// The run that it is made from.
    pub source: RunId,
    /// The last event of that run that it builds on.
    pub seq: Seq,
    /// What is copied, what stands inside before what stands around it.
    pub copied: Vec<StepCopied>,
    /// What takes no kept result.
    pub bypass: CacheBypassed,
    /// The rest, as of any new run.
    pub new: NewRun,
}

impl Engine {
    /// Creates a run that goes on from what another one did. When this returns the run is durable, with
    /// everything that was copied.
    ///
    /// # Errors
    /// Files of a step that is copied are gone, or the store or the blobs can't be written.
    pub async fn fork(&self, fork: NewFork) -> Result<RunId, Error> {
        let run = RunId::generate(self.shared.ports.clock.now());
        let trigger = Trigger::Fork {
            run: fork.source,
            seq: fork.seq,
            copied: u32::try_from(fork.copied.len()).unwrap_or(u32::MAX),
        };
        for copied in &fork.copied {
            self.files_there(copied)?;
        }
        let before = (fork.copied, fork.bypass);
        self.create_as(run, fork.new, trigger, before).await?;
        Ok(run)
    }

    /// That every file of a step that is copied is there: those of old runs may have been removed.
    fn files_there(&self, copied: &StepCopied) -> Result<(), Error> {
        let files = copied.result.iter().flat_map(|result| {
            let files = result.figures.iter().chain(&result.artifacts);
            files.chain(&result.notebook)
        });
        for file in files {
            if !self.shared.ports.blobs.contains(&file.digest) {
                return Err(Error::FilesRemoved(copied.step.clone()));
            }
        }
        Ok(())
    }

    /// Goes on with another version of the plan, which the caller has compared with the one so far.
    ///
    /// # Errors
    /// An attempt is under way, the run has ended, a step that has begun has no place in the new plan, or the store
    /// or the blobs can't be written.
    pub async fn migrate(
        &self,
        run: RunId,
        actor: Actor,
        (plan, blobs): (Arc<Plan>, Vec<(Digest, Vec<u8>)>),
        changes: Vec<String>,
    ) -> Result<RunState, Error> {
        let mut history = History::load(Arc::clone(&self.shared), run).await?;
        action::check_plan(&self.shared, &plan, &blobs)?;
        let to = self.keep(&plan, blobs).await?;
        let from = history.state().plan_digest();
        let migrated = PlanMigrated { from, to, changes };
        history.migrate(migrated, plan, actor).await?;
        Ok(history.into_state())
    }

    /// With which event each step was ready last, and with which it ended last, up to event `last`.
    ///
    /// # Errors
    /// The history can't be read.
    pub async fn places(&self, run: RunId, last: Seq) -> Result<Places, Error> {
        let mut places = Places::default();
        let mut next: Seq = 1;
        loop {
            let records = self.records(run, next, READ_RECORDS).await?;
            for record in records.iter().filter(|record| record.seq <= last) {
                let recorded = Recorded::from_record(record)?;
                places.see(recorded.seq, recorded.event);
            }
            next = match records.last() {
                Some(record) if record.seq < last => record.seq + 1,
                Some(_) | None => return Ok(places),
            };
        }
    }
}

/// Places of steps in a history.
#[derive(Debug, Clone, Default)]
pub struct Places {
    ready: HashMap<StepPath, Seq>,
    ended: HashMap<StepPath, Seq>,
}

impl Places {
    fn see(&mut self, seq: Seq, event: Event) {
        if let Event::StepReady(ready) = event {
            self.ready.insert(ready.step, seq);
            return;
        }
        let step = if let Event::StepSucceeded(done) = event {
            done.step
        } else if let Event::StepSkipped(blocked) | Event::StepNotRun(blocked) = event {
            blocked.step
        } else if let Event::StepFailed(failed) = event {
            failed.step
        } else if let Event::StepCopied(copied) = event {
            copied.step
        } else {
            return;
        };
        self.ended.insert(step, seq);
    }

    /// The event with which the step became ready last.
    #[must_use]
    pub fn ready(&self, step: &StepPath) -> Option<Seq> {
        self.ready.get(step).copied()
    }

    /// The event with which the step ended last.
    #[must_use]
    pub fn ended(&self, step: &StepPath) -> Option<Seq> {
        self.ended.get(step).copied()
    }
}
