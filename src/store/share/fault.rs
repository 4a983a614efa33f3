//! Errors of the owner's store on their way to another process, where they mean the same.

use std::io;
use std::path::PathBuf;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use crate::artifact::{self, DiskError};
use crate::id::{Digest, RunId};
use crate::run::{Epoch, Seq};
use crate::store::{AppendError, Error, Fault};

/// An error of the store.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WireError {
    Locked {
        folder: PathBuf,
        holder: String,
    },
    Driven {
        run: RunId,
        by: String,
    },
    Damaged {
        folder: PathBuf,
        what: String,
    },
    Newer {
        folder: PathBuf,
        found: u64,
        known: u64,
    },
    Corrupt(Fault),
    Missing(Digest),
    DamagedBody {
        digest: Digest,
        found: Digest,
        path: PathBuf,
    },
    TooLarge {
        path: PathBuf,
        bytes: u64,
        limit: u64,
    },
    Disk(WireDiskError),
    TooManyWatches {
        limit: usize,
    },
    WriterDied {
        what: String,
    },
    Closed,
}

/// A failed access to the disk.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireDiskError {
    doing: String,
    path: PathBuf,
    /// The number of the system's error, when it has one.
    number: Option<i32>,
    text: String,
}

/// Why nothing was appended.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WireAppendError {
    Conflict {
        actual: Seq,
    },
    Fenced {
        epoch: Epoch,
    },
    Corrupt(WireError),
    Io(WireError),
    Closed,
    /// Refused for its content, which both sides check by the same rules.
    Unfit,
}

impl From<DiskError> for WireDiskError {
    fn from(error: DiskError) -> Self {
        let number = error.source.raw_os_error().or_else(|| {
            let same = numbered(error.source.kind())?;
            Some(same as i32)
        });
        Self {
            doing: error.doing.into_owned(),
            path: error.path,
            number,
            text: error.source.to_string(),
        }
    }
}

/// The system's number for errors that were made without it.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the system's error kinds are open-ended; these have a remedy of their own"
)]
fn numbered(kind: io::ErrorKind) -> Option<Errno> {
    match kind {
        io::ErrorKind::StorageFull => Some(Errno::ENOSPC),
        io::ErrorKind::QuotaExceeded => Some(Errno::EDQUOT),
        io::ErrorKind::FileTooLarge => Some(Errno::EFBIG),
        io::ErrorKind::ReadOnlyFilesystem => Some(Errno::EROFS),
        io::ErrorKind::PermissionDenied => Some(Errno::EACCES),
        _ => None,
    }
}

impl From<WireDiskError> for DiskError {
    fn from(error: WireDiskError) -> Self {
        let source = match error.number {
            Some(number) => io::Error::from_raw_os_error(number),
            None => io::Error::other(error.text),
        };
        Self::new(error.doing, &error.path, source)
    }
}

impl From<Error> for WireError {
    fn from(error: Error) -> Self {
        match error {
            Error::Locked { folder, holder } => Self::Locked { folder, holder },
            Error::Driven { run, by } => Self::Driven { run, by },
            Error::Damaged { folder, what } => Self::Damaged { folder, what },
            Error::Newer {
                folder,
                found,
                known,
            } => Self::Newer {
                folder,
                found,
                known,
            },
            Error::Corrupt(fault) => Self::Corrupt(fault),
            Error::Body(artifact::Error::Missing(digest)) => Self::Missing(digest),
            Error::Body(artifact::Error::Damaged {
                digest,
                found,
                path,
            }) => Self::DamagedBody {
                digest,
                found,
                path,
            },
            Error::Body(artifact::Error::TooLarge { path, bytes, limit }) => {
                Self::TooLarge { path, bytes, limit }
            }
            Error::Body(artifact::Error::Disk(error)) | Error::Disk(error) => {
                Self::Disk(error.into())
            }
            Error::TooManyWatches { limit } => Self::TooManyWatches { limit },
            Error::WriterDied(what) => Self::WriterDied { what },
            Error::Closed => Self::Closed,
        }
    }
}

impl From<WireError> for Error {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Locked { folder, holder } => Self::Locked { folder, holder },
            WireError::Driven { run, by } => Self::Driven { run, by },
            WireError::Damaged { folder, what } => Self::Damaged { folder, what },
            WireError::Newer {
                folder,
                found,
                known,
            } => Self::Newer {
                folder,
                found,
                known,
            },
            WireError::Corrupt(fault) => Self::Corrupt(fault),
            WireError::Missing(digest) => Self::Body(artifact::Error::Missing(digest)),
            WireError::DamagedBody {
                digest,
                found,
                path,
            } => Self::Body(artifact::Error::Damaged {
                digest,
                found,
                path,
            }),
            WireError::TooLarge { path, bytes, limit } => {
                Self::Body(artifact::Error::TooLarge { path, bytes, limit })
            }
            WireError::Disk(error) => Self::Disk(error.into()),
            WireError::TooManyWatches { limit } => Self::TooManyWatches { limit },
            WireError::WriterDied { what } => Self::WriterDied(what),
            WireError::Closed => Self::Closed,
        }
    }
}

impl From<AppendError> for WireAppendError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Conflict { actual } => Self::Conflict { actual },
            AppendError::Fenced { epoch } => Self::Fenced { epoch },
            AppendError::TooLarge { .. } | AppendError::Invalid(_) => Self::Unfit,
            AppendError::Corrupt(error) => Self::Corrupt(error.into()),
            AppendError::Io(error) => Self::Io(error.into()),
            AppendError::Closed => Self::Closed,
        }
    }
}

impl From<WireAppendError> for AppendError {
    fn from(error: WireAppendError) -> Self {
        match error {
            WireAppendError::Conflict { actual } => Self::Conflict { actual },
            WireAppendError::Fenced { epoch } => Self::Fenced { epoch },
            WireAppendError::Corrupt(error) => Self::Corrupt(error.into()),
            WireAppendError::Io(error) => Self::Io(error.into()),
            WireAppendError::Closed => Self::Closed,
            WireAppendError::Unfit => Self::Invalid("the owner of the store refused its content"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(error: &Error) -> Error {
        let wire = serde_json::to_vec(&WireError::from(error.clone())).unwrap();
        serde_json::from_slice::<WireError>(&wire).unwrap().into()
    }

    #[test]
    fn errors_mean_the_same_on_the_other_side() {
        let digest = Digest::of(b"x");
        let path = PathBuf::from("/some where/é");
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let number = || io::Error::from_raw_os_error(Errno::EROFS as i32);
        let errors = [
            Error::Corrupt(Fault::of_record(RunId::from_bytes([7; 16]), 3, "torn")),
            Error::Corrupt(Fault::of_store("odd")),
            Error::Damaged {
                folder: path.clone(),
                what: "broken".to_owned(),
            },
            Error::Newer {
                folder: path.clone(),
                found: 2,
                known: 1,
            },
            Error::Body(artifact::Error::Missing(digest)),
            Error::Body(artifact::Error::Damaged {
                digest,
                found: digest,
                path: path.clone(),
            }),
            Error::Disk(DiskError::new("write to", &path, full())),
            Error::Disk(DiskError::new("sync", &path, number())),
            Error::Disk(DiskError::new("sync", &path, io::Error::other("odd"))),
            Error::TooManyWatches { limit: 4_096 },
            Error::WriterDied("open it anew".to_owned()),
            Error::Closed,
        ];
        for error in errors {
            let back = there_and_back(&error);
            assert_eq!(back.code(), error.code());
            let words = |error: &Error| error.to_string();
            if !words(&error).contains("no storage space") {
                assert_eq!(words(&back), words(&error));
            }
        }
    }
}
