//! Attempts between effects, of code and of actions alike: what their end brings about.

use super::leave::failed;
use super::question::{self, newest};
use crate::approval::Rules;
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::plan::{Field, FieldType, OnReject, OnUnknown, Step};
use crate::run::command::{ANSWER_DONE, ANSWER_RUN_AGAIN, UNKNOWN_ANSWER, text_of};
use crate::run::decide::{
    FALSE_STARTS_MAX, INTERRUPTIONS_MAX, false_starts, interrupted, interrupted_after,
    interruptions, next_approval,
};
use crate::run::event::Event;
use crate::run::outputs::outputs_of;
use crate::run::payload::{
    Answer, ApprovalRequested, ApprovalVoted, AttemptEnded, AttemptFailed, Phase, StepSucceeded,
    Subject, Values,
};
use crate::run::retry::{self, Moment};
use crate::run::state::{Attempt, AttemptStatus, RunState, StepState};
use crate::time::Timestamp;

/// What follows from the end of the newest attempt of a ready step, if that was a failure.
pub(super) fn follow(step: &Step, step_state: &StepState, moment: Moment) -> Option<Event> {
    let attempt = step_state.current_attempts().last()?;
    let AttemptStatus::Failed { failure, counted } = &attempt.status else {
        return None;
    };
    if step_state.retry.is_some() {
        return None;
    }
    after_failure(step, step_state, failure, *counted, moment)
}

/// What follows when the newest attempt to have code written failed before there was an answer. An answer without
/// usable code, and code that failed, are followed by the next writing at once.
pub(super) fn follow_writing(step: &Step, step_state: &StepState, moment: Moment) -> Option<Event> {
    let attempt = step_state.current_attempts().last()?;
    let answered = step_state
        .generation()
        .is_some_and(|newest| newest.record.attempt == Some(attempt.number));
    if attempt.phase == Phase::Execute || answered {
        return None;
    }
    follow(step, step_state, moment)
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
        let why = if interruptions(step_state) >= INTERRUPTIONS_MAX {
            format!("the engine died {INTERRUPTIONS_MAX} times while this step ran")
        } else if false_starts(step_state) >= FALSE_STARTS_MAX {
            format!("it was begun {FALSE_STARTS_MAX} times in a row, and its code never ran")
        } else {
            return None;
        };
        let hint = format!("{why}; it is not tried again by itself");
        return Some(failed(step_state, failure.clone().hint(hint)));
    }
    Some(match retry::next(step, step_state, failure, moment) {
        Some(retry) => Event::RetryScheduled(retry),
        None => failed(step_state, failure.clone()),
    })
}

/// An attempt that ended well ends its step.
pub(super) fn running(step: &Step, step_state: &StepState) -> Vec<Event> {
    let ended = step_state.attempts.last().map(|attempt| &attempt.status);
    if ended != Some(&AttemptStatus::Succeeded) {
        return Vec::new();
    }
    vec![ends_well(step, step_state)]
}

/// The end of a step from its newest result.
pub(super) fn ends_well(step: &Step, step_state: &StepState) -> Event {
    let results = step_state
        .result
        .as_ref()
        .and_then(|result| result.results.as_ref());
    match outputs_of(step, results) {
        Ok(outputs) => Event::StepSucceeded(StepSucceeded {
            step: step_state.path.clone(),
            outputs,
        }),
        Err(failure) => failed(step_state, failure),
    }
}

/// A write of unknown outcome: a person is asked what became of it, and the answer is carried out.
///
/// The author may have said beforehand what shall follow.
pub(super) fn unknown(
    state: &RunState,
    step: &Step,
    step_state: &StepState,
    now: Timestamp,
) -> Vec<Event> {
    let Some(attempt) = step_state.attempts.last() else {
        return Vec::new();
    };
    if let AttemptStatus::Unknown { evidence } = &attempt.status
        && let Some(event) = foreseen(step, step_state, state.may_ask(step_state.node), evidence)
    {
        return vec![event];
    }
    let asked =
        newest(state, step_state).filter(|asked| asked.request.attempt == Some(attempt.number));
    let Some(asked) = asked else {
        return vec![Event::ApprovalRequested(unknown_question(
            state, step_state, attempt,
        ))];
    };
    if asked.closed.is_none() {
        return question::tend(state, step_state, now);
    }
    asked
        .votes
        .last()
        .map(|(_, vote)| decided(step_state, attempt, vote))
        .unwrap_or_default()
}

/// What `on_unknown` says; none = a person is asked.
fn foreseen(step: &Step, step_state: &StepState, may_ask: bool, evidence: &str) -> Option<Event> {
    let attempt = step_state.attempts.last()?.number;
    let (failure, counted) = match step.on_unknown {
        Some(OnUnknown::Ask) | None if may_ask => return None,
        Some(OnUnknown::Retry) => (interrupted_after(evidence, true), false),
        Some(OnUnknown::Fail | OnUnknown::Ask) | None => {
            let message = format!(
                "attempt {attempt} was interrupted and nobody knows how far it came: {evidence}"
            );
            let failure = Failure::new(FailureKind::Infrastructure, code::OUTCOME_UNKNOWN, message);
            (failure, true)
        }
    };
    Some(Event::AttemptFailed(AttemptFailed {
        step: step_state.path.clone(),
        attempt,
        failure,
        counted,
    }))
}

fn decided(step_state: &StepState, attempt: &Attempt, vote: &ApprovalVoted) -> Vec<Event> {
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
        // Nobody can ask for changes of what was written; the authorization says so.
        Answer::Reject | Answer::RequestChanges => {
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
    let analysis = step_state.analysis.as_ref();
    let subject = analysis.map(|analysis| analysis.subject);
    let rules = analysis.map(|analysis| analysis.rules.one_of_them());
    let plain = || Rules {
        allow_self: state.created.allow_self,
        ..Rules::default()
    };
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
        rules: rules.unwrap_or_else(plain),
        remind_at: Vec::new(),
        expires_at: None,
        changes: None,
        changes_left: 0,
        edited_by: None,
    }
}
