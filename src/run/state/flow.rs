//! What a step keeps of its items, its rounds and its runs; what a run keeps of its signals.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::StepState;
use crate::id::{RunId, StepPath};
use crate::plan::{ForeachStep, Step, StepKind};
use crate::run::Seq;
use crate::run::payload::{
    ChildRunClosed, ChildRunWaiting, MapItemClosed, RoundClosed, SignalReceived,
};
use crate::time::Timestamp;

/// A run that a step started.
#[derive(Debug, Clone, PartialEq)]
pub struct ChildState {
    /// The run.
    pub run: RunId,
    /// What it waits for, when only people can move it on.
    pub waiting: Option<ChildRunWaiting>,
    /// How it ended.
    pub closed: Option<ChildRunClosed>,
}

/// A signal and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// Its place in the history.
    pub seq: Seq,
    /// What came.
    pub received: SignalReceived,
    /// The step that took it.
    pub consumed_by: Option<StepPath>,
}

/// Whether a foreach could open another item.
pub(super) fn has_room(step: &Step, state: &StepState) -> bool {
    let StepKind::Foreach(foreach) = &step.kind else {
        return false;
    };
    state.map.as_ref().is_some_and(|map| map.room(foreach) > 0)
}

/// The items of a foreach and how far they are.
#[derive(Debug, Clone, PartialEq)]
pub struct MapState {
    /// The items, fixed.
    pub items: Arc<Vec<Value>>,
    /// Their keys as written in paths, unique.
    pub keys: Arc<Vec<String>>,
    /// The index of each key.
    pub(in crate::run) by_key: Arc<HashMap<String, usize>>,
    /// The frame of each item that was started.
    pub(in crate::run) frames: Vec<Option<usize>>,
    /// How each item ended.
    pub closed: Vec<Option<Arc<MapItemClosed>>>,
    /// Items that are under way.
    pub open: BTreeSet<usize>,
    /// Items that ran before and wait for their turn to go again.
    pub(in crate::run) again: BTreeSet<usize>,
    /// The next item to be started.
    pub next: usize,
    /// Items that ended otherwise than well.
    pub failed: usize,
}

impl MapState {
    /// How many more items may be started now.
    pub(in crate::run) fn room(&self, foreach: &ForeachStep) -> usize {
        let limit = usize::try_from(foreach.concurrency).unwrap_or(usize::MAX);
        let left = self.items.len().saturating_sub(self.next) + self.again.len();
        limit.saturating_sub(self.open.len()).min(left)
    }

    /// Whether every item has ended.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.open.is_empty() && self.again.is_empty() && self.next >= self.items.len()
    }
}

/// The rounds of an until and how far they are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RoundsState {
    /// The frame of each round.
    pub(in crate::run) frames: Vec<usize>,
    /// How each round ended.
    pub closed: Vec<Arc<RoundClosed>>,
}

impl StepState {
    /// When the next round of an until begins that is between two.
    pub(in crate::run) fn next_round(&self) -> Option<Timestamp> {
        let rounds = self.rounds.as_ref()?;
        let last = rounds.closed.last()?;
        (rounds.closed.len() == rounds.frames.len()).then_some(last.next_at)?
    }
}
