//! Removing blobs that nothing refers to.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use super::disk::{DiskError, Named as _};
use super::{Blobs, Error};
use crate::id::Digest;

/// A blob that was put, or put again, less long ago is left alone, since what refers to it may not be written yet: 1 day.
pub const GRACE: Duration = Duration::from_secs(24 * 3_600);

/// What a sweep found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Files that were removed, or would be.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Files that nothing refers to either, and that are too young.
    pub young: u64,
}

impl Blobs {
    /// Removes what is not among `kept` and older than [`GRACE`]; with `dry`, only counts. What has no name of a
    /// blob is left alone.
    ///
    /// # Errors
    /// A folder can't be read, or a file can't be removed.
    pub fn remove_all_but(&self, kept: &HashSet<Digest>, dry: bool) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        for head in entries(&self.folder)? {
            let name = head.file_name().to_string_lossy().into_owned();
            if name.len() != 2 || !head.path().is_dir() {
                continue;
            }
            for tail in entries(&head.path())? {
                let hex = format!("{name}{}", tail.file_name().to_string_lossy());
                let Ok(digest) = format!("sha256:{hex}").parse::<Digest>() else {
                    continue;
                };
                if !kept.contains(&digest) {
                    self.remove_old(&tail.path(), dry, &mut swept)?;
                }
            }
        }
        Ok(swept)
    }

    fn remove_old(&self, path: &Path, dry: bool, swept: &mut Swept) -> Result<(), Error> {
        // Whoever puts the same content now either made it young before we look, or writes it anew afterwards.
        let _alone = self.lock(FlockArg::LockExclusive)?;
        let Ok(found) = fs::metadata(path) else {
            return Ok(());
        };
        let age = found.modified().ok().and_then(|at| at.elapsed().ok());
        if age.is_none_or(|age| age < GRACE) {
            swept.young += 1;
            return Ok(());
        }
        if !dry {
            fs::remove_file(path).named("remove", path)?;
        }
        swept.files += 1;
        swept.bytes += found.len();
        Ok(())
    }

    /// The lock of the folder itself: held shared by who looks whether a blob is there and counts on it, alone by who removes one.
    pub(super) fn lock(&self, how: FlockArg) -> Result<Flock<File>, DiskError> {
        let folder = File::open(&self.folder).named("open", &self.folder)?;
        Flock::lock(folder, how)
            .map_err(|(_, errno)| DiskError::new("lock", &self.folder, errno.into()))
    }
}

fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>, DiskError> {
    let found = fs::read_dir(folder).named("read", folder)?;
    found.collect::<Result<_, _>>().named("read", folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grow_old(blobs: &Blobs, digest: &Digest) {
        let file = File::options().append(true).open(blobs.path(digest));
        let file = file.unwrap();
        let old = file.metadata().unwrap().modified().unwrap() - GRACE;
        file.set_modified(old).unwrap();
    }

    #[test]
    fn only_old_blobs_that_nobody_names_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let [named, old, young, again] =
            ["named", "old", "young", "again"].map(|text| blobs.put(text.as_bytes()).unwrap());
        for digest in [&named, &old, &again] {
            grow_old(&blobs, digest);
        }
        assert_eq!(blobs.put(b"again").unwrap(), again, "it is young again");
        fs::write(folder.path().join("ab"), "no folder").unwrap();
        let other = blobs.path(&old).with_file_name("no digest");
        fs::write(&other, "somebody's").unwrap();
        let kept = HashSet::from([named]);
        let found = Swept {
            files: 1,
            bytes: 3,
            young: 2,
        };
        assert_eq!(blobs.remove_all_but(&kept, true).unwrap(), found);
        assert!(blobs.contains(&old));
        assert_eq!(blobs.remove_all_but(&kept, false).unwrap(), found);
        let there = [named, old, young, again].map(|digest| blobs.contains(&digest));
        assert_eq!(there, [true, false, true, true]);
        assert!(other.is_file());
    }

    #[test]
    fn nobody_removes_while_somebody_puts() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let digest = blobs.put(b"text").unwrap();
        grow_old(&blobs, &digest);
        let putting = blobs.lock(FlockArg::LockShared).unwrap();
        let other = blobs.clone();
        let (told, hears) = std::sync::mpsc::channel();
        let remover = std::thread::spawn(move || {
            told.send(()).unwrap();
            other.remove_all_but(&HashSet::new(), false).unwrap()
        });
        hears.recv().unwrap();
        // What a put does under the lock: it makes the file young, and may count on it from then on.
        assert!(blobs.make_young(&digest));
        drop(putting);
        assert_eq!(remover.join().unwrap().files, 0);
        assert!(blobs.contains(&digest));
    }
}
