//! Steps that begin anew, in the fold.

use std::sync::Arc;

use super::{Applied, unknown};
use crate::id::ApprovalId;
use crate::run::frame::{Change, NodeId, Stop};
use crate::run::payload::StepsRewound;
use crate::run::rewind;
use crate::run::state::RunState;
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
        self.hold_back(approval, node, target);
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
        self.reset_steps(frame, &nodes)?;
        for node in nodes {
            if let Some(state) = self.node_mut(node) {
                state.write_anew();
            }
        }
        // What changes were asked for at other questions too does not begin before those steps do: it would run with
        // what is about to be made anew, and then once more.
        let due: Vec<(ApprovalId, NodeId)> = self.rewinds.clone();
        for (approval, node) in due.into_iter().filter(|(_, node)| node.frame == frame) {
            let asked = self.approvals.get(&approval);
            let target = asked.and_then(|asked| self.find(asked.request.changes.as_ref()?));
            if let Some(target) = target {
                self.hold_back(&approval, node, target);
            }
        }
        Ok(())
    }

    /// Nothing of what hangs on the target begins, or goes on, before it begins anew.
    fn hold_back(&mut self, approval: &ApprovalId, node: NodeId, target: NodeId) {
        for reached in rewind::reach(self, node, target) {
            if let Some(state) = self.node_mut(reached)
                && state.stop.is_none()
            {
                state.stop = Some(Stop::Rewound {
                    approval: approval.clone(),
                });
            }
        }
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
}
