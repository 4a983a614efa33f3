//! Code that a person changed while it was asked about.

use serde::{Deserialize, Serialize};

use crate::id::{ApprovalId, Digest, StepPath};

/// See [`crate::run::Event::CodeEdited`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeEdited {
    /// The step.
    pub step: StepPath,
    /// The question at which it was changed; it is superseded by this.
    pub approval: ApprovalId,
    /// Who changed it.
    pub person: String,
    /// The roles that this person had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// On whose keyboard, when somebody spoke for another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed_by: Option<String>,
    /// Digest of what the person was shown.
    pub subject_digest: Digest,
    /// The code that was asked about, a blob.
    pub base: Digest,
    /// The code from now on, a blob.
    pub code: Digest,
    /// What differs, as a unified diff; of a long one the beginning.
    pub diff: String,
    /// What the yes of that person is for: the subject of the changed code as it was looked at before this was recorded.
    pub says_yes_to: Digest,
    /// Why, in the person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}
