//! Runs that go on after their end, and steps copied from another run, in the fold.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::{Applied, unknown};
use crate::plan::{HandlerKind, StepKind};
use crate::run::clock::RunClock;
use crate::run::frame::{Frame, FrameKind, NodeId, Stop, key_text};
use crate::run::payload::{BlockStatus, CopiedItems, RunReopened, StepCopied, Trigger};
use crate::run::state::{MapState, RunState, StepStatus};
use crate::time::Timestamp;

impl RunState {
    /// Takes the end back; what did not succeed, or was named, begins anew.
    pub(super) fn reopened(&mut self, reopened: &RunReopened, at: Timestamp) -> Applied {
        if self.ending.is_none() {
            return Err("the run has not ended".to_owned());
        }
        let resumed = self.nodes_at(&reopened.resumed)?;
        let reset = self.nodes_at(&reopened.steps)?;
        if resumed.is_empty() && reset.is_empty() {
            return Err("no step begins anew".to_owned());
        }
        self.ending = None;
        self.files_removed = None;
        self.cancel = None;
        self.paused = None;
        self.forget_rewinds();
        // Its place went with its end: it queues anew.
        self.slots = None;
        let timed_out = self
            .frame(0)
            .is_some_and(|frame| frame.stop == Some(Stop::Timeout));
        if timed_out {
            self.clock = RunClock::default();
        }
        self.reopenings += 1;
        self.leave_handlers();
        let chosen: Vec<NodeId> = resumed.iter().chain(&reset).copied().collect();
        for frame in self.frames_around(&chosen) {
            if let Some(frame) = self.frame_mut(frame) {
                frame.stop = None;
            }
        }
        for node in &resumed {
            self.resume_container(*node, &chosen, at)?;
        }
        let mut by_frame: BTreeMap<usize, Vec<NodeId>> = BTreeMap::new();
        for node in reset {
            by_frame.entry(node.frame).or_default().push(node);
        }
        for (frame, nodes) in by_frame {
            self.reset_steps(frame, &nodes)?;
        }
        for node in resumed {
            if !self.is_parked(node.frame) {
                self.frontier.insert(node);
            }
        }
        Ok(())
    }

    fn nodes_at(&self, paths: &[crate::id::StepPath]) -> Result<Vec<NodeId>, String> {
        let mut nodes = Vec::with_capacity(paths.len());
        for path in paths {
            let node = self.find(path).ok_or_else(|| unknown(path))?;
            let settled = self
                .node(node)
                .is_some_and(|(_, state)| state.status.is_settled());
            if !settled {
                return Err(format!("step `{path}` has not ended"));
            }
            nodes.push(node);
        }
        Ok(nodes)
    }

    /// What reacted to the end reacts to the next one anew.
    fn leave_handlers(&mut self) {
        let of_the_end = |kind: &FrameKind| match kind {
            FrameKind::Handler { kind, .. } => *kind != HandlerKind::Waiting,
            FrameKind::Run | FrameKind::Item { .. } | FrameKind::Round { .. } => false,
        };
        let left: Vec<usize> = self
            .frames()
            .filter(|(_, frame)| of_the_end(&frame.kind))
            .map(|(number, _)| number)
            .collect();
        for number in left {
            self.abandon(number);
        }
        self.decided = None;
        self.handlers
            .retain(|handler| handler.named.kind == HandlerKind::Waiting);
    }

    /// The frame in which the handler reacted to an end that was taken back, brought back to its beginning, so
    /// that the numbers of its attempts go on.
    pub(super) fn revive_handler(&mut self, kind: &FrameKind, at: Timestamp) -> Option<usize> {
        let left = |frame: &Arc<Frame>| frame.abandoned && frame.kind == *kind;
        let number = self.frames.iter().rposition(left)?;
        self.bring_back(number, kind, at)
    }

    /// The frames of these steps and all frames around them.
    fn frames_around(&self, nodes: &[NodeId]) -> BTreeSet<usize> {
        let mut frames = BTreeSet::from([0]);
        for node in nodes {
            let mut next = Some(node.frame);
            while let Some(frame) = next.filter(|frame| frames.insert(*frame)) {
                next = self
                    .frame(frame)
                    .and_then(|frame| frame.owner)
                    .map(|owner| owner.frame);
            }
        }
        frames
    }

    /// A container goes on where it did not succeed.
    fn resume_container(&mut self, node: NodeId, chosen: &[NodeId], at: Timestamp) -> Applied {
        let Some((step, state)) = self.node(node) else {
            return Err("a step is not in its frame".to_owned());
        };
        if !step.kind.is_container() || state.ready_at.is_none() {
            return Err(format!("`{}` has nothing to go on with", state.path));
        }
        let frames = self.frames_around(chosen);
        self.unsettle(node);
        let Some(state) = self.node_mut(node) else {
            return Ok(());
        };
        state.status = StepStatus::Running;
        state.ready_at = Some(at);
        state.ended_at = None;
        state.outputs = None;
        state.failure = None;
        state.why = None;
        state.only_skips = false;
        state.stop = None;
        if let Some(slots) = &mut state.slots {
            slots.admitted = false;
        }
        let mut parked = Vec::new();
        if let Some(map) = &mut state.map {
            for (index, frame) in map.frames.iter().enumerate() {
                let Some(frame) = *frame else { continue };
                let well = map.closed.get(index).is_some_and(|closed| {
                    closed
                        .as_ref()
                        .is_some_and(|closed| closed.status == BlockStatus::Succeeded)
                });
                if well && !frames.contains(&frame) {
                    continue;
                }
                map.again.insert(index);
                parked.push(frame);
                if let Some(closed) = map.closed.get_mut(index) {
                    *closed = None;
                }
            }
            map.failed = 0;
        }
        if let Some(rounds) = &mut state.rounds
            && rounds.closed.len() == rounds.frames.len()
        {
            rounds.closed.pop();
        }
        for number in parked {
            if let Some(frame) = self.frame_mut(number) {
                frame.parked = true;
            }
        }
        Ok(())
    }

    /// An item that ran before has its turn to go again.
    pub(super) fn item_again(&mut self, owner: NodeId, index: usize) -> bool {
        let map = self
            .node_mut(owner)
            .and_then(|state| state.map.as_mut())
            .filter(|map| map.again.contains(&index));
        let Some(map) = map else {
            return false;
        };
        map.again.remove(&index);
        map.open.insert(index);
        let frame = map.frames.get(index).copied().flatten();
        if let Some(number) = frame {
            if let Some(frame) = self.frame_mut(number) {
                frame.parked = false;
            }
            if !self.is_parked(owner.frame) {
                self.wake_frame(number);
            }
        }
        true
    }

    /// Steps of items that never had their turn again end with the foreach around them.
    pub(super) fn put_down_parked(&mut self, node: NodeId, at: Timestamp) -> Applied {
        let Some((_, state)) = self.node(node) else {
            return Ok(());
        };
        let inside: Vec<usize> = state.inner_frames().collect();
        for number in inside {
            if self.frame(number).is_none_or(|frame| !frame.parked) {
                continue;
            }
            let places = 0..self.frame(number).map_or(0, |frame| frame.steps.len());
            for place in places {
                let inner = NodeId {
                    frame: number,
                    place,
                };
                if self
                    .node(inner)
                    .is_none_or(|(_, state)| state.status.is_settled())
                {
                    continue;
                }
                self.leave_out(inner, "the step around it ended before its turn came", at)?;
                if let Some(state) = self.node_mut(inner) {
                    // Not a skip: it goes again when the run is taken up once more.
                    state.only_skips = false;
                }
            }
            if let Some(frame) = self.frame_mut(number) {
                frame.parked = false;
            }
        }
        Ok(())
    }

    /// A step of another run stands for this one.
    pub(super) fn step_copied(&mut self, copied: &StepCopied, at: Timestamp) -> Applied {
        if self.started_at.is_some() {
            return Err("the run has started already".to_owned());
        }
        let Trigger::Fork { run, .. } = &self.created.trigger else {
            return Err("the run is no fork".to_owned());
        };
        if *run != copied.run {
            return Err("it is not of the run that this one was forked from".to_owned());
        }
        let fits = match copied.status {
            StepStatus::Succeeded => copied.outputs.is_some(),
            StepStatus::Skipped | StepStatus::NotRun => copied.outputs.is_none(),
            StepStatus::Pending
            | StepStatus::Ready
            | StepStatus::Running
            | StepStatus::Waiting
            | StepStatus::Failed
            | StepStatus::Rejected
            | StepStatus::Cancelled
            | StepStatus::Unknown => false,
        };
        if !fits {
            return Err(format!(
                "a step that is {} can't be copied",
                copied.status.as_str()
            ));
        }
        let state = self.expect(&copied.step, &[StepStatus::Pending])?;
        state.inputs.clone_from(&copied.inputs);
        state.outputs.clone_from(&copied.outputs);
        state.result = copied.result.clone().map(Box::new);
        state.branch = copied.branch.clone().map(Box::new);
        state.why.clone_from(&copied.why);
        state.only_skips = copied.only_skips;
        state.copied_from = Some((copied.run, copied.seq));
        state.map = copied.items.as_ref().map(items).map(Box::new);
        let node = state.node;
        if node.frame != 0 {
            return Err("only steps of the run itself are copied".to_owned());
        }
        let open_inside = self.node(node).is_some_and(|(step, _)| {
            matches!(step.kind, StepKind::Switch(_) | StepKind::Parallel(_))
                && step.kind.children().into_iter().any(|inner| {
                    self.step(inner)
                        .is_some_and(|(_, inner)| !inner.status.is_settled())
                })
        });
        if open_inside && copied.status == StepStatus::Succeeded {
            return Err("what stands inside it was not copied before it".to_owned());
        }
        self.copied += 1;
        self.settle_node(node, copied.status, at)
    }
}

/// The items of a foreach that another run went through.
fn items(copied: &CopiedItems) -> MapState {
    let keys = copied.keys.iter().enumerate();
    let by_key: HashMap<String, usize> = keys.map(|(index, key)| (key_text(key), index)).collect();
    let closed = copied.closed.iter();
    let failed = closed
        .clone()
        .flatten()
        .filter(|closed| closed.status != BlockStatus::Succeeded);
    MapState {
        items: Arc::new(copied.items.clone()),
        keys: Arc::new(copied.keys.clone()),
        by_key: Arc::new(by_key),
        frames: vec![None; copied.items.len()],
        open: BTreeSet::new(),
        again: BTreeSet::new(),
        next: copied.items.len(),
        failed: failed.count(),
        closed: closed.map(|closed| closed.clone().map(Arc::new)).collect(),
    }
}
