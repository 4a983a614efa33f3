//! Steps that begin anew, in the fold.

use std::sync::Arc;

use super::{Applied, unknown};
use crate::id::ApprovalId;
use crate::run::frame::{Change, FrameKind, NodeId, Stop};
use crate::run::payload::StepsRewound;
use crate::run::rewind;
use crate::run::state::{RunState, StepStatus};
use crate::time::Timestamp;

impl RunState {
    /// Changes were asked for: nothing of what will begin anew goes on.
    pub(super) fn changes_asked(&mut self, approval: &ApprovalId) -> Applied {
        let asked = self.approvals.get(approval);
        let request = asked.map(|asked| &asked.request);
        let target = request.and_then(|request| self.find(request.changes.as_ref()?));
        let node = request.and_then(|request| self.find(&request.step));
        let (Some(target), Some(node)) = (target, node) else {
            return Err(format!("{approval} names no step to be made anew"));
        };
        for reached in rewind::reach(self, node, target) {
            if let Some(state) = self.node_mut(reached)
                && state.stop.is_none()
            {
                state.stop = Some(Stop::Rewound {
                    approval: approval.clone(),
                });
            }
        }
        if let Some(state) = self.node_mut(node) {
            state.changes_asked += 1;
        }
        self.rewinds.push((approval.clone(), node));
        Ok(())
    }

    pub(super) fn rewound(&mut self, rewound: &StepsRewound, at: Timestamp) -> Applied {
        let mut nodes = Vec::with_capacity(rewound.steps.len());
        for path in &rewound.steps {
            let node = self.find(path).ok_or_else(|| unknown(path))?;
            let quiet = self
                .node(node)
                .is_some_and(|(_, state)| rewind::is_quiet(self, state));
            if !quiet {
                return Err(format!("something of `{path}` is under way"));
            }
            nodes.push(node);
        }
        let Some(frame) = nodes.first().map(|node| node.frame) else {
            return Err("no step begins anew".to_owned());
        };
        if nodes.iter().any(|node| node.frame != frame) {
            return Err("the steps do not lie in one frame".to_owned());
        }
        if let Some(approval) = &rewound.approval {
            let due = self.rewinds.iter().position(|(due, _)| due == approval);
            self.rewinds
                .remove(due.ok_or_else(|| format!("{approval} rewinds nothing now"))?);
            self.change(frame, approval, rewound, at);
        }
        self.reset_steps(frame, &nodes)
    }

    /// The run is stopped: nothing of it will begin anew any more.
    pub(in crate::run) fn forget_rewinds(&mut self) {
        if self.rewinds.is_empty() {
            return;
        }
        self.rewinds.clear();
        for frame in &mut self.frames {
            for state in &mut Arc::make_mut(frame).steps {
                if matches!(state.stop, Some(Stop::Rewound { .. })) {
                    Arc::make_mut(state).stop = None;
                }
            }
        }
    }

    /// Keeps what was wanted, and lets go what was only held back.
    fn change(
        &mut self,
        frame: usize,
        approval: &ApprovalId,
        rewound: &StepsRewound,
        at: Timestamp,
    ) {
        let mark = Stop::Rewound {
            approval: approval.clone(),
        };
        let Some(frame) = self.frame_mut(frame) else {
            return;
        };
        frame.changes.push(Change {
            by: rewound.by.clone(),
            text: rewound.text.clone(),
            at,
        });
        for state in &mut frame.steps {
            if state.stop.as_ref() == Some(&mark) {
                Arc::make_mut(state).stop = None;
            }
        }
    }

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
            let Some(state) = self.node_mut(*node) else {
                continue;
            };
            let settled = usize::from(state.status.is_settled());
            state.begin_anew();
            self.settled = self.settled.saturating_sub(settled);
            if let Some(frame) = self.frame_mut(node.frame) {
                frame.unsettled += settled;
            }
            self.lets_go(*node);
            self.rewinds.retain(|(_, waits)| waits != node);
        }
        self.count_edges(frame);
        Ok(())
    }

    /// Leaves a frame behind, and what its steps opened.
    fn abandon(&mut self, number: usize) {
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
        let frame = self.frame_mut(number)?;
        frame.abandoned = false;
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
    fn count_edges(&mut self, frame: usize) {
        let plan = Arc::clone(&self.plan);
        let Some(body) = self.frame(frame).map(|frame| frame.body) else {
            return;
        };
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
            if open == 0 && self.is_active(node) {
                self.frontier.insert(node);
            } else {
                self.frontier.remove(&node);
            }
        }
    }
}
