//! Python environments by name: what a step asks for, and what it gets.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::id::Digest;

/// What a step asks for. Empty means the base interpreter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct EnvironmentSpec {
    /// Requirement lines, for example `numpy>=2`.
    pub packages: Vec<String>,
    /// Text of a requirements file.
    pub requirements: Option<String>,
    /// A virtual environment or an interpreter to use as it is.
    pub python: Option<PathBuf>,
}

/// The name of an environment, whether or not it has been built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentIdentity {
    /// Digest of interpreter, version and requirement lines.
    pub digest: Digest,
    /// The same for people, one line each.
    pub description: String,
}

/// An environment that is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// The digest of its identity.
    pub digest: Digest,
    /// The interpreter to start.
    pub interpreter: PathBuf,
}
