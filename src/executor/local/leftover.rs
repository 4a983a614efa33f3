//! Temporary folders in the system's own, left by attempts whose supervisor was killed: nobody else comes back for them.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use nix::fcntl::OFlag;

use super::folder::Folder;
use super::tree;

/// A folder that is younger may belong to an attempt that is only beginning: 1 hour.
pub(super) const AGE: Duration = Duration::from_secs(3_600);

/// Keeps the folder from being swept as long as the file is open.
pub(super) fn keep(folder: &Path) -> io::Result<File> {
    let folder = open(folder)?;
    // Nobody but the sweep ever locks it, for the blink of an eye.
    folder.lock()?;
    Ok(folder)
}

/// Removes the folders of attempts that are surely over: made by this user, of that age, without a supervisor, and with
/// no process that has the mark of the attempt. What can't be looked at stays: it is only space.
pub(super) fn sweep(system: &Path, age: Duration) {
    let mut alive: Option<HashSet<String>> = None;
    for entry in fs::read_dir(system).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let mark = name.to_str().and_then(Folder::mark_of_temporary);
        let Some(mark) = mark.filter(|_| is_old(&entry.path(), age)) else {
            continue;
        };
        let Ok(folder) = open(&entry.path()) else {
            continue;
        };
        if folder.try_lock().is_err() {
            continue;
        }
        let alive = alive.get_or_insert_with(tree::marks);
        if !alive.iter().any(|other| other.starts_with(mark)) {
            let _left = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_old(folder: &Path, age: Duration) -> bool {
    let Ok(found) = fs::symlink_metadata(folder) else {
        return false;
    };
    let modified = found.modified().ok().and_then(|at| at.elapsed().ok());
    found.is_dir()
        && found.uid() == nix::unistd::geteuid().as_raw()
        && modified.is_some_and(|since| since >= age)
}

fn open(folder: &Path) -> io::Result<File> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.bits()).open(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_attempts_that_are_surely_over_are_swept() {
        let system = tempfile::tempdir().unwrap();
        let make = |name: &str, modified: Option<std::time::SystemTime>| {
            let path = system.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("file"), "x").unwrap();
            if let Some(modified) = modified {
                File::open(&path).unwrap().set_modified(modified).unwrap();
            }
            path
        };
        let old = Some(std::time::SystemTime::UNIX_EPOCH);
        let name = |digit: &str| format!("stepwell-{}", digit.repeat(16));
        let over = make(&name("a"), old);
        let young = make(&name("b"), None);
        let supervised = make(&name("c"), old);
        let in_use = make(&name("d"), old);
        let others = [
            make("stepwell-notes", old),
            make("stepwell-0123456789abcdeg", old),
            make("other-0123456789abcdef", old),
        ];
        let link = system.path().join(name("e"));
        std::os::unix::fs::symlink(&others[2], &link).unwrap();
        let _kept = keep(&supervised).unwrap();
        let mut process = std::process::Command::new("sleep")
            .arg("600")
            .env("STEPWELL_MARK", "d".repeat(32))
            .spawn()
            .unwrap();
        sweep(system.path(), AGE);
        process.kill().unwrap();
        process.wait().unwrap();
        assert!(!over.exists());
        for path in [young, supervised, in_use, link].iter().chain(&others) {
            assert!(path.join("file").exists(), "{}", path.display());
        }
    }
}
