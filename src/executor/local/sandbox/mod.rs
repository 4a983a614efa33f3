//! The walls around the code of an attempt, made by the system: a process enters them just before it becomes the
//! interpreter, or just before a process that was forked from a warm one runs the code, and never leaves them.
//!
//! What each layer keeps out, and what it does not, is in docs/security.md.

mod calls;
mod files;
mod other;
mod outline;
mod probe;
mod report;
mod space;

use std::io;

use nix::sys::prctl;

pub use probe::probe;

pub(super) use files::{Machine, real};
pub(super) use other::Ahead;
pub(super) use outline::Outline;
pub(super) use probe::Offered;
pub(super) use report::Entered;

use super::folder::{Folder, Order};
use crate::executor::Layer;
use crate::plan::{IsolationLevel, Network};

/// Names of the layers.
pub(super) const ENVIRONMENT: &str = "environment";
pub(super) const SESSION: &str = "session";
pub(super) const LIMITS: &str = "limits";
pub(super) const NO_NEW_PRIVILEGES: &str = "no_new_privileges";
pub(super) const LANDLOCK: &str = "landlock";
pub(super) const SECCOMP: &str = "seccomp";
pub(super) const USER_NAMESPACE: &str = "user_namespace";
pub(super) const NETWORK_NAMESPACE: &str = "network_namespace";

/// What holds for every attempt: nothing of it can be missing.
pub(super) fn given(order: &Order) -> Vec<Layer> {
    let limits = &order.job.limits;
    let mut kept = vec![
        format!("{} open files", limits.open_files_max),
        format!("files of {} bytes", limits.artifact_bytes_max),
    ];
    kept.extend(
        limits
            .memory_bytes
            .map(|bytes| format!("{bytes} bytes of memory")),
    );
    kept.extend(
        limits
            .cpu_time
            .map(|time| format!("{} s of processor time", time.as_secs_f64())),
    );
    kept.extend(
        limits
            .processes_max
            .map(|count| format!("{count} processes")),
    );
    kept.extend(
        limits
            .disk_bytes_max
            .map(|bytes| format!("{bytes} bytes on the disk")),
    );
    vec![
        held(
            ENVIRONMENT,
            "the variables of the engine stay outside, except a short list",
        ),
        held(SESSION, "a session of its own, ended as a whole"),
        held(LIMITS, &format!("at most {}", kept.join(", "))),
    ]
}

pub(super) fn held(name: &str, reason: &str) -> Layer {
    layer(name, true, reason)
}

pub(super) fn missing(name: &str, reason: &str) -> Layer {
    layer(name, false, reason)
}

fn layer(name: &str, held: bool, reason: &str) -> Layer {
    Layer {
        name: name.to_owned(),
        held,
        reason: reason.to_owned(),
    }
}

/// Enters every wall that the system gives. Nothing is undone when one is missing: the report says it, and who asked
/// for all of them does not go on.
pub(super) fn enter(folder: &Folder, order: &Order) -> io::Result<Entered> {
    let mut layers = given(order);
    let protection = &order.job.protection;
    if protection.isolation != IsolationLevel::Off {
        layers.push(no_new_privileges());
        layers.extend(space::enter(order));
        layers.push(files::enter(folder, order));
        layers.push(calls::enter(protection.network));
    }
    Ok(Entered::new(layers, protection.isolation))
}

fn no_new_privileges() -> Layer {
    match prctl::set_no_new_privs() {
        Ok(()) => held(
            NO_NEW_PRIVILEGES,
            "no program gives it more rights than it has",
        ),
        Err(error) => missing(NO_NEW_PRIVILEGES, &error.to_string()),
    }
}

/// What the denied calls mean, for people.
pub(super) fn calls_reason(network: Network) -> &'static str {
    match network {
        Network::Full => "calls that only tools of administrators make are refused",
        Network::None => {
            "calls that only tools of administrators make are refused, and sockets that reach the network"
        }
    }
}
