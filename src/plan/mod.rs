//! The compiled workflow: immutable, content-addressed; a run never changes its plan.

mod check;
mod field;
pub mod graph;
mod inputs;
mod mode;
mod step;
mod steps;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub use check::{FieldFault, check, check_record, parse_given, whole_match};
pub use field::{Field, FieldType, Items};
pub use inputs::resolve_inputs;
pub use mode::Mode;
pub use step::{
    ApprovalStep, ApproveCode, Arm, Edge, EdgeKind, OnFailure, OnReject, Parent, PythonStep,
    RetryPolicy, SetStep, Show, Step, StepKind, SwitchStep,
};
pub use steps::Steps;

use crate::expression::Template;
use crate::id::Digest;

/// Version of the plan's own form. A plan of a newer form is refused for running, shown when reading.
pub const PLAN_FORMAT: u32 = 1;

/// Everything that a run needs of its workflow. Code and requirement files are blobs that it names by digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// See [`PLAN_FORMAT`].
    pub format: u32,
    /// Version of the workflow language, `version:` in the file.
    pub language: u32,
    /// Name of the workflow.
    pub name: String,
    /// Description for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Labels, in the order of the file.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub labels: IndexMap<String, String>,
    /// Where it was compiled from.
    pub source: Source,
    /// Declared inputs.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub inputs: IndexMap<String, Field>,
    /// All steps, in the order of the file, a switch before the steps of its arms.
    pub steps: Steps,
    /// What the run gives out.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub outputs: IndexMap<String, Template>,
}

/// The text that a plan was compiled from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The file as the person named it.
    pub file: String,
    /// Digest of its bytes; the bytes are a blob.
    pub digest: Digest,
}

impl Plan {
    /// The identity of the plan: SHA-256 of the bytes that are stored.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }

    /// The JSON that is stored and hashed. Order is part of a plan, so keys stand as the author wrote them.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Text keys and finite numbers only: this can't fail; an empty body would be refused on reading.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what [`Plan::to_bytes`] wrote.
    ///
    /// # Errors
    /// The bytes are no plan, or one of a newer form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PlanError> {
        let plan: Self = serde_json::from_slice(bytes).map_err(PlanError::Unreadable)?;
        if plan.format > PLAN_FORMAT {
            return Err(PlanError::Newer { found: plan.format });
        }
        Ok(plan)
    }
}

/// A stored plan that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// It is not a plan.
    #[error("the stored plan can't be read")]
    Unreadable(#[source] serde_json::Error),
    /// A newer Stepwell wrote it.
    #[error("the plan has form {found}; this version knows forms up to {PLAN_FORMAT}")]
    Newer {
        /// Its form.
        found: u32,
    },
}
