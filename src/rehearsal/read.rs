//! A file of cases, read with places: unknown keys, steps and events are told where they stand.

mod keys;

use std::time::Duration;

use keys::{CASE, DECISION, DURATION, EXPECT, FAILS, FAILURE, FILE, MOCK, SIGNAL, STEP};

use super::case::{Case, Expect, ExpectedFailure, ExpectedStep};
use super::world::{Decision, Does, Mocks, Outcome, SentSignal};
use crate::approval::Answer;
use crate::code;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::failure::{Failure, FailureKind};
use crate::plan::{Plan, StepKind, WaitOn};
use crate::run::payload::Values;
use crate::run::{REGISTRY, RunStatus, StepStatus};
use crate::time::Timestamp;
use crate::workflow::quantity;
use crate::workflow::yaml::{self, Fields, Kind, Node, Report};

/// When simulated time begins unless a case says otherwise: 2026-01-01T00:00:00Z, in seconds.
const CLOCK_SECONDS: i64 = 1_767_225_600;
const MICROS: i64 = 1_000_000;
/// Who answers when a decision does not say who.
const SOMEBODY: &str = "somebody";
/// How long a mocked attempt takes when nothing is said.
const TAKES: Duration = Duration::from_secs(1);
const FAILURE_KINDS: [FailureKind; 10] = [
    FailureKind::Infrastructure,
    FailureKind::Code,
    FailureKind::Policy,
    FailureKind::Safety,
    FailureKind::Limits,
    FailureKind::Timeout,
    FailureKind::Resources,
    FailureKind::Configuration,
    FailureKind::Cancelled,
    FailureKind::Internal,
];
const STEP_STATUSES: [StepStatus; 11] = [
    StepStatus::Pending,
    StepStatus::Ready,
    StepStatus::Running,
    StepStatus::Waiting,
    StepStatus::Succeeded,
    StepStatus::Failed,
    StepStatus::Skipped,
    StepStatus::NotRun,
    StepStatus::Rejected,
    StepStatus::Cancelled,
    StepStatus::Unknown,
];

/// Checks the inputs of a case against the workflow and completes them.
pub type InputResolver<'r> = &'r dyn Fn(Values, Timestamp) -> Result<Values, Vec<Diagnostic>>;

/// The workflow that a file of cases names, as written.
///
/// # Errors
/// The file is no file of cases.
pub fn workflow_of(file: &str, bytes: &[u8]) -> Result<String, Vec<Diagnostic>> {
    let text = yaml::decode(file, bytes).map_err(|fault| vec![*fault])?;
    let mut report = Report::new(file, text);
    let found = yaml::tree(&mut report).and_then(|root| {
        let fields = yaml::fields(&mut report, &root, &FILE)?;
        let node = fields.required(&mut report, &FILE, "workflow")?;
        yaml::text(&mut report, node).map(str::to_owned)
    });
    match found {
        Some(workflow) if !report.has_errors() => Ok(workflow),
        Some(_) | None => Err(report.into_diagnostics()),
    }
}

/// The cases of a file.
///
/// # Errors
/// Everything in it that is wrong.
pub fn cases(
    file: &str,
    bytes: &[u8],
    plan: &Plan,
    inputs: InputResolver<'_>,
) -> Result<Vec<Case>, Vec<Diagnostic>> {
    let text = yaml::decode(file, bytes).map_err(|fault| vec![*fault])?;
    let mut reader = Reader {
        report: Report::new(file, text),
        plan,
        inputs,
    };
    let cases = yaml::tree(&mut reader.report).and_then(|root| reader.file(&root));
    match cases {
        Some(cases) if !reader.report.has_errors() => Ok(cases),
        Some(_) | None => Err(reader.report.into_diagnostics()),
    }
}

struct Reader<'t, 'p> {
    report: Report<'t>,
    plan: &'p Plan,
    inputs: InputResolver<'p>,
}

impl Reader<'_, '_> {
    fn file(&mut self, root: &Node) -> Option<Vec<Case>> {
        let fields = yaml::fields(&mut self.report, root, &FILE)?;
        let node = fields.required(&mut self.report, &FILE, "cases")?;
        let items = yaml::list(&mut self.report, node)?;
        let mut cases: Vec<Case> = Vec::new();
        for item in items {
            let Some(case) = self.case(item) else {
                continue;
            };
            if cases.iter().any(|other| other.name == case.name) {
                let message = format!("two cases have the name `{}`", case.name);
                self.report.error(code::BAD_VALUE, item.span, message);
            }
            cases.push(case);
        }
        if items.is_empty() {
            let message = "there is no case in it";
            self.report.error(code::BAD_VALUE, node.span, message);
        }
        Some(cases)
    }

    fn case(&mut self, node: &Node) -> Option<Case> {
        let fields = yaml::fields(&mut self.report, node, &CASE)?;
        let name = fields.required(&mut self.report, &CASE, "name")?;
        let name = yaml::text(&mut self.report, name)?.to_owned();
        let clock = fields.get("clock").and_then(|node| self.clock(node));
        let clock = clock.unwrap_or_else(|| Timestamp::from_micros(CLOCK_SECONDS * MICROS));
        let given = self.values(fields.get("inputs"));
        let inputs = (self.inputs)(given, clock).unwrap_or_else(|faults| {
            let at = fields.get("inputs").unwrap_or(node).span;
            for mut fault in faults {
                fault.help.retain(|line| !line.contains("-i "));
                self.report.add(at, fault);
            }
            Values::new()
        });
        let mocks = fields.get("mocks").and_then(|node| self.mocks(node));
        let decisions = self.each(fields.get("decisions"), Self::decision);
        let signals = self.each(fields.get("signals"), Self::signal);
        let expect = fields.required(&mut self.report, &CASE, "expect")?;
        let expected = self.expect(expect)?;
        if expected.is_empty() {
            let message = "a case that expects nothing shows nothing";
            self.report.error(code::BAD_VALUE, expect.span, message);
        }
        Some(Case {
            name,
            inputs,
            clock,
            mocks: mocks.unwrap_or_default(),
            decisions,
            signals,
            expect: expected,
        })
    }

    fn clock(&mut self, node: &Node) -> Option<Timestamp> {
        let text = yaml::text(&mut self.report, node)?;
        let read = text.parse().ok();
        if read.is_none() {
            let message = format!("`{text}` is no instant");
            let help = "write it like 2026-03-01T02:30:00Z";
            self.report
                .error_with(code::BAD_VALUE, node.span, message, help);
        }
        read
    }

    fn each<T>(&mut self, node: Option<&Node>, read: fn(&mut Self, &Node) -> Option<T>) -> Vec<T> {
        let Some(items) = node.and_then(|node| yaml::list(&mut self.report, node)) else {
            return Vec::new();
        };
        items.iter().filter_map(|item| read(self, item)).collect()
    }

    fn values(&mut self, node: Option<&Node>) -> Values {
        let Some(node) = node else {
            return Values::new();
        };
        let entries = yaml::map(&mut self.report, node).unwrap_or_default();
        let entries = entries.iter();
        entries
            .map(|entry| (entry.key.clone(), entry.node.to_json()))
            .collect()
    }

    fn duration(&mut self, node: Option<&Node>) -> Option<Duration> {
        quantity::duration(&mut self.report, node?)
    }

    fn mocks(&mut self, node: &Node) -> Option<Mocks> {
        let mut mocks = Mocks::default();
        for entry in yaml::map(&mut self.report, node)? {
            self.address(&entry.key, entry.key_span);
            let outcomes = match &entry.node.kind {
                Kind::List(items) => items.iter().filter_map(|item| self.mock(item)).collect(),
                Kind::Null
                | Kind::Bool(_)
                | Kind::Int(_)
                | Kind::Float(_)
                | Kind::Text { .. }
                | Kind::Map(_) => self.mock(&entry.node).into_iter().collect(),
            };
            mocks.insert(entry.key.clone(), outcomes);
        }
        Some(mocks)
    }

    fn mock(&mut self, node: &Node) -> Option<Outcome> {
        let fields = yaml::fields(&mut self.report, node, &MOCK)?;
        let takes = self.duration(fields.get("takes"));
        let does = match (fields.get("results"), fields.get("fails")) {
            (Some(_), Some(fails)) => {
                let message = "an attempt has results or it fails, not both";
                self.report.error(code::BAD_VALUE, fails.span, message);
                return None;
            }
            (Some(results), None) => Does::Results(results.to_json()),
            (None, Some(fails)) => Does::Fails(self.fails(fails)?),
            (None, None) => Does::Results(Values::new().into()),
        };
        let takes = takes.unwrap_or(TAKES);
        Some(Outcome { does, takes })
    }

    fn fails(&mut self, node: &Node) -> Option<Failure> {
        let fields = yaml::fields(&mut self.report, node, &FAILS)?;
        let words = FAILURE_KINDS.map(|kind| (kind.as_str(), kind));
        let kind = match fields.get("kind") {
            Some(kind) => yaml::word(&mut self.report, kind, &words)?,
            None => FailureKind::Code,
        };
        let message = self.text(fields, "message");
        let message = message.unwrap_or_else(|| "it failed, as the case says".to_owned());
        Some(Failure::new(kind, code::MOCKED_FAILURE, message))
    }

    fn text(&mut self, fields: Fields<'_>, key: &str) -> Option<String> {
        let node = fields.get(key)?;
        yaml::text(&mut self.report, node).map(str::to_owned)
    }

    fn decision(&mut self, node: &Node) -> Option<Decision> {
        const ANSWERS: [(&str, Option<Answer>); 4] = [
            ("approve", Some(Answer::Approve)),
            ("reject", Some(Answer::Reject)),
            ("changes", Some(Answer::RequestChanges)),
            ("none", None),
        ];
        let fields = yaml::fields(&mut self.report, node, &DECISION)?;
        let step = fields.required(&mut self.report, &DECISION, "step")?;
        let step = self.step(step)?;
        let answer = fields.required(&mut self.report, &DECISION, "answer")?;
        let answer = yaml::word(&mut self.report, answer, &ANSWERS)?;
        let form = self.values(fields.get("form"));
        let after = self.duration(fields.get("after"));
        let roles = fields.get("roles");
        let roles = roles.and_then(|node| yaml::texts(&mut self.report, node));
        Some(Decision {
            step,
            answer,
            by: self
                .text(fields, "by")
                .unwrap_or_else(|| SOMEBODY.to_owned()),
            roles: roles.unwrap_or_default(),
            form,
            comment: self.text(fields, "comment"),
            after: after.unwrap_or(TAKES),
        })
    }

    fn signal(&mut self, node: &Node) -> Option<SentSignal> {
        let fields = yaml::fields(&mut self.report, node, &SIGNAL)?;
        let at = fields.required(&mut self.report, &SIGNAL, "name")?;
        let name = yaml::text(&mut self.report, at)?.to_owned();
        let known: Vec<&str> = self.plan.steps.iter().filter_map(signal_of).collect();
        if !known.contains(&name.as_str()) {
            yaml::unknown_word(&mut self.report, at, &name, &known);
        }
        let payload = self.values(fields.get("payload"));
        let after = self.duration(fields.get("after")).unwrap_or(TAKES);
        Some(SentSignal {
            name,
            payload,
            after,
        })
    }

    fn expect(&mut self, node: &Node) -> Option<Expect> {
        let fields = yaml::fields(&mut self.report, node, &EXPECT)?;
        let statuses = RunStatus::ALL.map(|status| (status.as_str(), status));
        let status = fields.get("status");
        let steps = fields.get("steps").map(|node| self.expected_steps(node));
        let events = self.each(fields.get("events"), Self::event);
        let duration = fields.get("duration").and_then(|node| self.span(node));
        Some(Expect {
            status: status.and_then(|node| yaml::word(&mut self.report, node, &statuses)),
            path: fields
                .get("path")
                .map(|node| self.each(Some(node), Self::step)),
            path_contains: self.each(fields.get("path_contains"), Self::step),
            steps: steps.unwrap_or_default(),
            outputs: self.outputs(fields.get("outputs")),
            events,
            waiting: fields.get("waiting").and_then(|node| self.step(node)),
            failure: fields.get("failure").and_then(|node| self.failure(node)),
            duration: duration.unwrap_or_default(),
        })
    }

    fn outputs(&mut self, node: Option<&Node>) -> Values {
        let values = self.values(node);
        let entries = node.and_then(Node::entries).unwrap_or_default();
        for entry in entries {
            let known = || self.plan.outputs.keys().map(String::as_str);
            if known().all(|name| name != entry.key) {
                let message = format!("the workflow has no output `{}`", entry.key);
                let near = did_you_mean(&entry.key, known());
                let mut fault = Diagnostic::error(code::UNKNOWN_OUTPUT, message);
                fault
                    .help
                    .extend(near.map(|near| format!("did you mean `{near}`?")));
                self.report.add(entry.key_span, fault);
            }
        }
        values
    }

    fn expected_steps(&mut self, node: &Node) -> Vec<(String, ExpectedStep)> {
        let entries = yaml::map(&mut self.report, node).unwrap_or_default();
        let mut steps = Vec::new();
        for entry in entries {
            self.address(&entry.key, entry.key_span);
            if let Some(step) = self.expected_step(&entry.node) {
                steps.push((entry.key.clone(), step));
            }
        }
        steps
    }

    /// A status alone, or a map of what is expected.
    fn expected_step(&mut self, node: &Node) -> Option<ExpectedStep> {
        let words = STEP_STATUSES.map(|status| (status.as_str(), status));
        if node.text().is_some() {
            return Some(ExpectedStep {
                status: yaml::word(&mut self.report, node, &words),
                ..ExpectedStep::default()
            });
        }
        let fields = yaml::fields(&mut self.report, node, &STEP)?;
        let status = fields.get("status");
        let attempts = fields.get("attempts");
        Some(ExpectedStep {
            status: status.and_then(|node| yaml::word(&mut self.report, node, &words)),
            arm: self.text(fields, "arm"),
            attempts: attempts.and_then(|node| yaml::whole(&mut self.report, node, 0, 1_000)),
            outputs: self.values(fields.get("outputs")),
            inputs: self.values(fields.get("inputs")),
        })
    }

    fn event(&mut self, node: &Node) -> Option<String> {
        let name = yaml::text(&mut self.report, node)?;
        let known: Vec<&str> = REGISTRY.iter().map(|(_, _, name)| *name).collect();
        if !known.contains(&name) {
            yaml::unknown_word(&mut self.report, node, name, &known);
        }
        Some(name.to_owned())
    }

    fn failure(&mut self, node: &Node) -> Option<ExpectedFailure> {
        let fields = yaml::fields(&mut self.report, node, &FAILURE)?;
        Some(ExpectedFailure {
            step: fields.get("step").and_then(|node| self.step(node)),
            code: self.text(fields, "code"),
            message: self.text(fields, "message"),
        })
    }

    fn span(&mut self, node: &Node) -> Option<(Option<Duration>, Option<Duration>)> {
        let fields = yaml::fields(&mut self.report, node, &DURATION)?;
        let shortest = self.duration(fields.get("min"));
        Some((shortest, self.duration(fields.get("max"))))
    }

    fn step(&mut self, node: &Node) -> Option<String> {
        let address = yaml::text(&mut self.report, node)?;
        self.address(address, node.span);
        Some(address.to_owned())
    }

    /// Checks that an address means a step of the workflow: keys and rounds in brackets may be any.
    fn address(&mut self, address: &str, span: crate::diagnostic::Span) {
        let bare = without_keys(address);
        let mut steps = self.plan.steps.iter();
        if steps.any(|step| step.id == bare || step.path.as_str() == bare) {
            return;
        }
        let ids = self.plan.steps.iter().map(|step| step.id.as_str());
        let paths = self.plan.steps.iter().map(|step| step.path.as_str());
        let message = format!("the workflow has no step `{address}`");
        let mut fault = Diagnostic::error(code::UNKNOWN_STEP, message);
        let near = did_you_mean(&bare, ids.chain(paths));
        fault
            .help
            .extend(near.map(|near| format!("did you mean `{near}`?")));
        self.report.add(span, fault);
    }
}

fn signal_of(step: &crate::plan::Step) -> Option<&str> {
    let StepKind::Wait(wait) = &step.kind else {
        return None;
    };
    if let WaitOn::Signal { name, .. } = &wait.on {
        return Some(name);
    }
    None
}

/// `per_bpm[BPM:01:X].fit` → `per_bpm.fit`. A key may hold brackets in quotes or in pairs.
fn without_keys(address: &str) -> String {
    let mut bare = String::new();
    let mut depth = 0_usize;
    for c in address.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            c if depth == 0 => bare.push(c),
            _ => {}
        }
    }
    bare
}
