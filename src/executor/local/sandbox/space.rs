//! Namespaces: the memory and the variables of other processes are out of reach, and the network when it is not wanted.

use std::fs;
use std::io;

use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{getgid, getuid};

use super::{NETWORK_NAMESPACE, USER_NAMESPACE, held, missing};
use crate::executor::Layer;
use crate::executor::local::folder::Order;
use crate::plan::Network;

/// What holds in a namespace of users.
pub(in crate::executor::local) const USERS: &str =
    "memory and variables of other processes can't be read; rights of root end at its own files";
/// What holds in a namespace of networks.
pub(in crate::executor::local) const NETWORKS: &str = "a network without any way out";

/// The namespaces that are wanted.
pub(in crate::executor::local) fn wanted(network: Network) -> CloneFlags {
    let users = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWIPC;
    match network {
        Network::Full => users,
        Network::None => users | CloneFlags::CLONE_NEWNET,
    }
}

/// Enters namespaces in which this user is the same user.
pub(super) fn separate(flags: CloneFlags) -> io::Result<()> {
    let (user, group) = (getuid(), getgid());
    unshare(flags)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}

pub(super) fn enter(order: &Order) -> Vec<Layer> {
    let network = order.job.protection.network;
    // It was tried before: there is no way back from half of it.
    let entered = match &order.offered.namespaces {
        Ok(()) => separate(wanted(network)).map_err(|error| error.to_string()),
        Err(reason) => Err(reason.clone()),
    };
    if entered.is_ok() {
        processes(order);
    }
    layers(entered.err().as_deref(), network)
}

/// The layers, held or with the reason why they are not.
pub(in crate::executor::local) fn layers(
    missing_because: Option<&str>,
    network: Network,
) -> Vec<Layer> {
    let layer = |name, what| {
        missing_because.map_or_else(|| held(name, what), |reason| missing(name, reason))
    };
    let mut layers = vec![layer(USER_NAMESPACE, USERS)];
    match network {
        Network::Full => {}
        Network::None => layers.push(layer(NETWORK_NAMESPACE, NETWORKS)),
    }
    layers
}

/// The number of processes is counted by namespace and user, so that it means this attempt alone. It does not bind
/// root, whose processes the supervisor counts.
fn processes(order: &Order) {
    if let Some(max) = order.job.limits.processes_max {
        let _as_before = setrlimit(Resource::RLIMIT_NPROC, max.into(), max.into());
    }
}
