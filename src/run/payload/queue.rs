//! Bodies of the events of queues: places in groups, and locks.

use serde::{Deserialize, Serialize};

use crate::id::StepPath;
use crate::plan::WhenFull;

/// A place in a group, or a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotWish {
    /// Name of the group, `group:…`, or of the lock, `lock:…`.
    pub key: String,
    /// How many may hold it at the same time; 1 for a lock.
    pub limit: u32,
    /// What happens when there is no room.
    #[serde(default)]
    pub when_full: WhenFull,
}

/// See [`crate::run::Event::RunQueued`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunQueued {
    /// What it needs before it begins.
    pub wishes: Vec<SlotWish>,
}

/// See [`crate::run::Event::StepQueued`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepQueued {
    /// The step.
    pub step: StepPath,
    /// What it needs before it begins.
    pub wishes: Vec<SlotWish>,
}

/// See [`crate::run::Event::StepAdmitted`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAdmitted {
    /// The step.
    pub step: StepPath,
}

/// See [`crate::run::Event::SlotsReleased`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotsReleased {
    /// The step; none = the run itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepPath>,
}
