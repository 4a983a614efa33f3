//! What can go wrong with the engine itself. Failures of runs are events, not errors.

use crate::action;
use crate::artifact;
use crate::code::{self, Code};
use crate::id::{RunId, StepPath};
use crate::plan::PlanError;
use crate::run::{EventError, IllegalEvent, Refusal, Seq};
use crate::store::{self, AppendError};

/// An error of the engine. Nothing that was acknowledged is lost by any of them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such run.
    #[error("there is no run {0}")]
    NoRun(RunId),
    /// The run has no such event.
    #[error("run {run} has no event {seq}")]
    NoEvent {
        /// The run.
        run: RunId,
        /// The place asked for.
        seq: Seq,
    },
    /// The command was refused; nothing was recorded.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The history can't be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The history can't be written.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// A blob can't be read or written.
    #[error(transparent)]
    Blob(artifact::Error),
    /// A record is no event that this version knows.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The history contradicts itself.
    #[error(transparent)]
    Illegal(#[from] IllegalEvent),
    /// A step names an action that this program does not have like that; nothing was recorded.
    #[error(transparent)]
    Action(#[from] action::Error),
    /// The plan can't be used.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// What would be copied from another run is not whole any more.
    #[error("files that `{0}` left in the other run are gone, so it can't be copied")]
    FilesRemoved(StepPath),
    /// A fault of ours.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// Its code in the error catalogue.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::NoRun(_) => code::UNKNOWN_RUN,
            Self::NoEvent { .. } => code::UNKNOWN_EVENT,
            Self::Refused(refusal) => refusal.code(),
            Self::Store(error) => error.code(),
            Self::Append(error) => error.code(),
            Self::Blob(error) => error.code(),
            Self::Action(error) => error.code(),
            Self::Event(_) | Self::Illegal(_) | Self::Plan(_) => code::HISTORY_UNREADABLE,
            Self::FilesRemoved(_) => code::FILES_REMOVED,
            Self::Internal(_) => code::INTERNAL,
        }
    }
}
