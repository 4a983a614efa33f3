//! Why a step ran, did not run, asked, failed or was tried again: told from the history alone.

use serde::Serialize;
use serde_json::Value;

use super::event::Event;
use super::payload::{CacheMissed, StepReused};
use super::record::{Record, Seq};
use super::scope::RunScope;
use super::state::{RunState, StepState};
use crate::expression::{Expression, Reference};
use crate::id::StepPath;
use crate::plan::{EdgeKind, Step};

/// One reason, with the event that shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The event; none for what has not happened yet.
    pub seq: Option<Seq>,
    /// Name of the event's kind.
    pub kind: Option<&'static str>,
    /// What it says, for people.
    pub text: String,
}

/// A record as the story needs it.
struct Told {
    seq: Seq,
    kind: &'static str,
    body: Value,
}

impl Told {
    fn of(record: &Record) -> Self {
        Self {
            seq: record.seq,
            kind: Event::kind_name(record.content.kind),
            body: serde_json::from_slice(&record.content.body).unwrap_or_default(),
        }
    }

    fn is_of(&self, step: &StepPath) -> bool {
        self.text("/step") == step.as_str()
    }

    fn text(&self, at: &str) -> &str {
        self.body
            .pointer(at)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    fn shown(&self, at: &str) -> String {
        match self.body.pointer(at) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }

    fn reason(&self, text: String) -> Reason {
        Reason {
            seq: Some(self.seq),
            kind: Some(self.kind),
            text,
        }
    }

    /// Whether the step left the state in which it waits for others, or never will.
    fn decides(&self) -> bool {
        matches!(self.kind, "StepReady" | "StepSkipped" | "StepNotRun")
    }

    fn settles(&self) -> bool {
        self.kind.starts_with("Step") && !matches!(self.kind, "StepReady" | "StepReused")
    }
}

/// The event with which a step became ready, was skipped or could not run: its condition saw the state before it.
#[must_use]
pub fn decided_at(step: &StepPath, history: &[Record]) -> Option<Seq> {
    let mut told = history.iter().map(Told::of);
    told.find(|told| told.is_of(step) && told.decides())
        .map(|told| told.seq)
}

/// Why the step stands where it stands, in the order of the history. `before` is the run as it was when the
/// condition of the step was tried.
#[must_use]
pub fn explain(
    state: &RunState,
    before: Option<&RunState>,
    path: &StepPath,
    history: &[Record],
) -> Vec<Reason> {
    let Some((step, step_state)) = state.step(path) else {
        return Vec::new();
    };
    let history: Vec<Told> = history.iter().map(Told::of).collect();
    let mut reasons = edges(state, step, step_state, &history);
    reasons.extend(arm(state, step_state, &history));
    let asked: Vec<&str> = history
        .iter()
        .filter(|told| told.is_of(path) && told.kind == "ApprovalRequested")
        .map(|told| told.text("/approval"))
        .collect();
    for told in &history {
        let answers = told.kind.starts_with("Approval") && asked.contains(&told.text("/approval"));
        if !told.is_of(path) && !answers {
            continue;
        }
        if told.decides() {
            reasons.extend(condition(step, step_state, before).map(|text| told.reason(text)));
        }
        reasons.push(told.reason(sentence(told)));
    }
    reasons
}

/// Every edge and how it was satisfied.
fn edges(state: &RunState, step: &Step, step_state: &StepState, history: &[Told]) -> Vec<Reason> {
    let seen = |from: &StepPath| {
        let id = &state.plan.steps.at(from)?.id;
        state.step_seen_from(step_state.node.frame, id)
    };
    step.edges
        .iter()
        .map(|edge| {
            let (path, told) = match seen(&edge.from) {
                Some((_, from)) => (&from.path, from.status.told()),
                None => (&edge.from, "is not there"),
            };
            let text = format!("waits for `{path}` ({}), which {told}", word(edge.kind));
            let end = history
                .iter()
                .rfind(|told| told.is_of(path) && told.settles());
            match end {
                Some(end) => end.reason(text),
                None => Reason {
                    seq: None,
                    kind: None,
                    text,
                },
            }
        })
        .collect()
}

fn word(kind: EdgeKind) -> &'static str {
    match kind {
        EdgeKind::Needs => "`needs`: it must succeed",
        EdgeKind::Reference => "an expression reads it: it must succeed",
        EdgeKind::Previous => "the step before: it must succeed or be skipped",
        EdgeKind::After => "`after`: it must end",
    }
}

/// The choice of the switch around the step.
fn arm(state: &RunState, step_state: &StepState, history: &[Told]) -> Option<Reason> {
    let (_, around) = state.node(state.around(step_state.node)?)?;
    let chosen = history
        .iter()
        .rfind(|told| told.kind == "BranchChosen" && told.is_of(&around.path))?;
    Some(chosen.reason(format!(
        "stands inside `{}`; {}",
        around.path,
        sentence(chosen)
    )))
}

/// The condition with the values that it read.
fn condition(step: &Step, step_state: &StepState, before: Option<&RunState>) -> Option<String> {
    let condition = step.condition.as_ref()?;
    let scope = RunScope::at(before?, step_state.node.frame);
    let result = match condition.condition(&scope) {
        Ok(value) => format!("was {value}"),
        Err(fault) => format!("could not be tried: {fault}"),
    };
    let values: Vec<String> = condition
        .references()
        .iter()
        .filter_map(|reference| value(condition, reference, &scope))
        .collect();
    let read = if values.is_empty() {
        String::new()
    } else {
        format!(" ({})", values.join(", "))
    };
    Some(format!(
        "its condition `{}` {result}{read}",
        condition.source()
    ))
}

fn value(condition: &Expression, reference: &Reference, scope: &RunScope<'_>) -> Option<String> {
    let span = reference.span();
    let text = condition.source().get(span.start..span.end)?;
    let value = Expression::parse(text).ok()?.evaluate(scope).ok()?;
    Some(format!("{text} = {}", value.to_json()))
}

/// Who wrote the code, why, and where it can be read.
fn written(told: &Told) -> String {
    let shown = |at: &str| told.shown(at);
    if told.body.pointer("/reused").is_some() {
        return format!(
            "took the code {} that worked in run {} (event {}); nobody was asked for it",
            short(told.text("/code")),
            shown("/reused/run"),
            shown("/reused/seq"),
        );
    }
    let model = told.text("/model");
    let by = if model.is_empty() {
        format!("`{}`", told.text("/generator"))
    } else {
        format!("`{}` ({model})", told.text("/generator"))
    };
    let why = match told.text("/feedback") {
        "answer" => ", told that its last answer held no usable code",
        "findings" => ", told what could not be read in its last code",
        "failure" => ", told how its last code failed",
        "changes" => ", told what people want different",
        _ => "",
    };
    let fresh = match told.body.pointer("/fresh") {
        Some(Value::Bool(true)) => " (a fresh try, without sight of what failed)",
        Some(_) | None => "",
    };
    let prompt = short(told.text("/prompt"));
    let failure = told.text("/failure/message");
    if failure.is_empty() {
        let code = short(told.text("/code"));
        format!("{by} wrote the code {code}{why}{fresh}; prompt {prompt}")
    } else {
        format!("{by} wrote no usable code{why}{fresh}: {failure}; prompt {prompt}")
    }
}

/// The beginning of a digest.
fn short(digest: &str) -> String {
    let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
    hex.chars().take(12).collect()
}

/// What an event says of its step, one sentence. Kinds without words of their own are told by their body.
fn sentence(told: &Told) -> String {
    let shown = |at: &str| told.shown(at);
    match told.kind {
        "StepReady" => format!("became ready with the inputs {}", shown("/inputs")),
        "StepSkipped" => format!("was skipped: {}", shown("/why")),
        "StepNotRun" => format!("did not run: {}", shown("/why")),
        "StepRejected" => format!("was rejected: {}", shown("/why")),
        "StepCancelled" => format!("was cancelled: {}", shown("/why")),
        "StepSucceeded" => format!("succeeded with the outputs {}", shown("/outputs")),
        "StepFailed" | "AttemptFailed" => failed(told),
        "AnalysisReported" => format!(
            "the policy says {} by {}: {} (mode {}, risk {})",
            shown("/decision/verdict"),
            shown("/decision/rule"),
            shown("/decision/reason"),
            shown("/mode"),
            shown("/report/risk"),
        ),
        "StepReused" | "CacheMissed" => cache(told),
        "ApprovalRequested" => format!("asked “{}”: {}", shown("/title"), shown("/reason")),
        "ApprovalVoted" => voted(told),
        "ApprovalClosed" => format!("the question is {} by {}", shown("/outcome"), shown("/by")),
        "CodeGenerated" => written(told),
        "CodeEdited" => format!(
            "{} changed the code {} to {}",
            shown("/person"),
            short(told.text("/base")),
            short(told.text("/code"))
        ),
        "AttemptStarted" if told.text("/phase") == "generate" => format!(
            "attempt {} began: `{}` is asked for code",
            shown("/attempt"),
            shown("/executor")
        ),
        "AttemptStarted" => began(told),
        "AttemptSucceeded" => format!("attempt {} ended well", shown("/attempt")),
        "AttemptOutcomeUnknown" => format!(
            "nobody knows how far attempt {} came: {}",
            shown("/attempt"),
            shown("/evidence")
        ),
        "RetryScheduled" => format!(
            "attempt {} was due at {}, {} ms after the failure: {}",
            shown("/attempt"),
            shown("/at"),
            shown("/delay_ms"),
            shown("/rule")
        ),
        "RunFailed" => "its failure is that of the run".to_owned(),
        "ResultRecorded" => recorded(told),
        "BranchChosen" => branch(told),
        _ => told.body.to_string(),
    }
}

/// What the cache had.
fn cache(told: &Told) -> String {
    let reused = || serde_json::from_value::<StepReused>(told.body.clone());
    let missed = || serde_json::from_value::<CacheMissed>(told.body.clone());
    match told.kind {
        "StepReused" => reused().map_or_else(
            |_| "an earlier result was reused".to_owned(),
            |reused| format!("its code did not run: {}", reused.told()),
        ),
        _ => missed().map_or_else(
            |_| "no earlier result was reused".to_owned(),
            |missed| format!("no earlier result was reused: {}", missed.reason.told()),
        ),
    }
}

fn began(told: &Told) -> String {
    let began = format!(
        "attempt {} began, to {}",
        told.shown("/attempt"),
        told.shown("/effect")
    );
    match told.shown("/placed_by") {
        rule if rule.is_empty() => began,
        rule => format!(
            "{began}; it runs in `{}` by {rule}",
            told.shown("/executor")
        ),
    }
}

/// What kept the code apart belongs to the story: above all what did not.
fn recorded(told: &Told) -> String {
    let layers = told
        .body
        .pointer("/isolation/layers")
        .and_then(Value::as_array);
    let (held, missing): (Vec<_>, Vec<_>) = layers
        .into_iter()
        .flatten()
        .partition(|layer| layer.get("held") == Some(&Value::Bool(true)));
    let text = |layer: &Value, key: &str| {
        layer
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let held: Vec<String> = held.into_iter().map(|layer| text(layer, "name")).collect();
    let missing: Vec<String> = missing
        .into_iter()
        .map(|layer| format!("{} ({})", text(layer, "name"), text(layer, "reason")))
        .collect();
    let mut said = format!("attempt {} left its results", told.shown("/attempt"));
    if !held.is_empty() {
        said.push_str(&format!("; kept apart by {}", held.join(", ")));
    }
    if !missing.is_empty() {
        said.push_str(&format!("; not held: {}", missing.join(", ")));
    }
    said
}

fn failed(told: &Told) -> String {
    let who = match told.kind {
        "AttemptFailed" => format!("attempt {} failed", told.shown("/attempt")),
        _ => "failed".to_owned(),
    };
    let free = told.body.pointer("/counted") == Some(&Value::Bool(false));
    format!(
        "{who}: {} ({}, {}){}",
        told.shown("/failure/message"),
        told.shown("/failure/kind"),
        told.shown("/failure/code"),
        if free { "; it does not count" } else { "" }
    )
}

fn voted(told: &Told) -> String {
    let comment = told.shown("/comment");
    let comment = if comment.is_empty() {
        comment
    } else {
        format!(": {comment}")
    };
    format!(
        "{} answered {}{comment}",
        told.shown("/person"),
        told.shown("/answer")
    )
}

fn branch(told: &Told) -> String {
    let tried = told.body.pointer("/tried").and_then(Value::as_array);
    let tried: Vec<String> = tried
        .into_iter()
        .flatten()
        .map(|one| {
            let arm = one
                .pointer("/arm")
                .and_then(Value::as_str)
                .unwrap_or_default();
            format!(
                "{arm} was {}",
                one.pointer("/value").unwrap_or(&Value::Null)
            )
        })
        .collect();
    let why = if tried.is_empty() {
        String::new()
    } else {
        format!(": {}", tried.join(", "))
    };
    format!("the arm `{}` was taken{why}", told.shown("/arm"))
}
