//! Answers: recorded to the question that they are for, once, and the run goes on.

use super::{Command, Outcome, PythonExecutorError, PythonExecutorService, Resume, RunName};
use crate::code;
use crate::id::ApprovalId;
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
        if !already(asked, &command.resume) {
            let vote = self.vote(asked, command.resume);
            let actor = Actor::User(vote.person.clone());
            let answer = run::Command::Vote(vote);
            let answered = self.engine().command(run, actor, answer).await;
            answered.map_err(|error| PythonExecutorError::from(error).of_run(run))?;
        }
        self.wait(run).await
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
