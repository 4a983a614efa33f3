//! Bodies of the events of items and rounds.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Values;
use crate::failure::Failure;
use crate::id::StepPath;
use crate::time::Timestamp;

/// See [`crate::run::Event::MapExpanded`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MapExpanded {
    /// The foreach.
    pub step: StepPath,
    /// Its items, fixed from here on.
    pub items: Vec<Value>,
    /// Their keys, unique and not empty.
    pub keys: Vec<String>,
}

/// See [`crate::run::Event::MapItemStarted`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapItemStarted {
    /// The foreach.
    pub step: StepPath,
    /// The item's index, from 0.
    pub index: usize,
}

/// How an item or a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockStatus {
    /// Well.
    Succeeded,
    /// With a failure that nothing inside tolerated.
    Failed,
    /// A person said no inside.
    Rejected,
    /// It was stopped.
    Cancelled,
}

impl BlockStatus {
    /// The word used in JSON and on the screen.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        }
    }
}

/// See [`crate::run::Event::MapItemClosed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MapItemClosed {
    /// The foreach.
    pub step: StepPath,
    /// The item's index, from 0.
    pub index: usize,
    /// How it ended.
    pub status: BlockStatus,
    /// What it hands out: `collect`, or the outputs of each step inside by id.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub outputs: Values,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// See [`crate::run::Event::RoundStarted`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundStarted {
    /// The until.
    pub step: StepPath,
    /// The round's number, from 1.
    pub number: u32,
}

/// See [`crate::run::Event::RoundClosed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoundClosed {
    /// The until.
    pub step: StepPath,
    /// The round's number, from 1.
    pub number: u32,
    /// How it ended.
    pub status: BlockStatus,
    /// What the condition gave; false when the round did not end well.
    pub done: bool,
    /// What the round hands out with `collect`; without it that is `by_id`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub outputs: Values,
    /// The outputs of each step inside by id: what the next round sees as `previous`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub by_id: Values,
    /// When the next round begins, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
