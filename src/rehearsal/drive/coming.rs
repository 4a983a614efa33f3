//! What comes when time passes: ends of attempts, timers, answers of people, signals.

use std::time::Duration;

use serde_json::Value;

use super::outcome::{children, length, outcome};
use super::{Fault, Rehearsal};
use crate::approval::Answer;
use crate::id::StepPath;
use crate::plan::{StepKind, WaitOn};
use crate::rehearsal::sample::sample;
use crate::rehearsal::world::{Answers, Decision, World, means};
use crate::run::payload::Values;
use crate::run::{
    ANSWER_RUN_AGAIN, ApprovalState, Command, Effect, RunState, StepStatus, UNKNOWN_ANSWER, Vote,
};
use crate::time::Timestamp;

/// How long people take to answer when nothing else is said.
const ANSWER_AFTER: Duration = Duration::from_secs(60);

/// What happens when time passes.
pub(super) enum Next {
    Time,
    Vote(Box<Vote>, Option<usize>),
    Signal(String, Values, Option<usize>),
}

impl Rehearsal {
    /// What happens next when time passes. Limits on people pass only while something is still to come.
    pub(super) fn next(&mut self, owed: &[Effect], world: &World) -> Option<(Timestamp, Next)> {
        let mut coming = self.votes(world);
        coming.extend(self.signals(world));
        let expected = self.patient || !coming.is_empty();
        for effect in owed {
            let at = match effect {
                Effect::WakeAt { at, idle, .. } if expected || !idle => Some(*at),
                Effect::Attend { step, attempt } => self.due(step, *attempt, world),
                Effect::AttendChild { step, .. } => {
                    let number = self
                        .state
                        .step(step)
                        .map_or(0, |(_, state)| children(state));
                    self.due(step, number, world)
                }
                Effect::WakeAt { .. }
                | Effect::Analyse { .. }
                | Effect::LookUp { .. }
                | Effect::Execute { .. }
                | Effect::Act { .. }
                | Effect::Kill { .. }
                | Effect::Acquire { .. }
                | Effect::Tell { .. }
                | Effect::StartChild { .. }
                | Effect::LookAtChild { .. }
                | Effect::CancelChild { .. } => None,
            };
            coming.extend(at.map(|at| (at, Next::Time)));
        }
        // Of two things at the same instant the clock goes first.
        coming
            .into_iter()
            .min_by_key(|(at, next)| (*at, !matches!(next, Next::Time)))
    }

    fn due(&self, path: &StepPath, number: u32, world: &World) -> Option<Timestamp> {
        let (step, step_state) = self.state.step(path)?;
        let begun = self.begun.get(&(path.clone(), number))?;
        let outcome = outcome(world, step, step_state).ok()?;
        Some(begun.plus(length(step, &outcome)))
    }

    pub(super) fn happen(&mut self, next: Next) -> Result<(), Fault> {
        match next {
            Next::Time => Ok(()),
            Next::Vote(vote, place) => {
                self.used.extend(place);
                let asked = self.state.approvals.get(&vote.approval);
                let step = asked.map(|asked| asked.request.step.to_string());
                let what = format!("the decision for `{}`", step.unwrap_or_default());
                self.submit(Command::Vote(*vote), &what)
            }
            Next::Signal(name, payload, place) => {
                self.sent.extend(place);
                let what = format!("the signal `{name}`");
                let key = self.repeats.then(|| format!("{}", self.state.seq));
                self.submit(Command::Signal { name, payload, key }, &what)
            }
        }
    }

    fn votes(&mut self, world: &World) -> Vec<(Timestamp, Next)> {
        let mut coming = Vec::new();
        let mut silent = Vec::new();
        for asked in self.state.open_approvals() {
            let step = &asked.request.step;
            let (after, vote, place) = match &world.answers {
                Answers::Nobody => continue,
                Answers::Yes(delays) => {
                    let after = delays.by_step.get(step).copied().unwrap_or(ANSWER_AFTER);
                    (after, yes(asked, &self.state), None)
                }
                Answers::Scripted(script) => match self.scripted(asked, script) {
                    None => continue,
                    Some((place, decision)) => {
                        let Some(answer) = decision.answer else {
                            silent.push(place);
                            continue;
                        };
                        (decision.after, spoken(asked, decision, answer), Some(place))
                    }
                },
            };
            let at = asked.requested_at.plus(after);
            coming.push((at, Next::Vote(Box::new(vote), place)));
        }
        if !silent.is_empty() {
            self.patient = true;
            self.used.extend(silent);
        }
        coming
    }

    /// The next decision of the script for a question: as many are passed over as this step has been answered.
    fn scripted<'s>(
        &self,
        asked: &ApprovalState,
        script: &'s [Decision],
    ) -> Option<(usize, &'s Decision)> {
        let path = &asked.request.step;
        let (step, _) = self.state.step(path)?;
        let questions = self.state.approvals.values();
        let answered: usize = questions
            .filter(|other| other.request.step == *path)
            .map(|other| other.votes.len())
            .sum();
        let here = |exact: bool| {
            script.iter().enumerate().filter(move |(_, decision)| {
                let exactly = decision.step == path.as_str();
                if exact {
                    exactly
                } else {
                    !exactly && means(&decision.step, step, path)
                }
            })
        };
        if here(true).next().is_some() {
            return here(true).nth(answered);
        }
        here(false).nth(answered)
    }

    fn signals(&self, world: &World) -> Vec<(Timestamp, Next)> {
        let started = self.state.started_at.unwrap_or(self.now);
        let script = world.signals.iter().enumerate();
        let mut coming: Vec<(Timestamp, Next)> = script
            .filter(|(place, _)| !self.sent.contains(place))
            .map(|(place, signal)| {
                let next = Next::Signal(signal.name.clone(), signal.payload.clone(), Some(place));
                (started.plus(signal.after), next)
            })
            .collect();
        if matches!(world.answers, Answers::Yes(_)) && coming.is_empty() {
            coming.extend(self.awaited(world.samples.unwrap_or_default()));
        }
        coming
    }

    /// The signal that the first waiting step waits for.
    fn awaited(&self, seed: u64) -> Option<(Timestamp, Next)> {
        self.state.steps().find_map(|(step, step_state)| {
            let StepKind::Wait(wait) = &step.kind else {
                return None;
            };
            let WaitOn::Signal { name, payload } = &wait.on else {
                return None;
            };
            if step_state.status != StepStatus::Waiting {
                return None;
            }
            let fields = payload.iter().flatten();
            let values = fields.map(|(name, field)| (name.clone(), sample(field, seed)));
            let at = step_state.ready_at?.plus(ANSWER_AFTER);
            Some((at, Next::Signal(name.clone(), values.collect(), None)))
        })
    }
}

fn spoken(asked: &ApprovalState, decision: &Decision, answer: Answer) -> Vote {
    Vote {
        approval: asked.request.approval.clone(),
        person: decision.by.clone(),
        roles: decision.roles.clone(),
        typed_by: None,
        answer,
        form: decision.form.clone(),
        comment: decision.comment.clone(),
        seen: Some(asked.request.subject_digest),
    }
}

/// A yes of the next person; an interrupted write is to be made again.
fn yes(asked: &ApprovalState, state: &RunState) -> Vote {
    let open = asked.request.form.iter();
    let form = open.filter_map(|(name, field)| {
        if name == UNKNOWN_ANSWER && asked.request.attempt.is_some() {
            return Some((name.clone(), Value::from(ANSWER_RUN_AGAIN)));
        }
        let missing = field.default.is_none() && field.required;
        missing.then(|| (name.clone(), sample(field, state.seq)))
    });
    let (person, roles) = somebody(asked);
    Vote {
        approval: asked.request.approval.clone(),
        person,
        roles,
        typed_by: None,
        answer: Answer::Approve,
        form: form.collect(),
        comment: None,
        seen: Some(asked.request.subject_digest),
    }
}

/// The next person who may answer: those whom the question names first, then anybody with their roles.
fn somebody(asked: &ApprovalState) -> (String, Vec<String>) {
    let next = asked.votes.len();
    let anybody = format!("person {}", next + 1);
    let Some(people) = &asked.request.rules.people else {
        return (anybody, Vec::new());
    };
    let named = people.users.get(next).cloned();
    (named.unwrap_or(anybody), people.roles.clone())
}
