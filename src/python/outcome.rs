//! How an attempt ended: one shape for every executor.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::Failure;
use crate::id::Digest;

/// How an attempt ended and what it left. Paths are relative to the folder of the attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Succeeded, or failed and why.
    pub status: OutcomeStatus,
    /// What the code left in `results`; absent when it left none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<Value>,
    /// Pictures, in the order they were made.
    pub figures: Vec<OutputFile>,
    /// Other files that the code left.
    pub artifacts: Vec<OutputFile>,
    /// What it printed.
    pub stdout: StreamFile,
    /// What it printed to standard error.
    pub stderr: StreamFile,
    /// Every lossy conversion, truncation or oddity, as sentences.
    pub notes: Vec<String>,
    /// Wall time of the interpreter, in seconds.
    pub seconds: f64,
    /// What it used.
    pub usage: Usage,
    /// Version of Python, for example `3.11.7`; empty when the interpreter never said.
    pub python: String,
    /// What kept the code apart from the rest of the machine.
    #[serde(default)]
    pub isolation: Isolation,
    /// How the interpreter came to be; absent where there is one way only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// What was installed where it ran; absent when nobody could say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<Packages>,
}

/// The packages of an environment, named by their list: `name==version` on each line, sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packages {
    /// Digest of the list.
    pub digest: Digest,
    /// How many there are.
    pub count: u32,
}

/// How the interpreter of an attempt came to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// It was forked from one that had imported the libraries already.
    Warm,
    /// It was started anew.
    Fresh {
        /// Why, although there are warm ones.
        reason: String,
    },
}

/// What kept the code of an attempt apart from the rest of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Isolation {
    /// The layers, those that did not hold included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Layer>,
}

impl Isolation {
    /// Whether nothing is known of it: the attempt was no code, or is older than this record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One layer of isolation, as it was for an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Its name, for example `landlock`.
    pub name: String,
    /// Whether it held.
    pub held: bool,
    /// What it kept out; or why it did not hold.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Succeeded, or failed and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeStatus {
    /// The code ran to its end.
    Succeeded,
    /// It did not.
    Failed(Failure),
}

/// A file that the code left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFile {
    /// Path relative to the folder of the attempt.
    pub path: String,
    /// A short title; empty when none was given.
    #[serde(default)]
    pub title: String,
    /// A longer text; empty when none was given.
    #[serde(default)]
    pub description: String,
    /// Its media type, for example `image/png`.
    pub media_type: String,
    /// Its size.
    pub bytes: u64,
}

/// A captured stream.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StreamFile {
    /// Path relative to the folder of the attempt.
    pub path: String,
    /// Bytes that the code wrote; the file holds fewer when `truncated`.
    pub bytes: u64,
    /// Whether the end is missing from the file.
    pub truncated: bool,
}

/// What an attempt used, its children included.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Largest resident set of any of its processes.
    pub max_rss_bytes: u64,
    /// Processor time in user mode.
    pub user_seconds: f64,
    /// Processor time in the kernel.
    pub system_seconds: f64,
}
