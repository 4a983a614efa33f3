//! Who waits for places, in this process and in the others of the data folder: first come, first served.
//!
//! Whoever waits has a file in `data/line`, named by when it came, with the keys that it wants; it is locked for as
//! long as its process waits, so that nobody waits behind the dead.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::executor::make_dir;
use crate::run::payload::SlotWish;
use crate::time::Timestamp;

/// Name of the folder of the line in the data folder.
pub(super) const LINE_FOLDER: &str = "line";
/// Ends the name of a file of the line.
const ENDING: &str = ".json";

/// The line of everybody who waits in this process.
#[derive(Debug, Default)]
pub(super) struct Queue {
    line: Mutex<Line>,
    released: Notify,
}

#[derive(Debug, Default)]
struct Line {
    next: u64,
    waiting: Vec<(String, Vec<String>)>,
}

impl Queue {
    /// Lines up. Places sort by when somebody came, and then by process and number.
    pub(super) fn enter(&self, wishes: &[SlotWish], now: Timestamp) -> Ticket<'_> {
        let mut line = self.line();
        let micros = now.as_micros().max(0);
        let place = format!("{micros:020}-{:010}-{:08}", std::process::id(), line.next);
        line.next += 1;
        let keys: Vec<String> = wishes.iter().map(|wish| wish.key.clone()).collect();
        line.waiting.push((place.clone(), keys.clone()));
        drop(line);
        Ticket {
            queue: self,
            place,
            keys,
            file: None,
        }
    }

    /// Ends when somebody may have let go of something after this was called.
    pub(super) fn released(&self) -> Notified<'_> {
        self.released.notified()
    }

    /// Wakes everybody who waits.
    pub(super) fn release(&self) {
        self.released.notify_waiters();
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the line; given up when it is dropped.
#[derive(Debug)]
pub(super) struct Ticket<'a> {
    queue: &'a Queue,
    place: String,
    keys: Vec<String>,
    /// What other processes see, once it is shown.
    file: Option<(PathBuf, File)>,
}

impl Ticket<'_> {
    /// Whether nobody of this process who came before waits for one of the same things.
    pub(super) fn is_first_here(&self) -> bool {
        let line = self.queue.line();
        let mut before = line.waiting.iter().filter(|(place, _)| *place < self.place);
        !before.any(|(_, keys)| keys.iter().any(|key| self.keys.contains(key)))
    }

    /// What is to be shown to other processes, when it is not there yet.
    pub(super) fn unshown(&self) -> Option<Shown> {
        self.file.is_none().then(|| Shown {
            place: self.place.clone(),
            keys: self.keys.clone(),
        })
    }

    /// It is shown.
    pub(super) fn shown(&mut self, path: PathBuf, file: File) {
        self.file = Some((path, file));
    }

    /// What [`is_first`] needs of it.
    pub(super) fn place(&self) -> Shown {
        Shown {
            place: self.place.clone(),
            keys: self.keys.clone(),
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if let Some((path, _locked)) = self.file.take()
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::debug!(path = %path.display(), %error, "a place in the line stays until somebody else looks");
        }
        self.queue
            .line()
            .waiting
            .retain(|(place, _)| *place != self.place);
        self.queue.release();
    }
}

/// A place in the line as other processes see it.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    place: String,
    keys: Vec<String>,
}

impl Shown {
    /// Writes and locks its file. To be called with the lock of the places in hand: whoever looks at the line has it
    /// too, and never finds a file that is not locked yet.
    pub(super) fn show(&self, line: &Path) -> io::Result<(PathBuf, File)> {
        make_dir(line)?;
        let path = line.join(format!("{}{ENDING}", self.place));
        let mut file = File::create(&path)?;
        file.lock()?;
        file.write_all(serde_json::json!(self.keys).to_string().as_bytes())?;
        Ok((path, file))
    }

    /// Whether nobody alive who came before waits for one of the same things, in any process. Files of the dead are
    /// removed. To be called with the lock of the places in hand.
    pub(super) fn is_first(&self, line: &Path) -> io::Result<bool> {
        for entry in fs::read_dir(line)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let Some(place) = name.and_then(|name| name.strip_suffix(ENDING)) else {
                continue;
            };
            if place >= self.place.as_str() || !is_alive(&path)? {
                continue;
            }
            // One that can't be read is gone by now, or has nothing written yet: it wants whatever we want.
            let keys: Option<Vec<String>> = fs::read(&path)
                .ok()
                .and_then(|bytes| serde_json::from_slice(&bytes).ok());
            let wants = |keys: Vec<String>| keys.iter().any(|key| self.keys.contains(key));
            if keys.map_or_else(|| path.exists(), wants) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether whoever made that file still waits. If not, it is removed.
fn is_alive(path: &Path) -> io::Result<bool> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if gone(&error) => return Ok(false),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
        Ok(()) => match fs::remove_file(path) {
            Err(error) if !gone(&error) => Err(error),
            Ok(()) | Err(_) => Ok(false),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::WhenFull;

    fn wish(key: &str) -> Vec<SlotWish> {
        vec![SlotWish {
            key: key.to_owned(),
            limit: 1,
            when_full: WhenFull::Queue,
        }]
    }

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn first_come_first_served_for_each_key() {
        let queue = Queue::default();
        let first = queue.enter(&wish("a"), at(5));
        let second = queue.enter(&wish("a"), at(5));
        let other = queue.enter(&wish("b"), at(5));
        assert!(first.is_first_here() && !second.is_first_here() && other.is_first_here());
        drop(first);
        assert!(second.is_first_here());
    }

    #[test]
    fn whoever_came_first_is_first_in_every_process_and_the_dead_are_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let line = folder.path().join(LINE_FOLDER);
        // Each has a queue of its own, as two processes have.
        let (mine, theirs) = (Queue::default(), Queue::default());
        let mut late = mine.enter(&wish("a"), at(20));
        let mut early = theirs.enter(&wish("a"), at(10));
        let mut other = theirs.enter(&wish("b"), at(1));
        for ticket in [&mut late, &mut early, &mut other] {
            let (path, file) = ticket.unshown().unwrap().show(&line).unwrap();
            ticket.shown(path, file);
            assert!(ticket.unshown().is_none());
        }
        assert!(late.is_first_here(), "its own process knows nobody else");
        assert!(!late.place().is_first(&line).unwrap());
        assert!(early.place().is_first(&line).unwrap());
        assert!(other.place().is_first(&line).unwrap());
        // A process that dies leaves its file and no lock.
        let (path, file) = early.file.take().unwrap();
        drop(file);
        assert!(late.place().is_first(&line).unwrap());
        assert!(!path.exists());
        drop((late, early, other));
        assert_eq!(fs::read_dir(&line).unwrap().count(), 0);
    }
}
