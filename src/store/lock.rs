//! Locks that the system gives back when a process dies, on files whose content says who holds them.

use std::fs::{self, File, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::artifact::disk::{DiskError, Named};
use crate::time::{Clock, SystemClock};

/// How often a held lock is tried again.
const POLL: Duration = Duration::from_millis(20);
/// Longest text about a holder, in bytes.
const HOLDER_BYTES_MAX: usize = 400;

/// A lock in hand. Given back when it is dropped, and by the system when the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Why a lock was not taken.
#[derive(Debug)]
pub(crate) enum NotTaken {
    /// Somebody has it: process number, since when, and command, as they wrote them.
    Held(String),
    /// The disk refused.
    Disk(DiskError),
}

impl From<DiskError> for NotTaken {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

impl Lock {
    /// Takes the lock on that file, which is made when it is missing, waiting for a holder at most that long.
    pub(crate) fn take(path: &Path, wait: Duration) -> Result<Self, NotTaken> {
        let begin = Instant::now();
        loop {
            let mut file = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path)
                .named("open", path)?;
            match file.try_lock() {
                // A holder may have removed the file just before it gave the lock back.
                Ok(()) if is_at(&file, path).named("look at", path)? => {
                    introduce(&mut file).named("write", path)?;
                    return Ok(Self { _file: file });
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if begin.elapsed() < wait => std::thread::sleep(POLL),
                Err(TryLockError::WouldBlock) => return Err(NotTaken::Held(read(&mut file))),
                Err(TryLockError::Error(source)) => return Err(source).named("lock", path)?,
            }
        }
    }

    /// Who holds the lock on that file, as they wrote it; nobody when there is no such file.
    pub(crate) fn holder(path: &Path) -> Option<String> {
        let mut file = File::open(path).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(read(&mut file)),
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }
}

/// Whether that file is still the one with that name.
fn is_at(file: &File, path: &Path) -> std::io::Result<bool> {
    let held = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((held.dev(), held.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn introduce(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(introduction().as_bytes())
}

/// Who we are, for others to read.
pub(crate) fn introduction() -> String {
    let command: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let mut text = format!(
        "process {} since {}: {}",
        std::process::id(),
        SystemClock.now(),
        command.join(" ")
    );
    text.truncate(text.floor_char_boundary(HOLDER_BYTES_MAX));
    text
}

fn read(file: &mut File) -> String {
    let mut bytes = Vec::new();
    let read = file
        .seek(SeekFrom::Start(0))
        .and_then(|_| file.take(HOLDER_BYTES_MAX as u64).read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    match read {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        Ok(_) | Err(_) => "another process".to_owned(),
    }
}
