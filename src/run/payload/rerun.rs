//! Bodies of the events of runs that go on after their end, in another version, or from another run.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{BranchChosen, MapItemClosed, ResultRecorded, Values};
use crate::id::{Digest, RunId, StepPath};
use crate::run::{Seq, StepStatus};

/// See [`crate::run::Event::RunReopened`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReopened {
    /// Steps that begin anew.
    pub steps: Vec<StepPath>,
    /// Containers that go on with what did not succeed in them; their items and rounds are not fixed anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed: Vec<StepPath>,
    /// Who wanted it.
    pub by: String,
    /// Why, in the person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// See [`crate::run::Event::PlanMigrated`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanMigrated {
    /// The plan so far.
    pub from: Digest,
    /// The plan from here on, a blob.
    pub to: Digest,
    /// What is different, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
}

/// See [`crate::run::Event::StepCopied`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepCopied {
    /// The step, the same in both runs.
    pub step: StepPath,
    /// The run that it was copied from.
    pub run: RunId,
    /// The event with which it ended there.
    pub seq: Seq,
    /// How it ended there: well, skipped or not run.
    pub status: StepStatus,
    /// Its inputs there.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub inputs: Values,
    /// Its outputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Values>,
    /// What its code left; the files are those of the other run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultRecorded>,
    /// The arm that it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<BranchChosen>,
    /// Its items, for a foreach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<CopiedItems>,
    /// Why it did not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Whether only skips lie behind its not running.
    #[serde(default)]
    pub only_skips: bool,
}

/// The items of a foreach that was copied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CopiedItems {
    /// The items.
    pub items: Vec<Value>,
    /// Their keys.
    pub keys: Vec<String>,
    /// How each ended.
    pub closed: Vec<Option<MapItemClosed>>,
}
