//! The door by which a running supervisor is told to stop: a named pipe in the folder. Unlike a process
//! number it can't come to mean somebody else. A word in it counts only with the sign beside the folder: the pipe is where
//! the code can write.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::folder::Folder;

const NAME: &str = "control";

/// Makes the pipe and keeps it open at both ends, so that it never reports an end.
pub(super) fn open(folder: &Folder) -> io::Result<File> {
    let path = folder.internal(NAME);
    match mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(error) => return Err(error.into()),
    }
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)
}

/// Whether somebody asked to stop; empties the pipe.
pub(super) fn asked(mut control: &File) -> bool {
    let mut buffer = [0; 64];
    control.read(&mut buffer).is_ok_and(|len| len > 0)
}

/// Asks the supervisor to stop; without one, nothing happens.
pub(super) fn ask(folder: &Folder) {
    let opened = OpenOptions::new()
        .write(true)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW).bits())
        .open(folder.internal(NAME));
    if let Ok(mut control) = opened {
        // A full pipe has been asked before.
        let _full = control.write_all(b"c");
    }
}
