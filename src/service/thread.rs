//! Which run a request with a name has: `<data>/threads/`, one small file for each name.
//!
//! The file is written before the run is created, with the id that the run will have, and a second time when the run
//! is there. So whatever happens between, a name means one run: who finds the first form creates the run that it
//! names, and the store takes it once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::PythonExecutorError;
use crate::artifact::DiskError;
use crate::artifact::disk::{Draft, Named as _, create_dir, sync_dir};
use crate::code;
use crate::id::{Digest, RunId};
use crate::run::payload::Thread;

/// Folder in the data folder.
const FOLDER: &str = "threads";

/// What is known of a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The name.
    pub(super) thread_id: String,
    /// Digest of the request.
    pub(super) request: Digest,
    /// The run, which is there or will be.
    pub(super) run: RunId,
    /// Whether it has been there.
    pub(super) created: bool,
}

impl Entry {
    /// The same as an event has it.
    pub(super) fn thread(&self) -> Thread {
        Thread {
            id: self.thread_id.clone(),
            request: self.request,
        }
    }
}

/// The names of one data folder.
#[derive(Debug, Clone)]
pub(super) struct Threads {
    folder: PathBuf,
}

impl Threads {
    pub(super) fn new(data: &Path) -> Self {
        Self {
            folder: data.join(FOLDER),
        }
    }

    /// What is known of a name.
    pub(super) fn find(&self, thread: &str) -> Result<Option<Entry>, PythonExecutorError> {
        let path = self.path(thread);
        match fs::read(&path) {
            Ok(bytes) => read(thread, &path, &bytes).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(&path, &error)),
        }
    }

    /// Gives a name to a request, or finds what it was given to. Durable when it returns.
    pub(super) fn claim(&self, entry: &Entry) -> Result<Entry, PythonExecutorError> {
        let path = self.path(&entry.thread_id);
        create_dir(&self.folder).map_err(disk)?;
        let draft = self.draft(entry).map_err(disk)?;
        // Only the first of several that try at the same time gets the name.
        let claimed = match fs::hard_link(&draft, &path) {
            Ok(()) => sync_dir(&self.folder).map(|()| entry.clone()).map_err(disk),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self
                .find(&entry.thread_id)?
                .ok_or_else(|| unreadable(&path, &error)),
            Err(error) => Err(unreadable(&path, &error)),
        };
        // It costs space and nothing else.
        let _left = fs::remove_file(&draft);
        claimed
    }

    /// Notes that the run is there.
    pub(super) fn created(&self, entry: &Entry) -> Result<(), PythonExecutorError> {
        let entry = Entry {
            created: true,
            ..entry.clone()
        };
        let draft = self.draft(&entry).map_err(disk)?;
        let path = self.path(&entry.thread_id);
        fs::rename(&draft, &path)
            .named("rename to", &path)
            .and_then(|()| sync_dir(&self.folder))
            .map_err(disk)
    }

    /// The file of a name: names may be long and hold anything, so it is named by their digest.
    fn path(&self, thread: &str) -> PathBuf {
        let digest = Digest::of(thread.as_bytes()).to_string();
        let name = digest.rsplit(':').next().unwrap_or(&digest).to_owned();
        self.folder.join(format!("{name}.json"))
    }

    /// A file with that content and a name of its own, its content durable.
    fn draft(&self, entry: &Entry) -> Result<PathBuf, DiskError> {
        let bytes = serde_json::to_vec(entry).unwrap_or_default();
        let mut draft = Draft::new(&self.folder)?;
        draft.write(&bytes)?;
        let path = self.folder.join(format!(
            ".{}-{}",
            Digest::of(&bytes).short(),
            RunId::generate(crate::time::Clock::now(&crate::time::SystemClock)).short()
        ));
        draft.publish(&path)?;
        Ok(path)
    }
}

fn read(thread: &str, path: &Path, bytes: &[u8]) -> Result<Entry, PythonExecutorError> {
    let damaged = |why: &str| {
        let message = format!("{} is damaged: {why}", path.display());
        PythonExecutorError::request(code::STORE_DAMAGED, message)
            .hint("the run that has the name says so itself: `stepwell show RUN --json`")
    };
    let entry: Entry =
        serde_json::from_slice(bytes).map_err(|error| damaged(&error.to_string()))?;
    if entry.thread_id == thread {
        Ok(entry)
    } else {
        Err(damaged("it is about another name"))
    }
}

fn disk(error: DiskError) -> PythonExecutorError {
    crate::engine::Error::Blob(error.into()).into()
}

fn unreadable(path: &Path, error: &io::Error) -> PythonExecutorError {
    let message = format!("{} can't be read: {error}", path.display());
    PythonExecutorError::request(code::STORE_IO, message)
        .hint("check the rights and the free space of the data folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(run: u8) -> Entry {
        Entry {
            thread_id: "a/b 光".to_owned(),
            request: Digest::of(b"request"),
            run: RunId::from_bytes([run; 16]),
            created: false,
        }
    }

    #[test]
    fn the_first_claim_counts_for_ever() {
        let data = tempfile::tempdir().unwrap();
        let threads = Threads::new(data.path());
        assert_eq!(threads.find("a/b 光").unwrap(), None);
        assert_eq!(threads.claim(&entry(1)).unwrap(), entry(1));
        assert_eq!(threads.claim(&entry(2)).unwrap(), entry(1));
        threads.created(&entry(1)).unwrap();
        let known = threads.find("a/b 光").unwrap().unwrap();
        assert_eq!((known.run, known.created), (entry(1).run, true));
        let files = fs::read_dir(data.path().join(FOLDER)).unwrap().count();
        assert_eq!(files, 1, "drafts are removed");
    }

    #[test]
    fn of_many_at_once_one_gets_the_name() {
        let data = tempfile::tempdir().unwrap();
        let threads = Threads::new(data.path());
        let claimed = std::thread::scope(|scope| {
            let tries = (1..=8_u8).map(|run| {
                scope.spawn({
                    let threads = &threads;
                    move || threads.claim(&entry(run)).unwrap().run
                })
            });
            let tries: Vec<_> = tries.collect();
            let runs = tries.into_iter().map(|one| one.join().unwrap());
            runs.collect::<std::collections::BTreeSet<_>>()
        });
        assert_eq!(claimed.len(), 1, "{claimed:?}");
    }

    #[test]
    fn a_damaged_file_is_no_new_name() {
        let data = tempfile::tempdir().unwrap();
        let threads = Threads::new(data.path());
        threads.claim(&entry(1)).unwrap();
        fs::write(threads.path("a/b 光"), "{").unwrap();
        assert_eq!(threads.find("a/b 光").unwrap_err().code(), "store_damaged");
        assert_eq!(
            threads.claim(&entry(2)).unwrap_err().code(),
            "store_damaged"
        );
    }
}
