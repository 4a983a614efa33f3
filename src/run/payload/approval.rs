//! What the events of questions carry.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::Values;
use crate::approval::{Answer, People, Rules};
use crate::id::{ApprovalId, Digest, StepPath};
use crate::plan::{Field, OnReject};
use crate::time::Timestamp;

/// What a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// May this code run?
    Code,
    /// A question that the author wrote.
    Step,
    /// A write was interrupted: what now?
    UnknownOutcome,
}

/// See [`crate::run::Event::ApprovalRequested`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApprovalRequested {
    /// Identity of the question, never used again.
    pub approval: ApprovalId,
    /// The step that asks.
    pub step: StepPath,
    /// What it is about.
    pub subject: Subject,
    /// Digest of exactly what is asked about.
    pub subject_digest: Digest,
    /// The question.
    pub title: String,
    /// Why it is asked: the rule that made it, in words.
    pub reason: String,
    /// Who should answer, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewers: Option<String>,
    /// What the person may fill in.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub form: IndexMap<String, Field>,
    /// What the person is shown, by the name as written.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub show: Values,
    /// What a no does.
    pub on_reject: OnReject,
    /// The attempt of unknown outcome that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Who may answer, how many must, how long there is time.
    #[serde(default, skip_serializing_if = "Rules::is_plain")]
    pub rules: Rules,
    /// When people are reminded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remind_at: Vec<Timestamp>,
    /// When the time to answer is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The step that is made anew when changes are asked for; none = they can't be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<StepPath>,
    /// How often changes may still be asked for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub changes_left: u32,
    /// Who changed the code that it is about, if a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_by: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// See [`crate::run::Event::ApprovalVoted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApprovalVoted {
    /// The question.
    pub approval: ApprovalId,
    /// Who answered.
    pub person: String,
    /// The roles that this person had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// On whose keyboard, when somebody spoke for another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed_by: Option<String>,
    /// The answer.
    pub answer: Answer,
    /// Digest of what the person was shown.
    pub subject_digest: Digest,
    /// Values of the form, checked and complete.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub form: Values,
    /// Why, in the person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// How a question was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    /// Yes.
    Approved,
    /// No.
    Rejected,
    /// Something is to be made anew first.
    Changes,
    /// The time to answer was over.
    Expired,
    /// What was asked about has changed, or nobody needs the answer any more.
    Superseded,
}

impl Closed {
    /// The word in events and on the screen.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Changes => "changes",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
        }
    }
}

impl From<Answer> for Closed {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Approve => Self::Approved,
            Answer::Reject => Self::Rejected,
            Answer::RequestChanges => Self::Changes,
        }
    }
}

/// See [`crate::run::Event::ApprovalClosed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalClosed {
    /// The question.
    pub approval: ApprovalId,
    /// How it was decided.
    pub outcome: Closed,
    /// By whom.
    pub by: String,
}

/// See [`crate::run::Event::ApprovalReminded`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalReminded {
    /// The question.
    pub approval: ApprovalId,
    /// How many of the instants at which people are reminded have passed.
    pub passed: u32,
}

/// See [`crate::run::Event::ApprovalEscalated`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalEscalated {
    /// The question.
    pub approval: ApprovalId,
    /// Who may answer now, beside the reviewers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<People>,
    /// When people are reminded from now on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remind_at: Vec<Timestamp>,
    /// When the time to answer is over for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// See [`crate::run::Event::StepsRewound`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepsRewound {
    /// The steps that begin anew, all in one frame; what stood inside them is left behind.
    pub steps: Vec<StepPath>,
    /// The question at which changes were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
    /// Who wanted it.
    pub by: String,
    /// What is to be different, in the person's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}
