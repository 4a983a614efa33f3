//! What may happen to the effect of each step, in words.

use std::collections::BTreeMap;

use super::scenario::acts;
use super::tally::{Count, Tally};
use crate::id::StepPath;
use crate::plan::{OnUnknown, Step, StepKind};
use crate::rehearsal::drive::Rehearsal;
use crate::run::StepStatus;

/// What may happen to the effect of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepReport {
    /// Its path in the plan.
    pub step: String,
    /// What it is: `python`, `http`, …
    pub kind: &'static str,
    /// Whether it may change something outside.
    pub writes: bool,
    /// How often its work began when nothing came between, retries counted.
    pub normally: usize,
    /// How often at most with a crash, without a person's word.
    pub at_most: usize,
    /// What that means.
    pub meaning: String,
    /// Something to look at.
    pub finding: Option<String>,
}

/// Every step that does something outside, and was reached.
pub(super) fn steps(base: &Rehearsal, tally: &BTreeMap<StepPath, Count>) -> Vec<StepReport> {
    let normal = Tally::of(base).steps;
    let state = base.state();
    let mut reports: Vec<StepReport> = Vec::new();
    for step in state.plan.steps.iter().filter(|step| acts(step)) {
        let here = state.steps().filter(|(other, _)| other.path == step.path);
        let paths: Vec<&StepPath> = here.map(|(_, state)| &state.path).collect();
        let most = |counts: &BTreeMap<StepPath, Count>| {
            let found = paths.iter().filter_map(|path| counts.get(*path));
            found.map(|count| count.alone).max().unwrap_or_default()
        };
        let child = matches!(step.kind, StepKind::Workflow(_));
        let (normally, at_most) = if child {
            (1, 1)
        } else {
            (most(&normal), most(tally))
        };
        if normally == 0 || paths.is_empty() {
            continue;
        }
        reports.push(StepReport {
            step: step.path.to_string(),
            kind: step.kind.as_str(),
            writes: step.kind.writes(),
            normally,
            at_most: at_most.max(normally),
            meaning: meaning(step, at_most > normally),
            finding: finding(step),
        });
    }
    reports
}

fn meaning(step: &Step, again: bool) -> String {
    let text = match (&step.kind, step.kind.writes(), step.on_unknown) {
        (StepKind::Workflow(_), _, _) => {
            "its run is found again after a crash, never started twice"
        }
        (_, _, Some(OnUnknown::Fail)) => "fails when it was interrupted (on_unknown: fail)",
        (_, true, Some(OnUnknown::Retry)) => "written again after a crash (on_unknown: retry)",
        (_, true, Some(OnUnknown::Ask) | None) | (_, false, Some(OnUnknown::Ask)) => {
            "asks a person when it was interrupted"
        }
        (StepKind::Python(_), false, _) if again => "may run again after a crash: read_only",
        (StepKind::Notify(_), false, _) if again => "may be told again after a crash",
        (_, false, _) if again => "may be done again after a crash: it only reads",
        (_, false, _) => "exactly once",
    };
    text.to_owned()
}

/// Something that a person should look at.
fn finding(step: &Step) -> Option<String> {
    let keyless = step.idempotency_key.is_none();
    if let StepKind::Http(http) = &step.kind
        && http.writes()
        && keyless
    {
        return Some(format!(
            "{} without `idempotency_key`: a repetition is a second request to the receiver",
            http.method
        ));
    }
    if matches!(step.kind, StepKind::Notify(_)) && keyless {
        let text = "without `idempotency_key`: a crash while it is sent can tell people twice";
        return Some(text.to_owned());
    }
    if !step.kind.writes() {
        return None;
    }
    if step.on_unknown == Some(OnUnknown::Retry) {
        let text = "`on_unknown: retry` makes an interrupted write again and asks nobody";
        return Some(text.to_owned());
    }
    let attempts = step.retry.max_attempts;
    (attempts > 1).then(|| format!("`retry` lets a write that failed begin {attempts} times"))
}

/// Steps that nothing was learnt about, since the run did not get there.
pub(super) fn unreached(base: &Rehearsal) -> Vec<String> {
    let state = base.state();
    let reached = |step: &Step| {
        let mut here = state.steps().filter(|(other, _)| other.path == step.path);
        here.any(|(_, state)| match state.status {
            StepStatus::Pending | StepStatus::NotRun | StepStatus::Skipped => false,
            StepStatus::Ready
            | StepStatus::Running
            | StepStatus::Waiting
            | StepStatus::Succeeded
            | StepStatus::Failed
            | StepStatus::Rejected
            | StepStatus::Cancelled
            | StepStatus::Unknown => true,
        })
    };
    let steps = state.plan.steps.iter().filter(|step| acts(step));
    steps
        .filter(|step| !reached(step))
        .map(|step| step.path.to_string())
        .collect()
}

/// What is to be said of the run that nothing came between, when it did not succeed.
pub(super) fn remark(base: &Rehearsal) -> Option<String> {
    let state = base.state();
    let Some(ending) = &state.ending else {
        let asked = state.open_approvals().next()?;
        return Some(format!("it waits at `{}`", asked.request.step));
    };
    let (step, failure) = ending.failure.as_ref()?;
    Some(format!("`{step}` failed: {}", failure.message))
}
