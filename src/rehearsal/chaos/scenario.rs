//! What may come between, one kind after the other, and what must hold whatever it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::tally::{Count, Tally};
use super::{Broken, outcome};
use crate::code;
use crate::expression::format_duration;
use crate::failure::{Failure, FailureKind};
use crate::id::StepPath;
use crate::plan::{AskRules, OnUnknown, PythonStep, Step, StepKind};
use crate::rehearsal::drive::{Fault, Rehearsal, Rest};
use crate::rehearsal::world::{Adopted, Answers, Delays, Failing, World};
use crate::run::{Command, Event, RunStatus};

/// How long people who are slow without a limit take: 30 days.
const SLOW: Duration = Duration::from_secs(30 * 24 * 3_600);
/// How far before and behind a limit an answer is tried.
const HAIR: Duration = Duration::from_secs(1);

/// What was seen in all runs.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) runs: usize,
    pub(super) broken: Vec<Broken>,
    /// The most that happened to a step in any run with a crash, by its path in the run.
    pub(super) tally: BTreeMap<StepPath, Count>,
}

/// What the end must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// As when nothing comes between.
    Same,
    /// Any.
    Any,
    /// Cancelled, if it had not ended before.
    Cancelled,
}

pub(super) struct Stage<'b> {
    base: &'b Rehearsal,
    world: &'b World,
    rest: Option<Rest>,
    expected: serde_json::Value,
    pub(super) seen: Seen,
}

impl<'b> Stage<'b> {
    pub(super) fn new(base: &'b Rehearsal, world: &'b World) -> Self {
        let ended = base.state().ending.is_some();
        let mut stage = Self {
            base,
            world,
            rest: Some(if ended { Rest::Ended } else { Rest::Waiting }),
            expected: outcome(base),
            seen: Seen::default(),
        };
        stage.watch("nothing came between", Ok(base.clone()), End::Same);
        stage
    }

    pub(super) fn all(&mut self, points: &[usize]) {
        for kept in points {
            for adopted in Adopted::ALL {
                self.crash(*kept, adopted);
            }
            self.cancel(*kept);
            self.pause(*kept);
        }
        self.everything_twice();
        self.slow_people();
        self.failing_steps();
        self.failing_models();
    }

    fn crash(&mut self, kept: usize, adopted: Adopted) {
        let left = match adopted {
            Adopted::Finished => "what was under way had finished",
            Adopted::LostStarted => "what was under way is lost, and may have begun",
            Adopted::LostBefore => "what was under way had not begun",
        };
        let when = format!("{}; {left}", self.after("a crash", kept));
        let world = World {
            adopted,
            ..self.world.clone()
        };
        let crashed = self.base.crashed(kept);
        let (done, end) = match &crashed {
            Ok(run) => (finished(run), self.end_after_crash(run, adopted)),
            Err(_) => (BTreeSet::new(), End::Same),
        };
        let run = crashed.and_then(|mut run| run.rest(&world).map(|_| run));
        if let Ok(run) = &run {
            self.count(run);
            let begun_again = run.history().iter().skip(kept).find_map(|recorded| {
                let Event::AttemptStarted(started) = &recorded.event else {
                    return None;
                };
                done.contains(&started.step).then_some(&started.step)
            });
            if let Some(step) = begun_again {
                self.broke(&when, format!("the finished step `{step}` ran again"));
            }
        }
        self.watch(&when, run, end);
    }

    /// A step whose author says that it fails when interrupted ends otherwise, as he wants it.
    fn end_after_crash(&self, run: &Rehearsal, adopted: Adopted) -> End {
        let mut steps = run.state().steps();
        let fails = steps.any(|(step, state)| {
            state.open_attempt().is_some() && step.on_unknown == Some(OnUnknown::Fail)
        });
        if fails && adopted == Adopted::LostStarted {
            End::Any
        } else {
            End::Same
        }
    }

    fn cancel(&mut self, kept: usize) {
        let when = self.after("a cancel", kept);
        let ended = self
            .base
            .crashed(kept)
            .map(|run| run.state().ending.is_some());
        if ended == Ok(true) {
            return;
        }
        let reason = Some("chaos".to_owned());
        let decided = |run: &Rehearsal| {
            let mut events = run.history().iter();
            events.any(|recorded| matches!(recorded.event, Event::RunDecided(_)))
        };
        let mut end = End::Cancelled;
        let run = self.base.crashed(kept).and_then(|mut run| {
            match run.ask(Command::Cancel { reason }) {
                // Its result is decided, only handlers go on: the cancel comes too late and must change nothing.
                Err(Fault::Refused { .. }) if decided(&run) => end = End::Same,
                asked => asked?,
            }
            run.rest(self.world)?;
            Ok(run)
        });
        self.watch(&when, run, end);
    }

    fn pause(&mut self, kept: usize) {
        let when = self.after("a pause", kept);
        let Ok(mut run) = self.base.crashed(kept) else {
            return;
        };
        if run.state().ending.is_some() {
            return;
        }
        let held = World {
            answers: Answers::Nobody,
            adopted: Adopted::Finished,
            ..self.world.clone()
        };
        let begun = |run: &Rehearsal| {
            let events = run.history().iter().skip(kept);
            let starts = events.filter(|one| matches!(one.event, Event::AttemptStarted(_)));
            starts.count()
        };
        let paused = run
            .ask(Command::Pause { reason: None })
            .and_then(|()| run.rest(&held));
        if begun(&run) > 0 {
            self.broke(
                &when,
                "an attempt began while the run was paused".to_owned(),
            );
        }
        let run = paused.and_then(|_| {
            if run.state().ending.is_none() {
                run.ask(Command::Unpause)?;
            }
            run.rest(self.world)?;
            Ok(run)
        });
        self.watch(&when, run, End::Same);
    }

    /// Every completion and every answer comes twice: the second one must change nothing.
    fn everything_twice(&mut self) {
        let when = "everything was said twice";
        let run = self.base.crashed(1).and_then(|run| {
            let mut run = run.repeating();
            run.rest(self.world)?;
            Ok(run)
        });
        if let Ok(run) = &run {
            for what in run.accepted_twice() {
                self.broke(when, format!("the second time changed something: {what}"));
            }
        }
        self.watch(when, run, End::Same);
    }

    fn slow_people(&mut self) {
        let asked: Vec<StepPath> = self
            .base
            .state()
            .approvals
            .values()
            .map(|asked| asked.request.step.clone())
            .collect();
        for path in asked {
            let Some((step, _)) = self.base.state().step(&path) else {
                continue;
            };
            for (delay, end) in delays(step) {
                let when = format!("`{path}` was answered after {}", format_duration(delay));
                let answers = Answers::Yes(Delays {
                    by_step: BTreeMap::from([(path.clone(), delay)]),
                });
                let world = World {
                    answers,
                    ..self.world.clone()
                };
                let run = self.again(&world);
                self.watch(&when, run, end);
            }
        }
    }

    fn failing_steps(&mut self) {
        let tries = [
            (FailureKind::Code, false, "always fails"),
            (
                FailureKind::Infrastructure,
                false,
                "never reaches what it needs",
            ),
            (FailureKind::Infrastructure, true, "fails once"),
        ];
        let steps = self.base.state().plan.steps.iter();
        let paths: Vec<StepPath> = steps
            .filter(|step| acts(step))
            .map(|step| step.path.clone())
            .collect();
        for path in paths {
            for (kind, once, word) in tries {
                let when = format!("`{path}` {word}");
                let failing = Some(Failing {
                    step: path.clone(),
                    failure: Failure::new(kind, code::MOCKED_FAILURE, "chaos"),
                    once,
                });
                let world = World {
                    failing,
                    ..self.world.clone()
                };
                let run = self.again(&world);
                self.watch(&when, run, End::Any);
            }
        }
    }

    fn failing_models(&mut self) {
        let tries = [
            (FailureKind::Code, true, "was written uselessly once"),
            (FailureKind::Code, false, "is never written usefully"),
            (FailureKind::Infrastructure, true, "waits for a busy model"),
            (
                FailureKind::Infrastructure,
                false,
                "has a model that never answers",
            ),
            (
                FailureKind::Configuration,
                false,
                "has a model that nobody may use",
            ),
        ];
        let steps = self.base.state().plan.steps.iter();
        let paths: Vec<StepPath> = steps
            .filter(|step| step.kind.as_python().and_then(PythonStep::task).is_some())
            .map(|step| step.path.clone())
            .collect();
        for path in paths {
            for (kind, once, word) in tries {
                let when = format!("the code of `{path}` {word}");
                let model = Some(Failing {
                    step: path.clone(),
                    failure: Failure::new(kind, code::MOCKED_FAILURE, "chaos"),
                    once,
                });
                let world = World {
                    model,
                    ..self.world.clone()
                };
                let run = self.again(&world);
                // Where one answer more is allowed, one that is lost changes nothing.
                let end = if once && kind == FailureKind::Infrastructure {
                    End::Same
                } else {
                    End::Any
                };
                self.watch(&when, run, end);
            }
        }
    }

    fn again(&self, world: &World) -> Result<Rehearsal, Fault> {
        let mut run = self.base.crashed(1)?;
        run.rest(world)?;
        Ok(run)
    }

    fn after(&self, what: &str, kept: usize) -> String {
        let history = self.base.history();
        let event = history.get(kept.saturating_sub(1));
        let name = event.map_or("", |recorded| recorded.event.name());
        format!("{what} after event {kept}, {name}")
    }

    fn broke(&mut self, when: &str, what: String) {
        self.seen.broken.push(Broken {
            when: when.to_owned(),
            what,
        });
    }

    /// What must hold of every run.
    fn watch(&mut self, when: &str, run: Result<Rehearsal, Fault>, end: End) {
        self.seen.runs += 1;
        let run = match run {
            Ok(run) => run,
            Err(fault) => return self.broke(when, fault.to_string()),
        };
        for what in Tally::of(&run).broken {
            self.broke(when, what);
        }
        let ended = run.state().ending.is_some();
        let asks = run.state().status() == RunStatus::Waiting;
        let waits = asks && self.rest == Some(Rest::Waiting);
        if !ended && !waits {
            return self.broke(
                when,
                "the run neither ended nor says what it waits for".to_owned(),
            );
        }
        match end {
            End::Any => {}
            End::Same => {
                let found = outcome(&run);
                if found != self.expected && !self.time_ran_out(&run) {
                    let what = differs(&self.expected, &found);
                    self.broke(when, what);
                }
            }
            End::Cancelled => {
                let status = run.state().status();
                if status != RunStatus::Cancelled {
                    self.broke(when, format!("the run is {}", status.as_str()));
                }
            }
        }
    }

    /// Whether a limit in time ended something that it did not end when nothing came between.
    fn time_ran_out(&self, run: &Rehearsal) -> bool {
        let limits = |run: &Rehearsal| {
            let events = run.history().iter();
            let over = events.filter(|recorded| {
                matches!(
                    recorded.event,
                    Event::DeadlinePassed(_) | Event::RunTimedOut(_) | Event::HandlerTimedOut(_)
                )
            });
            over.count()
        };
        limits(run) > limits(self.base)
    }

    fn count(&mut self, run: &Rehearsal) {
        for (step, count) in Tally::of(run).steps {
            let most = self.seen.tally.entry(step).or_default();
            most.alone = most.alone.max(count.alone);
            most.by_word = most.by_word.max(count.by_word);
        }
    }
}

/// Whether a step does something that can fail.
pub(super) fn acts(step: &Step) -> bool {
    step.kind.is_action() || matches!(step.kind, StepKind::Python(_) | StepKind::Workflow(_))
}

/// When an answer is tried, and what the end must be then.
fn delays(step: &Step) -> Vec<(Duration, End)> {
    let Some(rules) = rules(step) else {
        return vec![(SLOW, End::Same)];
    };
    let mut delays: Vec<(Duration, End)> = rules
        .remind
        .iter()
        .map(|remind| (*remind + HAIR, End::Any))
        .collect();
    match rules.timeout {
        Some(limit) => {
            delays.push((limit.saturating_sub(HAIR), End::Same));
            delays.push((limit + HAIR, End::Any));
        }
        None => delays.push((SLOW, End::Same)),
    }
    delays
}

fn rules(step: &Step) -> Option<&AskRules> {
    if let StepKind::Approval(approval) = &step.kind {
        return Some(&approval.rules);
    }
    let wish = step.kind.as_python()?.approve_code.as_ref()?;
    Some(&wish.rules)
}

fn finished(run: &Rehearsal) -> BTreeSet<StepPath> {
    let settled = run.state().steps();
    let settled = settled.filter(|(_, step)| step.status.is_settled());
    settled.map(|(_, step)| step.path.clone()).collect()
}

/// The first difference, in words.
fn differs(expected: &serde_json::Value, found: &serde_json::Value) -> String {
    let part = |value: &serde_json::Value, at: &[&str]| {
        let found = at.iter().try_fold(value, |value, key| value.get(*key));
        found.map_or_else(|| "absent".to_owned(), ToString::to_string)
    };
    let steps = expected.get("steps").and_then(serde_json::Value::as_object);
    let names = steps.into_iter().flat_map(serde_json::Map::keys);
    for name in names {
        for key in ["status", "outputs"] {
            let at = ["steps", name.as_str(), key];
            let (should, is) = (part(expected, &at), part(found, &at));
            if should != is {
                return format!("`{name}` has the {key} {is}, not {should}");
            }
        }
    }
    for key in ["status", "outputs"] {
        let (should, is) = (part(expected, &[key]), part(found, &[key]));
        if should != is {
            return format!("the run has the {key} {is}, not {should}");
        }
    }
    "the run has other steps".to_owned()
}
