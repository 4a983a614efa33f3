//! The socket of the owner: a file in the data folder, reached through a handle on that folder, so that a long path
//! is no hindrance (the name of a socket has 107 bytes at most).

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// The file in the data folder.
const FILE: &str = "store.sock";
/// The same before it is ready.
const DRAFT: &str = "store.sock.draft";
/// Rights of the file: its owner's alone.
const MODE: u32 = 0o600;

/// The file of a socket that somebody listens at. Removed when it is dropped.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::debug!(path = %self.0.display(), %error, "the socket could not be removed");
        }
    }
}

/// Listens in that data folder. The caller owns the store, so whatever socket is there belongs to nobody.
pub(super) fn bind(data: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let (draft, path) = (data.join(DRAFT), data.join(FILE));
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = {
        let folder = File::open(data)?;
        StdListener::bind(short(&folder, data, DRAFT))?
    };
    fs::set_permissions(&draft, Permissions::from_mode(MODE))?;
    listener.set_nonblocking(true)?;
    // The name appears when everything is ready, and takes the place of what a crash left.
    fs::rename(&draft, &path)?;
    Ok((UnixListener::from_std(listener)?, SocketFile(path)))
}

/// Connects to whoever listens in that data folder.
pub(super) async fn connect(data: &Path) -> io::Result<UnixStream> {
    let folder = File::open(data)?;
    UnixStream::connect(short(&folder, data, FILE)).await
}

/// Whether the process at the other end is of the same user, so that nobody else reads or writes histories.
pub(super) fn is_ours(stream: &UnixStream) -> bool {
    let us = nix::unistd::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == us)
}

fn short(folder: &File, data: &Path, name: &str) -> PathBuf {
    let handle = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
    if handle.exists() {
        handle.join(name)
    } else {
        data.join(name)
    }
}
