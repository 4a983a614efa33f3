//! Steps that begin anew because a person asked for changes: which they are, and when they can.

use std::collections::BTreeSet;

use super::event::Event;
use super::frame::{NodeId, key_text};
use super::payload::{Phase, StepsRewound};
use super::state::{Attempt, AttemptStatus, RunState, StepState, StepStatus};
use crate::approval::Answer;
use crate::id::StepPath;

/// The step in the frame of `node` that begins anew when the author named the step of the plan at `path`:
/// that step, or the outermost thing around it that does not hold `node` too. `None` = it does not lie in
/// that frame.
pub(super) fn target(state: &RunState, node: NodeId, path: &StepPath) -> Option<NodeId> {
    let found = in_frame(state, node.frame, state.plan.steps.position(path)?)?;
    Some(lift(state, found, &around(state, node)))
}

/// The step at this place of the plan, or what around it stands in this frame.
fn in_frame(state: &RunState, frame: usize, index: usize) -> Option<NodeId> {
    let steps = &state.plan.steps;
    let mut index = index;
    loop {
        let (body, place) = steps.home(index)?;
        if state.frame(frame)?.body == body {
            return Some(NodeId { frame, place });
        }
        index = steps.position(&steps.get(index)?.parent.as_ref()?.step)?;
    }
}

/// What stands around a step in its frame.
fn around(state: &RunState, node: NodeId) -> Vec<NodeId> {
    let mut outer = Vec::new();
    let mut node = node;
    while let Some(next) = state.around(node).filter(|next| next.frame == node.frame) {
        outer.push(next);
        node = next;
    }
    outer
}

/// The outermost container around a step that is none of `common`.
fn lift(state: &RunState, node: NodeId, common: &[NodeId]) -> NodeId {
    let mut node = node;
    while let Some(next) = state.around(node)
        && next.frame == node.frame
        && !common.contains(&next)
    {
        node = next;
    }
    node
}

/// Everything in the frame of the approval that hangs on the target, the target and the approval included.
/// It depends on the plan alone, so it is the same whenever it is computed.
pub(super) fn reach(state: &RunState, approval: NodeId, target: NodeId) -> BTreeSet<NodeId> {
    let steps = &state.plan.steps;
    let common = around(state, approval);
    let frame = approval.frame;
    let mut found = BTreeSet::new();
    let mut open = vec![target, approval];
    while let Some(node) = open.pop() {
        let Some(index) = state.index_of(node).filter(|_| found.insert(node)) else {
            continue;
        };
        let inside = steps.get(index).map(|step| step.kind.children());
        let inside = inside.into_iter().flatten();
        open.extend(inside.filter_map(|path| in_frame(state, frame, steps.position(path)?)));
        let after = steps.dependents(index).iter();
        let after = after.filter_map(|index| in_frame(state, frame, *index));
        open.extend(after.map(|node| lift(state, node, &common)));
    }
    found
}

/// Whether nothing of a step is under way: no attempt, no run of its own, no question, no write of unknown
/// outcome.
pub(super) fn is_quiet(state: &RunState, step: &StepState) -> bool {
    let asks = step.approval.as_ref().is_some_and(|approval| {
        let asked = state.approvals.get(approval);
        asked.is_some_and(|asked| asked.closed.is_none())
    });
    let child = step.children.last();
    let child = child.filter(|_| step.status == StepStatus::Running);
    step.open_attempt().is_none()
        && child.is_none_or(|child| child.closed.is_some())
        && step.status != StepStatus::Unknown
        && !asks
        && step.inner_frames().all(|frame| {
            let mut inner = state.steps_of(frame);
            inner.all(|(_, inner)| is_quiet(state, inner))
        })
}

/// The next rewind that can take place: in every frame the one that was asked for first.
pub(super) fn next(state: &RunState) -> Option<Event> {
    let mut seen = BTreeSet::new();
    for (approval, node) in &state.rewinds {
        if !seen.insert(node.frame) {
            continue;
        }
        let asked = state.approvals.get(approval)?;
        let target = state.find(asked.request.changes.as_ref()?)?;
        let reach = reach(state, *node, target);
        let found: Vec<&StepState> = reach
            .iter()
            .filter_map(|node| Some(state.node(*node)?.1))
            .collect();
        if !found.iter().all(|step| is_quiet(state, step)) {
            continue;
        }
        let vote = asked.last(Answer::RequestChanges);
        let begun = found
            .iter()
            .filter(|step| step.status != StepStatus::Pending);
        return Some(Event::StepsRewound(StepsRewound {
            steps: begun.map(|step| step.path.clone()).collect(),
            approval: Some(approval.clone()),
            by: vote.map(|vote| vote.person.clone()).unwrap_or_default(),
            text: vote
                .and_then(|vote| vote.comment.clone())
                .unwrap_or_default(),
        }));
    }
    None
}

impl StepState {
    /// Back to the beginning. Numbers of attempts and questions go on, so that nothing of its new life is
    /// taken for something of the old one; the frames inside are remembered for the same reason.
    pub(super) fn begin_anew(&mut self) {
        let mut former = std::mem::take(&mut self.former);
        let mut keep = |key: String, frame: usize| {
            former.retain(|(known, _)| *known != key);
            former.push((key, frame));
        };
        if let Some(map) = self.map.take() {
            for (key, frame) in map.keys.iter().zip(&map.frames) {
                if let Some(frame) = frame {
                    keep(key_text(key), *frame);
                }
            }
        }
        for (index, frame) in self
            .rounds
            .take()
            .iter()
            .flat_map(|rounds| rounds.frames.iter().enumerate())
        {
            keep((index + 1).to_string(), *frame);
        }
        let generated_from = self.kept_from();
        let generations = std::mem::take(&mut self.generations);
        let children = std::mem::take(&mut self.children);
        // They are history: the step begins anew with the code that it was given first.
        let edits = std::mem::take(&mut self.edits);
        let attempts = std::mem::take(&mut self.attempts);
        *self = Self {
            counted_from: attempts.len(),
            attempts,
            generations,
            generated_from,
            edits,
            task: self.task.take(),
            children,
            questions: self.questions,
            changes_asked: self.changes_asked,
            lives: self.lives + 1,
            rewound: true,
            former,
            ..Self::new(self.node, self.path.clone(), 0)
        };
    }

    /// Attempts since the step began, or began anew.
    #[must_use]
    pub fn current_attempts(&self) -> &[Attempt] {
        self.attempts.get(self.counted_from..).unwrap_or_default()
    }

    /// Attempts of the phase of the newest one that count against the retry policy. Code that was written anew
    /// begins to count anew.
    #[must_use]
    pub fn counted_attempts(&self) -> u32 {
        let Some(phase) = self.current_attempts().last().map(|attempt| attempt.phase) else {
            return 0;
        };
        let since = self.generation().map_or(0, |newest| newest.after);
        let since = match phase {
            Phase::Generate => since,
            Phase::Execute => 0,
        };
        let current = self.attempts.get(since.max(self.counted_from)..);
        let counted = current.unwrap_or_default().iter();
        let counted = counted.filter(|attempt| {
            let counts = match attempt.status {
                AttemptStatus::Failed { counted, .. } => counted,
                AttemptStatus::Open | AttemptStatus::Succeeded | AttemptStatus::Unknown { .. } => {
                    true
                }
            };
            counts && attempt.phase == phase
        });
        u32::try_from(counted.count()).unwrap_or(u32::MAX)
    }
}
