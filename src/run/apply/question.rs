//! Analyses, questions and branches in the fold.

use std::sync::Arc;

use super::{Applied, in_frame, unknown};
use crate::plan::StepKind;
use crate::run::payload::{
    AnalysisReported, ApprovalClosed, ApprovalRequested, ApprovalVoted, BranchChosen, Closed,
    Subject,
};
use crate::run::state::{ApprovalState, RunState, StepStatus};
use crate::time::Timestamp;

impl RunState {
    pub(super) fn analysed(&mut self, report: &AnalysisReported) -> Applied {
        let state = self.expect(&report.step, &[StepStatus::Ready])?;
        let same = state
            .analysis
            .as_ref()
            .is_some_and(|old| old.subject == report.subject);
        state.code_approved &= same;
        state.analysis = Some(report.clone());
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
        let asked = ApprovalState {
            request: request.clone(),
            requested_at: at,
            votes: Vec::new(),
            closed: None,
        };
        self.approvals.insert(request.approval.clone(), asked);
        Ok(())
    }

    pub(super) fn voted(&mut self, vote: &ApprovalVoted, at: Timestamp) -> Applied {
        let Some(approval) = self.approvals.get_mut(&vote.approval) else {
            return Err(format!("{} was never asked", vote.approval));
        };
        if approval.closed.is_some() {
            return Err(format!("{} is decided", vote.approval));
        }
        if approval.request.subject_digest != vote.subject_digest {
            return Err(format!("{} is about something else", vote.approval));
        }
        approval.votes.push((at, vote.clone()));
        Ok(())
    }

    pub(super) fn close_approval(&mut self, closed: &ApprovalClosed, at: Timestamp) -> Applied {
        let Some(approval) = self.approvals.get_mut(&closed.approval) else {
            return Err(format!("{} was never asked", closed.approval));
        };
        if approval.closed.is_some() {
            return Err(format!("{} is decided already", closed.approval));
        }
        approval.closed = Some((closed.outcome, closed.by.clone(), at));
        let request = approval.request.clone();
        let state = self.unsettled(&request.step)?;
        if state.status == StepStatus::Waiting {
            state.status = StepStatus::Ready;
        }
        if closed.outcome == Closed::Approved && request.subject == Subject::Code {
            let current = state.analysis.as_ref().map(|analysis| analysis.subject);
            state.code_approved = current == Some(request.subject_digest);
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
        state.branch = Some(chosen.clone());
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
