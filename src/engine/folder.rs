//! Where the files of a run are: folders made for people to browse.

use std::path::{Path, PathBuf};

use crate::id::{RunId, StepPath};
use crate::time::Timestamp;

/// Name of the run's folder, relative to the data folder: `runs/2026-11-22/quickstart-1x2y3z4w`.
pub(super) fn name(workflow: &str, run: RunId, created: Timestamp) -> String {
    format!("runs/{}/{workflow}-{}", created.date(), run.short())
}

/// The folder of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    data: PathBuf,
    relative: String,
}

impl RunFolder {
    /// The folder `relative` of the data folder `data`.
    #[must_use]
    pub fn new(data: &Path, relative: &str) -> Self {
        Self {
            data: data.to_owned(),
            relative: relative.to_owned(),
        }
    }

    /// Its absolute path.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.data.join(&self.relative)
    }

    /// The folder of an attempt, relative to the data folder.
    #[must_use]
    pub fn attempt_relative(&self, step: &StepPath, attempt: u32) -> String {
        format!("{}/{step}/{attempt}", self.relative)
    }

    /// The folder of an attempt, absolute.
    #[must_use]
    pub fn attempt(&self, step: &StepPath, attempt: u32) -> PathBuf {
        self.data.join(self.attempt_relative(step, attempt))
    }

    /// The notebook of the whole run, absolute.
    #[must_use]
    pub fn notebook(&self) -> PathBuf {
        self.path().join("run.ipynb")
    }

    /// The document of the whole run, absolute.
    #[must_use]
    pub fn summary(&self) -> PathBuf {
        self.path().join("summary.json")
    }
}
