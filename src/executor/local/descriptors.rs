//! Open files that came from outside: whoever started the engine may have left some, and none may reach a step.

use std::fs;
use std::os::fd::RawFd;

use nix::unistd::close;

const STANDARD_STREAMS: RawFd = 3;

/// Closes everything above the standard streams. To be called before this process opens anything itself.
pub(super) fn close_inherited() {
    let open: Vec<RawFd> = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd >= STANDARD_STREAMS)
        .collect();
    for fd in open {
        // The listing's own is closed already.
        let _gone = close(fd);
    }
}
