//! What the analysis says about a piece of code.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::rules::Rule;
use crate::python::cells;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a second look.
    Warning,
    /// Serious: it can't be read, or a person should look at it.
    Error,
    /// Refused in every mode, whatever the approval policy says.
    Block,
}

/// Something that the code can do to the world outside itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Writes to the control system.
    ControlWrite,
    /// Reads from the control system.
    ControlRead,
    /// Starts other programs.
    Process,
    /// Runs code that is not in the text.
    DynamicCode,
    /// Reaches names that can't be known from the text.
    DynamicAccess,
    /// Leaves Python: native libraries and raw memory.
    Native,
    /// Walks the interpreter's own objects.
    Introspection,
    /// Replaces parts of Python or of a library, so that names no longer mean what they say.
    Tampering,
    /// Opens network connections.
    Network,
    /// Builds objects from bytes in a format that can run code.
    Deserialize,
    /// Writes files at a path that can't be known from the text.
    FsWrite,
    /// Writes or removes files at a constant path outside the run folder.
    FsOutside,
    /// Reads the process environment.
    EnvRead,
    /// Looks for passwords, tokens or keys.
    SecretRead,
    /// Leaves work for signals, for the end of the process or for nobody to stop.
    Hooks,
    /// Starts threads or worker processes.
    Threads,
}

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 16] = [
        Self::ControlWrite,
        Self::ControlRead,
        Self::Process,
        Self::DynamicCode,
        Self::DynamicAccess,
        Self::Native,
        Self::Introspection,
        Self::Tampering,
        Self::Network,
        Self::Deserialize,
        Self::FsWrite,
        Self::FsOutside,
        Self::EnvRead,
        Self::SecretRead,
        Self::Hooks,
        Self::Threads,
    ];

    /// The word used in JSON and on the screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ControlWrite => "control_write",
            Self::ControlRead => "control_read",
            Self::Process => "process",
            Self::DynamicCode => "dynamic_code",
            Self::DynamicAccess => "dynamic_access",
            Self::Native => "native",
            Self::Introspection => "introspection",
            Self::Tampering => "tampering",
            Self::Network => "network",
            Self::Deserialize => "deserialize",
            Self::FsWrite => "fs_write",
            Self::FsOutside => "fs_outside",
            Self::EnvRead => "env_read",
            Self::SecretRead => "secret_read",
            Self::Hooks => "hooks",
            Self::Threads => "threads",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The capabilities in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Computes and writes into its own folder.
    Low,
    /// Network, unsafe file formats, or files outside the run folder.
    Medium,
    /// Writes to the control system, starts programs, runs unseen code or leaves Python.
    High,
    /// The text does not tell what it does.
    Unknown,
}

impl Risk {
    /// The word used in JSON, in workflows (`check.risk`) and on the screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Unknown => "unknown",
        }
    }

    /// The risk of code with these capabilities.
    #[must_use]
    pub fn of(capabilities: &BTreeSet<Capability>) -> Self {
        capabilities
            .iter()
            .map(|capability| match capability {
                Capability::ControlWrite
                | Capability::Process
                | Capability::DynamicCode
                | Capability::Native => (3, Self::High),
                Capability::DynamicAccess | Capability::Introspection | Capability::Tampering => {
                    (2, Self::Unknown)
                }
                Capability::Network
                | Capability::Deserialize
                | Capability::FsOutside
                | Capability::SecretRead
                | Capability::Hooks => (1, Self::Medium),
                Capability::ControlRead
                | Capability::FsWrite
                | Capability::EnvRead
                | Capability::Threads => (0, Self::Low),
            })
            .max_by_key(|(rank, _)| *rank)
            .map_or(Self::Low, |(_, risk)| risk)
    }
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One place in the code and what a rule says about it. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Id of the rule. Text, since a later version may know more rules.
    pub rule: String,
    /// How much it matters.
    pub severity: Severity,
    /// First line.
    pub line: u32,
    /// First column.
    pub column: u32,
    /// Last line.
    pub end_line: u32,
    /// One past the last column.
    pub end_column: u32,
    /// One sentence for people.
    pub message: String,
    /// The source from the first column to the end of the finding or of its line, bounded.
    pub snippet: String,
    /// The qualified name that was found behind the text, for example `epics.PV.put`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The module beside the workflow that it is in; none = the code itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

impl Finding {
    /// Where it is: `line 3`, or `helper.py, line 3`.
    #[must_use]
    pub fn place(&self) -> String {
        let line = format!("line {}", self.line);
        self.file
            .as_ref()
            .map_or(line.clone(), |file| format!("{file}, {line}"))
    }

    /// Place and message, in one sentence. That of a finding in a notebook begins with its cell already.
    #[must_use]
    pub fn told(&self) -> String {
        if self.file.is_none() && cells::begins_with_place(&self.message) {
            let mut letters = self.message.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            return first.into_iter().chain(letters).collect();
        }
        match &self.file {
            None => format!("Line {}: {}", self.line, self.message),
            Some(_) => format!("{}: {}", self.place(), self.message),
        }
    }
}

/// Everything that the analysis says about a piece of code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Version of the built-in rules, see [`super::RULE_SET_VERSION`].
    pub rule_set: u32,
    /// What the rules found, in the order of the text.
    pub findings: Vec<Finding>,
    /// What the code can do.
    pub capabilities: BTreeSet<Capability>,
    /// The capabilities in one word.
    pub risk: Risk,
    /// Whether it can write to the control system.
    pub writes: bool,
    /// Top-level names of the modules that it imports, sorted.
    pub imports: Vec<String>,
    /// Whether its top level gives `results` a value.
    pub assigns_results: bool,
}

impl Report {
    /// Adds what was found in another file that runs with this code.
    pub fn absorb(&mut self, file: &str, other: Self) {
        self.findings
            .extend(other.findings.into_iter().map(|finding| Finding {
                file: Some(file.to_owned()),
                ..finding
            }));
        other
            .capabilities
            .into_iter()
            .for_each(|capability| self.can(capability));
        self.imports.extend(other.imports);
        self.imports.sort();
        self.imports.dedup();
    }

    /// Says in every finding in which cell it is; the code came from a notebook.
    pub fn name_cells(&mut self, code: &str) {
        for finding in &mut self.findings {
            let line = usize::try_from(finding.line).unwrap_or_default();
            if let Some(place) = cells::place(code, line) {
                finding.message = format!("{place}: {}", finding.message);
            }
        }
    }

    /// Adds a capability.
    pub fn can(&mut self, capability: Capability) {
        self.capabilities.insert(capability);
        self.risk = Risk::of(&self.capabilities);
        self.writes = self.capabilities.contains(&Capability::ControlWrite);
    }

    /// Whether the whole code was read. Code that was not is never run.
    #[must_use]
    pub fn readable(&self) -> bool {
        self.unreadable().is_none()
    }

    /// The first finding that says why the code could not be read to its end, when there is one.
    #[must_use]
    pub fn unreadable(&self) -> Option<&Finding> {
        self.findings
            .iter()
            .find(|finding| Rule::find(&finding.rule).is_some_and(Rule::means_unreadable))
    }

    /// The first finding that blocks in every mode, when there is one.
    #[must_use]
    pub fn blocking(&self) -> Option<&Finding> {
        self.findings
            .iter()
            .find(|finding| finding.severity == Severity::Block)
    }
}
