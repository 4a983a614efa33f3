//! What the libraries say, told to people: the only place where errors become codes, hints and exit codes.

use std::path::Path;

use serde_json::{Value, json};

use super::exit::Exit;
use crate::code::{self, Code};
use crate::diagnostic::{Diagnostic, Severity};
use crate::plan::FieldFault;
use crate::run::Refusal;
use crate::service::{ErrorCategory, PythonExecutorError};
use crate::store::AppendError;
use crate::{artifact, engine, open, store};

/// Why a command could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Error {
    exit: Exit,
    told: Told,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    /// One thing went wrong.
    One(Box<Diagnostic>),
    /// A document has these faults.
    Many(Vec<Diagnostic>),
}

impl Error {
    /// An error of that sort.
    pub(super) fn new(exit: Exit, code: Code, message: impl Into<String>) -> Self {
        Self {
            exit,
            told: Told::One(Box::new(Diagnostic::error(code, message))),
        }
    }

    /// Wrong use.
    pub(super) fn usage(code: Code, message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, code, message)
    }

    /// Faults of a document that a person wrote.
    pub(super) fn document(diagnostics: Vec<Diagnostic>) -> Self {
        Self {
            exit: Exit::Usage,
            told: Told::Many(diagnostics),
        }
    }

    /// A file that can't be read.
    pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        Self::usage(
            code::FILE_UNREADABLE,
            format!("{} can't be read: {error}", path.display()),
        )
    }

    /// A file that can't be written.
    pub(super) fn unwritable(path: &Path, error: &std::io::Error) -> Self {
        let error = format!("{} can't be written: {error}", path.display());
        Self::new(Exit::Internal, code::FILE_UNWRITABLE, error)
            .help("check the rights and the free space of that folder")
    }

    /// A value that does not fit its field.
    pub(super) fn field(code: Code, what: &str, fault: &FieldFault) -> Self {
        let error = Self::usage(code, format!("{what} `{}`: {}", fault.at, fault.message));
        fault.help.iter().fold(error, Error::help)
    }

    /// Adds what to do.
    pub(super) fn help(mut self, line: impl Into<String>) -> Self {
        if let Told::One(diagnostic) = &mut self.told {
            diagnostic.help.push(line.into());
        }
        self
    }

    /// The exit code that it ends with.
    pub(super) fn exit(&self) -> Exit {
        self.exit
    }

    /// What is wrong, in order.
    pub(super) fn diagnostics(&self) -> &[Diagnostic] {
        match &self.told {
            Told::One(diagnostic) => std::slice::from_ref(diagnostic),
            Told::Many(diagnostics) => diagnostics,
        }
    }

    /// The document that `--json` prints instead of a result.
    pub(super) fn to_json(&self) -> Value {
        match &self.told {
            Told::One(one) => {
                json!({"error": {"code": one.code, "message": one.message, "help": one.help}})
            }
            Told::Many(many) => json!({"diagnostics": many}),
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        let code = error.code();
        let exit = match &error {
            store::Error::Driven { .. } => Exit::Failed,
            store::Error::Locked { .. }
            | store::Error::Damaged { .. }
            | store::Error::Newer { .. }
            | store::Error::Corrupt(_)
            | store::Error::Body(_)
            | store::Error::Disk(_)
            | store::Error::TooManyWatches { .. }
            | store::Error::WriterDied(_)
            | store::Error::Closed => Exit::Internal,
        };
        let told = Self::new(exit, code, with_causes(&error));
        match error {
            store::Error::Locked { .. } => {
                told.help("wait until that process has ended, or end it: its runs can be resumed; or name another folder with --data")
            }
            store::Error::Driven { .. } => told
                .help("it goes on there; to drive it from here, stop that process with Ctrl-C first"),
            store::Error::Disk(_) => {
                told.help("check the rights and the free space of the data folder")
            }
            store::Error::Damaged { .. }
            | store::Error::Newer { .. }
            | store::Error::Corrupt(_)
            | store::Error::Body(_)
            | store::Error::TooManyWatches { .. }
            | store::Error::WriterDied(_)
            | store::Error::Closed => told.help(explained(code)),
        }
    }
}

impl From<AppendError> for Error {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Corrupt(error) | AppendError::Io(error) => error.into(),
            AppendError::Conflict { .. }
            | AppendError::Fenced { .. }
            | AppendError::TooLarge { .. }
            | AppendError::Invalid(_)
            | AppendError::Closed => Self::new(Exit::Internal, error.code(), error.to_string())
                .help(explained(error.code())),
        }
    }
}

impl From<open::Error> for Error {
    fn from(error: open::Error) -> Self {
        match error {
            open::Error::Folder(folder, error) => Self::unwritable(&folder, &error),
            open::Error::Store(error) => error.into(),
            open::Error::Blobs(error) => error.into(),
        }
    }
}

impl From<PythonExecutorError> for Error {
    fn from(error: PythonExecutorError) -> Self {
        let exit = match error.category() {
            ErrorCategory::Configuration | ErrorCategory::Code => Exit::Usage,
            ErrorCategory::Workflow | ErrorCategory::PolicySafety => Exit::Failed,
            ErrorCategory::Infrastructure | ErrorCategory::ServiceError => Exit::Internal,
        };
        let code = Code::find(error.code()).unwrap_or(code::INTERNAL);
        let told = Self::new(exit, code, error.message());
        error.detail().hint.iter().fold(told, Self::help)
    }
}

impl From<artifact::Error> for Error {
    fn from(error: artifact::Error) -> Self {
        Self::new(Exit::Internal, error.code(), with_causes(&error)).help(explained(error.code()))
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let (exit, help) = match &refusal {
            Refusal::Ended { .. } => (
                Exit::Failed,
                "`stepwell show RUN` says how it ended".to_owned(),
            ),
            Refusal::Decided { .. } => (
                Exit::Failed,
                "`stepwell show RUN` says what followed from it".to_owned(),
            ),
            Refusal::Changed => (
                Exit::Failed,
                "look at it again with `stepwell approvals`, then answer".to_owned(),
            ),
            Refusal::NotEnded => (
                Exit::Failed,
                "drive it on with `stepwell resume RUN`".to_owned(),
            ),
            Refusal::NothingAgain(_) => (Exit::Usage, explained(refusal.code())),
            Refusal::Stale(_) => (Exit::Failed, explained(refusal.code())),
            Refusal::UnknownApproval(_) => (
                Exit::Usage,
                "`stepwell approvals` lists the open questions".to_owned(),
            ),
            Refusal::Form { fields, .. } if fields.is_empty() => {
                (Exit::Usage, "this question has no form".to_owned())
            }
            Refusal::Form { fields, .. } => (
                Exit::Usage,
                format!(
                    "give values with --form NAME=VALUE; the form has {}",
                    fields.join(", ")
                ),
            ),
            Refusal::UnknownSignal { .. } => (Exit::Usage, explained(refusal.code())),
            Refusal::BadSignal { .. } => (Exit::Usage, explained(refusal.code())),
            Refusal::NotEditable(_) => (Exit::Failed, explained(refusal.code())),
            Refusal::CommentMissing => (
                Exit::Usage,
                "say why with --comment \"…\"; the author will read it".to_owned(),
            ),
            Refusal::NotAllowed(denied) => (Exit::Failed, denied.hint().to_owned()),
        };
        Self::new(exit, refusal.code(), refusal.to_string()).help(help)
    }
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Self {
        let code = error.code();
        match error {
            engine::Error::NoRun(_) => {
                Self::usage(code, error.to_string()).help("`stepwell list` shows the runs")
            }
            engine::Error::NoEvent { .. } => {
                Self::usage(code, error.to_string()).help("`stepwell events RUN` shows its events")
            }
            engine::Error::FilesRemoved(_) => Self::usage(code, error.to_string())
                .help("fork at an earlier place, with `--at STEP`, so that the step runs again"),
            engine::Error::Action(error) => Self::usage(code, error.to_string()).help(error.help()),
            engine::Error::Refused(refusal) => refusal.into(),
            engine::Error::Store(error) => error.into(),
            engine::Error::Append(error) => error.into(),
            engine::Error::Blob(error) => error.into(),
            engine::Error::Event(_)
            | engine::Error::Illegal(_)
            | engine::Error::Plan(_)
            | engine::Error::Internal(_) => {
                Self::new(Exit::Internal, code, with_causes(&error)).help(explained(code))
            }
        }
    }
}

/// Reads what clap says: the first paragraph is the message, tips and the usage line are help.
impl From<&clap::Error> for Error {
    fn from(error: &clap::Error) -> Self {
        let text = error.render().to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let mut paragraphs = text.split("\n\n");
        let first = paragraphs.next().unwrap_or_default();
        let message = first.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        let told = Self::usage(code::USAGE, message);
        paragraphs
            .flat_map(str::lines)
            .map(str::trim)
            .fold(told, |told, line| {
                if let Some(tip) = line.strip_prefix("tip: ") {
                    told.help(tip)
                } else if line.starts_with("Usage:") || line.starts_with('[') {
                    told.help(line)
                } else {
                    told
                }
            })
    }
}

/// The message with everything that lies behind it.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

fn explained(code: Code) -> String {
    format!("`stepwell explain {code}` says more")
}

/// Whether any of them refuses the document.
pub(super) fn refuses(diagnostics: &[Diagnostic]) -> bool {
    diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error)
}
