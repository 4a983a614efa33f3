//! How a call ends: one type for a fresh call, a resumed one, and one that came back after a restart.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::{ChangedModule, PythonExecutorError, PythonServiceResult};
use crate::id::{ApprovalId, Digest, RunId};
use crate::plan::Mode;
use crate::python::analysis::Finding;
use crate::run::payload::{InputFile, Values};
use crate::time::Timestamp;

/// How a call ended. Waiting for a person is an outcome like the others and no error.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The code ran to its end.
    Completed(Box<PythonServiceResult>),
    /// Only people can move the run on. It holds no process, and waits over restarts.
    Waiting(Box<Waiting>),
    /// A person said no.
    Rejected(Box<Rejected>),
    /// It failed, and why.
    Failed(PythonExecutorError),
}

impl Outcome {
    /// The word of the outcome.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Completed(_) => "completed",
            Self::Waiting(_) => "waiting",
            Self::Rejected(_) => "rejected",
            Self::Failed(_) => "failed",
        }
    }

    /// The result, when there is one.
    #[must_use]
    pub fn completed(&self) -> Option<&PythonServiceResult> {
        match self {
            Self::Completed(result) => Some(result),
            Self::Waiting(_) | Self::Rejected(_) | Self::Failed(_) => None,
        }
    }

    /// What is waited for, when something is.
    #[must_use]
    pub fn waiting(&self) -> Option<&Waiting> {
        match self {
            Self::Waiting(waiting) => Some(waiting),
            Self::Completed(_) | Self::Rejected(_) | Self::Failed(_) => None,
        }
    }

    /// Why it failed, when it did.
    #[must_use]
    pub fn failed(&self) -> Option<&PythonExecutorError> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Completed(_) | Self::Waiting(_) | Self::Rejected(_) => None,
        }
    }

    /// Turns a failure into an error, so that `?` hands it on. The other outcomes stay what they are.
    ///
    /// # Errors
    /// The run failed.
    pub fn or_failure(self) -> Result<Self, PythonExecutorError> {
        match self {
            Self::Failed(error) => Err(error),
            outcome @ (Self::Completed(_) | Self::Waiting(_) | Self::Rejected(_)) => Ok(outcome),
        }
    }

    /// The document of it: `outcome`, `is_successful`, `PYTHON_RESULTS`, `error`, and what each outcome adds.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut document = match self {
            Self::Completed(result) => result.to_json(),
            Self::Waiting(waiting) => json!(waiting),
            Self::Rejected(rejected) => json!(rejected),
            Self::Failed(error) => json!({"run_id": error.detail().run_id}),
        };
        if let Some(fields) = document.as_object_mut() {
            fields.insert("outcome".to_owned(), json!(self.as_str()));
            fields.insert(
                "is_successful".to_owned(),
                json!(matches!(self, Self::Completed(_))),
            );
            fields.insert("error".to_owned(), json!(self.failed()));
        }
        document
    }
}

/// A run that only people can move on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Waiting {
    /// The run.
    pub run_id: RunId,
    /// The name of its request.
    pub thread_id: Option<String>,
    /// One sentence for people: what is asked, and why.
    pub user_message: String,
    /// The open questions. None when an operator has paused the run.
    pub approvals: Vec<PendingApproval>,
}

/// A question with everything that a person needs to answer it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PendingApproval {
    /// The question.
    pub approval_id: ApprovalId,
    /// What it is about: `code`, `step` or `unknown_outcome`.
    pub approval_type: String,
    /// The question in words.
    pub title: String,
    /// Why it is asked: the rule that made it.
    pub reason: String,
    /// Digest of exactly what is asked about. A yes that carries it is void when something has changed since.
    pub subject_digest: Digest,
    /// The objective of the request.
    pub step_objective: Option<String>,
    /// The results that were asked for.
    pub expected_results: Option<Value>,
    /// The code that would run.
    pub code: Option<String>,
    /// The modules beside the workflow that the code imports. They run with it, and a yes covers them too.
    pub modules: Vec<CoveredModule>,
    /// What the analysis found, in the code and in the modules (then with `file`).
    pub safety_concerns: Vec<Finding>,
    /// What the code may do.
    pub execution_mode: Option<Mode>,
    /// What the code would see as `context`.
    pub inputs: Values,
    /// The files that the inputs name, with what stands in them. A yes is bound to that too.
    pub files: Vec<InputFile>,
    /// What would bound the code, by name and in words: limits such as `memory`, and `isolation`, `network`, `writable`,
    /// `hidden`, `gateway`, `write_limits`. A yes is bound to them too.
    pub bounds: BTreeMap<String, String>,
    /// The code of this step that was approved last, here or in an earlier run of the workflow.
    pub approved_before: Option<ApprovedBefore>,
    /// The environment that it would run in, for people.
    pub environment: Option<String>,
    /// A notebook that shows what would run, absolute.
    pub notebook_path: Option<String>,
    /// The same as a link.
    pub notebook_link: Option<String>,
    /// Names of the form's values, when the question has a form.
    pub form: Vec<String>,
    /// When the time to answer is over.
    pub expires_at: Option<String>,
}

/// A module beside the workflow that a question covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CoveredModule {
    /// Its path in the folder of the workflow.
    pub module: String,
    /// Digest of its file.
    pub digest: Digest,
    /// Its text. Absent for a compiled module, and for what does not fit into 1 MiB together; those with findings come
    /// first.
    pub text: Option<String>,
}

/// Code that was approved before what is asked about now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ApprovedBefore {
    /// In which run.
    pub run_id: RunId,
    /// By whom, the last of several.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Which code.
    pub code: Digest,
    /// What differs now, as a unified diff; none = the same code.
    pub diff: Option<String>,
    /// The modules beside the workflow that are others now. None: it is not known which, or whether any is, since an
    /// earlier version asked.
    pub modules: Option<Vec<ChangedModule>>,
}

/// A run that ended with a no.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rejected {
    /// The run.
    pub run_id: RunId,
    /// The name of its request.
    pub thread_id: Option<String>,
    /// The question.
    pub approval_id: Option<ApprovalId>,
    /// Who said no.
    pub by: Option<String>,
    /// Why, in that person's words.
    pub reason: Option<String>,
}
