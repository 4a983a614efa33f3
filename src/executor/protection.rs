//! How far the code of an attempt is kept apart, and what it may do to the control system: what the mode of the
//! step and the configuration say of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::plan::{IsolationLevel, Network};

/// How far the code of an attempt is kept apart from the rest of the machine.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Protection {
    /// What happens when the system can't give a layer.
    pub isolation: IsolationLevel,
    /// Whether it reaches the network.
    pub network: Network,
    /// Whether it may write outside its own folders. What is hidden stays hidden.
    pub writes_outside: bool,
    /// Folders outside that it may write to all the same.
    pub writable: Vec<PathBuf>,
    /// Files and folders that it can't read.
    pub hidden: Vec<PathBuf>,
    /// What it may do to the control system.
    pub guard: Guard,
}

/// What code may do to the control system. It is held by guards inside the interpreter: a rail, no wall.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Guard {
    /// Whether it may write at all.
    pub allows_writes: bool,
    /// What it may write to which channel.
    pub channels: ChannelLimits,
    /// Further functions that write, as `module.function` or `module.Class.method`: their first argument is the
    /// channel, the second the value.
    pub writers: Vec<String>,
}

/// Limits of channels.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelLimits {
    /// None are kept here: a mode that allows writes allows all of them.
    #[default]
    None,
    /// They are kept somewhere and could not be read: every write is refused.
    Unavailable {
        /// Why.
        reason: String,
    },
    /// These.
    Table {
        /// By name of a channel, or by a pattern with `*` and `?`; the first that fits decides, names before patterns.
        channels: BTreeMap<String, ChannelLimit>,
        /// Whether channels that are not listed may be written.
        unlisted: bool,
        /// Whether written values are read back.
        verify: Option<Verify>,
    },
}

/// What may be written to one channel.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelLimit {
    /// Least value.
    pub min: Option<f64>,
    /// Greatest value.
    pub max: Option<f64>,
    /// Greatest change at once, from the value that the channel has.
    pub step: Option<f64>,
    /// Whether it is never written.
    pub read_only: bool,
    /// Whether written values are read back, where this says it.
    pub verify: Option<Verify>,
}

/// Reading back what was written.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Verify {
    /// How far what is read may be from what was written.
    pub tolerance: f64,
}
