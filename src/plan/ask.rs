//! Questions to people: who may answer, how many must, how long there is time.

use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Field, millis, millis_list};
use crate::expression::{Expression, Template};
use crate::id::StepPath;

/// The rules of a question, the same for questions of the author and for code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AskRules {
    /// Who may answer; none = everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewers: Option<Reviewers>,
    /// How many different people must say yes.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub required: u32,
    /// How many must say no until it is a no.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub reject_quorum: u32,
    /// Whether the person who started the run may answer; none = as config.yml says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_self: Option<bool>,
    /// How long after it was asked people are reminded.
    #[serde(default, with = "millis_list", skip_serializing_if = "Vec::is_empty")]
    pub remind: Vec<Duration>,
    /// How long there is time to answer, by the clock on the wall.
    #[serde(default, with = "millis", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// What the end of that time means.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_timeout: OnTimeout,
    /// Who may answer, beside the reviewers, once it was escalated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate_to: Option<Reviewers>,
    /// Channels of config.yml that hear of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<String>,
}

impl Default for AskRules {
    fn default() -> Self {
        Self {
            reviewers: None,
            required: 1,
            reject_quorum: 1,
            allow_self: None,
            remind: Vec::new(),
            timeout: None,
            on_timeout: OnTimeout::default(),
            escalate_to: None,
            notify: Vec::new(),
        }
    }
}

fn one() -> u32 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_one(value: &u32) -> bool {
    *value == 1
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Who may answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reviewers {
    /// These people, and everybody who has one of these roles.
    Named(NamedReviewers),
    /// A text for people; everybody may answer.
    Text(Template),
}

/// People by name and by role.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedReviewers {
    /// Names of people.
    #[serde(default)]
    pub users: Vec<Template>,
    /// Roles of config.yml.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// What the end of the time to answer means. It is never a yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// It counts as a no.
    #[default]
    Reject,
    /// The step fails, kind `timeout`.
    Fail,
    /// More people may answer, and the time begins anew, once; then it counts as a no.
    Escalate,
}

/// The step's own wish to be looked at before it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApproveCode {
    /// Asks when this is true; reads `check`, the analysis of the code.
    pub when: Expression,
    /// Who may answer, and how many must.
    #[serde(flatten)]
    pub rules: AskRules,
}

/// A step that asks a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApprovalStep {
    /// The question.
    pub title: Template,
    /// What the person is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub show: Vec<Show>,
    /// Who may answer, and how many must.
    #[serde(flatten)]
    pub rules: AskRules,
    /// What the person fills in; the values are the outputs of the step.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub form: IndexMap<String, Field>,
    /// What a no does.
    #[serde(default)]
    pub on_reject: OnReject,
    /// The step that runs again when changes are asked for; none = nobody can ask for changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_changes: Option<StepPath>,
    /// How often changes may be asked for.
    #[serde(default = "max_changes")]
    pub max_changes: u32,
}

fn max_changes() -> u32 {
    ApprovalStep::MAX_CHANGES
}

impl ApprovalStep {
    /// How often changes may be asked for when nothing is written.
    pub const MAX_CHANGES: u32 = 5;
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
