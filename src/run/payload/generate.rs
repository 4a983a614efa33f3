//! Code that a generator wrote: what was asked, what came back, what it cost.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::Failure;
use crate::id::{Digest, RunId, StepPath};
use crate::run::record::Seq;

/// What an attempt is a try of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Having code written.
    Generate,
    /// Running code, or acting on the outside.
    #[default]
    Execute,
}

impl Phase {
    /// Whether it is the phase that histories do not name.
    #[must_use]
    pub fn is_execute(&self) -> bool {
        *self == Self::Execute
    }
}

/// What code shall be written for, with every expression evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskText {
    /// What the code shall do.
    pub task: String,
    /// What it shall leave: text, or a map from names to what they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expects: Option<Value>,
    /// What else must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requirements: Vec<String>,
    /// What a person asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_query: Option<String>,
    /// What the inputs are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
}

/// What a generator is told beside the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feedback {
    /// Nothing: it is the first try.
    #[default]
    None,
    /// Its last answer held no usable code.
    Answer,
    /// Its last code could not be read.
    Findings,
    /// Its last code failed.
    Failure,
    /// A person asked for changes.
    Changes,
}

impl Feedback {
    /// The word of it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Answer => "answer",
            Self::Findings => "findings",
            Self::Failure => "failure",
            Self::Changes => "changes",
        }
    }
}

/// What a model read and wrote, in tokens, as far as it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Read, those of a cache included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Written, reasoning included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Read from a cache of the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// Written as reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
}

/// What a call cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// How much.
    pub amount: f64,
    /// Of what.
    pub currency: String,
    /// Whether nobody said how much was read and written, so that the bytes were counted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

/// Code of an earlier run that is taken again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reused {
    /// That run.
    pub run: RunId,
    /// The step there.
    pub step: StepPath,
    /// The event by which it was analysed there.
    pub seq: Seq,
    /// Who approved it there; empty when the policy let it pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approved_by: Vec<String>,
    /// What its yes is bound to, but for the values of the inputs: see `AnalysisReported::reuse`.
    pub bound: Digest,
    /// Under what circumstances it was approved there; none in histories from before that was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circumstances: Option<Circumstances>,
    /// The newest mark on the code when it was taken: a mark that came later has withdrawn the yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Digest>,
}

/// What decides whether a yes of an earlier run would be enough today.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Circumstances {
    /// Who started that run, if a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starter: Option<String>,
    /// Who changed the code there, if a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub editor: Option<String>,
    /// Whether the question was escalated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub escalated: bool,
}

/// See [`crate::run::Event::CodeGenerated`]. It has either code or a failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CodeGenerated {
    /// The step.
    pub step: StepPath,
    /// The attempt that it ends; none when nothing was called, because code was taken again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The generator of config.yml.
    pub generator: String,
    /// What sort of generator that is, for example `openai`.
    pub provider: String,
    /// The model that answered, or that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// With what it was asked: temperature and the like.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub parameters: Value,
    /// What it was told beside the task.
    #[serde(default)]
    pub feedback: Feedback,
    /// Whether it was asked for another try without sight of the one that failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fresh: bool,
    /// What it was asked, a blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Digest>,
    /// What it answered, a blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Digest>,
    /// The code in that answer, a blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Digest>,
    /// Why the answer has no usable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What was read and written.
    #[serde(default)]
    pub usage: Usage,
    /// What it cost, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// How long it took.
    #[serde(default)]
    pub seconds: f64,
    /// How the provider names the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Where the code was taken from, when it was not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused: Option<Reused>,
    /// The code that was approved for this step before, to compare with; a blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_before: Option<Digest>,
}
