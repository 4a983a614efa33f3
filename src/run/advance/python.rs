//! Python steps between effects: what an analysis, an answer or the end of an attempt brings about.

use super::approval::may_not_ask;
use super::attempts;
use super::leave::failed;
use super::question::{self, expires_at, newest, remind_at};
use crate::approval::Verdict;
use crate::code::{self, Code};
use crate::failure::{Failure, FailureKind};
use crate::plan::{ApprovalStep, Mode, OnReject, PythonStep, Step};
use crate::python::analysis::Severity;
use crate::run::cache;
use crate::run::decide::next_approval;
use crate::run::event::Event;
use crate::run::generate::{Standing, standing};
use crate::run::payload::{
    AnalysisReported, ApprovalRequested, CacheMissed, Closed, CodeEdited, Miss, Parts, Subject,
    Values,
};
use crate::run::retry::Moment;
use crate::run::state::{RunState, StepState};
use crate::time::Timestamp;

/// What a ready Python step does without help: it asks, is tried again, or ends.
pub(super) fn ready(
    state: &RunState,
    step: &Step,
    step_state: &StepState,
    moment: Moment,
) -> Vec<Event> {
    if step_state.look.reused.is_some() {
        return vec![attempts::ends_well(step, step_state)];
    }
    match standing(step, step_state) {
        Standing::Spent(failure) => return vec![failed(step_state, failure)],
        Standing::Due(_) => {
            return attempts::follow_writing(step, step_state, moment)
                .into_iter()
                .collect();
        }
        Standing::There => {}
    }
    if let Some(event) = attempts::follow(step, step_state, moment) {
        return vec![event];
    }
    let Some(analysis) = &step_state.analysis else {
        return Vec::new();
    };
    if cache::is_owed(step, step_state)
        && let Some(why) = cache::refused(state, step_state)
    {
        return vec![Event::CacheMissed(CacheMissed {
            step: step_state.path.clone(),
            key: None,
            parts: Parts::new(),
            reason: Miss::Refused { why },
        })];
    }
    match analysis.decision.verdict {
        Verdict::Pass => Vec::new(),
        Verdict::Block => vec![failed(step_state, blocked(analysis))],
        Verdict::Ask if step_state.code_approved => Vec::new(),
        Verdict::Ask => vec![
            answered(state, step_state, analysis)
                .unwrap_or_else(|| asks(state, (step, step_state), analysis, moment.now)),
        ],
    }
}

/// Whether nothing but a place or a time keeps the code from beginning.
pub(super) fn may_begin(step: &Step, step_state: &StepState) -> bool {
    let analysis = step_state.analysis.as_ref();
    let passes = analysis.is_some_and(|analysis| {
        analysis.decision.verdict == Verdict::Pass || step_state.code_approved
    });
    // Nobody waits for a place or a lock for what is there already.
    passes && standing(step, step_state) == Standing::There && !cache::is_owed(step, step_state)
}

/// The end of the step, when the question about exactly this code was answered with no, or not in time.
fn answered(
    state: &RunState,
    step_state: &StepState,
    analysis: &AnalysisReported,
) -> Option<Event> {
    let asked = newest(state, step_state).filter(|asked| {
        asked.request.subject == Subject::Code && asked.request.subject_digest == analysis.subject
    })?;
    match asked.closed.as_ref()?.0 {
        Closed::Rejected => Some(question::rejected(step_state, asked)),
        Closed::Expired => Some(question::expired(step_state, asked)),
        Closed::Approved | Closed::Changes | Closed::Superseded => None,
    }
}

/// Why code that the policy refuses may not run.
#[must_use]
pub fn blocked(analysis: &AnalysisReported) -> Failure {
    let decision = &analysis.decision;
    let word = decision
        .code
        .as_deref()
        .and_then(Code::find)
        .unwrap_or(code::CODE_REFUSED);
    if word == code::MODULE_MISSING {
        return module_missing(analysis);
    }
    let message = format!("the code may not run: {}", decision.reason);
    let mut hint = format!("decided by {}", decision.rule);
    if word == code::WRITE_IN_READ_ONLY {
        hint.push_str(match analysis.mode {
            Mode::ReadOnly => "; a step that is meant to write says `mode: write_access`, and a person is asked first",
            Mode::WriteAccess => "; whoever runs this installation has switched writes off",
        });
    }
    Failure::new(FailureKind::Policy, word, message).hint(hint)
}

/// The code can't run where it would. That is for whoever wrote it, and nothing that a policy has refused.
fn module_missing(analysis: &AnalysisReported) -> Failure {
    let message = format!("the code can't run: {}", analysis.decision.reason);
    let failure = Failure::new(FailureKind::Code, code::MODULE_MISSING, message);
    let findings = analysis.report.findings.iter();
    let names: Vec<&str> = findings
        .filter(|finding| finding.rule == code::MODULE_MISSING.as_str())
        .filter(|finding| finding.severity == Severity::Error)
        .filter_map(|finding| finding.name.as_deref())
        .collect();
    let (names, files) = (names.join("`, `"), names.join(".py`, `"));
    failure.hint(format!(
        "add the package that has `{names}` to the step's `packages`, or put `{files}.py` beside the workflow"
    ))
}

/// The question about the code, where one may be asked.
fn asks(
    state: &RunState,
    (step, step_state): (&Step, &StepState),
    analysis: &AnalysisReported,
    now: Timestamp,
) -> Event {
    if state.may_ask(step_state.node) {
        Event::ApprovalRequested(code_question(state, (step, step_state), analysis, now))
    } else {
        failed(step_state, may_not_ask())
    }
}

/// Why the code is asked about, after what changed since it was asked about before.
fn reason(step_state: &StepState, analysis: &AnalysisReported) -> String {
    let decision = &analysis.decision;
    let mut why = format!("{} ({})", decision.reason, decision.rule);
    if let Some(edit) = edit_of(step_state) {
        why = format!("{} changed the code. {why}", edit.person);
    }
    if analysis.changed.is_empty() {
        return why;
    }
    format!("{}. {why}", analysis.changed.told())
}

fn code_question(
    state: &RunState,
    (step, step_state): (&Step, &StepState),
    analysis: &AnalysisReported,
    now: Timestamp,
) -> ApprovalRequested {
    // Whoever wrote the code can write it anew.
    let writes_anew = step.kind.as_python().and_then(PythonStep::task).is_some();
    let changes = writes_anew.then(|| step_state.path.clone());
    let left = ApprovalStep::MAX_CHANGES.saturating_sub(step_state.changes_asked);
    ApprovalRequested {
        approval: next_approval(state, &step_state.path, step_state),
        step: step_state.path.clone(),
        subject: Subject::Code,
        subject_digest: analysis.subject,
        title: format!(
            "Run the code of step `{}` in mode {}?",
            step_state.path, analysis.mode
        ),
        reason: reason(step_state, analysis),
        reviewers: analysis.reviewers.clone(),
        form: indexmap::IndexMap::new(),
        show: Values::new(),
        on_reject: OnReject::Reject,
        attempt: None,
        rules: analysis.rules.clone(),
        remind_at: remind_at(&analysis.rules, now),
        expires_at: expires_at(&analysis.rules, now),
        changes_left: if changes.is_some() { left } else { 0 },
        changes,
        edited_by: edit_of(step_state).map(|edit| edit.person.clone()),
    }
}

/// The change of a person that the newest analysis is about.
fn edit_of(step_state: &StepState) -> Option<&CodeEdited> {
    let analysed = step_state.analysis.as_ref()?.code;
    step_state
        .edit
        .as_deref()
        .filter(|edit| edit.code == analysed)
}
