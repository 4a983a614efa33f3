//! Answers of people.

use crate::plan;
use crate::run::command::{Refusal, Vote};
use crate::run::event::Event;
use crate::run::payload::{Answer, ApprovalClosed, ApprovalVoted, Closed, Values};
use crate::run::state::{ApprovalState, RunState};

/// Whether the question was decided already.
pub(super) fn is_decided(state: &RunState, vote: &Vote) -> bool {
    let approval = state.approvals.get(&vote.approval);
    approval.is_some_and(|approval| approval.closed.is_some())
}

/// Decides what an answer means.
pub(super) fn decide(state: &RunState, vote: Vote) -> Result<Vec<Event>, Refusal> {
    let Some(approval) = state.approvals.get(&vote.approval) else {
        return Err(Refusal::UnknownApproval(vote.approval));
    };
    if let Some((outcome, by, _)) = &approval.closed {
        return repeated(approval, *outcome, by, vote);
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
    Ok(vec![
        Event::ApprovalVoted(voted),
        Event::ApprovalClosed(closed),
    ])
}

/// The same answer again is accepted without effect; another one, or a yes with another form, comes too late.
fn repeated(
    approval: &ApprovalState,
    outcome: Closed,
    by: &str,
    vote: Vote,
) -> Result<Vec<Event>, Refusal> {
    let (word, same) = match outcome {
        Closed::Approved => ("approved", vote.answer == Answer::Approve),
        Closed::Rejected => ("rejected", vote.answer == Answer::Reject),
        Closed::Superseded => ("superseded", false),
    };
    if same && by == vote.person && (outcome == Closed::Rejected || same_form(approval, vote.form))
    {
        return Ok(Vec::new());
    }
    Err(Refusal::Decided {
        outcome: word,
        by: by.to_owned(),
    })
}

/// Whether a repeated yes says the same: nothing about the form, or what is recorded.
fn same_form(approval: &ApprovalState, given: Values) -> bool {
    if given.is_empty() {
        return true;
    }
    let recorded = approval.votes.last().map(|(_, vote)| &vote.form);
    checked_form(approval, given).is_ok_and(|form| recorded == Some(&form))
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
