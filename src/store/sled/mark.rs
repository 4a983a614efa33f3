//! The mark beside the database: how many commits it had acknowledged.
//!
//! sled recovers from a cut file by forgetting its end, and says nothing. The mark is written after each commit,
//! without a sync of its own: after a power loss it may lag, but it never runs ahead of what is durable. So a
//! database that knows fewer commits than the mark has lost some that were acknowledged.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::artifact::disk::{DiskError, Named};
use crate::store::codec;

/// The file in the data folder.
pub(super) const FILE: &str = "store.mark";

/// The mark, open for writing.
#[derive(Debug)]
pub(super) struct Mark {
    file: File,
    path: PathBuf,
}

impl Mark {
    /// The number that the mark of that data folder shows; none when there is none that can be read.
    pub(super) fn look(data: &Path) -> Result<Option<u64>, DiskError> {
        let path = data.join(FILE);
        match fs::read(&path) {
            Ok(bytes) => Ok(codec::decode_number(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(DiskError::new("read", &path, error)),
        }
    }

    /// Opens the mark, which keeps its number.
    pub(super) fn open(data: &Path) -> Result<Self, DiskError> {
        let path = data.join(FILE);
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .named("open", &path)?;
        Ok(Self { file, path })
    }

    /// Shows that so many commits are durable. A failure costs a check, not data.
    pub(super) fn set(&self, commits: u64) {
        let bytes = codec::encode_number(commits).unwrap_or_default();
        if let Err(error) = self.file.write_all_at(&bytes, 0) {
            tracing::warn!(path = %self.path.display(), %error, "the mark of the store cannot be written");
        }
    }
}
