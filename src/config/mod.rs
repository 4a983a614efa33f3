//! `config.yml`: what a deployment decides. Every key does something; a key that nothing reads is an error.
//!
//! The file is read like a workflow, with the same diagnostics. Text may use `${NAME}` and
//! `${NAME:-fallback}`, looked up in the environment that the caller passes in.
//!
//! ```yaml
#![doc = include_str!("../../examples/library/config.yml")]
//! ```
//!
//! ```
//! use std::time::Duration;
//! use stepwell::approval::CodeApproval;
//! use stepwell::plan::{Execution, Mode};
//!
//! # let text = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/library/config.yml"));
//! let environment = |name: &str| (name == "LOCAL_PYTHON_VENV").then(|| "/opt/analysis".to_owned());
//! let config = stepwell::config::load("config.yml", text, &environment).expect("it has no faults");
//!
//! assert_eq!(config.execution.method, Execution::Container);
//! assert_eq!(config.execution.container.port, Some(8888));
//! assert_eq!(config.execution.container_timeout, Duration::from_secs(300));
//! assert_eq!(config.execution.local.python_env_path.as_deref(), Some("/opt/analysis"));
//! assert_eq!(config.execution.local.execution_timeout, Duration::from_secs(120));
//! let write = config.execution.modes.of(Mode::WriteAccess);
//! assert_eq!(write.kernel_name(Mode::WriteAccess), "python3-epics-write");
//! assert!(config.approval.mode(Mode::WriteAccess).requires_approval);
//! assert_eq!(config.approval.python.mode, CodeApproval::ControlWrites); // the newer word for `epics_writes`
//!
//! // A key that nothing reads is an error with its place, never ignored.
//! let faults = stepwell::config::load("config.yml", b"aproval: {}", &environment).unwrap_err();
//! assert_eq!(faults[0].code, stepwell::code::UNKNOWN_KEY);
//! assert_eq!(faults[0].help, ["did you mean `approval`?"]);
//! ```

mod analysis;
mod approval;
mod channels;
mod container;
mod control;
mod engine;
mod execution;
mod expand;
mod generators;
mod limits;
mod people;
mod place;
mod protection;
mod select;
mod warm;

pub use container::Container;
pub use control::WriteLimits;
pub use engine::Engine;
pub use execution::{Execution, Local, ModeSettings, Modes};
pub use generators::{Generator, GeneratorKind, Settings as GeneratorSettings};
pub use protection::{Gateway, Isolation, Writable};

use std::collections::BTreeMap;

use crate::approval::{Policy, Roles};
use crate::diagnostic::Diagnostic;
use crate::executor::Limits;
use crate::python::analysis::RuleSet;
use crate::transport::Channel;
use crate::workflow::quantity;
use crate::workflow::yaml::{self, Fields, Keys, PRIVATE_KEYS, Report};

/// A deployment's settings. The default is what holds without a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `framework.execution`: where and how code runs.
    pub execution: Execution,
    /// `approval`, and what `modes` say about it: who is asked before code runs.
    pub approval: Policy,
    /// `analysis`: the rules that code is judged by.
    pub analysis: RuleSet,
    /// `engine`: how much happens at once.
    pub engine: Engine,
    /// `limits`: how much an attempt may use and leave.
    pub limits: Limits,
    /// `generators` and `default_generator`: who writes code for tasks.
    pub generators: GeneratorSettings,
    /// `control_system`: what may be written to which channel; none = whatever the mode allows.
    pub write_limits: Option<WriteLimits>,
    /// `channels`: ways to tell people, by name.
    pub channels: BTreeMap<String, Channel>,
    /// `people.roles`: who has which role.
    pub roles: Roles,
    /// `approval.allow_self`: whether the person who started a run may answer its questions, where a step
    /// says nothing.
    pub allow_self: bool,
    /// `notifications.base_url`: where people find this installation in a browser, without `/` at its end.
    pub base_url: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            execution: Execution::default(),
            approval: Policy::default(),
            analysis: RuleSet::default(),
            engine: Engine::default(),
            limits: Limits::default(),
            generators: GeneratorSettings::default(),
            write_limits: None,
            channels: BTreeMap::new(),
            roles: Roles::default(),
            allow_self: true,
            base_url: None,
        }
    }
}

const CONFIG: Keys = Keys {
    what: "config.yml",
    now: &[
        "framework",
        "execution",
        "approval",
        "analysis",
        "engine",
        "limits",
        "generators",
        "default_generator",
        "channels",
        "people",
        "notifications",
        "control_system",
        PRIVATE_KEYS,
    ],
    later: &[
        "python_executor",
        "execution_control",
        "services",
        "models",
        "file_paths",
        "system",
        "langgraph",
        "server",
        "schedules",
    ],
};

const FRAMEWORK: Keys = Keys {
    what: "`framework`",
    now: &["execution"],
    later: &["development", "logging"],
};

/// Looks up a variable of the environment.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Reads the bytes of a `config.yml`; `file` is its name, for messages.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(file: &str, bytes: &[u8], env: Environment<'_>) -> Result<Config, Vec<Diagnostic>> {
    let text = yaml::decode(file, bytes).map_err(|fault| vec![*fault])?;
    let mut report = Report::new(file, text);
    let mut config = Config::default();
    // A file of comments only says nothing, and that is allowed.
    let empty = text
        .lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    if !empty && let Some(mut root) = yaml::tree(&mut report) {
        expand::expand(&mut report, &mut root, env);
        if let Some(fields) = yaml::fields(&mut report, &root, &CONFIG) {
            read(&mut report, fields, &mut config);
        }
    }
    if report.has_errors() {
        Err(report.into_diagnostics())
    } else {
        Ok(config)
    }
}

fn read(report: &mut Report<'_>, fields: Fields<'_>, config: &mut Config) {
    let nested = fields
        .get("framework")
        .and_then(|node| yaml::fields(report, node, &FRAMEWORK))
        .and_then(|framework| framework.entry("execution"));
    if let Some(entry) = place::one_of(report, nested, fields.entry("execution")) {
        execution::read(report, &entry.node, config);
    }
    if let Some(node) = fields.get("approval") {
        approval::read(report, node, config);
    }
    if let Some(node) = fields.get("analysis") {
        analysis::read(report, node, &mut config.analysis);
    }
    if let Some(node) = fields.get("engine") {
        engine::read(report, node, &mut config.engine);
    }
    if let Some(node) = fields.get("limits") {
        limits::read(report, node, &mut config.limits);
    }
    if let Some(node) = fields.get("generators") {
        generators::read(report, node, &mut config.generators);
    }
    if let Some(entry) = fields.entry("default_generator") {
        generators::read_default(report, entry, &mut config.generators);
    }
    if let Some(node) = fields.get("control_system") {
        config.write_limits = control::read(report, node);
    }
    if let Some(node) = fields.get("channels") {
        channels::read(report, node, &mut config.channels);
    }
    if let Some(node) = fields.get("people") {
        people::read(report, node, &mut config.roles);
    }
    if let Some(node) = fields.get("notifications") {
        people::read_notifications(report, node, config);
    }
}
