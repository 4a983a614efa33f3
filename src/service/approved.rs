//! The code of a step that people approved last, to compare what they are asked about now.

use serde_json::{Value, json};
use similar::TextDiff;

use crate::id::{Digest, RunId, StepPath};
use crate::open::Opened;
use crate::run::payload::{Closed, Subject};
use crate::run::{ApprovalState, RunState};
use crate::time::Timestamp;

/// Most earlier runs of a workflow that are looked through.
const RUNS_MAX: usize = 50;

/// Code that was approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Approved {
    /// In which run.
    pub(crate) run: RunId,
    /// By whom, the last of several.
    pub(crate) by: String,
    /// When.
    pub(crate) at: Timestamp,
    /// Which code.
    pub(crate) code: Digest,
    /// Its text.
    pub(crate) text: String,
}

/// Lines around a change.
const CONTEXT_LINES: usize = 3;

impl Approved {
    /// The unified diff from it to the code that is asked about; none when they are the same.
    pub(crate) fn diff_to(&self, digest: Digest, now: &str, step: &StepPath) -> Option<String> {
        if self.code == digest {
            return None;
        }
        let [from, to] = ["approved", "asked"].map(|side| format!("{side}/{step}.py"));
        let diff = TextDiff::from_lines(self.text.as_str(), now)
            .unified_diff()
            .context_radius(CONTEXT_LINES)
            .header(&from, &to)
            .to_string();
        Some(diff)
    }

    /// For programs.
    pub(crate) fn document(&self, diff: Option<&str>) -> Value {
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
pub(crate) async fn last(opened: &Opened, state: &RunState, step: &StepPath) -> Option<Approved> {
    if let Some(found) = of_run(opened, state, step).await {
        return Some(found);
    }
    // What can't be read can't be compared with; the question itself is shown all the same.
    let runs = opened.runs_of(&state.plan.name, RUNS_MAX).await.ok()?;
    for run in runs.into_iter().filter(|run| *run != state.run) {
        if let Ok(earlier) = opened.engine.state(run).await
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
