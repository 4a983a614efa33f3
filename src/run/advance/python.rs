//! Python steps between effects: what an analysis, an answer or the end of an attempt brings about.

use super::approval::{self, newest};
use crate::approval::Verdict;
use crate::code::{self, Code};
use crate::failure::{Failure, FailureKind};
use crate::plan::{Field, FieldType, OnReject, Step};
use crate::run::command::{ANSWER_DONE, ANSWER_RUN_AGAIN, UNKNOWN_ANSWER, text_of};
use crate::run::decide::{INTERRUPTIONS_MAX, interrupted, interruptions, next_approval};
use crate::run::event::Event;
use crate::run::outputs::outputs_of;
use crate::run::payload::{
    AnalysisReported, Answer, ApprovalRequested, AttemptEnded, AttemptFailed, StepFailed,
    StepSucceeded, Subject, Values,
};
use crate::run::retry::{self, Moment};
use crate::run::state::{ApprovalState, Attempt, AttemptStatus, RunState, StepState};

/// What a ready Python step does without help: it asks, is tried again, or ends.
pub(super) fn ready(
    state: &RunState,
    step: &Step,
    step_state: &StepState,
    moment: Moment,
) -> Vec<Event> {
    if let Some(attempt) = step_state.attempts.last()
        && let AttemptStatus::Failed { failure, counted } = &attempt.status
        && step_state.retry.is_none()
        && let Some(event) = after_failure(step, step_state, failure, *counted, moment)
    {
        return vec![event];
    }
    let Some(analysis) = &step_state.analysis else {
        return Vec::new();
    };
    match analysis.decision.verdict {
        Verdict::Pass => Vec::new(),
        Verdict::Block => vec![failed(step_state, blocked(analysis))],
        Verdict::Ask if step_state.code_approved => Vec::new(),
        Verdict::Ask => match newest(state, step_state).filter(|asked| is_no_to(asked, analysis)) {
            Some(asked) => vec![approval::rejected(step_state, asked)],
            None => vec![Event::ApprovalRequested(code_question(
                state, step_state, analysis,
            ))],
        },
    }
}

fn failed(step_state: &StepState, failure: Failure) -> Event {
    Event::StepFailed(StepFailed {
        step: step_state.path.clone(),
        failure,
    })
}

/// Whether the question was about exactly this code and the answer was no.
fn is_no_to(asked: &ApprovalState, analysis: &AnalysisReported) -> bool {
    asked.request.subject == Subject::Code
        && asked.request.subject_digest == analysis.subject
        && asked
            .votes
            .last()
            .is_some_and(|(_, vote)| vote.answer == Answer::Reject)
}

/// What follows from a failed attempt. An interrupted one is made again at once, as long as what would run then
/// is what was analysed: so `None`, and the code is looked at like that of a first attempt.
fn after_failure(
    step: &Step,
    step_state: &StepState,
    failure: &Failure,
    counted: bool,
    moment: Moment,
) -> Option<Event> {
    if !counted {
        if interruptions(step_state) < INTERRUPTIONS_MAX {
            return None;
        }
        let failure = failure.clone().hint(format!(
            "the engine died {INTERRUPTIONS_MAX} times while this step ran; it is not tried again by itself"
        ));
        return Some(failed(step_state, failure));
    }
    Some(match retry::next(step, step_state, failure, moment) {
        Some(retry) => Event::RetryScheduled(retry),
        None => failed(step_state, failure.clone()),
    })
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
    let message = format!("the code may not run: {}", decision.reason);
    let mut hint = format!("decided by {}", decision.rule);
    if word == code::WRITE_IN_READ_ONLY {
        hint.push_str("; a step that is meant to write says `mode: write_access`, and a person is asked first");
    }
    Failure::new(FailureKind::Policy, word, message).hint(hint)
}

fn code_question(
    state: &RunState,
    step_state: &StepState,
    analysis: &AnalysisReported,
) -> ApprovalRequested {
    ApprovalRequested {
        approval: next_approval(state, &step_state.path, step_state),
        step: step_state.path.clone(),
        subject: Subject::Code,
        subject_digest: analysis.subject,
        title: format!(
            "Run the code of step `{}` in mode {}?",
            step_state.path, analysis.mode
        ),
        reason: format!("{} ({})", analysis.decision.reason, analysis.decision.rule),
        reviewers: analysis.reviewers.clone(),
        form: indexmap::IndexMap::new(),
        show: Values::new(),
        on_reject: OnReject::Reject,
        attempt: None,
    }
}

/// An attempt that ended well ends its step.
pub(super) fn running(step: &Step, step_state: &StepState) -> Vec<Event> {
    let ended = step_state.attempts.last().map(|attempt| &attempt.status);
    if ended != Some(&AttemptStatus::Succeeded) {
        return Vec::new();
    }
    let results = step_state
        .result
        .as_ref()
        .and_then(|result| result.results.as_ref());
    vec![match outputs_of(step, results) {
        Ok(outputs) => Event::StepSucceeded(StepSucceeded {
            step: step_state.path.clone(),
            outputs,
        }),
        Err(failure) => failed(step_state, failure),
    }]
}

/// A write of unknown outcome: a person is asked what became of it, and the answer is carried out.
pub(super) fn unknown(state: &RunState, step_state: &StepState) -> Vec<Event> {
    let Some(attempt) = step_state.attempts.last() else {
        return Vec::new();
    };
    let asked =
        newest(state, step_state).filter(|asked| asked.request.attempt == Some(attempt.number));
    let Some(asked) = asked else {
        return vec![Event::ApprovalRequested(unknown_question(
            state, step_state, attempt,
        ))];
    };
    if asked.closed.is_none() {
        return approval::close(state, step_state, false);
    }
    asked
        .votes
        .last()
        .map(|(_, vote)| decided(step_state, attempt, vote))
        .unwrap_or_default()
}

fn decided(
    step_state: &StepState,
    attempt: &Attempt,
    vote: &crate::run::payload::ApprovalVoted,
) -> Vec<Event> {
    let ended = AttemptEnded {
        step: step_state.path.clone(),
        attempt: attempt.number,
    };
    let fails = |failure: Failure, counted: bool| {
        Event::AttemptFailed(AttemptFailed {
            step: ended.step.clone(),
            attempt: ended.attempt,
            failure,
            counted,
        })
    };
    match vote.answer {
        Answer::Approve if text_of(&vote.form, UNKNOWN_ANSWER) == Some(ANSWER_RUN_AGAIN) => {
            vec![fails(
                interrupted("a person decided to run it again"),
                false,
            )]
        }
        // The person vouches for the write. What the code would have given out is not known, so it is absent.
        // Only once: the history may have been cut off between the two events.
        Answer::Approve if attempt.status == AttemptStatus::Succeeded => {
            vec![Event::StepSucceeded(StepSucceeded {
                step: ended.step,
                outputs: Values::new(),
            })]
        }
        Answer::Approve => vec![Event::AttemptSucceeded(ended)],
        Answer::Reject => {
            let comment = vote.comment.as_deref().unwrap_or_default();
            let message = format!(
                "attempt {} was interrupted while it may have written; rejected by {}: {comment}",
                attempt.number, vote.person
            );
            let failure = Failure::new(FailureKind::Infrastructure, code::OUTCOME_UNKNOWN, message);
            vec![fails(failure, true)]
        }
    }
}

fn unknown_question(
    state: &RunState,
    step_state: &StepState,
    attempt: &Attempt,
) -> ApprovalRequested {
    let evidence = match &attempt.status {
        AttemptStatus::Unknown { evidence } => evidence.as_str(),
        AttemptStatus::Open | AttemptStatus::Succeeded | AttemptStatus::Failed { .. } => "",
    };
    let mut answer = Field::of(FieldType::String);
    answer.choices = vec![ANSWER_DONE.into(), ANSWER_RUN_AGAIN.into()];
    answer.description =
        "done: the write took place, go on; run_again: make it again. A rejection fails the step."
            .to_owned();
    let subject = step_state
        .analysis
        .as_ref()
        .map(|analysis| analysis.subject);
    ApprovalRequested {
        approval: next_approval(state, &step_state.path, step_state),
        step: step_state.path.clone(),
        subject: Subject::UnknownOutcome,
        subject_digest: subject.unwrap_or(crate::run::Record::CHAIN_START),
        title: format!(
            "Attempt {} of `{}` was interrupted while it may have written. What now?",
            attempt.number, step_state.path
        ),
        reason: format!("a write is never repeated by itself; found: {evidence}"),
        reviewers: None,
        form: indexmap::IndexMap::from_iter([(UNKNOWN_ANSWER.to_owned(), answer)]),
        show: Values::new(),
        on_reject: OnReject::Fail,
        attempt: Some(attempt.number),
    }
}
