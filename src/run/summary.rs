//! One row per run: what lists show and what recovery looks for. Computed here, kept by the store.

use serde::{Deserialize, Serialize};

use super::record::Seq;
use crate::id::{ApprovalId, Digest, RunId, StepPath};
use crate::time::Timestamp;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Created, nothing has begun.
    Pending,
    /// Work is under way or due.
    Running,
    /// Only people can move it on.
    Waiting,
    /// An operator holds it.
    Paused,
    /// Every step that had to succeed did.
    Succeeded,
    /// A step failed and nothing tolerated it.
    Failed,
    /// A person said no.
    Rejected,
    /// A person stopped it.
    Cancelled,
}

impl RunStatus {
    /// Every status, in the order of the registry numbers.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Running,
        Self::Waiting,
        Self::Paused,
        Self::Succeeded,
        Self::Failed,
        Self::Rejected,
        Self::Cancelled,
    ];

    /// The number that index keys use. Never changes its meaning.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Pending => 1,
            Self::Running => 2,
            Self::Waiting => 3,
            Self::Paused => 4,
            Self::Succeeded => 5,
            Self::Failed => 6,
            Self::Rejected => 7,
            Self::Cancelled => 8,
        }
    }

    /// The word used in JSON and on the screen.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing can happen to the run any more.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Pending | Self::Running | Self::Waiting | Self::Paused => false,
            Self::Succeeded | Self::Failed | Self::Rejected | Self::Cancelled => true,
        }
    }
}

/// A question that a run waits for, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenQuestion {
    /// The approval to answer.
    pub approval: ApprovalId,
    /// The step that asks.
    pub step: StepPath,
    /// What it asks, one line.
    pub title: String,
}

/// The row of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// Name of its workflow.
    pub workflow: String,
    /// Its plan.
    pub plan: Digest,
    /// Where it stands.
    pub status: RunStatus,
    /// When it was created.
    pub created_at: Timestamp,
    /// Time of its last event.
    pub updated_at: Timestamp,
    /// Its last event.
    pub last_seq: Seq,
    /// Open questions, at most [`RunSummary::QUESTIONS_MAX`] of them.
    pub questions: Vec<OpenQuestion>,
    /// Steps that ended and steps in all, for progress.
    pub steps_done: u32,
    /// See `steps_done`.
    pub steps_total: u32,
    /// Whether it holds a place in a group or a lock.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub holds: bool,
}

impl OpenQuestion {
    /// Whether it is a question of a run inside the run: `step/child_step`.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        self.step.as_str().contains('/')
    }
}

impl RunSummary {
    /// How many open questions a row keeps; the history has the rest.
    pub const QUESTIONS_MAX: usize = 16;
}
