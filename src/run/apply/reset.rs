//! Steps that are put back to their beginning, in the fold: what a reopened run and a rewind share.

use std::sync::Arc;

use super::Applied;
use crate::run::frame::{FrameKind, NodeId};
use crate::run::state::{RunState, StepStatus};
use crate::time::Timestamp;

impl RunState {
    /// Puts steps of a frame back to their beginning and leaves behind what stood inside them. Nothing of
    /// them may be under way; what hangs on them must be among them unless it has not begun.
    pub(in crate::run) fn reset_steps(&mut self, frame: usize, nodes: &[NodeId]) -> Applied {
        for node in nodes {
            let inside: Vec<usize> = match self.node(*node) {
                Some((_, state)) => state.inner_frames().collect(),
                None => return Err("a step is not in its frame".to_owned()),
            };
            for inner in inside {
                self.abandon(inner);
            }
            self.unsettle(*node);
            if let Some(state) = self.node_mut(*node) {
                state.begin_anew();
            }
            self.lets_go(*node);
        }
        self.count_edges(frame);
        Ok(())
    }

    /// The step counts as not settled from here on; the caller gives it its new status.
    pub(super) fn unsettle(&mut self, node: NodeId) {
        let settled = self
            .node(node)
            .is_some_and(|(_, state)| state.status.is_settled());
        if !settled {
            return;
        }
        self.settled = self.settled.saturating_sub(1);
        if let Some(frame) = self.frame_mut(node.frame) {
            frame.unsettled += 1;
        }
    }

    /// Leaves a frame behind, and what its steps opened.
    pub(super) fn abandon(&mut self, number: usize) {
        let Some(frame) = self.frame(number).filter(|frame| !frame.abandoned) else {
            return;
        };
        let (count, settled) = (frame.steps.len(), frame.steps.len() - frame.unsettled);
        let inside = frame.steps.iter().flat_map(|state| state.inner_frames());
        let inside: Vec<usize> = inside.collect();
        for inner in inside {
            self.abandon(inner);
        }
        self.total = self.total.saturating_sub(count);
        self.settled = self.settled.saturating_sub(settled);
        self.frontier.retain(|node| node.frame != number);
        self.holding.retain(|node| node.frame != number);
        self.rewinds.retain(|(_, node)| node.frame != number);
        if let Some(frame) = self.frame_mut(number) {
            frame.abandoned = true;
        }
    }

    /// The frame that an earlier life of the step opened under this key, brought back to its beginning, so
    /// that the numbers of its attempts go on.
    pub(super) fn revive(
        &mut self,
        owner: NodeId,
        key: &str,
        kind: &FrameKind,
        at: Timestamp,
    ) -> Option<usize> {
        let state = self.node_mut(owner)?;
        let place = state.former.iter().position(|(known, _)| known == key)?;
        let (_, number) = state.former.remove(place);
        self.bring_back(number, kind, at)
    }

    /// Brings a frame that was left behind back to its beginning.
    pub(super) fn bring_back(
        &mut self,
        number: usize,
        kind: &FrameKind,
        at: Timestamp,
    ) -> Option<usize> {
        let frame = self.frame_mut(number)?;
        frame.abandoned = false;
        frame.parked = false;
        frame.kind = kind.clone();
        frame.opened_at = at;
        frame.stop = None;
        frame.unsettled = frame.steps.len();
        let count = frame.steps.len();
        for state in &mut frame.steps {
            Arc::make_mut(state).begin_anew();
        }
        self.total += count;
        self.count_edges(number);
        Some(number)
    }

    /// Counts anew what the steps of a frame that have not begun wait for.
    pub(super) fn count_edges(&mut self, frame: usize) {
        let plan = Arc::clone(&self.plan);
        let Some(body) = self.frame(frame).map(|frame| frame.body) else {
            return;
        };
        let parked = self.is_parked(frame);
        for (place, index) in plan.steps.members(body).iter().enumerate() {
            let node = NodeId { frame, place };
            let pending = self
                .node(node)
                .is_some_and(|(_, state)| state.status == StepStatus::Pending);
            let Some(step) = plan.steps.get(*index).filter(|_| pending) else {
                continue;
            };
            let open = step.edges.iter().filter(|edge| {
                let from = plan.steps.position(&edge.from);
                let home = from.and_then(|from| plan.steps.home(from));
                let from = home.filter(|(home, _)| *home == body);
                from.and_then(|(_, place)| self.node(NodeId { frame, place }))
                    .is_some_and(|(_, from)| !from.status.is_settled())
            });
            let open = open.count();
            if let Some(state) = self.node_mut(node) {
                state.unsettled_edges = open;
            }
            if open == 0 && !parked && self.is_active(node) {
                self.frontier.insert(node);
            } else {
                self.frontier.remove(&node);
            }
        }
    }

    /// Whether the frame, or one around it, belongs to an item that waits for its turn to go again.
    pub(super) fn is_parked(&self, frame: usize) -> bool {
        let mut next = Some(frame);
        while let Some(here) = next.and_then(|number| self.frame(number)) {
            if here.parked {
                return true;
            }
            next = here.owner.map(|owner| owner.frame);
        }
        false
    }

    /// Puts everything of a frame that may have something due into the frontier, with what lies inside it.
    pub(super) fn wake_frame(&mut self, frame: usize) {
        self.count_edges(frame);
        let places = 0..self.frame(frame).map_or(0, |frame| frame.steps.len());
        for place in places {
            let node = NodeId { frame, place };
            let Some((_, state)) = self.node(node) else {
                continue;
            };
            if state.status.is_settled() || state.status == StepStatus::Pending {
                continue;
            }
            let inside: Vec<usize> = state.inner_frames().collect();
            self.frontier.insert(node);
            for inner in inside {
                if self
                    .frame(inner)
                    .is_some_and(|inner| !inner.parked && !inner.abandoned)
                {
                    self.wake_frame(inner);
                }
            }
        }
    }
}
