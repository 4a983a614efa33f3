//! What a completed call leaves, under the names of the agent framework.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use crate::id::{Digest, RunId};
use crate::plan::Mode;
use crate::python::analysis::Report;

/// What a completed call leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct PythonServiceResult {
    /// The run.
    pub run_id: RunId,
    /// The name of its request.
    pub thread_id: Option<String>,
    /// What the execution left.
    pub execution_result: PythonExecutionSuccess,
    /// The code that ran.
    pub generated_code: String,
    /// How often code was written for the task; 0 when code was given.
    pub generation_attempt: u32,
    /// How often code was run: the last attempt succeeded.
    pub attempt: u32,
    /// What the code was allowed to do.
    pub mode: Mode,
    /// What the analysis of the code found.
    pub analysis: Option<Report>,
    /// Fingerprint of the environment that the code ran in.
    pub environment: Option<Digest>,
    /// The same for people: interpreter and packages.
    pub environment_text: Option<String>,
}

/// What an execution left.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PythonExecutionSuccess {
    /// Always true: what failed is an error.
    pub success: bool,
    /// What the code left in `results`.
    pub results: Value,
    /// What it printed.
    pub stdout: String,
    /// Wall time in seconds.
    pub execution_time: f64,
    /// Folder of the attempt, absolute.
    pub folder_path: PathBuf,
    /// Its notebook, absolute.
    pub notebook_path: Option<PathBuf>,
    /// The same as a link that opens.
    pub notebook_link: Option<String>,
    /// Its figures, absolute.
    pub figure_paths: Vec<PathBuf>,
    /// Its other files, absolute.
    pub artifact_paths: Vec<PathBuf>,
    /// Lossy conversions, truncations, oddities.
    pub notes: Vec<String>,
}

/// The fields that other components read, `PYTHON_RESULTS`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PythonResults {
    /// The code that ran.
    pub code: String,
    /// What it printed.
    pub output: String,
    /// What it left in `results`.
    pub results: Value,
    /// Its figures, absolute.
    pub figure_paths: Vec<PathBuf>,
    /// Its notebook as a link.
    pub notebook_link: Option<String>,
    /// Wall time in seconds.
    pub execution_time: f64,
    /// Number of the attempt.
    pub attempt: u32,
    /// What the code was allowed to do.
    pub mode: Mode,
    /// What the analysis found.
    pub analysis: Option<Report>,
    /// Fingerprint of the environment.
    pub environment: Option<Digest>,
}

impl PythonServiceResult {
    /// True: what failed has no result.
    #[must_use]
    pub fn is_successful(&self) -> bool {
        self.execution_result.success
    }

    /// The fields that other components read.
    #[must_use]
    pub fn python_results(&self) -> PythonResults {
        let execution = self.execution_result.clone();
        PythonResults {
            code: self.generated_code.clone(),
            output: execution.stdout,
            results: execution.results,
            figure_paths: execution.figure_paths,
            notebook_link: execution.notebook_link,
            execution_time: execution.execution_time,
            attempt: self.attempt,
            mode: self.mode,
            analysis: self.analysis.clone(),
            environment: self.environment,
        }
    }

    /// The document of it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "run_id": self.run_id,
            "thread_id": self.thread_id,
            "is_successful": self.is_successful(),
            "execution_result": self.execution_result,
            "generated_code": self.generated_code,
            "generation_attempt": self.generation_attempt,
            "analysis_warnings": self.analysis.as_ref().map(|report| &report.findings),
            "environment": self.environment_text,
            "PYTHON_RESULTS": self.python_results(),
        })
    }
}
