//! Handlers of a run: frames beside its own steps, which never change its result.

use std::time::Duration;

use super::frame::{FrameKind, NodeId};
use super::payload::HandlerNamed;
use super::state::{RunState, StepState};
use super::summary::RunStatus;
use crate::failure::Failure;
use crate::id::{ApprovalId, StepPath};
use crate::plan::{HandlerKind, Handlers, Step};
use crate::time::Timestamp;

/// Longest time of a handler when the workflow says nothing: ten minutes.
const TIMEOUT: Duration = Duration::from_secs(600);

/// A handler that was started.
#[derive(Debug, Clone, PartialEq)]
pub struct HandlerState {
    /// Which, and what it is about.
    pub named: HandlerNamed,
    /// The frame of its steps.
    pub frame: usize,
    /// When it was started.
    pub started_at: Timestamp,
    /// Whether its time was over before it was done.
    pub timed_out: bool,
    /// When it ended, and why it did not end well.
    pub ended: Option<(Timestamp, Option<Failure>)>,
}

impl HandlerState {
    /// Its address for people, for example `handlers.failure`.
    #[must_use]
    pub fn path(&self) -> StepPath {
        let plain = format!("{}.{}", Handlers::PATH, self.named.kind.as_str());
        StepPath::new(match &self.named.about {
            Some(approval) => format!("{plain}[{approval}]"),
            None => plain,
        })
    }
}

impl RunState {
    /// Handlers that are under way.
    pub fn open_handlers(&self) -> impl Iterator<Item = &HandlerState> {
        let handlers = self.handlers.iter();
        handlers.filter(|handler| handler.ended.is_none())
    }

    /// The time that each handler has.
    #[must_use]
    pub fn handler_timeout(&self) -> Duration {
        self.plan.handlers.timeout.unwrap_or(TIMEOUT)
    }

    /// The handler that a frame belongs to: its number among the frames, and what it stands for.
    #[must_use]
    pub fn handler_around(&self, frame: usize) -> Option<(usize, &FrameKind)> {
        let mut frame = frame;
        loop {
            let here = self.frame(frame)?;
            match (&here.owner, &here.kind) {
                (Some(owner), _) => frame = owner.frame,
                (None, kind @ FrameKind::Handler { .. }) => return Some((frame, kind)),
                (None, FrameKind::Run | FrameKind::Item { .. } | FrameKind::Round { .. }) => {
                    return None;
                }
            }
        }
    }

    /// Whether a step may ask a person: in everything but a handler that tells of a question.
    pub(super) fn may_ask(&self, node: NodeId) -> bool {
        let Some((_, FrameKind::Handler { kind, .. })) = self.handler_around(node.frame) else {
            return true;
        };
        *kind != HandlerKind::Waiting
    }

    /// Where people find a question in a browser, when the installation has a place there.
    #[must_use]
    pub fn approval_url(&self, approval: &ApprovalId) -> Option<String> {
        let base = self.created.base_url.as_ref()?.trim_end_matches('/');
        Some(format!("{base}/runs/{}?approval={approval}", self.run))
    }

    /// The steps of the run itself and of all that they opened, handlers left out.
    pub fn own_steps(&self) -> impl Iterator<Item = (&Step, &StepState)> {
        let nodes = self.nodes_under(0).into_iter();
        nodes.filter_map(|node| self.node(node))
    }
}

/// The handler for runs that end so.
#[must_use]
pub(super) fn specific(status: RunStatus) -> Option<HandlerKind> {
    match status {
        RunStatus::Failed => Some(HandlerKind::Failure),
        RunStatus::Succeeded => Some(HandlerKind::Success),
        RunStatus::Rejected => Some(HandlerKind::Reject),
        RunStatus::Cancelled => Some(HandlerKind::Cancel),
        RunStatus::Pending | RunStatus::Running | RunStatus::Waiting | RunStatus::Paused => None,
    }
}
