//! One run in a simulated world, driven from effect to effect.

mod coming;
mod outcome;
mod perform;
mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::world::World;
use crate::id::{RunId, StepPath};
use crate::plan::Plan;
use crate::run::payload::{RunCreated, Trigger, Values};
use crate::run::{
    Actor, Command, Effect, Event, IllegalEvent, Moment, Recorded, Refusal, RunState, advance,
    decide, effects,
};
use crate::time::Timestamp;

/// Id of every rehearsed run.
const RUN: RunId = RunId::from_bytes([7; 16]);
/// Rounds after which a run that has not come to rest never will.
const ROUNDS_MAX: usize = 200_000;

/// How a rehearsal came to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// The run has ended.
    Ended,
    /// Only people or signals that do not come could move it on.
    Waiting,
}

/// Why a rehearsal can't go on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    /// A step was reached that nothing stands for.
    #[error("step `{0}` was reached and has no mock")]
    NoMock(StepPath),
    /// A decision or a signal of the script was refused.
    #[error("{what} was refused: {refusal}")]
    Refused {
        /// Which.
        what: String,
        /// Why.
        refusal: Refusal,
    },
    /// The machine made an event that can't follow.
    #[error("the machine made an event that can't follow: {}: {}", .0.event, .0.why)]
    Illegal(IllegalEvent),
    /// It goes on and on.
    #[error("the run never comes to rest")]
    Endless,
}

impl From<IllegalEvent> for Fault {
    fn from(error: IllegalEvent) -> Self {
        Self::Illegal(error)
    }
}

/// One run: its history, its state and the simulated time.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    plan: Arc<Plan>,
    history: Vec<Recorded>,
    state: RunState,
    now: Timestamp,
    /// What this engine began: attempts, and runs of steps.
    begun: BTreeMap<(StepPath, u32), Timestamp>,
    used: BTreeSet<usize>,
    sent: BTreeSet<usize>,
    patient: bool,
    repeats: bool,
    accepted_twice: Vec<String>,
}

impl Rehearsal {
    /// A run that has not begun; the inputs are complete.
    ///
    /// # Errors
    /// The machine does not take its own first event.
    pub fn new(plan: &Arc<Plan>, inputs: Values, clock: Timestamp) -> Result<Self, Fault> {
        let created = Event::RunCreated(RunCreated {
            workflow: plan.name.clone(),
            plan: plan.digest(),
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            inputs,
            trigger: Trigger::Manual,
            folder: "runs/rehearsal".to_owned(),
            workflow_folder: None,
            scheduled_at: clock,
            allow_self: true,
            base_url: None,
            labels: plan.labels.clone(),
            thread: None,
        });
        let first = Recorded {
            seq: 1,
            time: clock,
            epoch: 1,
            actor: Actor::Engine,
            event: created,
        };
        let state = RunState::begin(RUN, Arc::clone(plan), &first)?;
        Ok(Self::at(plan, vec![first], state, clock))
    }

    fn at(plan: &Arc<Plan>, history: Vec<Recorded>, state: RunState, now: Timestamp) -> Self {
        Self {
            plan: Arc::clone(plan),
            history,
            state,
            now,
            begun: BTreeMap::new(),
            used: BTreeSet::new(),
            sent: BTreeSet::new(),
            patient: false,
            repeats: false,
            accepted_twice: Vec::new(),
        }
    }

    /// The same run as it stands after a crash that kept the first `kept` events: its state is replayed.
    ///
    /// # Errors
    /// The beginning of the history can't be replayed.
    pub fn crashed(&self, kept: usize) -> Result<Self, Fault> {
        let history: Vec<Recorded> = self.history.iter().take(kept.max(1)).cloned().collect();
        let now = history.last().map_or(self.now, |last| last.time);
        match RunState::replay(RUN, Arc::clone(&self.plan), &history)? {
            Some(state) => Ok(Self::at(&self.plan, history, state, now)),
            None => Err(Fault::Endless),
        }
    }

    /// The same, with everything that ends or is answered said twice from now on.
    #[must_use]
    pub fn repeating(mut self) -> Self {
        self.repeats = true;
        self
    }

    /// What happened.
    #[must_use]
    pub fn history(&self) -> &[Recorded] {
        &self.history
    }

    /// Where the run stands.
    #[must_use]
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// How much simulated time has passed.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.now.since(self.state.created_at)
    }

    /// Decisions of the script that were used, by their place in it.
    #[must_use]
    pub fn used(&self) -> &BTreeSet<usize> {
        &self.used
    }

    /// Signals of the script that were sent, by their place in it.
    #[must_use]
    pub fn sent(&self) -> &BTreeSet<usize> {
        &self.sent
    }

    /// What was said twice and changed something the second time.
    #[must_use]
    pub fn accepted_twice(&self) -> &[String] {
        &self.accepted_twice
    }

    /// Asks something of the run as a person.
    ///
    /// # Errors
    /// It is refused.
    pub fn ask(&mut self, command: Command) -> Result<(), Fault> {
        self.submit(command, "the command")
    }

    /// Goes on until the run has ended or nothing more will happen.
    ///
    /// # Errors
    /// The rehearsal can't go on.
    pub fn rest(&mut self, world: &World) -> Result<Rest, Fault> {
        if self.state.started_at.is_none() && self.state.ending.is_none() {
            self.submit(Command::Start, "the start")?;
        }
        for _ in 0..ROUNDS_MAX {
            self.advance()?;
            if self.state.ending.is_some() {
                return Ok(Rest::Ended);
            }
            let owed = effects(&self.state, self.now);
            if self.perform_one(&owed, world)? {
                continue;
            }
            let Some((at, next)) = self.next(&owed, world) else {
                return Ok(Rest::Waiting);
            };
            self.now = self.now.max(at);
            self.happen(next)?;
        }
        Err(Fault::Endless)
    }

    fn advance(&mut self) -> Result<(), Fault> {
        for _ in 0..ROUNDS_MAX {
            let moment = Moment {
                now: self.now,
                draw: 0.5,
            };
            let events = advance(&self.state, moment);
            if events.is_empty() {
                return Ok(());
            }
            self.record(events, &Actor::Engine)?;
        }
        Err(Fault::Endless)
    }

    fn record(&mut self, events: Vec<Event>, actor: &Actor) -> Result<(), Fault> {
        for event in events {
            let recorded = Recorded {
                seq: self.state.seq + 1,
                time: self.now,
                epoch: 1,
                actor: actor.clone(),
                event,
            };
            self.state.apply(&recorded)?;
            self.history.push(recorded);
        }
        Ok(())
    }

    fn submit(&mut self, command: Command, what: &str) -> Result<(), Fault> {
        let refused = |refusal| Fault::Refused {
            what: what.to_owned(),
            refusal,
        };
        let again = self.repeats.then(|| command.clone());
        let actor = if let Command::Vote(vote) = &command {
            Actor::User(vote.person.clone())
        } else {
            Actor::Engine
        };
        let events = decide(&self.state, command).map_err(refused)?;
        self.record(events, &actor)?;
        if let Some(events) = again.and_then(|again| decide(&self.state, again).ok()) {
            self.accepted_twice.extend(
                events
                    .first()
                    .map(|event| format!("{what}: {}", event.name())),
            );
        }
        Ok(())
    }

    /// Does the first thing that can be done without time passing. Says whether there was one.
    fn perform_one(&mut self, owed: &[Effect], world: &World) -> Result<bool, Fault> {
        for effect in owed {
            if self.perform(effect, world)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
