//! The compiled workflow: immutable, content-addressed; a run never changes its plan.

mod ask;
mod check;
mod execution;
mod field;
mod files;
pub mod graph;
mod inputs;
mod isolation;
mod kind;
mod millis;
mod mode;
mod nan;
mod step;
mod steps;
mod task;
mod top;

use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub use ask::{
    ApprovalStep, ApproveCode, AskRules, NamedReviewers, OnReject, OnTimeout, Reviewers, Show,
};
pub use check::{FieldFault, check, check_record, parse_given, whole_match};
pub use execution::{Execution, ExecutionFacts, Method, Placed, SecurityLevel, SelectRule, place};
pub use field::{Field, FieldType, Items};
pub use files::visit_files;
pub use inputs::resolve_inputs;
pub use isolation::{IsolationLevel, Network, StepLimits};
pub use kind::{
    ActionStep, Arm, Branch, FailStep, ForeachStep, HttpStep, NotebookStep, NotifyStep,
    NotifyTarget, OnWaitTimeout, ParallelStep, SetStep, SucceedStep, SwitchStep, Tolerance,
    UntilStep, WaitOn, WaitStep, WorkflowStep,
};
use millis::list as millis_list;
pub use mode::Mode;
pub use nan::NanPolicy;
pub use step::{
    Cache, CodeSource, Edge, EdgeKind, OnFailure, OnUnknown, Parent, PythonStep, RetryPolicy, Step,
    StepKind,
};
pub use steps::{Body, Steps};
pub use task::{Reuse, TaskStep};
pub use top::{
    Catchup, Concurrency, HandlerKind, Handlers, Overlap, Schedule, SecretSource, WhenFull,
};

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
    /// Longest time that it runs, waiting for people not counted.
    #[serde(default, with = "millis", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Whether the first failure that nothing tolerates stops everything else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fail_fast: bool,
    /// How many runs of its group go on at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// Where secrets come from.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub secrets: IndexMap<String, SecretSource>,
    /// When runs are started by themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<Schedule>,
    /// How long files of runs are kept.
    #[serde(default, with = "millis", skip_serializing_if = "Option::is_none")]
    pub retention: Option<Duration>,
    /// What reacts to waiting and to the end.
    #[serde(default, skip_serializing_if = "Handlers::is_empty")]
    pub handlers: Handlers,
    /// All steps, in the order of the file, every one before the steps inside it.
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
    /// The mode that was said beside it, for steps that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Where steps run that name no place, as it was said beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<Execution>,
}

impl Plan {
    /// The identity of the plan: SHA-256 of the bytes that are stored.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }

    /// The plans of the workflows that its steps run.
    pub fn inner_plans(&self) -> impl Iterator<Item = Digest> {
        self.steps.iter().filter_map(|step| {
            if let StepKind::Workflow(inner) = &step.kind {
                Some(inner.plan)
            } else {
                None
            }
        })
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
