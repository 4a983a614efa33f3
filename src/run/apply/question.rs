//! Analyses, questions and branches in the fold.

use std::sync::Arc;

use super::{Applied, in_frame, unknown};
use crate::approval::Voter;
use crate::id::ApprovalId;
use crate::plan::StepKind;
use crate::run::payload::{
    AnalysisReported, ApprovalClosed, ApprovalEscalated, ApprovalReminded, ApprovalRequested,
    ApprovalVoted, BranchChosen, Closed, Subject,
};
use crate::run::question::{ApprovalState, may_answer, was_edited};
use crate::run::state::{RunState, StepState, StepStatus};
use crate::time::Timestamp;

impl RunState {
    pub(super) fn analysed(&mut self, report: &AnalysisReported) -> Applied {
        let node = self.expect(&report.step, &[StepStatus::Ready])?.node;
        let edited = |(_, state): (_, &StepState)| state.edit.as_ref().map(|edit| edit.code);
        // What is known of the code before a person changed it says nothing of the changed code.
        if self
            .node(node)
            .and_then(edited)
            .is_some_and(|code| code != report.code)
        {
            return Err(format!("`{}` has other code now", report.step));
        }
        let state = self.expect(&report.step, &[StepStatus::Ready])?;
        let same = state
            .analysis
            .as_ref()
            .is_some_and(|old| old.subject == report.subject);
        state.code_approved &= same;
        state.look.begin_anew();
        state.analysis = Some(Box::new(report.clone()));
        Ok(())
    }

    pub(super) fn asked(&mut self, request: &ApprovalRequested, at: Timestamp) -> Applied {
        if self.approvals.contains_key(&request.approval) {
            return Err(format!("{} was asked already", request.approval));
        }
        let state = self.expect(&request.step, &[StepStatus::Ready, StepStatus::Unknown])?;
        if state.status == StepStatus::Ready {
            state.status = StepStatus::Waiting;
        }
        state.questions += 1;
        state.approval = Some(request.approval.clone());
        self.approvals.ask(request.clone(), at);
        Ok(())
    }

    pub(super) fn voted(&mut self, vote: &ApprovalVoted, at: Timestamp) -> Applied {
        let approval = self.open_question(&vote.approval)?;
        if approval.decided().is_some() {
            return Err(format!("{} is decided", vote.approval));
        }
        if approval.request.subject_digest != vote.subject_digest || was_edited(self, approval) {
            return Err(format!("{} is about something else", vote.approval));
        }
        let voter = Voter {
            name: &vote.person,
            roles: &vote.roles,
        };
        may_answer(self, approval, voter, vote.answer).map_err(|denied| denied.to_string())?;
        if let Some(approval) = self.approvals.get_mut(&vote.approval) {
            approval.votes.push((at, vote.clone()));
        }
        Ok(())
    }

    pub(super) fn open_question(&self, id: &ApprovalId) -> Result<&ApprovalState, String> {
        match self.approvals.get(id) {
            None => Err(format!("{id} was never asked")),
            Some(asked) if asked.closed.is_some() => Err(format!("{id} is decided already")),
            Some(asked) => Ok(asked),
        }
    }

    pub(super) fn reminded(&mut self, reminded: &ApprovalReminded, at: Timestamp) -> Applied {
        let asked = self.open_question(&reminded.approval)?;
        let due = asked.remind_at().iter().filter(|due| **due <= at).count();
        let passed = usize::try_from(reminded.passed).unwrap_or(usize::MAX);
        if reminded.passed <= asked.reminded || passed > due {
            return Err(format!("no reminder of {} is due", reminded.approval));
        }
        if let Some(asked) = self.approvals.get_mut(&reminded.approval) {
            asked.reminded = reminded.passed;
        }
        Ok(())
    }

    pub(super) fn escalated(&mut self, escalated: &ApprovalEscalated, at: Timestamp) -> Applied {
        let asked = self.open_question(&escalated.approval)?;
        let due = asked.expires_at().is_some_and(|due| due <= at);
        if asked.escalated.is_some() || !due || asked.decided().is_some() {
            return Err(format!("{} can't be escalated now", escalated.approval));
        }
        if let Some(asked) = self.approvals.get_mut(&escalated.approval) {
            asked.escalated = Some((at, escalated.clone()));
            asked.reminded = 0;
        }
        Ok(())
    }

    /// Whether a question may be closed like this: people's answers are theirs, the end of its time is the
    /// clock's, and answers that decide it go before the clock.
    fn can_close(asked: &ApprovalState, outcome: Closed, at: Timestamp) -> Applied {
        let decided = asked.decided().map(|(decided, _)| decided);
        let legal = match outcome {
            Closed::Approved | Closed::Rejected | Closed::Changes => decided == Some(outcome),
            Closed::Expired => decided.is_none() && asked.expires_at().is_some_and(|due| due <= at),
            Closed::Superseded => true,
        };
        if legal {
            return Ok(());
        }
        let id = &asked.request.approval;
        Err(format!("{id} can't be closed as {}", outcome.as_str()))
    }

    pub(super) fn close_approval(&mut self, closed: &ApprovalClosed, at: Timestamp) -> Applied {
        let asked = self.open_question(&closed.approval)?;
        Self::can_close(asked, closed.outcome, at)?;
        let request = asked.request.clone();
        let how = (closed.outcome, closed.by.clone(), at);
        self.approvals.close(&closed.approval, how);
        let state = self.unsettled(&request.step)?;
        if state.status == StepStatus::Waiting {
            state.status = StepStatus::Ready;
        }
        if closed.outcome == Closed::Approved && request.subject == Subject::Code {
            let current = state.analysis.as_ref().map(|analysis| analysis.subject);
            state.code_approved = current == Some(request.subject_digest);
        }
        if closed.outcome == Closed::Changes {
            return self.changes_asked(&closed.approval);
        }
        Ok(())
    }

    pub(super) fn choose_branch(&mut self, chosen: &BranchChosen, at: Timestamp) -> Applied {
        let plan = Arc::clone(&self.plan);
        let node = self
            .find(&chosen.step)
            .ok_or_else(|| unknown(&chosen.step))?;
        let index = self.index_of(node);
        let kind = index
            .and_then(|index| plan.steps.get(index))
            .map(|step| &step.kind);
        let Some(StepKind::Switch(switch)) = kind else {
            return Err(format!("`{}` is not a switch", chosen.step));
        };
        let Some(taken) = switch.arms.iter().find(|arm| arm.name == chosen.arm) else {
            return Err(format!("`{}` has no arm `{}`", chosen.step, chosen.arm));
        };
        let state = self.expect(&chosen.step, &[StepStatus::Ready])?;
        if state.branch.is_some() {
            return Err(format!("`{}` has taken an arm already", chosen.step));
        }
        state.branch = Some(Box::new(chosen.clone()));
        state.status = StepStatus::Running;
        let frame = state.node.frame;
        self.let_in(&plan, frame, &taken.steps)?;
        let others = switch.arms.iter().filter(|arm| arm.name != taken.name);
        for path in others.flat_map(|arm| &arm.steps) {
            let node = in_frame(&plan, frame, path).ok_or_else(|| unknown(path))?;
            self.leave_out(node, "another arm was taken", at)?;
        }
        Ok(())
    }
}
