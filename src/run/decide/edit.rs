//! Code that a person changes instead of saying yes or no to it.

use crate::approval::{Answer, Voter};
use crate::run::command::Refusal;
use crate::run::event::Event;
use crate::run::payload::{CodeEdited, Subject};
use crate::run::question::{may_answer, was_edited};
use crate::run::state::RunState;

/// Whether this very change was made at this question.
pub(super) fn is_recorded(state: &RunState, edited: &CodeEdited) -> bool {
    let found = state.step(&edited.step).map(|(_, step)| &step.edits);
    found.into_iter().flatten().any(|edit| {
        let of = |edit: &CodeEdited| (edit.approval.clone(), edit.code, edit.person.clone());
        of(edit) == of(edited)
    })
}

/// Decides whether the code that a question is about may be changed there. Whoever may say yes to it may.
pub(super) fn decide(state: &RunState, edited: CodeEdited) -> Result<Vec<Event>, Refusal> {
    let Some(asked) = state.approvals.get(&edited.approval) else {
        return Err(Refusal::UnknownApproval(edited.approval));
    };
    let request = &asked.request;
    let found = state.step(&request.step);
    if is_recorded(state, &edited) {
        return Ok(Vec::new());
    }
    if was_edited(state, asked) {
        return Err(Refusal::Changed);
    }
    let closed = asked.closed.as_ref();
    let closed = closed.map(|(outcome, by, _)| (*outcome, by.as_str()));
    if let Some((outcome, by)) = closed.or_else(|| asked.decided()) {
        return Err(Refusal::Decided {
            outcome: outcome.as_str(),
            by: by.to_owned(),
        });
    }
    if request.subject != Subject::Code {
        let why = "the question is not about code that is to run";
        return Err(Refusal::NotEditable(why.to_owned()));
    }
    let Some((_, step)) = found else {
        return Err(Refusal::Stale(format!(
            "the run has no step `{}`",
            request.step
        )));
    };
    if let Some(stop) = state.stop_of(step.node) {
        let why = format!("nobody needs the answer: {}", stop.why());
        return Err(Refusal::Stale(why));
    }
    let analysed = step.analysis.as_ref().map(|analysis| analysis.code);
    if edited.subject_digest != request.subject_digest || analysed != Some(edited.base) {
        return Err(Refusal::Changed);
    }
    let voter = Voter {
        name: &edited.person,
        roles: &edited.roles,
    };
    may_answer(state, asked, voter, Answer::Approve).map_err(Refusal::NotAllowed)?;
    if edited.base == edited.code {
        let why = "it is the very code that is asked about: nothing is changed";
        return Err(Refusal::NotEditable(why.to_owned()));
    }
    let step = request.step.clone();
    Ok(vec![Event::CodeEdited(Box::new(CodeEdited {
        step,
        ..edited
    }))])
}
