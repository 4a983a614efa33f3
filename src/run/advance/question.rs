//! What becomes of an open question without help: answers decide it, time does, or nobody needs it any more.

use std::time::Duration;

use crate::approval::{Rules, Voter};
use crate::code;
use crate::expression::format_duration;
use crate::failure::{Failure, FailureKind};
use crate::plan::OnTimeout;
use crate::run::event::Event;
use crate::run::payload::{
    Answer, ApprovalClosed, ApprovalEscalated, ApprovalReminded, ApprovalVoted, Closed, CodeEdited,
    StepBlocked, StepFailed, Subject, Values,
};
use crate::run::question::{ApprovalState, may_answer};
use crate::run::state::{RunState, StepState};
use crate::time::Timestamp;

/// Who closes what people did not.
const ENGINE: &str = "engine";

/// The newest question of a step.
pub(super) fn newest<'a>(state: &'a RunState, step: &StepState) -> Option<&'a ApprovalState> {
    state.approvals.get(step.approval.as_ref()?)
}

fn open<'a>(state: &'a RunState, step: &StepState) -> Option<&'a ApprovalState> {
    newest(state, step).filter(|asked| asked.closed.is_none())
}

/// Closes the newest question of a step if it is open, because nobody needs the answer any more.
pub(super) fn supersede(state: &RunState, step: &StepState) -> Vec<Event> {
    let asked = open(state, step);
    asked
        .map(|asked| closed(asked, Closed::Superseded, ENGINE))
        .into_iter()
        .collect()
}

/// What the newest question of a step needs if it is open. Answers that are in the log go before the clock.
pub(super) fn tend(state: &RunState, step: &StepState, now: Timestamp) -> Vec<Event> {
    let Some(asked) = open(state, step) else {
        return Vec::new();
    };
    let id = &asked.request.approval;
    if let Some(edit) = step.edits.iter().find(|edit| edit.approval == *id) {
        return vec![closed(asked, Closed::Superseded, &edit.person)];
    }
    if let Some((outcome, by)) = asked.decided() {
        return vec![closed(asked, outcome, by)];
    }
    if let Some(yes) = step
        .edit
        .as_deref()
        .and_then(|edit| own_yes(state, edit, asked))
    {
        return vec![yes];
    }
    if asked.expires_at().is_some_and(|due| due <= now) {
        let rules = &asked.request.rules;
        let escalates = rules.on_timeout == OnTimeout::Escalate && asked.escalated.is_none();
        return vec![if escalates {
            Event::ApprovalEscalated(ApprovalEscalated {
                approval: asked.request.approval.clone(),
                to: rules.escalate_to.clone(),
                remind_at: remind_at(rules, now),
                expires_at: expires_at(rules, now),
            })
        } else {
            closed(asked, Closed::Expired, ENGINE)
        }];
    }
    let due = asked.remind_at().iter().filter(|due| **due <= now);
    let passed = u32::try_from(due.count()).unwrap_or(u32::MAX);
    if passed > asked.reminded {
        let approval = asked.request.approval.clone();
        return vec![Event::ApprovalReminded(ApprovalReminded {
            approval,
            passed,
        })];
    }
    Vec::new()
}

/// The yes of whoever changed the code, where it counts: for exactly what was looked at when it was changed, and only
/// when the rules of the question let that person approve it.
fn own_yes(state: &RunState, edit: &CodeEdited, asked: &ApprovalState) -> Option<Event> {
    let request = &asked.request;
    let same = request.subject == Subject::Code && request.subject_digest == edit.says_yes_to;
    // Whoever has answered since has thought again.
    if !same || asked.answer_of(&edit.person).is_some() {
        return None;
    }
    let voter = Voter {
        name: &edit.person,
        roles: &edit.roles,
    };
    may_answer(state, asked, voter, Answer::Approve).ok()?;
    Some(Event::ApprovalVoted(ApprovalVoted {
        approval: request.approval.clone(),
        person: edit.person.clone(),
        roles: edit.roles.clone(),
        typed_by: edit.typed_by.clone(),
        answer: Answer::Approve,
        subject_digest: request.subject_digest,
        form: Values::new(),
        comment: edit.comment.clone(),
    }))
}

fn closed(asked: &ApprovalState, outcome: Closed, by: &str) -> Event {
    Event::ApprovalClosed(ApprovalClosed {
        approval: asked.request.approval.clone(),
        outcome,
        by: by.to_owned(),
    })
}

/// When people are reminded of a question that is asked now, in the order of time.
pub(super) fn remind_at(rules: &Rules, now: Timestamp) -> Vec<Timestamp> {
    let later = |ms: &u64| now.plus(Duration::from_millis(*ms));
    let mut instants: Vec<Timestamp> = rules.remind_ms.iter().map(later).collect();
    instants.sort_unstable();
    instants.dedup();
    instants
}

/// When the time to answer a question that is asked now is over.
pub(super) fn expires_at(rules: &Rules, now: Timestamp) -> Option<Timestamp> {
    rules.timeout().map(|timeout| now.plus(timeout))
}

/// The end of a step to which people said no.
pub(super) fn rejected(step_state: &StepState, asked: &ApprovalState) -> Event {
    let vote = asked.last(Answer::Reject);
    let person = vote.map_or("somebody", |vote| vote.person.as_str());
    let why = match vote.and_then(|vote| vote.comment.as_deref()) {
        Some(comment) => format!("rejected by {person}: {comment}"),
        None => format!("rejected by {person}"),
    };
    Event::StepRejected(StepBlocked {
        step: step_state.path.clone(),
        why,
        only_skips: false,
    })
}

/// The end of a step whose question was not answered in time.
pub(super) fn expired(step_state: &StepState, asked: &ApprovalState) -> Event {
    let rules = &asked.request.rules;
    let step = step_state.path.clone();
    let limit = rules.timeout().map(format_duration).unwrap_or_default();
    let twice = if asked.escalated.is_some() {
        "twice "
    } else {
        ""
    };
    let why = match asked.tally().yes.len() {
        0 => format!("nobody answered within {twice}{limit}"),
        yes => format!(
            "{yes} of {} people said yes within {twice}{limit}",
            rules.required
        ),
    };
    match rules.on_timeout {
        OnTimeout::Reject | OnTimeout::Escalate => Event::StepRejected(StepBlocked {
            step,
            why,
            only_skips: false,
        }),
        OnTimeout::Fail => Event::StepFailed(StepFailed {
            step,
            failure: Failure::new(FailureKind::Timeout, code::APPROVAL_EXPIRED, why)
                .hint("the question says `on_timeout: fail`"),
        }),
    }
}
