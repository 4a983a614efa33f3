//! Files that survive a power loss, and disk errors sorted by what a person can do about them.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::code::{self, Code};

/// A failed access to the disk.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot {doing} {}: {source}", path.display())]
pub struct DiskError {
    /// What was tried, as a verb: `write`, `sync`, `open`.
    pub doing: Cow<'static, str>,
    /// The file or folder.
    pub path: PathBuf,
    /// What the system answered.
    pub source: Arc<io::Error>,
}

impl DiskError {
    /// The error of trying to do that with that path.
    pub fn new(doing: impl Into<Cow<'static, str>>, path: &Path, source: io::Error) -> Self {
        Self {
            doing: doing.into(),
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }

    /// `disk_full`, `store_read_only` or `store_io`.
    #[must_use]
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the system's error kinds are open-ended; three of them have a remedy of their own"
    )]
    pub fn code(&self) -> Code {
        match self.source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => code::DISK_FULL,
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                code::STORE_READ_ONLY
            }
            _ => code::STORE_IO,
        }
    }
}

/// Names the act and the path of a failed access.
pub(crate) trait Named<T> {
    /// Turns the system's error into ours.
    fn named(self, doing: &'static str, path: &Path) -> Result<T, DiskError>;
}

impl<T> Named<T> for io::Result<T> {
    fn named(self, doing: &'static str, path: &Path) -> Result<T, DiskError> {
        self.map_err(|source| DiskError::new(doing, path, source))
    }
}

/// Mode of the folders that are made: what a run did is the business of its owner.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Makes a folder and those above it, and makes their names durable.
pub(crate) fn create_dir(path: &Path) -> Result<(), DiskError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        create_dir(parent)?;
    }
    match fs::DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Ok(()) => sync_parent(path),
        // Somebody else was faster.
        Err(_) if path.is_dir() => Ok(()),
        Err(source) => Err(DiskError::new("create", path, source)),
    }
}

/// Opens a file that somebody's code may have put there: a plain one, or nothing. No link is followed, and a pipe
/// that nobody writes to does not hold the caller up.
pub(crate) fn open_plain(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a plain file",
        ))
    }
}

/// Writes a file for people, readable by its owner alone, and its folder first. Whatever had the name before is
/// replaced, not followed. Not synced: what is durable is elsewhere.
pub(crate) fn write_private(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Looked for first: making what is there locks the folder above, and the runs of a day share that one.
    if !folder.is_dir() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(folder)?;
    }
    let part = folder.join(format!(".{name}.part"));
    match fs::remove_file(&part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(&part)
        .and_then(|mut file| file.write_all(text))
        .and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // It costs space and nothing else.
        let _ = fs::remove_file(&part);
    }
    written
}

/// Makes the names in a folder durable.
pub(crate) fn sync_dir(path: &Path) -> Result<(), DiskError> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .named("sync", path)
}

/// Makes the name of `path` itself durable.
pub(crate) fn sync_parent(path: &Path) -> Result<(), DiskError> {
    path.parent().map_or(Ok(()), sync_dir)
}

/// Numbers the temporary files of this process, so that two threads never share one.
static TEMPORARY: AtomicU64 = AtomicU64::new(0);

/// A file that has no final name yet. It is removed when it is dropped before it got one.
#[derive(Debug)]
pub(crate) struct Draft {
    file: File,
    path: PathBuf,
    named: bool,
}

impl Draft {
    /// Starts a file in that folder.
    pub(crate) fn new(folder: &Path) -> Result<Self, DiskError> {
        let number = TEMPORARY.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".draft-{}-{number}", std::process::id()));
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE_MODE)
            .open(&path)
            .named("create", &path)?;
        Ok(Self {
            file,
            path,
            named: false,
        })
    }

    /// Adds bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.file.write_all(bytes).named("write", &self.path)
    }

    /// Makes the content durable, gives it its name, and makes the name durable.
    pub(crate) fn publish(mut self, path: &Path) -> Result<(), DiskError> {
        self.file.sync_all().named("sync", &self.path)?;
        fs::rename(&self.path, path).named("rename to", path)?;
        self.named = true;
        sync_parent(path)
    }
}

/// A draft that is younger is left alone, whoever made it: 1 hour.
const DRAFT_AGE: Duration = Duration::from_secs(3_600);

/// Removes drafts that processes left which are gone. What can't be looked at stays: it is only space.
pub(crate) fn sweep_drafts(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|name| {
            let (maker, _) = name.strip_prefix(".draft-")?.split_once('-')?;
            maker.parse::<i32>().ok()
        });
        let Some(maker) = maker.filter(|maker| *maker > 0) else {
            continue;
        };
        let gone = kill(Pid::from_raw(maker), None) == Err(Errno::ESRCH);
        let modified = entry.metadata().and_then(|found| found.modified());
        let age = modified.ok().and_then(|at| at.elapsed().ok());
        if gone && age.is_some_and(|age| age > DRAFT_AGE) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.named {
            // What a failed removal leaves behind is only space: no name leads to it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_remedy_has_its_code() {
        for (errno, code) in [
            (Errno::ENOSPC, code::DISK_FULL),
            (Errno::EDQUOT, code::DISK_FULL),
            (Errno::EFBIG, code::DISK_FULL),
            (Errno::EROFS, code::STORE_READ_ONLY),
            (Errno::EACCES, code::STORE_READ_ONLY),
            (Errno::EPERM, code::STORE_READ_ONLY),
            (Errno::EIO, code::STORE_IO),
            (Errno::EMFILE, code::STORE_IO),
        ] {
            let source = io::Error::from_raw_os_error(errno as i32);
            let error = DiskError::new("write", Path::new("/data/x"), source);
            assert_eq!(error.code(), code, "{errno}");
            assert!(error.to_string().starts_with("cannot write /data/x: "));
        }
    }

    #[test]
    fn only_old_drafts_of_processes_that_are_gone_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let gone = child.id();
        child.wait().unwrap();
        let here = std::process::id();
        let old = std::time::SystemTime::UNIX_EPOCH;
        for (name, modified) in [
            (format!(".draft-{gone}-1"), Some(old)),
            (format!(".draft-{gone}-2"), None),
            (format!(".draft-{here}-1"), Some(old)),
            (".draft-x-1".to_owned(), Some(old)),
            ("abcd".to_owned(), Some(old)),
        ] {
            let file = File::create(folder.path().join(name)).unwrap();
            if let Some(modified) = modified {
                file.set_modified(modified).unwrap();
            }
        }
        sweep_drafts(folder.path());
        let left = fs::read_dir(folder.path()).unwrap().flatten();
        let mut left: Vec<_> = left
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        left.sort();
        let mut kept = vec![
            format!(".draft-{gone}-2"),
            format!(".draft-{here}-1"),
            ".draft-x-1".to_owned(),
            "abcd".to_owned(),
        ];
        kept.sort();
        assert_eq!(left, kept);
    }

    #[test]
    fn a_draft_that_is_dropped_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut draft = Draft::new(folder.path()).unwrap();
        draft.write(b"half").unwrap();
        drop(draft);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
