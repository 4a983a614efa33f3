//! What can go wrong in a store, and the word of the catalogue for each.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::artifact::{self, DiskError};
use crate::code::{self, Code};
use crate::id::RunId;
use crate::run::{Epoch, Seq};

/// Something stored that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The run it belongs to; none when it concerns the store as a whole.
    pub run: Option<RunId>,
    /// The record; none when it concerns the run as a whole.
    pub seq: Option<Seq>,
    /// What is wrong.
    pub what: String,
}

impl Fault {
    /// A fault of the store as a whole.
    #[must_use]
    pub fn of_store(what: impl Into<String>) -> Self {
        Self {
            run: None,
            seq: None,
            what: what.into(),
        }
    }

    /// A fault of a run as a whole.
    #[must_use]
    pub fn of_run(run: RunId, what: impl Into<String>) -> Self {
        Self {
            run: Some(run),
            seq: None,
            what: what.into(),
        }
    }

    /// A fault of one record.
    #[must_use]
    pub fn of_record(run: RunId, seq: Seq, what: impl Into<String>) -> Self {
        Self {
            run: Some(run),
            seq: Some(seq),
            what: what.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.run, self.seq) {
            (Some(run), Some(seq)) => write!(f, "record {seq} of {run}: {}", self.what),
            (Some(run), None) => write!(f, "{run}: {}", self.what),
            (None, _) => f.write_str(&self.what),
        }
    }
}

/// Why a store could not be opened or read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Another process holds it.
    #[error("the data folder {} is in use by {holder}", folder.display())]
    Locked {
        /// The data folder.
        folder: PathBuf,
        /// Process number, command and since when, as the holder wrote them.
        holder: String,
    },
    /// Another process drives the run.
    #[error("run {run} is driven by {by}")]
    Driven {
        /// The run.
        run: RunId,
        /// Process number, since when, and command, as the driver wrote them.
        by: String,
    },
    /// The database under it could not be opened or broke down. Nothing was deleted.
    #[error("the store at {} is damaged: {what}", folder.display())]
    Damaged {
        /// The folder of the database.
        folder: PathBuf,
        /// What was found.
        what: String,
    },
    /// It was written by a later version.
    #[error("the store at {} has format {found}; this version knows formats up to {known}", folder.display())]
    Newer {
        /// The folder of the database.
        folder: PathBuf,
        /// Its format.
        found: u64,
        /// The newest known one.
        known: u64,
    },
    /// What was read fails its check.
    #[error("stored data is damaged: {0}")]
    Corrupt(Fault),
    /// A large body fails its check or is missing.
    #[error("a body kept as a file cannot be read")]
    Body(#[source] artifact::Error),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// One process listens to as many runs as one may.
    #[error("this process listens to {limit} runs already")]
    TooManyWatches {
        /// How many it may.
        limit: usize,
    },
    /// What writes to the store died: nothing is appended any more until it is opened again.
    #[error("the writer of the store died: {0}")]
    WriterDied(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl Error {
    /// The word of the catalogue.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Locked { .. } => code::STORE_LOCKED,
            Self::Driven { .. } => code::RUN_DRIVEN,
            Self::Damaged { .. } => code::STORE_DAMAGED,
            Self::Newer { .. } => code::STORE_NEWER,
            Self::Corrupt(_) => code::STORE_CORRUPT,
            Self::Body(error) => error.code(),
            Self::Disk(error) => error.code(),
            Self::TooManyWatches { .. } => code::STORE_TOO_LARGE,
            Self::WriterDied(_) => code::INTERNAL,
            Self::Closed => code::STORE_CLOSED,
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Corrupt(fault)
    }
}

impl From<artifact::Error> for Error {
    fn from(error: artifact::Error) -> Self {
        match error {
            artifact::Error::Disk(error) => Self::Disk(error),
            artifact::Error::Missing(_)
            | artifact::Error::Damaged { .. }
            | artifact::Error::TooLarge { .. } => Self::Body(error),
        }
    }
}

/// Why nothing was appended.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// Somebody else appended first.
    #[error("the run stands at record {actual} already")]
    Conflict {
        /// The last record of the run; 0 when there is no such run.
        actual: Seq,
    },
    /// A later writer took the store over.
    #[error("writer {epoch} took the store over")]
    Fenced {
        /// The later writer.
        epoch: Epoch,
    },
    /// The append is over a bound.
    #[error("{what} has {size}; at most {limit} are possible")]
    TooLarge {
        /// What is too large, with its unit: `the body of an event, in bytes`.
        what: &'static str,
        /// Its size.
        size: u64,
        /// The bound.
        limit: u64,
    },
    /// The append contradicts itself. A fault of the caller.
    #[error("the append contradicts itself: {0}")]
    Invalid(&'static str),
    /// What is stored of this run fails its check, so nothing may be added to it.
    #[error(transparent)]
    Corrupt(Error),
    /// The disk refused. After a failed write or sync nobody knows what became durable, so this writer takes no
    /// append ever again: open the store anew and read. Only an append refused for want of space leaves it usable.
    #[error(transparent)]
    Io(Error),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl AppendError {
    /// The word of the catalogue.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Conflict { .. } => code::STORE_CONFLICT,
            Self::Fenced { .. } => code::STORE_FENCED,
            Self::TooLarge { .. } => code::STORE_TOO_LARGE,
            Self::Invalid(_) => code::STORE_MISUSE,
            Self::Corrupt(error) | Self::Io(error) => error.code(),
            Self::Closed => code::STORE_CLOSED,
        }
    }
}

impl From<Error> for AppendError {
    fn from(error: Error) -> Self {
        match error {
            Error::Corrupt(_) | Error::Body(_) | Error::Damaged { .. } | Error::Newer { .. } => {
                Self::Corrupt(error)
            }
            Error::Disk(_)
            | Error::Locked { .. }
            | Error::Driven { .. }
            | Error::TooManyWatches { .. }
            | Error::WriterDied(_) => Self::Io(error),
            Error::Closed => Self::Closed,
        }
    }
}
