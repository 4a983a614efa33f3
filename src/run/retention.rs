//! How long the files of a run are kept. Its history is kept for ever: what was decided, by whom and about what
//! can always be shown. Files are removed after the run has ended and never before an event says so.

use std::sync::Arc;
use std::time::Duration;

use super::frame::NodeId;
use super::payload::FilesRemoved;
use super::state::{RunState, StepState};
use crate::expression::format_duration;
use crate::id::StepPath;
use crate::plan::Step;
use crate::time::Timestamp;

/// Files whose time is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// The steps as the plan names them.
    pub steps: Vec<StepPath>,
    /// Whether nothing of the run is to be kept.
    pub whole: bool,
    /// The rules that say so, for people.
    pub why: String,
}

/// What of an ended run is kept no longer; `usual` holds where the workflow says nothing. Time counts from the end
/// of the run.
#[must_use]
pub fn overdue(state: &RunState, usual: Option<Duration>, now: Timestamp) -> Option<Overdue> {
    let ended = state.ending.as_ref()?.at;
    if !state.has_files() {
        return None;
    }
    let (mut steps, mut kept, mut rules) = (Vec::new(), false, Vec::new());
    for step in state.plan.steps.iter() {
        let rule = retention_of(state, step).or(usual);
        match rule.filter(|keep| ended.plus(*keep) <= now) {
            Some(keep) if state.has_files_of(&step.path) => {
                steps.push(step.path.clone());
                rules.push(format_duration(keep));
            }
            Some(_) => {}
            None => kept |= state.has_files_of(&step.path),
        }
    }
    // The run's own page holds what its steps left; it goes with the last of them, or by the workflow's rule.
    let own = state.plan.retention.or(usual);
    let own = own.filter(|keep| ended.plus(*keep) <= now);
    let whole = !kept && own.is_some();
    if let Some(keep) = own.filter(|_| whole) {
        rules.push(format_duration(keep));
    }
    if steps.is_empty() && !whole {
        return None;
    }
    rules.sort();
    rules.dedup();
    let why = format!("kept for {} after the end of the run", rules.join(", "));
    Some(Overdue { steps, whole, why })
}

/// What the step says, or the nearest step around it, or the workflow.
fn retention_of(state: &RunState, step: &Step) -> Option<Duration> {
    let mut here = Some(step);
    while let Some(step) = here {
        if step.retention.is_some() {
            return step.retention;
        }
        let around = step.parent.as_ref();
        here = around.and_then(|parent| state.plan.steps.at(&parent.step));
    }
    state.plan.retention
}

impl StepState {
    /// Whether an attempt of it, or its analysis, left files that are still kept.
    fn has_files(&self) -> bool {
        self.files_removed.is_none() && (!self.attempts.is_empty() || self.analysis.is_some())
    }
}

impl RunState {
    /// Whether files of the run itself are kept: its notebook and its summary.
    fn has_files(&self) -> bool {
        self.files_removed.is_none()
    }

    fn has_files_of(&self, step: &StepPath) -> bool {
        let lives = self.lives_of(step);
        lives
            .filter_map(|node| self.node(node))
            .any(|(_, state)| state.has_files())
    }

    /// The step of the plan in every item and round, also in those that were left behind.
    fn lives_of(&self, step: &StepPath) -> impl Iterator<Item = NodeId> {
        let place = self.plan.steps.position(step);
        let home = place.and_then(|place| self.plan.steps.home(place));
        let frames = self.frames.iter().enumerate();
        frames.filter_map(move |(number, frame)| {
            let (body, place) = home?;
            (frame.body == body).then_some(NodeId {
                frame: number,
                place,
            })
        })
    }

    /// Where the step of the plan ran: its paths in every item and round.
    #[must_use]
    pub fn paths_of(&self, step: &StepPath) -> Vec<StepPath> {
        let lives = self.lives_of(step).filter_map(|node| self.node(node));
        lives.map(|(_, state)| state.path.clone()).collect()
    }

    /// The files of these steps, or of the whole run, are gone.
    pub(super) fn forget_files(
        &mut self,
        removed: &FilesRemoved,
        at: Timestamp,
    ) -> Result<(), String> {
        if self.ending.is_none() {
            return Err("the run has not ended".to_owned());
        }
        let plan = Arc::clone(&self.plan);
        let steps: Vec<&StepPath> = if removed.steps.is_empty() {
            self.files_removed = Some(at);
            plan.steps.iter().map(|step| &step.path).collect()
        } else {
            removed.steps.iter().collect()
        };
        for step in steps {
            if plan.steps.position(step).is_none() {
                return Err(format!("the run has no step `{step}`"));
            }
            let lives: Vec<NodeId> = self.lives_of(step).collect();
            for node in lives {
                if let Some(state) = self.node_mut(node) {
                    state.files_removed = Some(at);
                }
            }
        }
        Ok(())
    }
}
