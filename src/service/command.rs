//! Answers to questions, as a caller gives them.

use serde::{Deserialize, Serialize};

use crate::id::{ApprovalId, Digest};
use crate::run::payload::{Answer, Values};

/// A command to a run that waits: `{"resume": {"approved": true}}`.
///
/// ```standalone_crate
#[doc = include_str!("../../examples/library/approval.rs")]
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/with_service.rs"));
/// # fn main() -> std::process::ExitCode { with_service("", "", async |service| {
/// # let answer = approve(&service).await?;
/// # assert_eq!(answer["PYTHON_RESULTS"]["output"], "writing\n", "{answer:#}");
/// # Ok(()) }) }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The answer.
    pub resume: Resume,
}

/// An answer to a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// Yes or no. Nothing else counts as a yes.
    pub approved: bool,
    /// The question; may be left out when one is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_id: Option<ApprovalId>,
    /// Who answers; the person whom the service was opened for when nobody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Why, in that person's words. A no needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Values of the question's form.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub form: Values,
    /// The code as the person wants it, instead of what is asked about: it is looked at and asked about anew, and this
    /// answer counts as a yes to it where that person may approve what she changed.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        alias = "edited_code"
    )]
    pub code: Option<String>,
    /// Digest of what the person was shown: refused when it is not what is asked now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_digest: Option<Digest>,
}

impl Command {
    /// Yes.
    #[must_use]
    pub fn approve() -> Self {
        Self::answer(true, None)
    }

    /// Yes, with this code instead of what is asked about.
    #[must_use]
    pub fn approve_with(code: impl Into<String>) -> Self {
        let mut command = Self::approve();
        command.resume.code = Some(code.into());
        command
    }

    /// No, and why.
    #[must_use]
    pub fn reject(reason: impl Into<String>) -> Self {
        Self::answer(false, Some(reason.into()))
    }

    fn answer(approved: bool, reason: Option<String>) -> Self {
        Self {
            resume: Resume {
                approved,
                approval_id: None,
                person: None,
                reason,
                form: Values::new(),
                code: None,
                subject_digest: None,
            },
        }
    }

    /// Names who answers.
    #[must_use]
    pub fn by(mut self, person: impl Into<String>) -> Self {
        self.resume.person = Some(person.into());
        self
    }

    /// Names the question.
    #[must_use]
    pub fn to(mut self, approval: ApprovalId) -> Self {
        self.resume.approval_id = Some(approval);
        self
    }

    /// Says what the person was shown.
    #[must_use]
    pub fn seen(mut self, subject: Digest) -> Self {
        self.resume.subject_digest = Some(subject);
        self
    }
}

impl Resume {
    pub(super) const fn word(&self) -> Answer {
        if self.approved {
            Answer::Approve
        } else {
            Answer::Reject
        }
    }
}
