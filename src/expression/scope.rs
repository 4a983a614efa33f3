//! What an expression can see: names, and how steps ended.

use super::value::Value;

/// The names in scope. Whoever evaluates implements it; every path begins with its root name.
pub trait Scope {
    /// Finds the longest known part of `path`, which begins with the root (`steps`, `inputs`, …).
    fn lookup(&self, path: &[&str]) -> Lookup<'_>;

    /// How the step ended, for `succeeded('x')` and its kin; `None` when there is no such step.
    fn status(&self, step: &str) -> Option<StepStatusWord>;
}

/// The answer to [`Scope::lookup`].
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup<'a> {
    /// Data found; the evaluator reads the rest of the path inside it.
    Json {
        /// The data, borrowed.
        value: &'a serde_json::Value,
        /// How many parts of the path it answers, the root included.
        used: usize,
    },
    /// A value that JSON has no type for, or that is made on the spot.
    Value {
        /// The value.
        value: Value,
        /// How many parts of the path it answers, the root included.
        used: usize,
    },
    /// The name is right, yet there is no value: its step did not run, an optional input was not given.
    Absent {
        /// Why, as the end of a sentence: "step `clean` was skipped".
        reason: String,
    },
    /// There is no such name.
    Unknown {
        /// The names that could stand at that place.
        known: Vec<String>,
    },
}

/// How a step ended, as far as the status functions ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepStatusWord {
    /// It succeeded.
    Succeeded,
    /// It failed.
    Failed,
    /// It was skipped.
    Skipped,
    /// Anything else, also not ended yet.
    Other,
}
