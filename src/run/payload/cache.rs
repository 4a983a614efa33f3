//! Bodies of the events of the cache: a result that was taken again, or why none was.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ResultRecorded;
use crate::expression::format_duration;
use crate::id::{Digest, RunId, StepPath};
use crate::run::Seq;
use crate::time::Timestamp;
use std::time::Duration;

/// The parts that a key covers, each by its digest: `code`, `inputs.rows`, `file data`, `environment` …
pub type Parts = BTreeMap<String, Digest>;

/// See [`crate::run::Event::StepReused`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReused {
    /// The step.
    pub step: StepPath,
    /// What the result is kept under.
    pub key: Digest,
    /// The run whose code made it.
    pub run: RunId,
    /// The event there that has it.
    pub seq: Seq,
    /// When it was made.
    pub made_at: Timestamp,
    /// How old it was, in milliseconds.
    pub age_ms: u64,
    /// What the code left there; step, attempt and files are those of that run.
    pub result: ResultRecorded,
}

/// See [`crate::run::Event::CacheMissed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheMissed {
    /// The step.
    pub step: StepPath,
    /// What its result will be kept under; none = it will not be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Digest>,
    /// What the key covers.
    #[serde(default, skip_serializing_if = "Parts::is_empty")]
    pub parts: Parts,
    /// Why its code runs.
    pub reason: Miss,
}

/// Why no earlier result was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Miss {
    /// No result of this step is known.
    FirstTime,
    /// The newest known result of this step comes from something else.
    Changed {
        /// Names of the parts that differ.
        parts: Vec<String>,
        /// The run that made that result.
        run: RunId,
    },
    /// It is too old.
    Expired {
        /// When it was made.
        made_at: Timestamp,
        /// How old it may be, in milliseconds.
        ttl_ms: u64,
    },
    /// This step may not take one.
    Refused {
        /// The rule.
        why: NotReused,
    },
    /// Somebody wants it to run.
    Bypassed {
        /// How that was said.
        by: Bypass,
    },
    /// A result is known and can't be brought.
    Lost {
        /// The run that made it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<RunId>,
        /// What is wrong.
        why: String,
    },
}

/// Why a step may not take an earlier result, nor leave one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotReused {
    /// The policy asks about its code, or refuses it.
    Policy,
    /// A person decided something about it.
    HumanDecision,
    /// Changes were asked for, so it begins anew.
    Rewind,
}

/// How somebody said that a step shall run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bypass {
    /// `--no-cache`.
    NoCache,
    /// `--refresh STEP`.
    Refresh,
    /// It was taken up again after the end of the run.
    Retry,
    /// Nothing of a rehearsal is real.
    Rehearsal,
}

/// See [`crate::run::Event::CacheBypassed`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CacheBypassed {
    /// Whether no step takes an earlier result.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Steps that do not, by id or path; with everything inside them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepPath>,
}

impl CacheBypassed {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.all && self.steps.is_empty()
    }
}

impl StepReused {
    /// The same for people, as the end of a sentence.
    #[must_use]
    pub fn told(&self) -> String {
        let age = format_duration(whole_seconds(self.age_ms));
        format!("reused from {}, made {age} before", self.run)
    }
}

impl Miss {
    /// The same for people, as the end of a sentence: "runs: …".
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::FirstTime => "no result of it is kept yet".to_owned(),
            Self::Changed { parts, run } => {
                format!("changed since {run}: {}", parts.join(", "))
            }
            Self::Expired { made_at, ttl_ms } => format!(
                "the kept result was made at {made_at}, and may be {} old",
                format_duration(Duration::from_millis(*ttl_ms))
            ),
            Self::Refused { why } => match why {
                NotReused::Policy => "the policy does not let its code pass by itself".to_owned(),
                NotReused::HumanDecision => "a person decided something about it".to_owned(),
                NotReused::Rewind => "changes were asked for".to_owned(),
            },
            Self::Bypassed { by } => match by {
                Bypass::NoCache => "kept results are left aside (--no-cache)".to_owned(),
                Bypass::Refresh => "its kept result is left aside (--refresh)".to_owned(),
                Bypass::Retry => "it was to run again (retry)".to_owned(),
                Bypass::Rehearsal => "nothing is kept of a rehearsal".to_owned(),
            },
            Self::Lost { run: None, why } => why.clone(),
            Self::Lost {
                run: Some(run),
                why,
            } => {
                format!("the result of {run} can't be taken: {why}")
            }
        }
    }
}

/// Below a second nobody cares, unless it is all there is.
fn whole_seconds(ms: u64) -> Duration {
    if ms < 1_000 {
        Duration::from_millis(ms)
    } else {
        Duration::from_secs(ms / 1_000)
    }
}
