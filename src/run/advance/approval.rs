//! Questions that the author wrote, and what the answers do.

use super::evaluate::{evaluate, text};
use crate::canonical::canonical_json;
use crate::expression::Template;
use crate::failure::Failure;
use crate::id::Digest;
use crate::plan::{ApprovalStep, Reviewers};
use crate::run::decide::next_approval;
use crate::run::event::Event;
use crate::run::payload::{
    Answer, ApprovalClosed, ApprovalRequested, Closed, StepBlocked, StepSucceeded, Subject, Values,
};
use crate::run::scope::RunScope;
use crate::run::state::{ApprovalState, RunState, StepState};

/// The newest question of a step.
pub(super) fn newest<'a>(state: &'a RunState, step: &StepState) -> Option<&'a ApprovalState> {
    state.approvals.get(step.approval.as_ref()?)
}

/// Closes the newest question of a step if it is open: as answered, or because nobody needs the answer any more.
pub(super) fn close(state: &RunState, step: &StepState, superseded: bool) -> Vec<Event> {
    let Some(asked) = newest(state, step).filter(|asked| asked.closed.is_none()) else {
        return Vec::new();
    };
    let (outcome, by) = match asked.votes.last() {
        _ if superseded => (Closed::Superseded, "engine".to_owned()),
        None => return Vec::new(),
        Some((_, vote)) => match vote.answer {
            Answer::Approve => (Closed::Approved, vote.person.clone()),
            Answer::Reject => (Closed::Rejected, vote.person.clone()),
        },
    };
    let approval = asked.request.approval.clone();
    vec![Event::ApprovalClosed(ApprovalClosed {
        approval,
        outcome,
        by,
    })]
}

/// What a ready approval step does: it asks, or ends as it was answered.
pub(super) fn work(
    state: &RunState,
    step_state: &StepState,
    approval: &ApprovalStep,
) -> Result<Vec<Event>, Failure> {
    let Some(asked) = newest(state, step_state) else {
        return ask(state, step_state, approval);
    };
    let path = step_state.path.clone();
    Ok(match &asked.closed {
        Some((Closed::Approved, _, _)) => {
            let outputs = asked
                .votes
                .last()
                .map(|(_, vote)| vote.form.clone())
                .unwrap_or_default();
            vec![Event::StepSucceeded(StepSucceeded {
                step: path,
                outputs,
            })]
        }
        Some((Closed::Rejected, _, _)) => vec![rejected(step_state, asked)],
        Some((Closed::Superseded, _, _)) => ask(state, step_state, approval)?,
        None => Vec::new(),
    })
}

/// The end of a step to which a person said no.
pub(super) fn rejected(step_state: &StepState, asked: &ApprovalState) -> Event {
    let vote = asked.votes.last().map(|(_, vote)| vote);
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

fn ask(
    state: &RunState,
    step_state: &StepState,
    approval: &ApprovalStep,
) -> Result<Vec<Event>, Failure> {
    let scope = RunScope::at(state, step_state.node.frame);
    let mut show = Values::new();
    for entry in &approval.show {
        // What is not there is shown as not there: the person decides what that means.
        let value = entry.value.evaluate(&scope).map_or_else(
            |error| serde_json::Value::from(format!("(not available: {})", error.message)),
            |value| value.to_json(),
        );
        show.insert(entry.text.clone(), value);
    }
    let title = text(
        &evaluate(&approval.title, &scope, "approval.title")?,
        "approval.title",
    )?;
    let reviewers = match &approval.rules.reviewers {
        Some(Reviewers::Text(template)) => {
            let place = "approval.reviewers";
            Some(text(&evaluate(template, &scope, place)?, place)?)
        }
        Some(Reviewers::Named(_)) | None => None,
    };
    let mut form = approval.form.clone();
    for (name, field) in &mut form {
        if let Some(default) = &field.default {
            let value = evaluate(default, &scope, &format!("approval.form.{name}.default"))?;
            field.default = Some(Template::Literal(value.to_json()));
        }
    }
    let subject = canonical_json(&serde_json::json!({"title": title, "show": show, "form": form}));
    Ok(vec![Event::ApprovalRequested(ApprovalRequested {
        approval: next_approval(state, &step_state.path, step_state),
        step: step_state.path.clone(),
        subject: Subject::Step,
        subject_digest: Digest::of(&subject),
        title,
        reason: format!("step `{}` asks", step_state.path),
        reviewers,
        form,
        show,
        on_reject: approval.on_reject,
        attempt: None,
    })])
}
