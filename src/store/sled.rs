//! The store on disk over sled 0.34, with what it lacks added: a real sync before each acknowledgement, checks of
//! all that is read, and errors where it panics (docs/adr/001-sled.md). The crate is named here and nowhere else.

mod key;
mod list;
mod mark;
mod open;
mod read;
mod store;
mod verify;
mod writer;

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::Error;
use crate::artifact::DiskError;
pub use open::{Options, SyncFile};
pub use store::SledStore;

/// Memory that sled may use for pages, in bytes as they lie on disk: 64 MiB.
const CACHE_BYTES: u64 = 64 << 20;

/// A key and its value.
type Pair = (Vec<u8>, Vec<u8>);
/// A key and its new value; none removes it.
type Change = (Vec<u8>, Option<Vec<u8>>);

/// How often an opening is tried again while an earlier handle lets go of the file, and the pause between: 5 s in all.
const LETTING_GO_TRIES: u32 = 250;
const LETTING_GO_PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// Whether sled found its file locked.
fn is_letting_go(error: &::sled::Error) -> bool {
    matches!(error, ::sled::Error::Io(error) if error.to_string().contains("could not acquire lock"))
}

/// The one tree of the database. Every call is guarded: sled answers damage with a panic.
#[derive(Debug)]
struct Database {
    db: Option<::sled::Db>,
    folder: PathBuf,
    /// The first panic; nothing is asked of sled after it.
    broken: OnceLock<Error>,
}

impl Database {
    /// Opens the database in that folder. Nothing is removed, whatever happens.
    fn open(folder: &Path) -> Result<Self, Error> {
        let open = || {
            ::sled::Config::new()
                .path(folder)
                .mode(::sled::Mode::LowSpace)
                .cache_capacity(CACHE_BYTES)
                .flush_every_ms(None)
                .open()
        };
        let mut tries = 0;
        let db = loop {
            match catch_unwind(open) {
                Ok(Ok(db)) => break db,
                // Our own lock is held, so nobody else has it open: an earlier handle is just letting go.
                Ok(Err(error)) if tries < LETTING_GO_TRIES && is_letting_go(&error) => {
                    tries += 1;
                    std::thread::sleep(LETTING_GO_PAUSE);
                }
                Ok(Err(error)) => return Err(named(folder, error)),
                Err(panic) => return Err(panicked(folder, &*panic)),
            }
        };
        Ok(Self {
            db: Some(db),
            folder: folder.to_owned(),
            broken: OnceLock::new(),
        })
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.guarded(|db| db.get(key).map(|value| value.map(|value| value.to_vec())))
    }

    /// The first pairs from `from` up to `end`, which is not among them.
    fn range(&self, from: &[u8], end: &[u8], limit: usize) -> Result<Vec<Pair>, Error> {
        if from >= end {
            return Ok(Vec::new());
        }
        self.guarded(|db| db.range(from..end).take(limit).map(pair).collect())
    }

    /// The last pairs before `end` down to `from`.
    fn range_back(&self, from: &[u8], end: &[u8], limit: usize) -> Result<Vec<Pair>, Error> {
        if from >= end {
            return Ok(Vec::new());
        }
        self.guarded(|db| db.range(from..end).rev().take(limit).map(pair).collect())
    }

    /// Makes all the changes or none.
    fn apply(&self, changes: Vec<Change>) -> Result<(), Error> {
        let mut batch = ::sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.guarded(|db| db.apply_batch(batch))
    }

    /// Hands all that was applied to the system. Not durable yet: sled does not sync.
    fn flush(&self) -> Result<(), Error> {
        self.guarded(|db| db.flush().map(drop))
    }

    fn guarded<T>(&self, call: impl FnOnce(&::sled::Db) -> ::sled::Result<T>) -> Result<T, Error> {
        if let Some(error) = self.broken.get() {
            return Err(error.clone());
        }
        let db = self.db.as_ref().ok_or(Error::Closed)?;
        match catch_unwind(AssertUnwindSafe(|| call(db))) {
            Ok(result) => result.map_err(|error| named(&self.folder, error)),
            Err(panic) => {
                let error = panicked(&self.folder, &*panic);
                Err(self.broken.get_or_init(|| error).clone())
            }
        }
    }

    /// The file that holds the data: a second handle, to sync it.
    fn file(&self) -> Result<File, DiskError> {
        let path = self.folder.join("db");
        File::options()
            .write(true)
            .open(&path)
            .map_err(|source| DiskError::new("open", &path, source))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let db = self.db.take();
        // Closing writes; what was acknowledged is durable without it.
        if catch_unwind(AssertUnwindSafe(move || drop(db))).is_err() {
            tracing::warn!(folder = %self.folder.display(), "sled panicked while it closed");
        }
    }
}

fn pair(entry: ::sled::Result<(::sled::IVec, ::sled::IVec)>) -> ::sled::Result<Pair> {
    entry.map(|(key, value)| (key.to_vec(), value.to_vec()))
}

fn named(folder: &Path, error: ::sled::Error) -> Error {
    let what = match error {
        ::sled::Error::Io(source) => {
            return Error::Disk(DiskError::new("use", folder, source));
        }
        ::sled::Error::Corruption { at, .. } => match at {
            Some(at) => format!("sled reports corruption at {at:?}"),
            None => "sled reports corruption".to_owned(),
        },
        ::sled::Error::CollectionNotFound(_) => "sled misses its tree".to_owned(),
        ::sled::Error::Unsupported(what) | ::sled::Error::ReportableBug(what) => {
            format!("sled says: {what}")
        }
    };
    Error::Damaged {
        folder: folder.to_owned(),
        what,
    }
}

fn panicked(folder: &Path, panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    Error::Damaged {
        folder: folder.to_owned(),
        what: format!("sled panicked: {}", text.unwrap_or("no reason given")),
    }
}
