//! Where the files of a run are: folders made for people to browse.

use std::path::{Path, PathBuf};

use crate::id::{Digest, RunId, StepPath};
use crate::time::Timestamp;

/// Name of the run's folder, relative to the data folder: `runs/2026-11-22/quickstart-1x2y3z4w`.
pub(super) fn name(workflow: &str, run: RunId, created: Timestamp) -> String {
    format!("runs/{}/{workflow}-{}", created.date(), run.short())
}

/// Longest name of the folder of a step, in bytes; file systems take 255.
const STEP_NAME_BYTES_MAX: usize = 180;

/// Name of the folder of a step: its path, or, where that is too long, its beginning and its digest.
pub(super) fn step_name(step: &StepPath) -> String {
    let text = step.as_str().replace('/', "%2F");
    if text.len() <= STEP_NAME_BYTES_MAX {
        return text;
    }
    let end = (0..=STEP_NAME_BYTES_MAX - 16)
        .rev()
        .find(|end| text.is_char_boundary(*end));
    let head = text.get(..end.unwrap_or_default()).unwrap_or_default();
    format!("{head}~{}", Digest::of(text.as_bytes()).short())
}

/// The way from one folder to another, both relative to the data folder: `../2/load/1`.
pub(super) fn way(from: &str, to: &str) -> String {
    let (from, to): (Vec<&str>, Vec<&str>) = (from.split('/').collect(), to.split('/').collect());
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from.iter().skip(shared).map(|_| "..");
    let down = to.iter().skip(shared).copied();
    up.chain(down).collect::<Vec<_>>().join("/")
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
        format!("{}/{}/{attempt}", self.relative, step_name(step))
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
