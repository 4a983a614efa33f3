//! What is owed, done at once: nothing here lets time pass.

use super::outcome::{children, ended, length, missed, outcome, started};
use super::{Fault, RUN, Rehearsal};
use crate::failure::Failure;
use crate::id::{RunId, StepPath};
use crate::rehearsal::world::{Adopted, Does, World};
use crate::run::payload::{
    ChildRunClosed, ChildRunStarted, ChildRunWaiting, NotificationSent, Values,
};
use crate::run::{Actor, Command, Effect, RunStatus, decide};

impl Rehearsal {
    /// Does what is owed. Says whether it could be done now.
    pub(super) fn perform(&mut self, effect: &Effect, world: &World) -> Result<bool, Fault> {
        match effect {
            Effect::WakeAt { .. } => return Ok(false),
            Effect::Analyse { step } => self.analyse(step, world)?,
            Effect::LookUp { step } => self.submit(missed(step), "a look into the cache")?,
            Effect::Execute { step, attempt } | Effect::Act { step, attempt } => {
                self.begin(step, *attempt, world)?;
            }
            Effect::Attend { step, attempt } => return self.attend(step, *attempt, world),
            Effect::Kill { step, attempt } => {
                let (step, attempt) = (step.clone(), *attempt);
                self.submit(Command::AttemptKilled { step, attempt }, "a kill")?;
            }
            Effect::Tell {
                approval,
                occasion,
                channel,
            } => {
                let sent = NotificationSent {
                    approval: approval.clone(),
                    occasion: occasion.clone(),
                    channel: channel.clone(),
                    failure: None,
                };
                self.submit(Command::Told(sent), "a message")?;
            }
            Effect::Acquire { step } => return self.acquire(step.as_ref()),
            Effect::StartChild { step } => self.start_child(step)?,
            Effect::AttendChild { step, .. } => return self.attend_child(step, world),
            Effect::LookAtChild { step, .. } => {
                let goes_on = ChildRunWaiting {
                    step: step.clone(),
                    status: RunStatus::Running,
                    questions: Vec::new(),
                };
                self.submit(Command::ChildWaits(goes_on), "news of a run")?;
            }
            Effect::CancelChild { step, .. } => {
                self.close_child(step, RunStatus::Cancelled, Values::new(), None)?;
            }
        }
        Ok(true)
    }

    fn analyse(&mut self, path: &StepPath, world: &World) -> Result<(), Fault> {
        let Some((step, step_state)) = self.state.step(path) else {
            return Ok(());
        };
        let Some(python) = step.kind.as_python() else {
            return Ok(());
        };
        let command = match world.review.report(&self.state, step_state, python) {
            Ok(report) => Command::Analysed(report),
            Err(failure) => Command::AnalysisFailed {
                step: path.clone(),
                failure,
            },
        };
        // The same analysis twice before anything follows from it is the same analysis.
        let repeats = std::mem::take(&mut self.repeats);
        let done = self.submit(command, "an analysis");
        self.repeats = repeats;
        done
    }

    fn begin(&mut self, path: &StepPath, attempt: u32, world: &World) -> Result<(), Fault> {
        let Some((step, step_state)) = self.state.step(path) else {
            return Ok(());
        };
        outcome(world, step, step_state)?;
        let started = started(step, step_state, attempt);
        self.submit(Command::BeginAttempt(started), "the begin of an attempt")?;
        self.begun.insert((path.clone(), attempt), self.now);
        Ok(())
    }

    /// Ends an attempt when its time has come; one that an earlier engine began is looked for.
    fn attend(&mut self, path: &StepPath, attempt: u32, world: &World) -> Result<bool, Fault> {
        let Some((step, step_state)) = self.state.step(path) else {
            return Ok(false);
        };
        let outcome = outcome(world, step, step_state)?;
        let begun = self.begun.get(&(path.clone(), attempt));
        let finished = match (begun, world.adopted) {
            (Some(begun), _) if begun.plus(length(step, &outcome)) > self.now => return Ok(false),
            (Some(_), _) | (None, Adopted::Finished) => true,
            (None, Adopted::LostStarted | Adopted::LostBefore) => false,
        };
        let command = if finished {
            ended(step, step_state, attempt, outcome)
        } else {
            Command::AttemptLost {
                step: path.clone(),
                attempt,
                started: world.adopted == Adopted::LostStarted,
                evidence: "the engine died and nothing was left".to_owned(),
            }
        };
        self.submit(command, &format!("the end of `{path}`"))?;
        Ok(true)
    }

    /// Takes places and locks when they are free; nobody but this run wants any.
    fn acquire(&mut self, step: Option<&StepPath>) -> Result<bool, Fault> {
        let slots = match step {
            None => self.state.slots.as_ref(),
            Some(path) => self
                .state
                .step(path)
                .and_then(|(_, step)| step.slots.as_ref()),
        };
        let Some(slots) = slots else {
            return Ok(false);
        };
        let command = Command::Admit {
            step: step.cloned(),
            room: slots.wishes.iter().map(|wish| wish.limit).collect(),
        };
        let Ok(events) = decide(&self.state, command) else {
            return Ok(false);
        };
        self.record(events, &Actor::Engine)?;
        Ok(true)
    }

    fn start_child(&mut self, step: &StepPath) -> Result<(), Fault> {
        let number = self
            .state
            .step(step)
            .map_or(0, |(_, state)| children(state));
        let run = RunId::derive(self.now, RUN, step, number);
        let started = ChildRunStarted {
            step: step.clone(),
            run,
        };
        self.submit(Command::ChildStarted(started), "the start of a run")?;
        self.begun.insert((step.clone(), number + 1), self.now);
        Ok(())
    }

    fn attend_child(&mut self, path: &StepPath, world: &World) -> Result<bool, Fault> {
        let Some((step, step_state)) = self.state.step(path) else {
            return Ok(false);
        };
        let outcome = outcome(world, step, step_state)?;
        let begun = self.begun.get(&(path.clone(), children(step_state)));
        if begun.is_some_and(|begun| begun.plus(outcome.takes) > self.now) {
            return Ok(false);
        }
        match outcome.does {
            Does::Results(results) => {
                let outputs = results.as_object().cloned().unwrap_or_default();
                self.close_child(path, RunStatus::Succeeded, outputs, None)?;
            }
            Does::Fails(failure) => {
                self.close_child(path, RunStatus::Failed, Values::new(), Some(failure))?;
            }
        }
        Ok(true)
    }

    fn close_child(
        &mut self,
        step: &StepPath,
        status: RunStatus,
        outputs: Values,
        failure: Option<Failure>,
    ) -> Result<(), Fault> {
        let closed = ChildRunClosed {
            step: step.clone(),
            status,
            outputs,
            failure,
            reason: None,
        };
        self.submit(Command::ChildEnded(closed), "the end of a run")
    }
}
