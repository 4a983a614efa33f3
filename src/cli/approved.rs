//! The code of a step that people approved last, to compare what they are asked about now.

use serde_json::{Value, json};

use super::find;
use super::open::Opened;
use crate::id::{Digest, RunId, StepPath};
use crate::run::payload::{Closed, Subject};
use crate::run::{ApprovalState, RunState};
use crate::store::ListQuery;
use crate::time::Timestamp;

/// Most earlier runs of a workflow that are looked through.
const RUNS_MAX: usize = 50;

/// Code that was approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Approved {
    /// In which run.
    pub(super) run: RunId,
    /// By whom, the last of several.
    pub(super) by: String,
    /// When.
    pub(super) at: Timestamp,
    /// Which code.
    pub(super) code: Digest,
    /// Its text.
    pub(super) text: String,
}

impl Approved {
    /// For programs.
    pub(super) fn document(&self, diff: Option<&str>) -> Value {
        json!({
            "run_id": self.run,
            "by": self.by,
            "at": self.at,
            "code": self.code,
            "diff": diff,
        })
    }
}

/// The newest code of that step that somebody approved, in this run or in an earlier one of the same workflow.
pub(super) async fn last(opened: &Opened, state: &RunState, step: &StepPath) -> Option<Approved> {
    if let Some(found) = of_run(opened, state, step).await {
        return Some(found);
    }
    let query = ListQuery {
        workflow: Some(state.plan.name.clone()),
        ..ListQuery::default()
    };
    // What can't be read can't be compared with; the question itself is shown all the same.
    let rows = find::pages(opened, query, RUNS_MAX).await.ok()?;
    for row in rows.iter().filter(|row| row.run != state.run) {
        if let Ok(earlier) = opened.engine.state(row.run).await
            && let Some(found) = of_run(opened, &earlier, step).await
        {
            return Some(found);
        }
    }
    None
}

async fn of_run(opened: &Opened, state: &RunState, step: &StepPath) -> Option<Approved> {
    let (_, step_state) = state.step(step)?;
    let analysis = step_state.analysis.as_ref()?;
    let is_this = |asked: &&ApprovalState| {
        asked.request.subject == Subject::Code
            && asked.request.step == *step
            && asked.request.subject_digest == analysis.subject
    };
    let mut asked = state.approvals.values().filter(is_this);
    let (_, by, at) = asked.find_map(|asked| {
        let closed = asked.closed.as_ref();
        closed.filter(|(outcome, ..)| *outcome == Closed::Approved)
    })?;
    let bytes = opened.engine.blob(analysis.code).await.ok()?;
    Some(Approved {
        run: state.run,
        by: by.clone(),
        at: *at,
        code: analysis.code,
        text: String::from_utf8_lossy(&bytes).into_owned(),
    })
}
