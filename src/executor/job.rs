//! One attempt to be run, and its bounds.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Environment, Protection};
use crate::id::{RunId, StepPath};
use crate::plan::{Mode, NanPolicy};

/// The code of one attempt with everything that it sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepPath,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The attempt's own folder, absolute. Made when missing; it must not hold another attempt.
    pub folder: PathBuf,
    /// The user's code, kept to the byte in `code.py`.
    pub code: String,
    /// The name shown in tracebacks, for example `stages/load.py`.
    pub file_name: String,
    /// What the code sees as `context`.
    pub context: serde_json::Value,
    /// What the code may do to the world.
    pub mode: Mode,
    /// Where it runs.
    pub environment: Environment,
    /// Variables added to the scrubbed environment of the process.
    pub env: BTreeMap<String, String>,
    /// Values that no file may hold: they go to the supervisor through a pipe, and are not in what it leaves.
    #[serde(skip)]
    pub secrets: JobSecrets,
    /// How long it may take, from the start of the interpreter.
    pub timeout: Duration,
    /// How much it may use and leave.
    pub limits: Limits,
    /// How far it is kept apart from the rest of the machine.
    #[serde(default)]
    pub protection: Protection,
    /// What happens to NaN and infinities in `results`.
    pub nan: NanPolicy,
    /// Patterns of the files that are kept as artifacts; empty = every file.
    #[serde(default)]
    pub artifacts: Vec<String>,
    /// The folder of the workflow, in `STEPWELL_WORKFLOW_DIR`: where modules beside the workflow are.
    pub source_folder: Option<PathBuf>,
    /// Those modules, by their path in that folder, as they were analysed: these are imported and no others. Without
    /// any word of them they are imported as they lie there.
    #[serde(skip)]
    pub modules: Option<BTreeMap<String, Vec<u8>>>,
    /// Large values of earlier steps, by their path in the folder of the attempt.
    #[serde(skip)]
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Secrets of one attempt.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JobSecrets {
    /// Variables of the interpreter's environment that hold secrets; they go before [`Job::env`].
    pub env: BTreeMap<String, String>,
    /// The values by name: what the attempt leaves is kept free of them.
    pub values: BTreeMap<String, String>,
}

impl JobSecrets {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.env.is_empty() && self.values.is_empty()
    }
}

impl fmt::Debug for JobSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

const MIB: u64 = 1024 * 1024;

/// Bounds of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes of standard output that are kept; the rest is read and dropped, with a note.
    pub stdout_bytes_max: u64,
    /// Bytes of standard error that are kept.
    pub stderr_bytes_max: u64,
    /// Bytes of `results` as JSON.
    pub results_bytes_max: u64,
    /// Bytes of all figures and artifacts together, and of any single file that the code writes.
    pub artifact_bytes_max: u64,
    /// Number of figures and of artifacts, each.
    pub files_max: u32,
    /// Bytes of address space of each process, and of the memory of all together; `None` is no limit.
    pub memory_bytes: Option<u64>,
    /// Processor time of all processes together.
    pub cpu_time: Option<Duration>,
    /// Processes and threads at the same time.
    pub processes_max: Option<u32>,
    /// Bytes of everything that the attempt has on the disk.
    pub disk_bytes_max: Option<u64>,
    /// Open files of each process.
    pub open_files_max: u64,
    /// From the interrupt at a time-out or a cancel until the code is ended: for `finally:` blocks that put back what
    /// they moved, and for collecting figures.
    pub stop_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stdout_bytes_max: 4 * MIB,
            stderr_bytes_max: 4 * MIB,
            results_bytes_max: MIB,
            artifact_bytes_max: 1024 * MIB,
            files_max: 200,
            memory_bytes: None,
            cpu_time: None,
            processes_max: None,
            disk_bytes_max: None,
            open_files_max: 4096,
            stop_grace: Duration::from_secs(5),
        }
    }
}
