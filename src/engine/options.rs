//! What the engine is given: its ports and its settings.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Error;
use crate::action::Actions;
use crate::approval::{Policy, Roles};
use crate::artifact::Blobs;
use crate::executor::{Executor, Limits, Protection};
use crate::failure::{Failure, FailureKind};
use crate::generator::Generators;
use crate::id::Digest;
use crate::plan::{self, Execution, Mode, Placed, PythonStep, SelectRule};
use crate::python::analysis::RuleSet;
use crate::store::EventStore;
use crate::time::Clock;
use crate::transport::{Channel, Transport};

/// The outside world, as the engine sees it.
#[derive(Debug, Clone)]
pub struct Ports {
    /// Where histories live.
    pub store: Arc<dyn EventStore>,
    /// Where large values, code and plans live.
    pub blobs: Arc<Blobs>,
    /// Where Python runs.
    pub executor: Arc<dyn Executor>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The way out: HTTP and messages to people.
    pub transport: Arc<dyn Transport>,
}

impl Ports {
    /// Stores bytes; on disk when it returns.
    pub(super) async fn put_blob(&self, bytes: Vec<u8>) -> Result<Digest, Error> {
        let blobs = Arc::clone(&self.blobs);
        blocking(move || blobs.put(&bytes).map_err(Error::Blob)).await
    }

    /// Reads bytes, verified.
    pub(super) async fn get_blob(&self, digest: Digest) -> Result<Vec<u8>, Error> {
        let blobs = Arc::clone(&self.blobs);
        blocking(move || blobs.get(&digest).map_err(Error::Blob)).await
    }
}

/// Runs file work on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::Internal(format!("a file task died: {error}"))),
    }
}

/// The same for a step, which fails with it: reads files, or looks at code for long.
pub(super) async fn read<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    blocking(move || Ok(work()))
        .await
        .map_err(|error| Failure::new(FailureKind::Internal, error.code(), error.to_string()))?
}

/// Where steps run.
#[derive(Debug, Clone, PartialEq)]
pub struct Placement {
    /// Where those run that say nothing.
    pub execution: Execution,
    /// What `auto` means.
    pub select: Vec<SelectRule>,
    /// Longest time of an attempt in a container of a step that says nothing.
    pub container_timeout: Duration,
}

impl Default for Placement {
    fn default() -> Self {
        Self {
            execution: Execution::Local,
            select: SelectRule::usual(),
            container_timeout: Duration::from_secs(300),
        }
    }
}

impl Placement {
    /// Decides where a step runs.
    pub(super) fn of(&self, python: &PythonStep) -> Result<Placed, Failure> {
        let wish = match python.execution {
            Some(execution) => (
                execution,
                format!("`execution: {execution}` of the workflow"),
            ),
            None => (
                self.execution,
                format!(
                    "`execution_method: {}` of the configuration",
                    self.execution
                ),
            ),
        };
        let facts = (&python.facts, python.mode);
        plan::place((wish.0, &wish.1), &self.select, facts).map_err(|error| {
            Failure::new(
                FailureKind::Configuration,
                error.code,
                format!(
                    "a rule of `execution.select` can't be decided: {}",
                    error.message
                ),
            )
        })
    }
}

/// Environment variables that a mode gives to the code that runs in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModeEnvironment {
    /// For `read_only`.
    pub read_only: BTreeMap<String, String>,
    /// For `write_access`.
    pub write_access: BTreeMap<String, String>,
}

impl ModeEnvironment {
    /// The variables of a mode.
    #[must_use]
    pub fn of(&self, mode: Mode) -> &BTreeMap<String, String> {
        match mode {
            Mode::ReadOnly => &self.read_only,
            Mode::WriteAccess => &self.write_access,
        }
    }
}

/// How code of each mode is kept apart from the rest of the machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Protections {
    /// For `read_only`.
    pub read_only: Protection,
    /// For `write_access`.
    pub write_access: Protection,
}

impl Default for Protections {
    fn default() -> Self {
        let mut write_access = Protection {
            writes_outside: true,
            ..Protection::default()
        };
        write_access.guard.allows_writes = true;
        Self {
            read_only: Protection::default(),
            write_access,
        }
    }
}

impl Protections {
    /// The protection of a mode.
    #[must_use]
    pub fn of(&self, mode: Mode) -> &Protection {
        match mode {
            Mode::ReadOnly => &self.read_only,
            Mode::WriteAccess => &self.write_access,
        }
    }
}

/// The environment of the engine's process, where secrets are looked for. What is printed of it has no values.
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// These variables.
    #[must_use]
    pub fn new(variables: BTreeMap<String, String>) -> Self {
        Self(variables)
    }

    /// The value of one; an empty one counts as not set.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Variables({})", self.0.len())
    }
}

/// The engine's settings.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data folder, absolute.
    pub data: PathBuf,
    /// When a person must be asked.
    pub policy: Policy,
    /// How code is judged.
    pub rules: RuleSet,
    /// Bounds of one attempt.
    pub limits: Limits,
    /// Longest time of an attempt of a step that says nothing.
    pub timeout: Duration,
    /// Python steps that run at the same time.
    pub steps_at_once: usize,
    /// Interpreter or virtual environment of steps that name no packages.
    pub python: Option<PathBuf>,
    /// How code is kept apart, by mode.
    pub protection: Protections,
    /// Variables that say where the control system is, by mode; nothing goes before them.
    pub gateways: ModeEnvironment,
    /// Where steps run.
    pub placement: Placement,
    /// Environment variables by mode.
    pub mode_environment: ModeEnvironment,
    /// Ways to tell people, by name.
    pub channels: BTreeMap<String, Channel>,
    /// Who writes code, by name.
    pub generators: Generators,
    /// What steps with `action` do.
    pub actions: Actions,
    /// Where secrets of workflows are looked for.
    pub variables: Variables,
    /// Who has which role.
    pub roles: Roles,
    /// Whether the person who started a run may answer its questions, where a step says nothing.
    pub allow_self: bool,
    /// Where people find this installation in a browser, for links in messages.
    pub base_url: Option<String>,
    /// What the events call this process.
    pub worker: String,
}

impl Options {
    /// What holds without a configuration file.
    #[must_use]
    pub fn new(data: PathBuf) -> Self {
        Self {
            data,
            policy: Policy::default(),
            rules: RuleSet::default(),
            limits: Limits::default(),
            timeout: Duration::from_secs(3_600),
            steps_at_once: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            python: None,
            protection: Protections::default(),
            gateways: ModeEnvironment::default(),
            placement: Placement::default(),
            mode_environment: ModeEnvironment::default(),
            channels: BTreeMap::new(),
            generators: Generators::default(),
            actions: Actions::default(),
            variables: Variables::default(),
            roles: Roles::default(),
            allow_self: true,
            base_url: None,
            worker: "local".to_owned(),
        }
    }
}
