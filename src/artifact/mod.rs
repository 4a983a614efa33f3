//! Content-addressed files: written, synced, named by their digest, and only then referred to.
//!
//! Every call here blocks; asynchronous callers use a blocking task.

pub(crate) mod disk;
mod index;
pub mod preview;
mod sweep;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nix::fcntl::FlockArg;
use nix::sys::stat::futimens;
use nix::sys::time::TimeSpec;
use sha2::{Digest as _, Sha256};

use crate::code::{self, Code};
use crate::id::Digest;
pub use disk::DiskError;
use disk::{Draft, Named, create_dir, open_plain, sync_dir};
pub use index::{Found, Index, digest_of_file};
pub use sweep::{GRACE, Swept};

/// Largest content that is kept, in bytes: 8 GiB.
pub const BLOB_BYTES_MAX: u64 = 8 << 30;
/// Largest content that is read into memory, in bytes: 256 MiB. Larger ones are opened by their path.
pub const READ_BYTES_MAX: u64 = 256 << 20;
/// Names of which one process remembers that they are durable.
const DURABLE_MAX: usize = 4_096;
/// Bytes that are copied at a time.
const COPY_BYTES: usize = 256 << 10;

/// Why a blob could not be kept or brought.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// No file has that digest.
    #[error("the stored file {0} is missing")]
    Missing(Digest),
    /// The content is not what was stored.
    #[error("the stored file {digest} at {} is damaged: its content has the digest {found}", path.display())]
    Damaged {
        /// What it should be.
        digest: Digest,
        /// What it is.
        found: Digest,
        /// Where it is.
        path: PathBuf,
    },
    /// It is over a bound.
    #[error("{} has {bytes} bytes; at most {limit} are possible", path.display())]
    TooLarge {
        /// The file, or the folder of the blobs for bytes from memory.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The bound.
        limit: u64,
    },
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Error {
    /// The word of the catalogue.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Missing(_) | Self::Damaged { .. } => code::ARTIFACT_DAMAGED,
            Self::TooLarge { .. } => code::ARTIFACT_TOO_LARGE,
            Self::Disk(error) => error.code(),
        }
    }
}

/// A folder of content-addressed files: `ab/cdef…` under it, in hexadecimal.
///
/// Writers of the same content may race: each writes a draft of its own, and the last rename wins with equal bytes.
#[derive(Debug, Clone)]
pub struct Blobs {
    folder: PathBuf,
    /// What this process knows to be durable: it need not be made so again when it is put again.
    durable: Arc<Mutex<HashSet<Digest>>>,
}

impl Blobs {
    /// Opens the folder, usually `<data>/blobs`, and makes it when it is missing.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        create_dir(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            durable: Arc::default(),
        })
    }

    /// Removes what processes that are gone left half written.
    pub(crate) fn sweep(&self) {
        disk::sweep_drafts(&self.folder);
    }

    /// Keeps these bytes. When it returns, they survive a power loss.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, Error> {
        self.bounded(&self.folder, bytes.len() as u64)?;
        let digest = Digest::of(bytes);
        // From the look to the sync nobody may remove it.
        let _shared = self.lock(FlockArg::LockShared)?;
        if self.holds(&digest, bytes) && self.make_young(&digest) {
            if !self.durable().contains(&digest) {
                // Whoever put it there may not have come as far as making its name durable.
                let path = self.path(&digest);
                sync_dir(path.parent().unwrap_or(&self.folder))?;
                sync_dir(&self.folder)?;
                self.remember(digest);
            }
            return Ok(digest);
        }
        let mut draft = Draft::new(&self.folder)?;
        draft.write(bytes)?;
        self.publish(draft, &digest)?;
        Ok(digest)
    }

    /// Keeps a copy of that plain file, hashed while it is copied. When it returns, the copy survives a power loss.
    pub fn put_file(&self, path: &Path) -> Result<Digest, Error> {
        let mut source = open_plain(path).named("open", path)?;
        let mut draft = Draft::new(&self.folder)?;
        let mut hash = Sha256::new();
        let mut total = 0u64;
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            let count = source.read(&mut buffer).named("read", path)?;
            let Some(piece) = buffer.get(..count).filter(|piece| !piece.is_empty()) else {
                break;
            };
            total = total.saturating_add(count as u64);
            self.bounded(path, total)?;
            hash.update(piece);
            draft.write(piece)?;
        }
        let digest = Digest::from_bytes(hash.finalize().into());
        self.publish(draft, &digest)?;
        Ok(digest)
    }

    /// Brings the content, checked against its digest.
    pub fn get(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        let path = self.path(digest);
        let file = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::Missing(*digest));
            }
            opened => opened.named("open", &path)?,
        };
        let bytes = file.metadata().named("read", &path)?.len();
        if bytes > READ_BYTES_MAX {
            return Err(Error::TooLarge {
                path,
                bytes,
                limit: READ_BYTES_MAX,
            });
        }
        let mut content = Vec::with_capacity(usize::try_from(bytes).unwrap_or_default());
        file.take(READ_BYTES_MAX)
            .read_to_end(&mut content)
            .named("read", &path)?;
        let found = Digest::of(&content);
        if found == *digest {
            Ok(content)
        } else {
            Err(Error::Damaged {
                digest: *digest,
                found,
                path,
            })
        }
    }

    /// Where the content is kept, whether it is there or not.
    #[must_use]
    pub fn path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        let (head, tail) = hex.split_at(2);
        self.folder.join(head).join(tail)
    }

    /// Whether a file of that digest is there. Its content is not looked at; [`Blobs::get`] does.
    #[must_use]
    pub fn contains(&self, digest: &Digest) -> bool {
        self.path(digest).is_file()
    }

    /// Looks whether the content is there and whole, of any size.
    pub fn verify(&self, digest: &Digest) -> Result<(), Error> {
        let path = self.path(digest);
        if !path.is_file() {
            return Err(Error::Missing(*digest));
        }
        let found = digest_of_file(&path)?;
        if found == *digest {
            return Ok(());
        }
        Err(Error::Damaged {
            digest: *digest,
            found,
            path,
        })
    }

    /// Whether exactly these bytes are there already. A damaged copy is written anew.
    fn holds(&self, digest: &Digest, bytes: &[u8]) -> bool {
        fs::read(self.path(digest)).is_ok_and(|content| content == bytes)
    }

    /// What is counted on again is not removed soon, as if it had just been put.
    fn make_young(&self, digest: &Digest) -> bool {
        let file = File::options().append(true).open(self.path(digest));
        file.is_ok_and(|file| futimens(&file, &TimeSpec::UTIME_OMIT, &TimeSpec::UTIME_NOW).is_ok())
    }

    fn publish(&self, draft: Draft, digest: &Digest) -> Result<(), Error> {
        let path = self.path(digest);
        let _shared = self.lock(FlockArg::LockShared)?;
        if let Some(parent) = path.parent() {
            create_dir(parent)?;
        }
        draft.publish(&path)?;
        self.remember(*digest);
        Ok(())
    }

    fn durable(&self) -> std::sync::MutexGuard<'_, HashSet<Digest>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, digest: Digest) {
        let mut durable = self.durable();
        if durable.len() >= DURABLE_MAX {
            durable.clear();
        }
        durable.insert(digest);
    }

    fn bounded(&self, path: &Path, bytes: u64) -> Result<(), Error> {
        if bytes <= BLOB_BYTES_MAX {
            return Ok(());
        }
        Err(Error::TooLarge {
            path: path.to_owned(),
            bytes,
            limit: BLOB_BYTES_MAX,
        })
    }
}

#[cfg(test)]
mod tests;
