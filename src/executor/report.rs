//! What the harness says at its end. It comes from a process that ran somebody's code: nothing of it is
//! believed before it was parsed within bounds.

use serde::Deserialize;

/// Largest report that is read, in bytes.
pub const REPORT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The report of the harness.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Report {
    /// How the code ended.
    pub end: End,
    /// Why `results` could not be kept; `None` when they were, or when there are none.
    pub results: Option<Refused>,
    /// Lossy conversions and oddities.
    pub notes: Vec<String>,
    /// Figures and artifacts with what the code said of them.
    pub files: Vec<Named>,
    /// Most memory of a process of the attempt, in KiB, where the system's own figure may be that of an earlier attempt.
    #[serde(default)]
    pub peak_kib: Option<u64>,
}

/// How the code ended, as seen from inside.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It came to its end, or called `sys.exit`.
    Exit {
        /// The exit status; 0 is success.
        status: i32,
        /// The text given to `SystemExit`.
        message: String,
    },
    /// It raised.
    Exception(Box<Exception>),
}

/// An exception that nobody caught.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Exception {
    /// Its class, qualified by the module when that isn't `builtins`.
    #[serde(rename = "type")]
    pub class: String,
    /// Its text.
    pub message: String,
    /// The traceback as Python prints it, with the user's frames only.
    pub traceback: String,
    /// The last line of the user's code on the way.
    pub line: Option<u32>,
    /// The cell that ran, when the code came from a notebook.
    #[serde(default)]
    pub cell: Option<String>,
    /// Whether it is a `MemoryError`.
    pub memory: bool,
    /// Whether the user's own code does not parse.
    pub syntax: bool,
    /// `errno` of an `OSError`.
    pub errno: Option<i32>,
    /// The module that a `ModuleNotFoundError` names.
    pub missing_module: Option<String>,
}

/// Why `results` were refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Refused {
    /// The word of the error catalogue.
    pub code: String,
    /// Where and what.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// A file of which the code said something.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Named {
    /// Relative to the folder of the attempt.
    pub path: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
}

impl Report {
    /// Reads a report.
    ///
    /// # Errors
    /// When the text is no report: then the code has tampered with it, or died while it was written.
    pub fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }
}
