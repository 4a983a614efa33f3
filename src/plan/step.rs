//! A step of a plan: what it waits for, what it does, what follows when it fails.

use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Field, Mode};
use crate::expression::{Expression, Template};
use crate::failure::FailureKind;
use crate::id::{Digest, StepPath};

/// One step, nested ones too: a plan's steps are a flat list in the order of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The id that the author wrote, unique in the file.
    pub id: String,
    /// Where it stands: the id, behind the ids of the steps around it.
    pub path: StepPath,
    /// The switch and the arm that it belongs to, when it is nested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Description for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<Edge>,
    /// `if:`; the step is skipped when it is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Expression>,
    /// `with:`; what the code sees as `context`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub with: IndexMap<String, Template>,
    /// `env:`; environment variables of the code.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<String, Template>,
    /// Declared outputs; without them every key of the results is an output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<IndexMap<String, Field>>,
    /// When and how often it is tried again.
    pub retry: RetryPolicy,
    /// Longest time of one attempt.
    #[serde(default, with = "millis", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// What its failure does to the rest.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// What it does.
    pub kind: StepKind,
}

impl Step {
    /// What people read: the name, or the path.
    #[must_use]
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.path.as_str())
    }
}

/// The arm around a nested step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Path of the switch.
    pub step: StepPath,
    /// Name of the arm.
    pub arm: String,
}

/// Something that a step waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The step waited for.
    pub from: StepPath,
    /// What its end must look like.
    pub kind: EdgeKind,
}

/// Where an edge comes from and what satisfies it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// Written in `needs:`; must succeed.
    Needs,
    /// An expression reads its outputs; must succeed.
    Reference,
    /// The step before it in the list; must succeed or be skipped.
    Previous,
    /// Written in `after:`, or read only where absence is allowed; must end, whatever the result.
    After,
}

/// What a step's failure does to the rest of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Dependents are not run, the run ends failed.
    #[default]
    Fail,
    /// Dependents run, its outputs are absent; the run goes on.
    Continue,
    /// Dependents are not run; the run goes on.
    SkipDependents,
}

/// When and how often a failed attempt is followed by another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts in all, the first one counted.
    pub max_attempts: u32,
    /// Delay before the second attempt.
    #[serde(with = "millis_plain")]
    pub delay: Duration,
    /// Factor from one delay to the next.
    pub backoff: f64,
    /// Longest delay.
    #[serde(with = "millis_plain")]
    pub max_delay: Duration,
    /// Share by which a drawn delay may differ, 0 to 1.
    pub jitter: f64,
    /// Kinds of failure that are tried again.
    pub kinds: Vec<FailureKind>,
}

impl RetryPolicy {
    /// What holds when nothing is written: the surroundings get three tries, a write step one.
    #[must_use]
    pub fn unwritten(mode: Mode) -> Self {
        Self {
            max_attempts: match mode {
                Mode::ReadOnly => 3,
                Mode::WriteAccess => 1,
            },
            delay: Duration::from_secs(1),
            backoff: 2.0,
            max_delay: Duration::from_secs(60),
            jitter: 0.2,
            kinds: vec![FailureKind::Infrastructure],
        }
    }
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Runs Python code.
    Python(PythonStep),
    /// Gives values, no Python.
    Set(SetStep),
    /// Chooses one of several arms.
    Switch(SwitchStep),
    /// Asks a person.
    Approval(ApprovalStep),
}

impl StepKind {
    /// The word of the kind, as in YAML.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Python(_) => "python",
            Self::Set(_) => "set",
            Self::Switch(_) => "switch",
            Self::Approval(_) => "approval",
        }
    }
}

/// A step that runs Python code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PythonStep {
    /// What people see in tracebacks: the file as written, or `<step id>.py` for inline code.
    pub file_name: String,
    /// Digest of the code's bytes; the bytes are a blob.
    pub code: Digest,
    /// What the code may do.
    pub mode: Mode,
    /// Requirement lines, as written in `packages:`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// Digest of the requirements file, when one is named; its text is a blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirements: Option<Digest>,
    /// `approve_code:`; asks in addition to the policy, never instead of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve_code: Option<ApproveCode>,
}

/// The step's own wish to be looked at before it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApproveCode {
    /// Asks when this is true; reads `check`, the analysis of the code.
    pub when: Expression,
    /// Who should answer, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewers: Option<Template>,
}

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

/// A step that asks a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApprovalStep {
    /// The question.
    pub title: Template,
    /// What the person is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub show: Vec<Show>,
    /// Who should answer, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewers: Option<Template>,
    /// What the person fills in; the values are the outputs of the step.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub form: IndexMap<String, Field>,
    /// What a no does.
    #[serde(default)]
    pub on_reject: OnReject,
}

/// Something that an approval shows, for example `analyse.figures` or `analyse.outputs.correction`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Show {
    /// As written.
    pub text: String,
    /// The same as an expression, `steps.analyse.outputs.correction`.
    pub value: Expression,
}

/// What a person's no does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnReject {
    /// Dependents are not run, the run ends rejected.
    #[default]
    Reject,
    /// Dependents are not run; the run goes on.
    Skip,
    /// Dependents are not run, the run ends failed.
    Fail,
}

mod millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[expect(clippy::ref_option, reason = "serde passes a reference")]
    pub(super) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value
            .map(|value| u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
            .serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
    }
}

mod millis_plain {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        value: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        Ok(Duration::from_millis(u64::deserialize(deserializer)?))
    }
}
