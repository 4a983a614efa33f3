//! How often what a step does may have taken place, and what must never be in a history.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{ApprovalId, StepPath};
use crate::plan::{OnUnknown, Plan};
use crate::rehearsal::drive::Rehearsal;
use crate::run::payload::{AttemptFailed, Closed, EffectClass, Phase, Subject};
use crate::run::{Event, Recorded, RunState, may_have_begun};

/// How often the work of a step may have begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Count {
    /// By itself.
    pub(super) alone: usize,
    /// Because a person wanted it again.
    pub(super) by_word: usize,
}

/// How the last attempt of a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Open,
    Counted,
    /// It was interrupted; whether its work may have begun.
    Interrupted(bool),
    Unknown,
}

/// What a history says.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Steps by their paths in the run.
    pub(super) steps: BTreeMap<StepPath, Count>,
    /// What must not be.
    pub(super) broken: Vec<String>,
    last: BTreeMap<StepPath, Last>,
    words: BTreeSet<StepPath>,
    questions: BTreeMap<ApprovalId, StepPath>,
    endings: usize,
}

impl Tally {
    pub(super) fn of(run: &Rehearsal) -> Self {
        Self::read(run.history(), run.state())
    }

    fn read(history: &[Recorded], state: &RunState) -> Self {
        let mut tally = Self::default();
        for recorded in history {
            tally.event(recorded, state);
        }
        if tally.endings > 1 {
            let what = format!("the run ended {} times", tally.endings);
            tally.broken.push(what);
        }
        tally
    }

    fn event(&mut self, recorded: &Recorded, state: &RunState) {
        if let Event::AttemptStarted(started) = &recorded.event
            && started.phase == Phase::Execute
        {
            self.started(&started.step, started.effect, state);
        } else if let Event::AttemptSucceeded(ended) = &recorded.event {
            self.last.remove(&ended.step);
        } else if let Event::AttemptFailed(failed) = &recorded.event {
            self.failed(failed);
        } else if let Event::AttemptOutcomeUnknown(unknown) = &recorded.event {
            self.last.insert(unknown.step.clone(), Last::Unknown);
        } else if let Event::ApprovalRequested(asked) = &recorded.event {
            if asked.subject == Subject::UnknownOutcome {
                let (approval, step) = (asked.approval.clone(), asked.step.clone());
                self.questions.insert(approval, step);
            }
        } else if let Event::ApprovalClosed(closed) = &recorded.event {
            let step = self.questions.get(&closed.approval);
            if closed.outcome == Closed::Approved {
                self.words.extend(step.cloned());
            }
        }
        let ends = matches!(
            recorded.event,
            Event::RunSucceeded(_)
                | Event::RunFailed(_)
                | Event::RunRejected(_)
                | Event::RunCancelled(_)
        );
        self.endings += usize::from(ends);
    }

    fn started(&mut self, path: &StepPath, effect: EffectClass, state: &RunState) {
        let word = self.words.remove(path);
        let count = self.steps.entry(path.clone()).or_default();
        if word {
            count.by_word += 1;
        } else {
            count.alone += 1;
        }
        let last = self.last.insert(path.clone(), Last::Open);
        let again = match last {
            Some(Last::Open | Last::Unknown | Last::Interrupted(true)) => true,
            Some(Last::Counted | Last::Interrupted(false)) | None => false,
        };
        if effect == EffectClass::Write && again && !word && !repeats(&state.plan, path, state) {
            self.broken.push(format!(
                "the write of `{path}` was started twice without a person's word"
            ));
        }
    }

    fn failed(&mut self, failed: &AttemptFailed) {
        let began = failed.counted || may_have_begun(&failed.failure);
        if !began && let Some(count) = self.steps.get_mut(&failed.step) {
            if count.alone > 0 {
                count.alone -= 1;
            } else {
                count.by_word = count.by_word.saturating_sub(1);
            }
        }
        let last = match failed.counted {
            true => Last::Counted,
            false => Last::Interrupted(began),
        };
        self.last.insert(failed.step.clone(), last);
    }
}

/// Whether the author says that an interrupted attempt of this step is made again.
fn repeats(plan: &Plan, path: &StepPath, state: &RunState) -> bool {
    let found = state
        .step(path)
        .and_then(|(step, _)| plan.steps.at(&step.path));
    found.is_some_and(|step| step.on_unknown == Some(OnUnknown::Retry))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::rehearsal::{Answers, Delays, Review, World};
    use crate::run::payload::Values;
    use crate::time::Timestamp;
    use crate::workflow::{CompileOptions, NoSources, compile};

    /// A run with one write, after which nothing is broken.
    fn written() -> Rehearsal {
        let text = "version: 1\nname: w\nsteps:\n  - id: send\n    \
                    python: {code: \"results = {}\", mode: write_access}\n";
        let options = CompileOptions::default();
        let plan = compile("w.yml", text.as_bytes(), &NoSources, &options).plan;
        let plan = Arc::new(plan.unwrap());
        let mut run = Rehearsal::new(&plan, Values::new(), Timestamp::from_micros(0)).unwrap();
        let world = World {
            samples: Some(0),
            answers: Answers::Yes(Delays::default()),
            ..World::new(Review::default())
        };
        run.rest(&world).unwrap();
        assert_eq!(Tally::of(&run).broken, Vec::<String>::new());
        run
    }

    #[test]
    fn a_write_that_begins_again_by_itself_is_a_broken_promise() {
        let run = written();
        let mut history = run.history().to_vec();
        let at = history
            .iter()
            .position(|recorded| matches!(recorded.event, Event::AttemptStarted(_)))
            .unwrap();
        history.insert(at + 1, history[at].clone());
        let tally = Tally::read(&history, run.state());
        assert_eq!(
            tally.broken,
            ["the write of `send` was started twice without a person's word"]
        );
        let count = tally.steps.get(&StepPath::new("send")).unwrap();
        assert_eq!((count.alone, count.by_word), (2, 0));
    }

    #[test]
    fn two_ends_are_a_broken_promise() {
        let run = written();
        let mut history = run.history().to_vec();
        history.extend(run.history().last().cloned());
        let tally = Tally::read(&history, run.state());
        assert_eq!(tally.broken, ["the run ended 2 times"]);
    }
}
