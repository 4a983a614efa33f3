//! Bodies of the events of runs inside runs.

use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::Values;
use crate::failure::Failure;
use crate::id::{RunId, StepPath};
use crate::run::{OpenQuestion, RunStatus};

/// See [`crate::run::Event::ChildRunStarted`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildRunStarted {
    /// The step.
    pub step: StepPath,
    /// The run that it started.
    pub run: RunId,
}

/// See [`crate::run::Event::ChildRunWaiting`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildRunWaiting {
    /// The step.
    pub step: StepPath,
    /// Where the child stands.
    pub status: RunStatus,
    /// Its open questions, those of its own children included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<OpenQuestion>,
}

/// See [`crate::run::Event::ChildRunClosed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildRunClosed {
    /// The step.
    pub step: StepPath,
    /// How the child ended.
    pub status: RunStatus,
    /// Its outputs.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub outputs: Values,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Why it was rejected or cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
