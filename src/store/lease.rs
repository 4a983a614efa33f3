//! Who drives a run: a lock of the system for each run that is driven. It outlives the process that owns the store,
//! and ends with the process that drives, so that there is no moment at which two could have it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Error;
use super::lock::{Lock, NotTaken};
use crate::artifact::disk::create_dir;
use crate::id::RunId;

/// How long a lease that is held is tried again: whoever only looks who drives holds it for an instant.
const WAIT: Duration = Duration::from_millis(100);
/// Folder of the locks in the data folder.
const FOLDER: &str = "drivers";

/// The right to drive a run, given back when it is dropped.
#[derive(Debug)]
pub struct Lease {
    held: Option<(PathBuf, Lock)>,
}

impl Lease {
    /// The lease of a store that no other process can reach: nobody has to be kept out.
    #[must_use]
    pub const fn unshared() -> Self {
        Self { held: None }
    }

    /// Takes the lease of a run in that data folder.
    pub(crate) fn take(data: &Path, run: RunId) -> Result<Self, Error> {
        let folder = data.join(FOLDER);
        create_dir(&folder)?;
        let path = folder.join(run.to_string());
        match Lock::take(&path, WAIT) {
            Ok(lock) => Ok(Self {
                held: Some((path, lock)),
            }),
            Err(NotTaken::Held(by)) => Err(Error::Driven { run, by }),
            Err(NotTaken::Disk(error)) => Err(error.into()),
        }
    }

    /// Who drives a run in that data folder, as they wrote it.
    pub(crate) fn holder(data: &Path, run: RunId) -> Option<String> {
        Lock::holder(&data.join(FOLDER).join(run.to_string()))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // While the lock is still held: whoever has the removed file open sees that it has no name any more.
        if let Some((path, _lock)) = &self.held
            && let Err(error) = fs::remove_file(path)
        {
            tracing::debug!(path = %path.display(), %error, "the file of a lease could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_has_the_lease_of_a_run() {
        let data = tempfile::tempdir().unwrap();
        let (run, other) = (RunId::from_bytes([1; 16]), RunId::from_bytes([2; 16]));
        let first = Lease::take(data.path(), run).unwrap();
        let refused = Lease::take(data.path(), run);
        let me = format!("process {} since", std::process::id());
        assert!(
            matches!(&refused, Err(Error::Driven { by, .. }) if by.starts_with(&me)),
            "{refused:?}"
        );
        let _other = Lease::take(data.path(), other).unwrap();
        let holder = Lease::holder(data.path(), run).unwrap();
        assert!(holder.starts_with(&me), "{holder}");
        drop(first);
        assert_eq!(Lease::holder(data.path(), run), None);
        Lease::take(data.path(), run).unwrap();
        let left = fs::read_dir(data.path().join(FOLDER)).unwrap().count();
        assert_eq!(left, 1, "only the lease that is held has a file");
    }

    #[test]
    fn threads_that_take_and_give_back_never_hold_it_together() {
        let data = tempfile::tempdir().unwrap();
        let run = RunId::from_bytes([1; 16]);
        let holders = std::sync::atomic::AtomicUsize::new(0);
        let order = std::sync::atomic::Ordering::SeqCst;
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        if let Ok(lease) = Lease::take(data.path(), run) {
                            assert_eq!(holders.fetch_add(1, order), 0);
                            std::thread::yield_now();
                            holders.fetch_sub(1, order);
                            drop(lease);
                        }
                    }
                });
            }
        });
    }
}
