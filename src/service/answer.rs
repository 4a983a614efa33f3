//! Answers: recorded to the question that they are for, once, and the run goes on.

use super::{Command, Outcome, PythonExecutorError, PythonExecutorService, Resume, RunName};
use crate::code;
use crate::engine::Edit;
use crate::id::{ApprovalId, Digest};
use crate::run::payload::{Answer, Closed};
use crate::run::{self, Actor, ApprovalState, RunState, Vote};

impl PythonExecutorService {
    /// Answers a run that waits, and waits until it has ended or only people can move it on. The same answer given
    /// twice is given once. An answer that comes after the opposite one is refused.
    ///
    /// # Errors
    /// The answer was refused, and nothing was recorded; there is no such run; or the store failed.
    pub async fn resume(
        &self,
        run: impl Into<RunName>,
        command: Command,
    ) -> Result<Outcome, PythonExecutorError> {
        let run = self.find(run.into())?;
        let state = self.engine().state(run).await?;
        let asked = question(&state, &command.resume)?;
        match change(&state, asked, &command.resume)? {
            Change::Recorded => {}
            Change::To(code) => {
                let edit = self.edit(asked, command.resume, code);
                let answered = self.engine().edit(run, edit).await;
                answered.map_err(|error| PythonExecutorError::from(error).of_run(run))?;
            }
            Change::None if already(asked, &command.resume) => {}
            Change::None => {
                let vote = self.vote(asked, command.resume);
                let actor = Actor::User(vote.person.clone());
                let answer = run::Command::Vote(vote);
                let answered = self.engine().command(run, actor, answer).await;
                answered.map_err(|error| PythonExecutorError::from(error).of_run(run))?;
            }
        }
        self.wait(run).await
    }

    fn edit(&self, asked: &ApprovalState, resume: Resume, code: String) -> Edit {
        Edit {
            approval: asked.request.approval.clone(),
            person: resume.person.unwrap_or_else(|| self.inner.person.clone()),
            typed_by: None,
            comment: resume.reason,
            seen: resume.subject_digest,
            code,
        }
    }

    fn vote(&self, asked: &ApprovalState, resume: Resume) -> Vote {
        Vote {
            approval: asked.request.approval.clone(),
            answer: resume.word(),
            person: resume.person.unwrap_or_else(|| self.inner.person.clone()),
            // The engine knows them.
            roles: Vec::new(),
            typed_by: None,
            form: resume.form,
            comment: resume.reason,
            seen: resume.subject_digest,
        }
    }
}

/// What an answer does to the code.
enum Change {
    /// Nothing: it is a yes or a no to what is asked.
    None,
    /// It is this from now on.
    To(String),
    /// What it did is recorded.
    Recorded,
}

/// What the answer does to the code. The very code that is asked about, handed back, changes nothing.
fn change(
    state: &RunState,
    asked: &ApprovalState,
    resume: &Resume,
) -> Result<Change, PythonExecutorError> {
    let Some(code) = &resume.code else {
        return Ok(Change::None);
    };
    let request = &asked.request;
    if !resume.approved {
        let message = format!("the answer to {} says no and brings code", request.approval);
        return Err(PythonExecutorError::request(code::EDIT_REFUSED, message)
            .hint("a no has no code; a yes with code is Command::approve_with"));
    }
    let digest = Digest::of(code.as_bytes());
    let step = state.step(&request.step).map(|(_, step)| step);
    let edits = step.map(|step| step.edits.as_slice()).unwrap_or_default();
    let newest = edits.last().filter(|edit| edit.code == digest);
    let analysed = step.and_then(|step| step.analysis.as_ref());
    let is_asked = analysed.is_some_and(|analysis| analysis.code == digest);
    Ok(match newest {
        Some(edit) if edit.approval == request.approval || request.edited_by.is_some() => {
            Change::Recorded
        }
        Some(_) | None if is_asked => Change::None,
        Some(_) | None => Change::To(code.clone()),
    })
}

/// The question that is answered: the one that is named, the one that is open, or the last one that was asked.
fn question<'a>(
    state: &'a RunState,
    resume: &Resume,
) -> Result<&'a ApprovalState, PythonExecutorError> {
    if let Some(named) = &resume.approval_id {
        return state.approvals.get(named).ok_or_else(|| none(state, named));
    }
    let open: Vec<&ApprovalState> = state.open_approvals().collect();
    match open.as_slice() {
        [one] => Ok(one),
        [] => state.approvals.values().next_back().ok_or_else(|| {
            let message = format!("{} asks nothing", state.run);
            PythonExecutorError::workflow(code::NO_OPEN_APPROVAL, message).of_run(state.run)
        }),
        [_, ..] => {
            let message = format!("{} asks {} questions", state.run, open.len());
            Err(
                PythonExecutorError::workflow(code::AMBIGUOUS_APPROVAL, message)
                    .hint("name the question: Command::to")
                    .of_run(state.run),
            )
        }
    }
}

fn none(state: &RunState, approval: &ApprovalId) -> PythonExecutorError {
    let message = format!("there is no question {approval} in {}", state.run);
    PythonExecutorError::workflow(code::UNKNOWN_APPROVAL, message).of_run(state.run)
}

/// Whether the question was decided as this answer would decide it.
fn already(asked: &ApprovalState, resume: &Resume) -> bool {
    match (&asked.closed, resume.word()) {
        (Some((Closed::Approved, ..)), Answer::Approve)
        | (Some((Closed::Rejected, ..)), Answer::Reject) => true,
        (Some(_) | None, Answer::Approve | Answer::Reject | Answer::RequestChanges) => false,
    }
}
