//! Bodies of the events of handlers, and of messages about questions.

use serde::{Deserialize, Serialize};

use super::RunEnded;
use crate::failure::Failure;
use crate::id::{ApprovalId, StepPath};
use crate::plan::HandlerKind;
use crate::run::{RunStatus, Seq};

/// A failure of a step, with its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepFailure {
    /// The step.
    pub step: StepPath,
    /// The attempt that failed; 0 when there was none.
    #[serde(default)]
    pub attempt: u32,
    /// The event that ended the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Seq>,
    /// Why.
    pub failure: Failure,
}

/// See [`crate::run::Event::RunDecided`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDecided {
    /// How the run will have ended, whatever its handlers do.
    pub status: RunStatus,
    /// Outputs and warnings.
    #[serde(flatten)]
    pub end: RunEnded,
    /// What nothing tolerated, the first in time first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<StepFailure>,
}

/// See [`crate::run::Event::HandlerStarted`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandlerNamed {
    /// Which.
    pub kind: HandlerKind,
    /// The question that it is about, for `waiting`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<ApprovalId>,
}

/// See [`crate::run::Event::HandlerEnded`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HandlerEnded {
    /// Which.
    #[serde(flatten)]
    pub handler: HandlerNamed,
    /// Why it did not end well. The run's result does not change by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// See [`crate::run::Event::NotificationSent`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotificationSent {
    /// The question.
    pub approval: ApprovalId,
    /// What it is told for: `asked`, or which reminder.
    pub occasion: String,
    /// The channel of config.yml.
    pub channel: String,
    /// Why nobody could be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}
