//! Frames: the steps that came to life together. The run is one, and so is every item of a foreach, every
//! round of an until and every handler. A frame's steps see each other and the frames around theirs.

use std::sync::Arc;

use serde::Serialize;

use super::state::{RunState, StepState, StepStatus};
use crate::id::{ApprovalId, StepPath};
use crate::plan::{Body, HandlerKind, Handlers, Step, StepKind};
use crate::time::Timestamp;

/// The address of a step in a run: its frame, and its place in there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId {
    /// Number of the frame; 0 is the run itself.
    pub frame: usize,
    /// Place among the steps of the frame.
    pub place: usize,
}

/// What a frame stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameKind {
    /// The run itself.
    Run,
    /// An item of a foreach.
    Item {
        /// Its index, from 0.
        index: usize,
    },
    /// A round of an until.
    Round {
        /// Its number, from 1.
        number: u32,
    },
    /// A handler.
    Handler {
        /// Which.
        kind: HandlerKind,
        /// The question that it is about, for `waiting`.
        about: Option<ApprovalId>,
    },
}

/// Why the rest of a frame or of a step does not run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The run is being cancelled.
    Cancelled,
    /// Another step failed and the workflow says `fail_fast`.
    FailFast {
        /// That step.
        step: StepPath,
    },
    /// A `succeed` step ended the frame.
    Succeeded {
        /// That step.
        step: StepPath,
    },
    /// An item failed that was not tolerated.
    ItemFailed {
        /// Its key.
        key: String,
    },
    /// The step's `deadline` has passed.
    Deadline,
    /// The time of the run or of a handler is over.
    Timeout,
    /// Changes were asked for at this question: it will begin anew as soon as nothing of it is under way.
    Rewound {
        /// The question.
        approval: ApprovalId,
    },
}

impl Stop {
    /// The reason as the end of a sentence: "it was stopped: …".
    #[must_use]
    pub fn why(&self) -> String {
        match self {
            Self::Cancelled => "the run was cancelled".to_owned(),
            Self::FailFast { step } => format!("step `{step}` failed and the workflow fails fast"),
            Self::Succeeded { step } => format!("step `{step}` ended everything around it"),
            Self::ItemFailed { key } => format!("item `{key}` failed"),
            Self::Deadline => "the deadline of the step around it has passed".to_owned(),
            Self::Timeout => "its time is over".to_owned(),
            Self::Rewound { .. } => "changes were asked for".to_owned(),
        }
    }
}

/// What a person wanted different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Who.
    pub by: String,
    /// What, in the person's words.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// Steps that came to life together.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The steps of the plan that it runs.
    pub body: Body,
    /// What it stands for.
    pub kind: FrameKind,
    /// The foreach or until around it.
    pub owner: Option<NodeId>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Why its steps do not run on.
    pub stop: Option<Stop>,
    /// One state per step of the body.
    pub(super) steps: Vec<Arc<StepState>>,
    /// How many of them have not settled.
    pub(super) unsettled: usize,
    /// What people wanted different in it, in order.
    pub changes: Vec<Change>,
    /// Whether a rewind left it behind: its steps are history, not part of the run any more.
    pub(super) abandoned: bool,
    /// Whether it is an item that waits for its turn to go again.
    pub(super) parked: bool,
}

impl Frame {
    /// Whether every step has settled.
    #[must_use]
    pub fn all_settled(&self) -> bool {
        self.unsettled == 0
    }
}

/// The spelling of a key in a path: what could be taken for structure, or for a folder, is written `%XX`.
#[must_use]
pub fn key_text(key: &str) -> String {
    let mut text = String::with_capacity(key.len());
    for c in key.chars() {
        if matches!(c, '[' | ']' | '%' | '/') || c.is_control() {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                text.push_str(&format!("%{byte:02X}"));
            }
        } else {
            text.push(c);
        }
    }
    text
}

impl RunState {
    /// A frame.
    #[must_use]
    pub fn frame(&self, frame: usize) -> Option<&Frame> {
        self.frames.get(frame).map(Arc::as_ref)
    }

    pub(super) fn frame_mut(&mut self, frame: usize) -> Option<&mut Frame> {
        self.frames.get_mut(frame).map(Arc::make_mut)
    }

    /// What people wanted different, in this frame and in what is around, in order of time.
    #[must_use]
    pub fn changes_seen_from(&self, frame: usize) -> Vec<&Change> {
        let mut changes = Vec::new();
        let mut next = self.frame(frame);
        while let Some(frame) = next {
            changes.extend(&frame.changes);
            next = frame.owner.and_then(|owner| self.frame(owner.frame));
        }
        changes.sort_by_key(|change| change.at);
        changes
    }

    /// All frames with their numbers, the run itself first, those that a rewind left behind excepted.
    pub fn frames(&self) -> impl Iterator<Item = (usize, &Frame)> {
        let frames = self.frames.iter().map(Arc::as_ref).enumerate();
        frames.filter(|(_, frame)| !frame.abandoned)
    }

    /// The step at an address, with its state.
    #[must_use]
    pub fn node(&self, node: NodeId) -> Option<(&Step, &StepState)> {
        let frame = self.frames.get(node.frame)?;
        let index = self.plan.steps.members(frame.body).get(node.place)?;
        Some((
            self.plan.steps.get(*index)?,
            frame.steps.get(node.place)?.as_ref(),
        ))
    }

    pub(super) fn node_mut(&mut self, node: NodeId) -> Option<&mut StepState> {
        let state = self.frame_mut(node.frame)?.steps.get_mut(node.place)?;
        Some(Arc::make_mut(state))
    }

    /// The address of the step at `path`, for example `per_bpm[BPM:01:X].fit`.
    #[must_use]
    pub fn find(&self, path: &StepPath) -> Option<NodeId> {
        let text = path.as_str();
        if !text.contains('[') && !text.starts_with(Handlers::PATH) {
            return self.place_in(0, text);
        }
        let mut frame = 0;
        let mut plan_path = String::new();
        let mut rest = text;
        if let Some(handler) = text.strip_prefix(Handlers::PATH) {
            let (word, about, after) = segment(handler.strip_prefix('.')?);
            let kind = HandlerKind::parse(word)?;
            frame = self.handler_frame(kind, about)?;
            plan_path = format!("{}.{word}", Handlers::PATH);
            rest = after;
        }
        while !rest.is_empty() {
            let (name, key, after) = segment(rest);
            if !plan_path.is_empty() {
                plan_path.push('.');
            }
            plan_path.push_str(name);
            rest = after;
            if let Some(key) = key {
                let around = self.place_in(frame, &plan_path)?;
                frame = self.inner_frame(around, key)?;
            }
        }
        self.place_in(frame, &plan_path)
    }

    fn place_in(&self, frame: usize, plan_path: &str) -> Option<NodeId> {
        let index = self.plan.steps.position(&StepPath::new(plan_path))?;
        let (body, place) = self.plan.steps.home(index)?;
        (self.frames.get(frame)?.body == body).then_some(NodeId { frame, place })
    }

    fn inner_frame(&self, around: NodeId, key: &str) -> Option<usize> {
        let (_, state) = self.node(around)?;
        if let Some(map) = &state.map {
            let index = map.by_key.get(key)?;
            return map.frames.get(*index).copied().flatten();
        }
        let number: usize = key.parse().ok()?;
        state
            .rounds
            .as_ref()?
            .frames
            .get(number.checked_sub(1)?)
            .copied()
    }

    fn handler_frame(&self, kind: HandlerKind, about: Option<&str>) -> Option<usize> {
        self.frames.iter().rposition(|frame| match &frame.kind {
            FrameKind::Handler {
                kind: of,
                about: asked,
            } => *of == kind && asked.as_ref().map(ApprovalId::as_str) == about,
            FrameKind::Run | FrameKind::Item { .. } | FrameKind::Round { .. } => false,
        })
    }

    /// The step of the plan at `index` as the steps of `frame` see it: in their frame, or in one around it.
    #[must_use]
    pub fn seen_from(&self, frame: usize, index: usize) -> Option<NodeId> {
        let (body, place) = self.plan.steps.home(index)?;
        let mut frame = frame;
        loop {
            let here = self.frames.get(frame)?;
            if here.body == body {
                return Some(NodeId { frame, place });
            }
            frame = match (&here.owner, &here.kind) {
                (Some(owner), _) => owner.frame,
                (None, FrameKind::Handler { .. }) => 0,
                (None, FrameKind::Run | FrameKind::Item { .. } | FrameKind::Round { .. }) => {
                    return None;
                }
            };
        }
    }

    /// The switch, parallel, foreach or until around a step.
    #[must_use]
    pub fn around(&self, node: NodeId) -> Option<NodeId> {
        let (step, _) = self.node(node)?;
        let parent = step.parent.as_ref()?;
        let frame = self.frames.get(node.frame)?;
        let index = self.plan.steps.position(&parent.step)?;
        let (body, place) = self.plan.steps.home(index)?;
        if body == frame.body {
            let frame = node.frame;
            return Some(NodeId { frame, place });
        }
        frame.owner
    }

    /// Why a step does not run on: its own stop, or that of anything around it; the nearest one.
    #[must_use]
    pub fn stop_of(&self, node: NodeId) -> Option<&Stop> {
        let mut node = node;
        loop {
            if let Some(stop) = self.node(node).and_then(|(_, state)| state.stop.as_ref()) {
                return Some(stop);
            }
            match self.around(node) {
                Some(around) if around.frame == node.frame => node = around,
                around => {
                    let stop = self
                        .frames
                        .get(node.frame)
                        .and_then(|frame| frame.stop.as_ref());
                    if stop.is_some() {
                        return stop;
                    }
                    node = around?;
                }
            }
        }
    }

    /// Whether the step's container lets it run: its arm is taken, its branches go on.
    pub(super) fn is_active(&self, node: NodeId) -> bool {
        let Some((step, _)) = self.node(node) else {
            return false;
        };
        let Some(around) = self
            .around(node)
            .filter(|around| around.frame == node.frame)
        else {
            return true;
        };
        let Some((outer, state)) = self.node(around) else {
            return false;
        };
        let arm = step.parent.as_ref().map(|parent| parent.arm.as_str());
        match &outer.kind {
            StepKind::Parallel(_) => state.status == StepStatus::Running,
            StepKind::Python(_)
            | StepKind::Set(_)
            | StepKind::Switch(_)
            | StepKind::Approval(_)
            | StepKind::Foreach(_)
            | StepKind::Until(_)
            | StepKind::Workflow(_)
            | StepKind::Wait(_)
            | StepKind::Http(_)
            | StepKind::Notify(_)
            | StepKind::Notebook(_)
            | StepKind::Action(_)
            | StepKind::Fail(_)
            | StepKind::Succeed(_) => {
                state.branch.as_ref().map(|branch| branch.arm.as_str()) == arm
            }
        }
    }

    /// The step itself when nothing stands in it, else the steps inside that have none inside, in reading order:
    /// the items of a foreach in their order. A container in which nothing came to life stands for itself.
    #[must_use]
    pub fn work_inside(&self, node: NodeId) -> Vec<NodeId> {
        let Some((step, state)) = self.node(node) else {
            return Vec::new();
        };
        let in_frame = step.kind.children().into_iter().filter_map(|path| {
            let (_, place) = self.plan.steps.home(self.plan.steps.position(path)?)?;
            let frame = node.frame;
            Some(NodeId { frame, place })
        });
        let mut inside: Vec<NodeId> = in_frame.collect();
        for frame in state.inner_frames() {
            let here = self.frames.get(frame).filter(|frame| !frame.abandoned);
            let places = here.map_or(0, |frame| frame.steps.len());
            let all = (0..places).map(|place| NodeId { frame, place });
            // What stands in a switch or a parallel comes with that.
            inside.extend(all.filter(|inner| {
                self.around(*inner)
                    .is_none_or(|around| around.frame != frame)
            }));
        }
        if inside.is_empty() {
            return vec![node];
        }
        inside
            .into_iter()
            .flat_map(|inner| self.work_inside(inner))
            .collect()
    }

    /// All steps of the run in reading order: a container, then what it runs.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeId> {
        let mut out = Vec::with_capacity(self.total);
        self.nodes_of(0, &mut out);
        for (number, frame) in self.frames() {
            if matches!(frame.kind, FrameKind::Handler { .. }) {
                self.nodes_of(number, &mut out);
            }
        }
        out
    }

    /// The steps of a frame and of all that they opened, with their states, in reading order.
    pub(super) fn steps_under(&self, frame: usize) -> impl Iterator<Item = (&Step, &StepState)> {
        let nodes = self.nodes_under(frame).into_iter();
        nodes.filter_map(|node| self.node(node))
    }

    /// See [`RunState::steps_under`].
    pub(super) fn nodes_under(&self, frame: usize) -> Vec<NodeId> {
        let mut out = Vec::new();
        self.nodes_of(frame, &mut out);
        out
    }

    fn nodes_of(&self, frame: usize, out: &mut Vec<NodeId>) {
        let Some(here) = self.frames.get(frame) else {
            return;
        };
        for (place, state) in here.steps.iter().enumerate() {
            out.push(NodeId { frame, place });
            for inner in state.inner_frames() {
                if self.frames.get(inner).is_some_and(|inner| !inner.abandoned) {
                    self.nodes_of(inner, out);
                }
            }
        }
    }
}

/// The first part of a path: its name, the key behind it, and the rest.
fn segment(path: &str) -> (&str, Option<&str>, &str) {
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (name, rest) = path.split_at(end);
    let Some(inside) = rest.strip_prefix('[') else {
        return (name, None, rest.strip_prefix('.').unwrap_or(rest));
    };
    let (key, after) = inside.split_once(']').unwrap_or((inside, ""));
    (name, Some(key), after.strip_prefix('.').unwrap_or(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cut_at_dots_outside_keys() {
        assert_eq!(segment("load"), ("load", None, ""));
        assert_eq!(segment("a.b.c"), ("a", None, "b.c"));
        assert_eq!(segment("m[x.y:1].fit"), ("m", Some("x.y:1"), "fit"));
        assert_eq!(key_text("a]b[%\n"), "a%5Db%5B%25%0A");
    }
}
