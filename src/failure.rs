//! Why something failed, as it is kept in the history and read back by later versions.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::code::Code;

/// What sort of failure it is. Retry policies read this word and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The surroundings: a process that could not start, a disk, a network, an interrupted engine.
    Infrastructure,
    /// The step's own code, or what it left as results.
    Code,
    /// A rule of the deployment forbids it.
    Policy,
    /// A guard stopped a dangerous act.
    Safety,
    /// A declared limit of the machine under control was touched.
    Limits,
    /// It took longer than allowed.
    Timeout,
    /// It used more memory, output or files than allowed.
    Resources,
    /// The workflow, the configuration or the environment is wrong.
    Configuration,
    /// Somebody stopped it.
    Cancelled,
    /// A fault in Stepwell itself.
    Internal,
}

impl FailureKind {
    /// The word used in YAML, JSON and on the screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Infrastructure => "infrastructure",
            Self::Code => "code",
            Self::Policy => "policy",
            Self::Safety => "safety",
            Self::Limits => "limits",
            Self::Timeout => "timeout",
            Self::Resources => "resources",
            Self::Configuration => "configuration",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }

    /// Kinds that a retry policy may name; the others are never tried again.
    pub const RETRYABLE: [Self; 4] = [
        Self::Infrastructure,
        Self::Timeout,
        Self::Resources,
        Self::Code,
    ];
}

/// The persisted reason of a failure. The cause is never lost: `cause` goes from near to far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Sort of failure.
    pub kind: FailureKind,
    /// A word of the error catalogue. Text, since a later version may know more words.
    pub code: String,
    /// One sentence for people.
    pub message: String,
    /// What to do, when there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The user's own traceback, with the user's line numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceback: Option<String>,
    /// Facts for programs.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub detail: Value,
    /// What lay behind it, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cause: Vec<String>,
}

impl Failure {
    /// A failure of that kind and code.
    #[must_use]
    pub fn new(kind: FailureKind, code: Code, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.as_str().to_owned(),
            message: message.into(),
            hint: None,
            traceback: None,
            detail: Value::Null,
            cause: Vec::new(),
        }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds facts for programs.
    #[must_use]
    pub fn detail(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }

    /// Keeps the chain of causes of a Rust error.
    #[must_use]
    pub fn caused_by(mut self, error: &dyn std::error::Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            self.cause.push(error.to_string());
            next = error.source();
        }
        self
    }
}
