//! Whether what happened in a case is what it expects.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::case::{Case, ExpectedFailure, ExpectedStep, same};
use super::drive::{Fault, Rehearsal};
use super::review::Review;
use super::sample::sample_results;
use super::world::{Answers, World, means};
use crate::expression::format_duration;
use crate::id::StepPath;
use crate::plan::{Plan, Step};
use crate::run::payload::Values;
use crate::run::{Event, RunStatus, StepState};

/// Something that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Of what.
    pub what: String,
    /// What the case expects.
    pub expected: String,
    /// What happened.
    pub actual: String,
    /// What to do, when there is something to say; may have several lines.
    pub help: Option<String>,
}

/// What became of a case.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// Everything that is not as expected; empty = passed.
    pub mismatches: Vec<Mismatch>,
    /// The run.
    pub run: Rehearsal,
}

impl Judgement {
    /// Whether everything is as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.mismatches.is_empty()
    }

    /// Steps that came to work, in order.
    #[must_use]
    pub fn path(&self) -> Vec<&StepPath> {
        came_to_work(&self.run)
    }
}

/// Runs a case and compares.
///
/// # Errors
/// The machine does not take its own events: a fault of Stepwell.
pub fn judge(plan: &Arc<Plan>, review: &Review, case: &Case) -> Result<Judgement, Fault> {
    let world = World {
        mocks: case.mocks.clone(),
        answers: Answers::Scripted(case.decisions.clone()),
        signals: case.signals.clone(),
        ..World::new(review.clone())
    };
    let mut run = Rehearsal::new(plan, case.inputs.clone(), case.clock)?;
    let mut judge = Judge {
        found: Vec::new(),
        case,
    };
    match run.rest(&world) {
        Ok(_) => {}
        Err(Fault::NoMock(path)) => judge.no_mock(&run, &path),
        Err(fault @ Fault::Refused { .. }) => {
            judge.add(
                "script",
                "every decision and signal fits",
                &fault.to_string(),
            );
        }
        Err(fault @ (Fault::Illegal(_) | Fault::Endless)) => return Err(fault),
    }
    judge.status(&run);
    judge.path(&run);
    judge.steps(&run);
    judge.outputs(&run);
    judge.events(&run);
    judge.failure(&run);
    judge.duration(run.elapsed());
    judge.leftovers(&run);
    Ok(Judgement {
        mismatches: judge.found,
        run,
    })
}

struct Judge<'c> {
    found: Vec<Mismatch>,
    case: &'c Case,
}

impl Judge<'_> {
    fn add(&mut self, what: &str, expected: &str, actual: &str) {
        self.found.push(Mismatch {
            what: what.to_owned(),
            expected: expected.to_owned(),
            actual: actual.to_owned(),
            help: None,
        });
    }

    fn no_mock(&mut self, run: &Rehearsal, path: &StepPath) {
        let help = run.state().step(path).map(|(step, _)| mock_to_paste(step));
        self.found.push(Mismatch {
            what: "mocks".to_owned(),
            expected: format!("a mock for `{path}`"),
            actual: "the step was reached and nothing stands for it".to_owned(),
            help,
        });
    }

    fn status(&mut self, run: &Rehearsal) {
        let state = run.state();
        let status = state.status();
        let expect = &self.case.expect;
        if let Some(step) = &expect.waiting {
            let waits = waiting_at(run);
            let at = |path: &StepPath| {
                let found = state.step(path);
                found.is_some_and(|(plan_step, _)| means(step, plan_step, path))
            };
            if !waits.iter().any(|path| at(path)) {
                let actual = match waits.is_empty() {
                    true => format!("the run is {}", status.as_str()),
                    false => listed(&waits),
                };
                self.add("waiting", step, &actual);
            }
        }
        match expect.status {
            Some(expected) if expected != status => {
                self.add("status", expected.as_str(), status.as_str());
            }
            None if expect.waiting.is_none() && status == RunStatus::Waiting => {
                let actual = format!("waits at {}", listed(&waiting_at(run)));
                self.add("status", "the run ends", &actual);
            }
            Some(_) | None => {}
        }
    }

    fn path(&mut self, run: &Rehearsal) {
        let came = came_to_work(run);
        let is = |address: &String, path: &StepPath| {
            let found = run.state().step(path);
            found.is_some_and(|(step, _)| means(address, step, path))
        };
        let expect = &self.case.expect;
        if let Some(expected) = &expect.path {
            let fits = expected.len() == came.len()
                && expected
                    .iter()
                    .zip(&came)
                    .all(|(address, path)| is(address, path));
            if !fits {
                let (expected, actual) = (words(expected), listed(&came));
                self.add("path", &expected, &actual);
            }
        }
        let mut rest = came.iter();
        let contained = expect
            .path_contains
            .iter()
            .all(|address| rest.any(|path| is(address, path)));
        if !contained {
            let (expected, actual) = (words(&expect.path_contains), listed(&came));
            self.add("path_contains", &expected, &actual);
        }
    }

    fn steps(&mut self, run: &Rehearsal) {
        for (address, expected) in &self.case.expect.steps {
            let mut any = false;
            for (step, state) in run.state().steps() {
                let exact = address == state.path.as_str();
                if exact || means(address, step, &state.path) {
                    any = true;
                    self.step(expected, state);
                }
            }
            if !any {
                let expected = told(expected);
                self.add(address, &expected, "there was no such step in this run");
            }
        }
    }

    fn step(&mut self, expected: &ExpectedStep, state: &StepState) {
        let path = state.path.as_str();
        if let Some(status) = expected.status.filter(|status| *status != state.status) {
            self.add(path, status.as_str(), &why(state));
        }
        if let Some(arm) = &expected.arm {
            let taken = state.branch.as_ref().map(|branch| branch.arm.as_str());
            if taken != Some(arm.as_str()) {
                let actual = taken.unwrap_or("none was taken");
                self.add(&format!("{path}.arm"), arm, actual);
            }
        }
        let made = state.tries();
        if let Some(attempts) = expected.attempts
            && usize::try_from(attempts).ok() != Some(made)
        {
            let what = format!("{path}.attempts");
            self.add(&what, &attempts.to_string(), &made.to_string());
        }
        let outputs = state.outputs.clone().unwrap_or_default();
        self.values(&format!("{path}.outputs"), &expected.outputs, &outputs);
        self.values(&format!("{path}.inputs"), &expected.inputs, &state.inputs);
    }

    fn values(&mut self, what: &str, expected: &Values, actual: &Values) {
        for (name, value) in expected {
            let found = actual.get(name);
            if !found.is_some_and(|found| same(value, found)) {
                let shown = found.map_or_else(|| "absent".to_owned(), Value::to_string);
                self.add(&format!("{what}.{name}"), &value.to_string(), &shown);
            }
        }
    }

    fn outputs(&mut self, run: &Rehearsal) {
        let ending = run.state().ending.as_ref();
        let outputs = ending.map(|ending| ending.outputs.clone());
        let expected = self.case.expect.outputs.clone();
        self.values("outputs", &expected, &outputs.unwrap_or_default());
    }

    fn events(&mut self, run: &Rehearsal) {
        let expected = &self.case.expect.events;
        let mut rest = run.history().iter().map(|recorded| recorded.event.name());
        let missing = expected
            .iter()
            .find(|name| !rest.any(|found| found == **name));
        if let Some(missing) = missing {
            let occurs = run
                .history()
                .iter()
                .any(|recorded| recorded.event.name() == missing);
            let actual = match occurs {
                true => format!("{missing} does not come where it is expected"),
                false => format!("{missing} does not occur"),
            };
            let expected = words(expected);
            self.add("events", &expected, &actual);
        }
    }

    fn failure(&mut self, run: &Rehearsal) {
        let Some(expected) = &self.case.expect.failure else {
            return;
        };
        let ending = run.state().ending.as_ref();
        let found = ending.and_then(|ending| ending.failure.as_ref());
        let Some((path, failure)) = found else {
            let expected = wished(expected);
            return self.add("failure", &expected, "the run has none");
        };
        let here = run.state().step(path);
        let step = expected
            .step
            .as_ref()
            .is_none_or(|address| here.is_some_and(|(step, _)| means(address, step, path)));
        let code = expected
            .code
            .as_ref()
            .is_none_or(|code| *code == failure.code);
        let message = expected.message.as_ref();
        if !(step && code && message.is_none_or(|text| failure.message.contains(text))) {
            let actual = format!("{path}: {} ({})", failure.message, failure.code);
            let expected = wished(expected);
            self.add("failure", &expected, &actual);
        }
    }

    fn duration(&mut self, elapsed: Duration) {
        let (min, max) = self.case.expect.duration;
        let shown = format_duration(elapsed);
        if let Some(min) = min.filter(|min| elapsed < *min) {
            self.add(
                "duration",
                &format!("at least {}", format_duration(min)),
                &shown,
            );
        }
        if let Some(max) = max.filter(|max| elapsed > *max) {
            self.add(
                "duration",
                &format!("at most {}", format_duration(max)),
                &shown,
            );
        }
    }

    /// What the script says and nobody asked for: the case does not mean the run that it gets.
    fn leftovers(&mut self, run: &Rehearsal) {
        for (place, decision) in self.case.decisions.iter().enumerate() {
            if !run.used().contains(&place) {
                let what = format!("decisions[{place}]");
                let expected = format!("`{}` asks", decision.step);
                self.add(&what, &expected, "the decision was never used");
            }
        }
        for (place, signal) in self.case.signals.iter().enumerate() {
            if !run.sent().contains(&place) {
                let what = format!("signals[{place}]");
                let expected = format!("the run lives when `{}` comes", signal.name);
                self.add(&what, &expected, "the signal was never sent");
            }
        }
    }
}

/// A mock for a step with results that fit, as it would stand in the file of cases.
#[must_use]
pub fn mock_to_paste(step: &Step) -> String {
    let results = sample_results(step, 1);
    format!("mocks:\n  {}: {{results: {results}}}", step.id)
}

fn came_to_work(run: &Rehearsal) -> Vec<&StepPath> {
    let events = run.history().iter();
    events
        .filter_map(|recorded| {
            if let Event::StepReady(ready) = &recorded.event {
                return Some(&ready.step);
            }
            None
        })
        .collect()
}

/// The steps that ask, and those that wait for a signal.
fn waiting_at(run: &Rehearsal) -> Vec<&StepPath> {
    let state = run.state();
    let asked = state.open_approvals().map(|asked| &asked.request.step);
    let mut waits: Vec<&StepPath> = asked.collect();
    for (step, step_state) in state.steps() {
        let waiting = step_state.status == crate::run::StepStatus::Waiting;
        if waiting && !step.kind.is_container() && !waits.contains(&&step_state.path) {
            waits.push(&step_state.path);
        }
    }
    waits
}

fn listed(paths: &[&StepPath]) -> String {
    let words: Vec<String> = paths.iter().map(ToString::to_string).collect();
    self::words(&words)
}

fn words(words: &[String]) -> String {
    if words.is_empty() {
        return "no step".to_owned();
    }
    words.join(", ")
}

fn why(state: &StepState) -> String {
    let failure = state.failure.as_ref().map(|failure| &failure.message);
    match failure.or(state.why.as_ref()) {
        Some(why) => format!("{}: {why}", state.status.as_str()),
        None => state.status.as_str().to_owned(),
    }
}

fn told(expected: &ExpectedStep) -> String {
    let status = expected.status.map(|status| status.as_str().to_owned());
    let arm = expected.arm.as_ref().map(|arm| format!("arm {arm}"));
    status.or(arm).unwrap_or_else(|| "the step".to_owned())
}

fn wished(expected: &ExpectedFailure) -> String {
    let mut text = expected
        .step
        .clone()
        .unwrap_or_else(|| "a failure".to_owned());
    if let Some(message) = &expected.message {
        let _infallible = write!(text, ": …{message}…");
    }
    if let Some(code) = &expected.code {
        let _infallible = write!(text, " ({code})");
    }
    text
}
