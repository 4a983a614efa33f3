//! Notebooks: what is known of an attempt or a run, written as nbformat 4.5.
//!
//! Nothing here runs a kernel. The notebook shows what was captured, and it runs again in Jupyter: a small
//! hidden cell makes `context` and `save_artifact`, the cell tagged `parameters` loads the inputs.
//!
//! Every text that comes from outside goes through `text`, so that a title can't become markup. The same
//! inputs always give the same bytes.

mod attempt;
mod cell;
mod figure;
mod html;
mod merge;
mod modules;
mod output;
mod parameters;
mod run;
mod shown;
mod sourced;
mod table;
mod text;

#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::{Map, Value};

pub use attempt::attempt;
pub use html::page;
pub use merge::merged;
pub use parameters::{context_file, context_is_long};
pub use run::run;

use crate::failure::Failure;
use crate::id::Digest;
use crate::time::Timestamp;

/// What is known of one attempt.
#[derive(Debug, Clone)]
pub struct AttemptNotebook<'a> {
    /// Name of the workflow.
    pub workflow: &'a str,
    /// The run.
    pub run: &'a str,
    /// Path of the step.
    pub step: &'a str,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// How far it came.
    pub state: NotebookState,
    /// `read_only` or `write_access`.
    pub mode: &'a str,
    /// The code, to the byte.
    pub code: &'a str,
    /// The name that tracebacks and findings use for it.
    pub file_name: &'a str,
    /// What the code sees as `context`.
    pub context: &'a Value,
    /// Variables of the process that are no secrets.
    pub variables: &'a [(&'a str, String)],
    /// The folder of the workflow, where modules beside it are.
    pub modules: Option<&'a str>,
    /// The modules beside the workflow that run with the code.
    pub covered: &'a [ModuleText<'a>],
    /// When it started, if it did.
    pub started: Option<Timestamp>,
    /// What it printed.
    pub stdout: &'a str,
    /// What it printed to standard error.
    pub stderr: &'a str,
    /// Whether it printed more than was kept.
    pub truncated: bool,
    /// What it gave out in order, as the harness recorded it.
    pub shown: Option<&'a Value>,
    /// The notebook that the code comes from, without outputs.
    pub source: Option<&'a Value>,
    /// What it left in `results`.
    pub results: Option<&'a Value>,
    /// Its pictures, in order.
    pub figures: Vec<FigureData<'a>>,
    /// Its other files.
    pub artifacts: Vec<LinkData<'a>>,
    /// Why it failed.
    pub failure: Option<&'a Failure>,
    /// What the analysis of the code found.
    pub findings: &'a [FindingLine<'a>],
    /// What people decided about this code, in the order of their answers.
    pub approvals: Vec<ApprovalLine<'a>>,
    /// Digests, environment, interpreter, engine version, seconds …: shown in this order.
    pub provenance: &'a [(&'a str, String)],
    /// What was installed where it ran, `name==version`, sorted.
    pub packages: &'a [String],
}

/// How far an attempt came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotebookState {
    /// A person has yet to decide; nothing ran.
    Waiting,
    /// It ran to its end.
    Succeeded,
    /// It did not.
    Failed,
    /// A person said no; nothing ran.
    Rejected,
    /// Somebody stopped it.
    Cancelled,
    /// The engine stopped while it ran, and nobody knows what it did.
    Unknown,
}

impl NotebookState {
    /// The word that is shown and stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }
}

/// One picture.
#[derive(Debug, Clone, Copy)]
pub struct FigureData<'a> {
    /// Its title; may be empty.
    pub title: &'a str,
    /// Its path in the folder of the attempt.
    pub path: &'a str,
    /// Its media type, for example `image/png`.
    pub media_type: &'a str,
    /// The file.
    pub bytes: &'a [u8],
}

/// A file that the notebook links to.
#[derive(Debug, Clone, Copy)]
pub struct LinkData<'a> {
    /// Its title; empty shows the path.
    pub title: &'a str,
    /// Path relative to the notebook.
    pub path: &'a str,
    /// Its size.
    pub bytes: u64,
    /// Its digest, when it was taken.
    pub sha256: Option<Digest>,
}

/// One finding of the analysis.
#[derive(Debug, Clone, Copy)]
pub struct FindingLine<'a> {
    /// The rule.
    pub rule: &'a str,
    /// How bad.
    pub severity: &'a str,
    /// The module beside the workflow that it is in; none = the code itself.
    pub file: Option<&'a str>,
    /// Line of that file, from 1.
    pub line: usize,
    /// What stands there.
    pub snippet: &'a str,
    /// One sentence.
    pub message: &'a str,
}

/// One module beside the workflow.
#[derive(Debug, Clone, Copy)]
pub struct ModuleText<'a> {
    /// Its path in the folder of the workflow.
    pub path: &'a str,
    /// Digest of its file.
    pub digest: Digest,
    /// Its text; none = compiled, or not to be shown.
    pub text: Option<&'a str>,
}

/// What a person decided.
#[derive(Debug, Clone, Copy)]
pub struct ApprovalLine<'a> {
    /// Who.
    pub by: &'a str,
    /// When.
    pub at: Timestamp,
    /// The comment; may be empty.
    pub comment: &'a str,
    /// The decision, for example `approved`.
    pub decision: &'a str,
    /// Digest of what it is about: code, inputs, mode, environment, policy and what bounds the code.
    pub subject: Digest,
}

/// What is known of a whole run.
#[derive(Debug, Clone)]
pub struct RunNotebook<'a> {
    /// Title of the notebook, mostly the name of the workflow.
    pub title: &'a str,
    /// The run.
    pub run: &'a str,
    /// Its status.
    pub status: &'a str,
    /// Its inputs.
    pub inputs: &'a Value,
    /// Its outputs so far.
    pub outputs: &'a Value,
    /// Its steps, in the order to be read.
    pub steps: Vec<StepSection<'a>>,
}

/// One step in the notebook of a run.
#[derive(Debug, Clone)]
pub struct StepSection<'a> {
    /// The path of the step, or what stands for it.
    pub heading: &'a str,
    /// Its kind, for example `python`.
    pub kind: &'a str,
    /// Its status.
    pub status: &'a str,
    /// One sentence beside the status, for example why it was skipped; may be empty.
    pub note: &'a str,
    /// The notebook of its last attempt, as [`attempt`] made it.
    pub notebook: Option<Value>,
    /// Where the files of that attempt are, as seen from this notebook: `load/1`.
    pub folder: &'a str,
    /// Its outputs; shown when there is no notebook, which shows the results itself.
    pub outputs: Option<&'a Value>,
}

/// Several steps in one notebook.
#[derive(Debug, Clone)]
pub struct MergedNotebook<'a> {
    /// Title of the notebook.
    pub title: &'a str,
    /// Name of the workflow.
    pub workflow: &'a str,
    /// The run.
    pub run: &'a str,
    /// The steps, in the order to be read.
    pub steps: Vec<StepSection<'a>>,
}

/// The bytes of a notebook file as Jupyter writes them: sorted keys, indented by one blank, a line end last.
#[must_use]
pub fn to_text(notebook: &Value) -> String {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    // Writing a tree of values to memory has no way to fail.
    sorted(notebook).serialize(&mut serializer).ok();
    bytes.push(b'\n');
    String::from_utf8(bytes).unwrap_or_default()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            Value::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| (key.clone(), sorted(value)))
                    .collect::<Map<_, _>>(),
            )
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
