//! Python in processes of this machine: engine → supervisor → launcher, which becomes the interpreter.
//!
//! The supervisor is this same binary (`__supervise FOLDER`). It holds `supervisor.lock` while it lives, so
//! that liveness is a question to the kernel and never to a process number that may have been used again.

mod clean;
mod collect;
mod control;
mod descriptors;
mod executor;
mod folder;
mod harness;
mod launch;
mod pattern;
mod recover;
mod stream;
mod supervise;
mod surroundings;
mod tree;
mod watch;

pub use executor::{LocalExecutor, Options};
pub use launch::launch;
pub use supervise::supervise;
