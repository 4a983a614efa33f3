//! One case of a file: what is given, and what is expected.

use std::time::Duration;

use serde_json::Value;

use super::world::{Decision, Mocks, SentSignal};
use crate::run::payload::Values;
use crate::run::{RunStatus, StepStatus};
use crate::time::Timestamp;

/// A case.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its name, unique in the file.
    pub name: String,
    /// The inputs, checked and complete.
    pub inputs: Values,
    /// When simulated time begins.
    pub clock: Timestamp,
    /// What steps do.
    pub mocks: Mocks,
    /// What people say.
    pub decisions: Vec<Decision>,
    /// Which signals come.
    pub signals: Vec<SentSignal>,
    /// What is expected.
    pub expect: Expect,
}

/// What is expected. Nothing is expected of what is not named.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expect {
    /// Where the run stands in the end.
    pub status: Option<RunStatus>,
    /// Exactly the steps that came to work, in this order.
    pub path: Option<Vec<String>>,
    /// Steps that came to work, in this order, others between them.
    pub path_contains: Vec<String>,
    /// Single steps.
    pub steps: Vec<(String, ExpectedStep)>,
    /// Outputs of the run.
    pub outputs: Values,
    /// Kinds of events that occur, in this order, others between them.
    pub events: Vec<String>,
    /// The step that the run waits at.
    pub waiting: Option<String>,
    /// The failure that the run ends with.
    pub failure: Option<ExpectedFailure>,
    /// Shortest and longest simulated time.
    pub duration: (Option<Duration>, Option<Duration>),
}

impl Expect {
    /// Whether nothing is expected at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is expected of a step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExpectedStep {
    /// Where it stands.
    pub status: Option<StepStatus>,
    /// The arm that it took.
    pub arm: Option<String>,
    /// How many attempts it had.
    pub attempts: Option<u32>,
    /// Its outputs.
    pub outputs: Values,
    /// What it got from `with`.
    pub inputs: Values,
}

/// What is expected of a failure.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExpectedFailure {
    /// The step that failed first.
    pub step: Option<String>,
    /// The code of the failure.
    pub code: Option<String>,
    /// Text that its message holds.
    pub message: Option<String>,
}

/// Whether two values are the same, an int and a float of the same value too.
#[must_use]
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let all =
                |(name, value): (&String, &Value)| b.get(name).is_some_and(|b| same(value, b));
            a.len() == b.len() && a.iter().all(all)
        }
        (a, b) => a == b,
    }
}
