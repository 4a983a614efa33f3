//! The names that the rules know, one file per family.
//!
//! A pattern is a qualified name; a `*` at its end stands for any rest. Classes and their objects share
//! names: `epics.PV.put` is the method whether it is reached through the class or through an object.

use super::rules::Rule;

mod connector;
mod deserialize;
mod dynamic;
mod environment;
mod epics;
mod files;
mod introspection;
mod native;
mod network;
mod process;
mod tango;

pub(super) use files::{FILES, FileWrite, METHODS as FILE_METHODS, Mode as FileMode};

/// What one rule cares for.
pub(super) struct Family {
    pub(super) rule: Rule,
    /// Called.
    pub(super) calls: &'static [&'static str],
    /// Called without harm, although a pattern of `calls` fits.
    pub(super) calm: &'static [&'static str],
    /// Attributes that are stored to.
    pub(super) stores: &'static [&'static str],
    /// Names that are read.
    pub(super) loads: &'static [&'static str],
    /// Modules that are imported.
    pub(super) imports: &'static [&'static str],
    /// Methods that say enough by their name, whatever they are called on.
    pub(super) methods: &'static [&'static str],
}

impl Family {
    const fn new(rule: Rule) -> Self {
        Self {
            rule,
            calls: &[],
            calm: &[],
            stores: &[],
            loads: &[],
            imports: &[],
            methods: &[],
        }
    }
}

/// All families. Where patterns of several fit, the longest wins.
pub(super) const FAMILIES: &[&Family] = &[
    &epics::WRITE,
    &epics::READ,
    &tango::WRITE,
    &tango::READ,
    &connector::WRITE,
    &connector::READ,
    &process::PROCESS,
    &process::THREADS,
    &dynamic::DYNAMIC_CODE,
    &introspection::INTROSPECTION,
    &native::NATIVE,
    &network::NETWORK,
    &deserialize::DESERIALIZE,
    &environment::ENVIRONMENT,
];

/// Top-level modules that talk to a control system.
pub(super) const CONTROL_MODULES: &[&str] = &[
    "epics", "p4p", "caproto", "pvaccess", "aioca", "cothread", "ophyd", "tango", "taurus",
];

/// Other names of the same things, by prefix.
pub(super) const ALIASES: &[(&str, &str)] = &[
    ("epics.pv", "epics"),
    ("epics.motor", "epics"),
    ("epics.device", "epics"),
    ("p4p.client.thread", "p4p"),
    ("p4p.client.asyncio", "p4p"),
    ("p4p.client.cothread", "p4p"),
    ("p4p.client.Qt", "p4p"),
    ("p4p.client.raw", "p4p"),
    ("caproto.threading.pyepics_compat", "epics"),
    ("caproto.asyncio.client", "caproto.threading.client"),
    ("pvapy", "pvaccess"),
    ("PyTango", "tango"),
    ("tango.device_proxy", "tango"),
    ("posix", "os"),
    ("nt", "os"),
    ("posixpath", "os.path"),
    ("ntpath", "os.path"),
    ("io.open", "builtins.open"),
    ("_io.open", "builtins.open"),
    ("__builtin__", "builtins"),
    ("__builtins__", "builtins"),
    ("builtins.__builtins__", "builtins"),
    ("_socket", "socket"),
    ("_pickle", "pickle"),
    ("cPickle", "pickle"),
    ("multiprocess", "multiprocessing"),
    ("importlib.__import__", "builtins.__import__"),
    ("pathlib.PosixPath", "pathlib.Path"),
    ("pathlib._local.Path", "pathlib.Path"),
];

/// Calls whose result is of another class than their name says.
pub(super) const GIVES: &[(&str, &str)] = &[
    ("epics.get_pv", "epics.PV"),
    (
        "caproto.threading.client.Context.get_pvs",
        "caproto.threading.client.PV",
    ),
    ("tango.get_device_proxy", "tango.DeviceProxy"),
    ("tango.get_attribute_proxy", "tango.AttributeProxy"),
    ("taurus.Device", "tango.DeviceProxy"),
    ("taurus.Attribute", "tango.AttributeProxy"),
];
