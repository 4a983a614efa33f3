//! Bodies of the events of clocks, pauses and signals.

use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::Values;
use crate::id::StepPath;
use crate::run::Seq;

/// See [`crate::run::Event::RunPaused`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPaused {
    /// Why, in the person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// See [`crate::run::Event::DeadlinePassed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadlinePassed {
    /// The step.
    pub step: StepPath,
}

/// See [`crate::run::Event::SignalReceived`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignalReceived {
    /// Its name.
    pub name: String,
    /// What it carries, checked.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub payload: Values,
    /// What makes a repetition the same signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// See [`crate::run::Event::SignalConsumed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalConsumed {
    /// The step that waited for it.
    pub step: StepPath,
    /// Place of the signal in the history.
    pub signal: Seq,
}
