//! Code that a person changed, in the fold.

use std::sync::Arc;

use super::Applied;
use crate::approval::{Answer, Voter};
use crate::run::cache::Look;
use crate::run::payload::{CodeEdited, Subject};
use crate::run::question::may_answer;
use crate::run::state::{RunState, StepStatus};

impl RunState {
    /// The changed code is the step's from here on, and nothing that was found about the code before holds for it.
    pub(super) fn code_edited(&mut self, edited: &CodeEdited) -> Applied {
        let asked = self.open_question(&edited.approval)?;
        let request = &asked.request;
        if request.subject != Subject::Code || request.step != edited.step {
            return Err(format!("{} is not about that code", edited.approval));
        }
        if asked.decided().is_some() {
            return Err(format!("{} is decided", edited.approval));
        }
        if request.subject_digest != edited.subject_digest || edited.base == edited.code {
            return Err(format!("{} is about something else", edited.approval));
        }
        let voter = Voter {
            name: &edited.person,
            roles: &edited.roles,
        };
        may_answer(self, asked, voter, Answer::Approve).map_err(|denied| denied.to_string())?;
        let state = self.expect(&edited.step, &[StepStatus::Waiting])?;
        let analysed = state.analysis.as_ref().map(|analysis| analysis.code);
        if analysed != Some(edited.base) {
            return Err(format!("`{}` has other code", edited.step));
        }
        let edited = Arc::new(edited.clone());
        state.edits.push(Arc::clone(&edited));
        state.edit = Some(edited);
        state.analysis = None;
        state.code_approved = false;
        state.look = Look::default();
        Ok(())
    }
}
