//! Opening: the lock, a guarded open with one second try, what must be durable first, and the writer's number.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use super::mark::Mark;
use super::{Database, key};
use crate::artifact::Blobs;
use crate::artifact::disk::{DiskError, Named, create_dir, sync_dir};
use crate::run::Epoch;
use crate::store::lock::{Lock, NotTaken};
use crate::store::watch::Watches;
use crate::store::{Error, Fault, codec};

/// Makes what was written to a file durable; `fdatasync` unless a test says otherwise.
pub type SyncFile = Arc<dyn Fn(&File) -> io::Result<()> + Send + Sync>;

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// How long to wait for another process that holds the store.
    pub lock_wait: Duration,
    /// Appends are refused when the disk has less room than this, in bytes, so that the database never meets a full disk.
    pub free_bytes_min: u64,
    /// How the database file is made durable before each acknowledgement.
    pub sync: SyncFile,
}

impl Default for Options {
    /// Waits 2 seconds, keeps 16 MiB free, and syncs for real.
    fn default() -> Self {
        Self {
            lock_wait: Duration::from_secs(2),
            free_bytes_min: 16 << 20,
            sync: Arc::new(File::sync_data),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("lock_wait", &self.lock_wait)
            .field("free_bytes_min", &self.free_bytes_min)
            .finish_non_exhaustive()
    }
}

/// The file in the data folder that its one owner locks. It stays there; only the lock on it counts.
const LOCK: &str = "store.lock";
/// Folder of the database in the data folder.
const DATABASE: &str = "store";
/// Folder of the large bodies in the data folder.
const BLOBS: &str = "blobs";
/// Numbers under `meta` keys.
pub(super) const FORMAT: &str = "format";
pub(super) const EPOCH: &str = "epoch";
pub(super) const COMMITS: &str = "commits";
pub(super) const RUNS: &str = "runs";

/// What the writer and the readers share. The fields go in this order: the lock is given back last.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) database: Database,
    pub(super) blobs: Blobs,
    pub(super) epoch: Epoch,
    pub(super) data: PathBuf,
    /// Held for writing while a batch is applied, so that a reader never sees half a change.
    pub(super) view: RwLock<()>,
    pub(super) watches: Arc<Watches>,
    _lock: Lock,
}

/// What only the writer has.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) file: File,
    pub(super) mark: Mark,
    pub(super) commits: u64,
    pub(super) runs: u64,
}

/// Opens or makes the store of that data folder and becomes its writer.
pub(super) fn open(
    data: &Path,
    options: &Options,
    watches: Arc<Watches>,
) -> Result<(Shared, Disk), Error> {
    create_dir(data)?;
    let lock =
        Lock::take(&data.join(LOCK), options.lock_wait).map_err(|not_taken| match not_taken {
            NotTaken::Held(holder) => Error::Locked {
                folder: data.to_owned(),
                holder,
            },
            NotTaken::Disk(error) => error.into(),
        })?;
    let blobs = Blobs::open(&data.join(BLOBS))?;
    blobs.sweep();
    let folder = data.join(DATABASE);
    create_dir(&folder)?;
    let database = open_database(&folder)?;
    let file = database.file()?;
    // sled never syncs these itself; without it a power loss can leave a store that does not open.
    sync_file(&folder.join("conf"))?;
    sync_file(&folder.join("db"))?;
    sync_dir(&folder)?;
    sync_dir(data)?;
    check_format(&database, &folder)?;
    let commits = number(&database, COMMITS)?;
    check_mark(data, &folder, commits)?;
    let epoch = number(&database, EPOCH)? + 1;
    let runs = number(&database, RUNS)?;
    let disk = Disk {
        file,
        mark: Mark::open(data)?,
        commits: commits + 1,
        runs,
    };
    database.apply(vec![
        set_number(FORMAT, codec::FORMAT.into())?,
        set_number(EPOCH, epoch)?,
        set_number(COMMITS, disk.commits)?,
    ])?;
    database.flush()?;
    (options.sync)(&disk.file).named("sync", &folder.join("db"))?;
    disk.mark.set(disk.commits);
    let shared = Shared {
        database,
        blobs,
        epoch,
        data: data.to_owned(),
        view: RwLock::new(()),
        watches,
        _lock: lock,
    };
    Ok((shared, disk))
}

/// Opens the database. Snapshots only make opening faster, and a bad one prevents it: then they are set aside and it
/// is tried once more.
fn open_database(folder: &Path) -> Result<Database, Error> {
    for path in snapshots(folder)? {
        if path.extension().is_some_and(|end| end == "generating") {
            fs::remove_file(&path).named("remove", &path)?;
        }
    }
    let first = match Database::open(folder) {
        Err(error @ Error::Damaged { .. }) => error,
        opened => return opened,
    };
    let snapshots = snapshots(folder)?;
    if snapshots.is_empty() {
        return Err(first);
    }
    tracing::warn!(error = %first, "setting the snapshots of the database aside");
    for path in snapshots {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let aside = folder.join(format!("aside-{name}"));
        fs::rename(&path, &aside).named("rename", &path)?;
    }
    Database::open(folder)
}

pub(super) fn snapshots(folder: &Path) -> Result<Vec<PathBuf>, DiskError> {
    let entries = fs::read_dir(folder).named("read", folder)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> = paths.collect::<io::Result<_>>().named("read", folder)?;
    paths.retain(|path| {
        let name = path.file_name().unwrap_or_default();
        name.as_encoded_bytes().starts_with(b"snap.")
    });
    Ok(paths)
}

fn sync_file(path: &Path) -> Result<(), DiskError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .named("sync", path)
}

fn check_format(database: &Database, folder: &Path) -> Result<(), Error> {
    let damaged = |what: &str| Error::Damaged {
        folder: folder.to_owned(),
        what: what.to_owned(),
    };
    let Some(value) = database.get(&key::meta(FORMAT))? else {
        return match database.range(&[], &[u8::MAX], 1)?.is_empty() {
            true => Ok(()),
            false => Err(damaged("it does not say its format")),
        };
    };
    let known = codec::FORMAT.into();
    match codec::decode_number(&value) {
        Ok(found) if found <= known => Ok(()),
        Ok(found) => Err(Error::Newer {
            folder: folder.to_owned(),
            found,
            known,
        }),
        Err(error) => Err(damaged(&format!("its format cannot be read: {error}"))),
    }
}

fn check_mark(data: &Path, folder: &Path, commits: u64) -> Result<(), Error> {
    match Mark::look(data)? {
        Some(acknowledged) if acknowledged > commits => Err(Error::Damaged {
            folder: folder.to_owned(),
            what: format!(
                "it knows {commits} commits, but {acknowledged} were acknowledged; \
                 the events of the others are missing"
            ),
        }),
        Some(_) | None => Ok(()),
    }
}

/// The number under that word; 0 when there is none.
pub(super) fn number(database: &Database, word: &str) -> Result<u64, Error> {
    database.get(&key::meta(word))?.map_or(Ok(0), |value| {
        codec::decode_number(&value)
            .map_err(|error| Fault::of_store(format!("the number `{word}`: {error}")).into())
    })
}

/// The change that sets the number under that word.
pub(super) fn set_number(word: &str, value: u64) -> Result<super::Change, Error> {
    let value = codec::encode_number(value)
        .map_err(|error| Fault::of_store(format!("the number `{word}`: {error}")))?;
    Ok((key::meta(word), Some(value)))
}
