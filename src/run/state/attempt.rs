//! Attempts of a step.

use crate::failure::Failure;
use crate::run::payload::{EffectClass, Phase};
use crate::run::record::Epoch;
use crate::time::Timestamp;

/// How an attempt stands.
#[derive(Debug, Clone, PartialEq)]
pub enum AttemptStatus {
    /// It was started and nothing is known of its end.
    Open,
    /// It ended well.
    Succeeded,
    /// It failed.
    Failed {
        /// Why.
        failure: Failure,
        /// Whether it counts against the retry policy.
        counted: bool,
    },
    /// It was interrupted while it may have written.
    Unknown {
        /// What was found of it.
        evidence: String,
    },
}

/// One try to run the code of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Number, from 1.
    pub number: u32,
    /// What it is a try of.
    pub phase: Phase,
    /// When it was about to begin.
    pub started_at: Timestamp,
    /// The writer that started it.
    pub epoch: Epoch,
    /// The worker that started it, by its name.
    pub worker: Option<String>,
    /// What it may do.
    pub effect: EffectClass,
    /// How it stands.
    pub status: AttemptStatus,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}
