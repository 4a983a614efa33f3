//! Questions that the author wrote, and what the answers do.

use super::evaluate::{evaluate, text};
use super::question::{expired, expires_at, newest, rejected, remind_at};
use super::rules::ask_rules;
use crate::canonical::canonical_json;
use crate::code;
use crate::expression::Template;
use crate::failure::{Failure, FailureKind};
use crate::id::Digest;
use crate::plan::ApprovalStep;
use crate::run::decide::next_approval;
use crate::run::event::Event;
use crate::run::payload::{Answer, ApprovalRequested, Closed, StepSucceeded, Subject, Values};
use crate::run::rewind;
use crate::run::scope::RunScope;
use crate::run::state::{RunState, StepState};
use crate::time::Timestamp;

/// Why a step of a `waiting` handler fails that would have to ask.
pub(super) fn may_not_ask() -> Failure {
    let message = "a `waiting` handler tells of a question and may not ask one itself";
    Failure::new(FailureKind::Configuration, code::HANDLER_ASKS, message)
        .hint("leave approvals, and code that the policy asks about, out of `handlers.waiting`")
}

/// What a ready approval step does: it asks, or ends as it was answered.
pub(super) fn work(
    state: &RunState,
    step_state: &StepState,
    approval: &ApprovalStep,
    now: Timestamp,
) -> Result<Vec<Event>, Failure> {
    let Some(asked) = newest(state, step_state) else {
        return ask(state, step_state, approval, now);
    };
    let path = step_state.path.clone();
    Ok(match &asked.closed {
        Some((Closed::Approved, _, _)) => {
            // Of several people who said yes, the last one's values count.
            let outputs = asked
                .last(Answer::Approve)
                .map(|vote| vote.form.clone())
                .unwrap_or_default();
            vec![Event::StepSucceeded(StepSucceeded {
                step: path,
                outputs,
            })]
        }
        Some((Closed::Rejected, _, _)) => vec![rejected(step_state, asked)],
        Some((Closed::Expired, _, _)) => vec![expired(step_state, asked)],
        Some((Closed::Superseded, _, _)) => ask(state, step_state, approval, now)?,
        // It begins anew together with the steps before it.
        Some((Closed::Changes, _, _)) | None => Vec::new(),
    })
}

fn ask(
    state: &RunState,
    step_state: &StepState,
    approval: &ApprovalStep,
    now: Timestamp,
) -> Result<Vec<Event>, Failure> {
    if !state.may_ask(step_state.node) {
        return Err(may_not_ask());
    }
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
    let (reviewers, rules) = ask_rules(
        &approval.rules,
        &scope,
        state.created.allow_self,
        "approval",
    )?;
    let target = approval.on_changes.as_ref();
    let target = target.and_then(|path| rewind::target(state, step_state.node, path));
    let target = target.and_then(|node| state.node(node));
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
        remind_at: remind_at(&rules, now),
        expires_at: expires_at(&rules, now),
        rules,
        changes: target.map(|(_, target)| target.path.clone()),
        changes_left: approval
            .max_changes
            .saturating_sub(step_state.changes_asked),
        edited_by: None,
    })])
}
