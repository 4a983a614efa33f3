//! Whether what happened is what had to happen.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::case::Case;
use crate::id::RunId;
use crate::service::{ErrorDetail, Outcome, PythonExecutorError, PythonServiceResult};

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Passed,
    Failed,
    Skipped,
}

impl Verdict {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    pub(super) const fn mark(self) -> &'static str {
        match self {
            Self::Passed => "✓",
            Self::Failed => "✗",
            Self::Skipped => "–",
        }
    }
}

/// What is told of a test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Report {
    pub(super) name: &'static str,
    #[serde(rename = "status")]
    pub(super) verdict: Verdict,
    #[serde(rename = "run_id")]
    pub(super) run: Option<RunId>,
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub(super) took: Option<Duration>,
    /// In words: what shows that it passed, or why it did not.
    pub(super) evidence: String,
    /// Whether the policy asked before the code ran.
    pub(super) asked: bool,
    /// A word of the error catalogue.
    pub(super) code: Option<String>,
    pub(super) help: Vec<String>,
    /// There only as long as the folder is.
    #[serde(rename = "notebook_path")]
    pub(super) notebook: Option<PathBuf>,
}

#[expect(clippy::ref_option, reason = "serde passes a reference")]
fn seconds<S: Serializer>(took: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    took.map(|took| took.as_secs_f64()).serialize(serializer)
}

impl Report {
    fn new(case: Case, verdict: Verdict, evidence: impl Into<String>) -> Self {
        Self {
            name: case.name(),
            verdict,
            run: None,
            took: None,
            evidence: evidence.into(),
            asked: false,
            code: None,
            help: Vec::new(),
            notebook: None,
        }
    }

    pub(super) fn skipped(case: Case, why: &str) -> Self {
        Self::new(case, Verdict::Skipped, why)
    }

    pub(super) fn failed(case: Case, why: impl Into<String>) -> Self {
        Self::new(case, Verdict::Failed, why)
    }
}

/// Judges how the call of a test ended.
pub(super) fn judge(case: Case, outcome: Result<Outcome, PythonExecutorError>) -> Report {
    match (case, outcome) {
        (Case::Container | Case::Local, Ok(Outcome::Completed(result))) => counted(case, &result),
        (
            Case::ErrorHandling,
            Ok(Outcome::Failed(PythonExecutorError::CodeRuntimeError(detail))),
        ) => failed_as_meant(case, &detail),
        (_, Ok(Outcome::Failed(error)) | Err(error)) => other(case, &error),
        (Case::ErrorHandling, Ok(Outcome::Completed(_))) => {
            Report::failed(case, "code that has to fail did not fail")
        }
        (_, Ok(outcome @ (Outcome::Waiting(_) | Outcome::Rejected(_)))) => {
            let text = format!("it is {} after a yes", outcome.as_str());
            Report::failed(case, text)
        }
    }
}

fn counted(case: Case, result: &PythonServiceResult) -> Report {
    let left = &result.execution_result;
    if left.results != json!({"answer": 42}) {
        let text = format!("it left {} and not {{\"answer\":42}}", left.results);
        return Report::failed(case, text);
    }
    let text = format!("results {}", left.results);
    with_notebook(case, &text, left.notebook_path.as_deref())
}

/// The error has to name the line of the user's own code.
fn failed_as_meant(case: Case, detail: &ErrorDetail) -> Report {
    let traceback = detail.traceback.as_deref().unwrap_or_default();
    let names_line = traceback.contains("line 2") && traceback.contains("numbers[3]");
    if !names_line || !detail.message.contains("IndexError") {
        let text = format!("the error does not name the line: {}", detail.message);
        return Report::failed(case, text);
    }
    let notebook = detail
        .folder
        .as_ref()
        .map(|folder| folder.join("notebook.ipynb"));
    let text = format!("CodeRuntimeError in line 2 of the code: {}", detail.message);
    with_notebook(case, &text, notebook.as_deref())
}

fn other(case: Case, error: &PythonExecutorError) -> Report {
    let detail = error.detail();
    let text = format!("{} ({}): {}", error.class(), detail.code, detail.message);
    let more = format!("`stepwell explain {}` says more", detail.code);
    Report {
        code: Some(detail.code.clone()),
        help: detail.hint.iter().cloned().chain([more]).collect(),
        ..Report::failed(case, text)
    }
}

/// Passed, when there is a notebook with what the code printed or raised.
fn with_notebook(case: Case, text: &str, path: Option<&Path>) -> Report {
    match path.map(outputs) {
        Some(Ok(count @ 1..)) => Report {
            notebook: path.map(Path::to_owned),
            ..Report::new(
                case,
                Verdict::Passed,
                format!("{text}; notebook, outputs: {count}"),
            )
        },
        Some(Ok(0)) => Report::failed(case, "the notebook has no outputs"),
        Some(Err(why)) => Report::failed(case, format!("the notebook: {why}")),
        None => Report::failed(case, "there is no notebook"),
    }
}

/// How many outputs a notebook has.
fn outputs(path: &Path) -> Result<usize, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let notebook: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    let cells = notebook.get("cells").and_then(Value::as_array);
    let counts = cells.into_iter().flatten().filter_map(|cell| {
        let outputs = cell.get("outputs")?.as_array()?;
        Some(outputs.len())
    });
    Ok(counts.sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Mode;
    use crate::service::{PythonExecutionSuccess, Waiting};

    #[test]
    fn an_error_without_the_line_is_not_the_error_that_was_meant() {
        let mut detail = ErrorDetail {
            message: "IndexError: list index out of range".to_owned(),
            traceback: Some("  File \"code.py\", line 2\n    results = numbers[3]".to_owned()),
            ..ErrorDetail::default()
        };
        let report = failed_as_meant(Case::ErrorHandling, &detail);
        assert_eq!(report.evidence, "there is no notebook");
        detail.traceback = Some("  File \"code.py\", line 1\n".to_owned());
        let report = failed_as_meant(Case::ErrorHandling, &detail);
        assert!(report.evidence.contains("does not name"), "{report:?}");
        let report = judge(
            Case::Local,
            Ok(Outcome::Failed(PythonExecutorError::CodeRuntimeError(
                Box::new(detail),
            ))),
        );
        assert_eq!(report.verdict, Verdict::Failed, "{report:?}");
    }

    /// A result as a code that works leaves it, with that notebook.
    fn left(results: Value, notebook: Option<&Path>) -> Result<Outcome, PythonExecutorError> {
        Ok(Outcome::Completed(Box::new(PythonServiceResult {
            run_id: RunId::from_bytes([7; 16]),
            thread_id: None,
            execution_result: PythonExecutionSuccess {
                success: true,
                results,
                stdout: String::new(),
                execution_time: 0.1,
                folder_path: PathBuf::new(),
                notebook_path: notebook.map(Path::to_owned),
                notebook_link: None,
                figure_paths: Vec::new(),
                artifact_paths: Vec::new(),
                notes: Vec::new(),
            },
            generated_code: String::new(),
            generation_attempt: 0,
            attempt: 1,
            mode: Mode::ReadOnly,
            analysis: None,
            environment: None,
            environment_text: None,
        })))
    }

    #[test]
    fn only_the_right_answer_with_a_notebook_of_it_passes() {
        let folder = tempfile::tempdir().unwrap();
        let notebook = folder.path().join("notebook.ipynb");
        let right = || json!({"answer": 42});
        let why = |written: Option<&str>, results: Value| {
            if let Some(text) = written {
                std::fs::write(&notebook, text).unwrap();
            }
            let report = judge(Case::Container, left(results, Some(&notebook)));
            (report.verdict == Verdict::Passed, report.evidence)
        };
        let none = why(None, right());
        assert!(!none.0 && none.1.contains("No such file"), "{none:?}");
        for (text, what) in [("{", "the notebook: "), ("{}", "no outputs")] {
            let wrong = why(Some(text), right());
            assert!(!wrong.0 && wrong.1.contains(what), "{wrong:?}");
        }
        let empty = r#"{"cells": [{"outputs": []}, {"cell_type": "markdown"}]}"#;
        assert!(!why(Some(empty), right()).0);
        let good = r#"{"cells": [{"outputs": [{}]}]}"#;
        assert!(why(Some(good), right()).0);
        for wrong in [json!({"answer": 41}), json!({}), Value::Null] {
            let told = why(None, wrong);
            assert!(!told.0 && told.1.starts_with("it left "), "{told:?}");
        }
        let without = judge(Case::Local, left(right(), None));
        assert_eq!(without.verdict, Verdict::Failed, "{without:?}");
        // Code that has to fail and does not, and a question that is still open after a yes.
        let fine = judge(Case::ErrorHandling, left(right(), Some(&notebook)));
        assert_eq!(fine.verdict, Verdict::Failed, "{fine:?}");
        let waits = Outcome::Waiting(Box::new(Waiting {
            run_id: RunId::from_bytes([7; 16]),
            thread_id: None,
            user_message: String::new(),
            approvals: Vec::new(),
        }));
        let waits = judge(Case::Local, Ok(waits));
        assert_eq!(waits.verdict, Verdict::Failed, "{waits:?}");
        assert!(waits.evidence.contains("after a yes"), "{waits:?}");
    }
}
