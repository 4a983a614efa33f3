//! The body of the event that says which files are gone.

use serde::{Deserialize, Serialize};

use crate::id::StepPath;

/// See [`crate::run::Event::FilesRemoved`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesRemoved {
    /// The steps as the plan names them, with everything that they did in any item or round; empty = the whole run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepPath>,
    /// Who wanted it.
    pub by: String,
    /// Which rule said so.
    pub why: String,
}
