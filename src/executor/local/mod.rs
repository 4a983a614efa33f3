//! Python in processes of this machine: engine → supervisor → launcher, which becomes the interpreter.
//!
//! The supervisor is this same binary (`__supervise FOLDER`). It holds `supervisor.lock` while it lives, so
//! that liveness is a question to the kernel and never to a process number that may have been used again.

pub(super) mod clean;
pub(super) mod collect;
mod control;
mod descriptors;
mod executor;
pub(super) mod folder;
pub(super) mod harness;
pub(super) mod held_back;
mod launch;
mod leftover;
mod meter;
pub(super) mod pattern;
mod recover;
mod sandbox;
mod spent;
mod stream;
mod supervise;
mod surroundings;
mod tree;
mod warm;
mod watch;

use std::ffi::OsStr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

pub use executor::{LocalExecutor, Options};
pub use launch::launch;
pub use sandbox::probe;
pub use supervise::supervise;
pub use warm::WarmOptions;

/// Whether this program has asked what it was started for.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Does the work of a supervisor or a launcher when this program was started as one. Must stand first in `main` of
/// a program that runs Python steps by itself, without the `stepwell` program beside it.
#[must_use]
pub fn helper() -> Option<ExitCode> {
    ASKED.store(true, Ordering::Relaxed);
    let mut args = std::env::args_os().skip(1);
    match args.next().as_deref().and_then(OsStr::to_str) {
        Some("__supervise") => Some(supervise(args)),
        Some("__launch") => Some(launch(args)),
        Some("__probe") => Some(probe()),
        Some(_) | None => None,
    }
}

/// Whether this program can be started again as supervisor and launcher: its `main` begins with [`helper`].
#[must_use]
pub fn can_help() -> bool {
    ASKED.load(Ordering::Relaxed)
}
