//! How far the code of a step is kept apart from the rest of the machine, and how much it may use.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::millis;

/// What happens when the system can't give a layer of isolation.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum IsolationLevel {
    /// Nothing is asked for beyond limits, a scrubbed environment and a session of its own.
    Off,
    /// Every layer that the system gives; the report says which ones.
    #[default]
    Prefer,
    /// Code does not begin where a layer is missing.
    Require,
}

impl IsolationLevel {
    /// The words of YAML.
    pub const WORDS: [(&'static str, Self); 3] = [
        ("off", Self::Off),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
    ];
    /// The words of a step: it may ask for more than the configuration, never for less.
    pub const WORDS_OF_STEP: [(&'static str, Self); 2] =
        [("prefer", Self::Prefer), ("require", Self::Require)];
}

/// Whether code reaches the network.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// As the machine does.
    #[default]
    Full,
    /// Not at all.
    None,
}

impl Network {
    /// The words of YAML.
    pub const WORDS: [(&'static str, Self); 2] = [("full", Self::Full), ("none", Self::None)];
}

/// How much an attempt of a step may use, where the step says it; the rest is the configuration's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StepLimits {
    /// Bytes of memory, of each process and of all together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Processor time of all processes together.
    #[serde(default, with = "millis", skip_serializing_if = "Option::is_none")]
    pub cpu_time: Option<Duration>,
    /// Processes and threads at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// Open files of each process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u32>,
    /// Bytes that are kept of each of the two streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    /// Bytes of everything that it has on the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<u64>,
    /// From the interrupt at a time-out or a cancel until the code is ended.
    #[serde(default, with = "millis", skip_serializing_if = "Option::is_none")]
    pub stop_grace: Option<Duration>,
}

impl StepLimits {
    /// Whether the step says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
