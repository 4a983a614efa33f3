//! Answers of people.

use crate::approval::{Answer, Tally, Voter};
use crate::expression::Template;
use crate::plan::{self, Field};
use crate::run::command::{Refusal, Vote};
use crate::run::event::Event;
use crate::run::frame::Stop;
use crate::run::payload::{ApprovalClosed, ApprovalVoted, Closed, Subject, Values};
use crate::run::question::{ApprovalState, may_answer, was_edited};
use crate::run::state::RunState;

/// Whether the question was decided already.
pub(super) fn is_decided(state: &RunState, vote: &Vote) -> bool {
    let approval = state.approvals.get(&vote.approval);
    approval.is_some_and(|approval| approval.closed.is_some())
}

/// Decides what an answer means. A question is open as long as the log does not say otherwise: whoever
/// submits an answer first records what is due by the clock.
pub(super) fn decide(state: &RunState, vote: Vote) -> Result<Vec<Event>, Refusal> {
    let Some(asked) = state.approvals.get(&vote.approval) else {
        return Err(Refusal::UnknownApproval(vote.approval));
    };
    let request = &asked.request;
    if was_edited(state, asked) {
        return Err(Refusal::Changed);
    }
    let closed = asked.closed.as_ref();
    let closed = closed.map(|(outcome, by, _)| (*outcome, by.as_str()));
    if let Some((outcome, by)) = closed.or_else(|| asked.decided()) {
        return repeated(asked, outcome, by, &vote);
    }
    if let Some((_, step)) = state.step(&request.step)
        && let Some(stop) = state.stop_of(step.node)
        // What became of an interrupted write must be known even when its step is about to begin anew.
        && !(request.subject == Subject::UnknownOutcome && matches!(stop, Stop::Rewound { .. }))
    {
        return Err(Refusal::Stale(format!(
            "nobody needs the answer: {}",
            stop.why()
        )));
    }
    if vote.seen.is_some_and(|seen| seen != request.subject_digest) {
        return Err(Refusal::Changed);
    }
    let voter = Voter {
        name: &vote.person,
        roles: &vote.roles,
    };
    may_answer(state, asked, voter, vote.answer).map_err(Refusal::NotAllowed)?;
    if says_the_same(asked, &vote) {
        return Ok(Vec::new());
    }
    let wordless = vote
        .comment
        .as_deref()
        .is_none_or(|text| text.trim().is_empty());
    if wordless && vote.answer != Answer::Approve {
        return Err(Refusal::CommentMissing);
    }
    let form = checked_form(&request.form, vote.answer, vote.form)?;
    let answers = asked
        .votes
        .iter()
        .map(|(_, vote)| (vote.person.as_str(), vote.answer));
    let tally = Tally::of(answers.chain([(vote.person.as_str(), vote.answer)]));
    let closes = tally.decided(&request.rules).map(|answer| {
        Event::ApprovalClosed(ApprovalClosed {
            approval: vote.approval.clone(),
            outcome: answer.into(),
            by: vote.person.clone(),
        })
    });
    let voted = Event::ApprovalVoted(ApprovalVoted {
        approval: vote.approval.clone(),
        person: vote.person.clone(),
        roles: vote.roles.clone(),
        typed_by: vote.typed_by.clone(),
        answer: vote.answer,
        subject_digest: request.subject_digest,
        form,
        comment: vote.comment.clone(),
    });
    Ok([voted].into_iter().chain(closes).collect())
}

/// The same answer again is accepted without effect; another one, or a yes with another form, comes too late.
fn repeated(
    asked: &ApprovalState,
    outcome: Closed,
    by: &str,
    vote: &Vote,
) -> Result<Vec<Event>, Refusal> {
    if outcome == vote.answer.into() && says_the_same(asked, vote) {
        return Ok(Vec::new());
    }
    Err(Refusal::Decided {
        outcome: outcome.as_str(),
        by: by.to_owned(),
    })
}

/// Whether the person has said exactly this before and nothing else since. Whoever repeats herself without
/// the form means the same form.
fn says_the_same(asked: &ApprovalState, vote: &Vote) -> bool {
    let Some(said) = asked.answer_of(&vote.person) else {
        return false;
    };
    let same_form = || {
        let form = checked_form(&asked.request.form, vote.answer, vote.form.clone());
        form.is_ok_and(|form| form == said.form)
    };
    said.answer == vote.answer && (vote.form.is_empty() || same_form())
}

/// Whether this answer can't do without a value of the field.
fn is_needed(field: &Field, answer: Answer) -> bool {
    if field.required_on.is_empty() {
        return answer == Answer::Approve && field.required;
    }
    field.required_on.iter().any(|word| word == answer.as_str())
}

fn checked_form(
    form: &indexmap::IndexMap<String, Field>,
    answer: Answer,
    mut given: Values,
) -> Result<Values, Refusal> {
    let refuse = |message: String| Refusal::Form {
        message,
        fields: form.keys().cloned().collect(),
    };
    let mut values = Values::new();
    for (name, field) in form {
        let needed = is_needed(field, answer);
        let default = match &field.default {
            Some(Template::Literal(value)) if needed || answer == Answer::Approve => {
                Some(value.clone())
            }
            Some(_) | None => None,
        };
        match given.remove(name).or(default) {
            Some(value) => {
                let value = plan::check(field, value, name).map_err(|fault| {
                    refuse(format!("form field `{}`: {}", fault.at, fault.message))
                })?;
                values.insert(name.clone(), value);
            }
            None if needed => {
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
