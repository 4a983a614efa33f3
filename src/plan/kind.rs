//! What the kinds of steps that are neither code nor questions carry.

use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::millis;
use super::{Field, Mode};
use crate::expression::{Expression, Template};
use crate::id::{Digest, StepPath};

/// A step that gives values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetStep {
    /// The outputs.
    pub values: IndexMap<String, Template>,
}

/// A step that chooses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SwitchStep {
    /// The arms, in order; the first whose condition is true is taken.
    pub arms: Vec<Arm>,
}

/// One arm of a switch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// Its name, unique in the switch.
    pub name: String,
    /// Its condition; none = `else`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Expression>,
    /// What the switch gives out when this arm is taken, evaluated after the arm's steps.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub set: IndexMap<String, Template>,
    /// Paths of the arm's steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepPath>,
}

/// A step that does the same for every item of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForeachStep {
    /// The list, evaluated once.
    pub items: Template,
    /// Name of the item in the expressions of the steps.
    #[serde(rename = "as")]
    pub name: String,
    /// Identity of an item, evaluated with the item in scope; the index when nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Template>,
    /// Items under way at the same time.
    pub concurrency: u32,
    /// How many items may fail; none = not one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerate: Option<Tolerance>,
    /// Whether the first failure that is not tolerated stops the other items.
    pub fail_fast: bool,
    /// Paths of the steps that every item runs.
    pub steps: Vec<StepPath>,
    /// What every item hands out; each name becomes a list in the order of the items.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub collect: IndexMap<String, Template>,
}

/// How many items of a [`ForeachStep`] may fail.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tolerance {
    /// That many.
    Count(u64),
    /// That share of all items, 0 to 1, rounded down.
    Share(f64),
}

impl Tolerance {
    /// How many of `items` may fail.
    #[must_use]
    pub fn of(self, items: usize) -> usize {
        match self {
            Self::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
            Self::Share(share) => {
                let allowed = 0..=items;
                // The largest whole number that is not above the share of the items.
                allowed
                    .rev()
                    .find(|count| share_of(*count, items) <= share)
                    .unwrap_or(0)
            }
        }
    }
}

fn share_of(count: usize, items: usize) -> f64 {
    let plain = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    if items == 0 {
        0.0
    } else {
        plain(count) / plain(items)
    }
}

/// A step that repeats its steps until a condition holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UntilStep {
    /// Tried after every round.
    pub condition: Expression,
    /// From the end of a round to the start of the next one.
    #[serde(default, with = "millis", skip_serializing_if = "Option::is_none")]
    pub every: Option<Duration>,
    /// Most rounds.
    pub max: u32,
    /// Name of the round in the expressions of the steps.
    #[serde(rename = "as")]
    pub name: String,
    /// Paths of the steps of a round.
    pub steps: Vec<StepPath>,
    /// What the last round hands out.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub collect: IndexMap<String, Template>,
}

/// A step whose branches run at the same time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParallelStep {
    /// The branches, in the order of the file.
    pub branches: Vec<Branch>,
}

/// One branch of a [`ParallelStep`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Branch {
    /// Its name, unique in the step.
    pub name: String,
    /// Paths of its steps.
    pub steps: Vec<StepPath>,
}

/// A step that runs another workflow as a run of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowStep {
    /// The file as written.
    pub file: String,
    /// Its compiled plan, a blob.
    pub plan: Digest,
    /// Name of that workflow.
    pub name: String,
    /// Names of the outputs that it gives out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
    /// Whether the step ends with the run, or as soon as the run exists.
    pub wait: bool,
    /// Folder of the file, relative to that of the outer workflow; empty = the same.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub folder: String,
}

/// A step that waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaitStep {
    /// What for.
    pub on: WaitOn,
    /// How long at most, for a signal.
    #[serde(default, with = "millis", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// What the end of that time means.
    #[serde(default)]
    pub on_timeout: OnWaitTimeout,
}

impl WaitStep {
    /// The name of the signal that it waits for, if it does.
    #[must_use]
    pub fn signal(&self) -> Option<&str> {
        match &self.on {
            WaitOn::Signal { name, .. } => Some(name),
            WaitOn::Duration(_) | WaitOn::Until(_) => None,
        }
    }
}

/// What a [`WaitStep`] waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitOn {
    /// A length of time from when the step is ready.
    Duration(Template),
    /// An instant; one in the past passes at once.
    Until(Template),
    /// A signal from outside.
    Signal {
        /// Its name.
        name: String,
        /// The fields of its payload, which are the outputs; none = any map.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payload: Option<IndexMap<String, Field>>,
    },
}

/// What the end of the time of a [`WaitStep`] means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnWaitTimeout {
    /// The step fails, kind `timeout`.
    #[default]
    Fail,
    /// The step succeeds with the output `timed_out`.
    Continue,
}

impl OnWaitTimeout {
    /// The output that says that the time ran out.
    pub const OUTPUT: &'static str = "timed_out";
}

/// A step that makes one HTTP request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HttpStep {
    /// The method, in capitals.
    pub method: String,
    /// Where to.
    pub url: Template,
    /// Header fields; the only place beside `env` where secrets may stand.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub headers: IndexMap<String, Template>,
    /// The body: text as it is, anything else as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Template>,
    /// Status codes that are a success; empty = 200 to 299.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<u16>,
}

impl HttpStep {
    /// Whether the request may change something: only GET, HEAD and OPTIONS may not.
    #[must_use]
    pub fn writes(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }
}

/// A step that tells somebody. It never fails the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotifyStep {
    /// Whom.
    pub to: NotifyTarget,
    /// What.
    pub text: Template,
}

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotifyTarget {
    /// A channel of config.yml.
    Channel(String),
    /// A webhook.
    Webhook(Template),
}

/// A step that puts notebooks together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotebookStep {
    /// The steps whose notebooks are merged, in this order.
    pub merge: Vec<StepPath>,
    /// Title of the notebook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Template>,
}

/// A step that does what the program that runs it brings along. Its `with` is what that is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionStep {
    /// The name under which the program has it.
    pub name: String,
    /// What it may do. The program has it under the same mode, or the run is refused.
    pub mode: Mode,
}

impl ActionStep {
    /// Longest name, in characters.
    pub const NAME_CHARS_MAX: usize = 64;
    /// What a name looks like, for people.
    pub const NAME_RULE: &'static str =
        "letters, digits, `_`, `-` and `.` only, a letter first, at most 64: `logbook.entry`";

    /// Whether an action can have that name.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        name.len() <= Self::NAME_CHARS_MAX
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
    }
}

/// A step that fails, and so its block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailStep {
    /// Why.
    pub message: Template,
}

/// A step that ends its run, item or round at once, and well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SucceedStep {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Template>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_down() {
        assert_eq!(Tolerance::Share(0.1).of(10), 1);
        assert_eq!(Tolerance::Share(0.1).of(9), 0);
        assert_eq!(Tolerance::Share(0.3).of(10), 3);
        assert_eq!(Tolerance::Share(1.0).of(7), 7);
        assert_eq!(Tolerance::Count(2).of(1), 2);
        assert_eq!(Tolerance::Share(0.5).of(0), 0);
    }
}
