//! One process at a time: a lock on a file whose content says who holds it.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::artifact::disk::Named;
use crate::store::Error;
use crate::time::{Clock, SystemClock};

/// The file in the data folder. It stays there; only the lock on it counts.
pub(super) const FILE: &str = "store.lock";
/// How often a held lock is tried again.
const POLL: Duration = Duration::from_millis(20);
/// Longest text about a holder, in bytes.
const HOLDER_BYTES_MAX: usize = 400;

/// The right to use the data folder. Given back when it is dropped, and by the system when the process dies.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of that data folder, waiting for a holder at most that long.
    pub(super) fn take(data: &Path, wait: Duration) -> Result<Self, Error> {
        let path = data.join(FILE);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .named("open", &path)?;
        let begin = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if begin.elapsed() < wait => std::thread::sleep(POLL),
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Locked {
                        folder: data.to_owned(),
                        holder: holder(&mut file),
                    });
                }
                Err(TryLockError::Error(source)) => return Err(source).named("lock", &path)?,
            }
        }
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(introduction().as_bytes()))
            .named("write", &path)?;
        Ok(Self { _file: file })
    }
}

/// Who we are, for others to read.
fn introduction() -> String {
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

fn holder(file: &mut File) -> String {
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
