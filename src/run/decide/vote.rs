//! Answers of people.

use super::interrupted;
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::plan;
use crate::run::command::{ANSWER_RUN_AGAIN, Refusal, UNKNOWN_ANSWER, Vote, text_of};
use crate::run::event::Event;
use crate::run::payload::{
    Answer, ApprovalClosed, ApprovalVoted, AttemptEnded, AttemptFailed, Closed, StepBlocked,
    StepFailed, StepSucceeded, Subject, Values,
};
use crate::run::state::{ApprovalState, RunState};

/// Decides what an answer means.
pub(super) fn decide(state: &RunState, vote: Vote) -> Result<Vec<Event>, Refusal> {
    let Some(approval) = state.approvals.get(&vote.approval) else {
        return Err(Refusal::UnknownApproval(vote.approval));
    };
    if let Some((outcome, by, _)) = &approval.closed {
        return repeated(*outcome, by, &vote);
    }
    let request = &approval.request;
    if vote.seen.is_some_and(|seen| seen != request.subject_digest) {
        return Err(Refusal::Changed);
    }
    let form = match vote.answer {
        Answer::Approve => checked_form(approval, vote.form)?,
        Answer::Reject
            if vote
                .comment
                .as_deref()
                .is_none_or(|text| text.trim().is_empty()) =>
        {
            return Err(Refusal::CommentMissing);
        }
        Answer::Reject => Values::new(),
    };
    let voted = ApprovalVoted {
        approval: vote.approval.clone(),
        person: vote.person.clone(),
        typed_by: vote.typed_by,
        answer: vote.answer,
        subject_digest: request.subject_digest,
        form: form.clone(),
        comment: vote.comment.clone(),
    };
    let outcome = match vote.answer {
        Answer::Approve => Closed::Approved,
        Answer::Reject => Closed::Rejected,
    };
    let closed = ApprovalClosed {
        approval: vote.approval,
        outcome,
        by: vote.person.clone(),
    };
    let mut events = vec![Event::ApprovalVoted(voted), Event::ApprovalClosed(closed)];
    events.extend(match vote.answer {
        Answer::Approve => approved(state, approval, form),
        Answer::Reject => rejected(state, approval, &vote.person, vote.comment.as_deref()),
    });
    Ok(events)
}

/// The same answer again is accepted without effect; another one comes too late.
fn repeated(outcome: Closed, by: &str, vote: &Vote) -> Result<Vec<Event>, Refusal> {
    let (word, same) = match outcome {
        Closed::Approved => ("approved", vote.answer == Answer::Approve),
        Closed::Rejected => ("rejected", vote.answer == Answer::Reject),
        Closed::Superseded => ("superseded", false),
    };
    if same && by == vote.person {
        return Ok(Vec::new());
    }
    Err(Refusal::Decided {
        outcome: word,
        by: by.to_owned(),
    })
}

fn checked_form(approval: &ApprovalState, mut given: Values) -> Result<Values, Refusal> {
    let form = &approval.request.form;
    let fields: Vec<String> = form.keys().cloned().collect();
    let refuse = |message: String| Refusal::Form {
        message,
        fields: fields.clone(),
    };
    let mut values = Values::new();
    for (name, field) in form {
        let literal = match &field.default {
            Some(crate::expression::Template::Literal(value)) => Some(value.clone()),
            Some(_) | None => None,
        };
        match given.remove(name).or(literal) {
            Some(value) => {
                let value = plan::check(field, value, name).map_err(|fault| {
                    refuse(format!("form field `{}`: {}", fault.at, fault.message))
                })?;
                values.insert(name.clone(), value);
            }
            None if field.required => {
                return Err(refuse(format!("form field `{name}` is missing")));
            }
            None => {}
        }
    }
    match given.keys().next() {
        Some(name) => Err(refuse(format!("the form has no field `{name}`"))),
        None => Ok(values),
    }
}

fn approved(state: &RunState, approval: &ApprovalState, form: Values) -> Vec<Event> {
    let step = approval.request.step.clone();
    match approval.request.subject {
        Subject::Code => Vec::new(),
        Subject::Step => vec![Event::StepSucceeded(StepSucceeded {
            step,
            outputs: form,
        })],
        Subject::UnknownOutcome => {
            let Some((_, step_state)) = state.step(&step) else {
                return Vec::new();
            };
            let Some(attempt) = step_state.attempts.last() else {
                return Vec::new();
            };
            let number = attempt.number;
            if text_of(&form, UNKNOWN_ANSWER) == Some(ANSWER_RUN_AGAIN) {
                return vec![Event::AttemptFailed(AttemptFailed {
                    step,
                    attempt: number,
                    failure: interrupted("a person decided to run it again"),
                    counted: false,
                })];
            }
            let outputs = Values::new();
            vec![
                Event::AttemptSucceeded(AttemptEnded {
                    step: step.clone(),
                    attempt: number,
                }),
                Event::StepSucceeded(StepSucceeded { step, outputs }),
            ]
        }
    }
}

fn rejected(
    state: &RunState,
    approval: &ApprovalState,
    person: &str,
    comment: Option<&str>,
) -> Vec<Event> {
    let step = approval.request.step.clone();
    let why = match comment {
        Some(comment) => format!("rejected by {person}: {comment}"),
        None => format!("rejected by {person}"),
    };
    match approval.request.subject {
        Subject::Code | Subject::Step => {
            vec![Event::StepRejected(StepBlocked {
                step,
                why,
                only_skips: false,
            })]
        }
        Subject::UnknownOutcome => {
            let number = state
                .step(&step)
                .and_then(|(_, step)| step.attempts.last())
                .map_or(0, |a| a.number);
            let failure = Failure::new(
                FailureKind::Infrastructure,
                code::OUTCOME_UNKNOWN,
                format!("attempt {number} was interrupted while it may have written; {why}"),
            );
            let attempt = AttemptFailed {
                step: step.clone(),
                attempt: number,
                failure: failure.clone(),
                counted: true,
            };
            vec![
                Event::AttemptFailed(attempt),
                Event::StepFailed(StepFailed { step, failure }),
            ]
        }
    }
}
