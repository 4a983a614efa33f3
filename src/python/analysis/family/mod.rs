//! The names that the rules know, one file per family.
//!
//! A pattern is a qualified name; a `*` at its end stands for any rest. Classes and their objects share
//! names: `epics.PV.put` is the method whether it is reached through the class or through an object.

use super::rules::{Pack, Rule};

mod connector;
mod deserialize;
mod doocs;
mod dynamic;
mod environment;
mod epics;
mod files;
mod hooks;
mod instrument;
mod introspection;
mod native;
mod network;
mod process;
mod secret;
mod tampering;
mod tango;

pub(super) use connector::{reads_like_a_write, stores_like_a_write};
pub(super) use environment::{LOADING_VARIABLES, VARIABLE_READERS};
pub(super) use files::{FILES, FileWrite, METHODS as FILE_METHODS, Mode as FileMode};
pub(super) use network::READERS;
pub(super) use secret::{holds_secrets, named_like_a_secret};

/// What one rule cares for.
pub(super) struct Family {
    pub(super) rule: Rule,
    /// The pack that a deployment can switch off; none = always on.
    pub(super) pack: Option<Pack>,
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
            pack: None,
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
    &doocs::WRITE,
    &doocs::READ,
    &instrument::WRITE,
    &instrument::READ,
    &process::PROCESS,
    &process::THREADS,
    &dynamic::DYNAMIC_CODE,
    &introspection::INTROSPECTION,
    &native::NATIVE,
    &network::NETWORK,
    &deserialize::DESERIALIZE,
    &environment::ENVIRONMENT,
    &tampering::TAMPERING,
    &tampering::IMPORT_PATH,
    &hooks::HOOKS,
    &secret::SECRET,
];

/// Top-level modules that talk to a control system.
pub(super) const CONTROL_MODULES: &[(&str, Pack)] = &[
    ("epics", Pack::Epics),
    ("p4p", Pack::Epics),
    ("caproto", Pack::Epics),
    ("pvaccess", Pack::Epics),
    ("aioca", Pack::Epics),
    ("cothread", Pack::Epics),
    ("ophyd", Pack::Epics),
    ("CaChannel", Pack::Epics),
    ("tango", Pack::Tango),
    ("taurus", Pack::Tango),
    ("pydoocs", Pack::Doocs),
    ("doocspy", Pack::Doocs),
    ("PyTine", Pack::Doocs),
    ("pyjapc", Pack::Doocs),
    ("pyvisa", Pack::Instruments),
    ("serial", Pack::Instruments),
    ("pyads", Pack::Instruments),
    ("opcua", Pack::Instruments),
    ("pymodbus", Pack::Instruments),
    ("nidaqmx", Pack::Instruments),
    ("snap7", Pack::Instruments),
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
    ("pathlib.WindowsPath", "pathlib.Path"),
    ("epics.positioner", "epics"),
    ("epics.multiproc", "epics"),
    ("epics.devices.scaler", "epics.devices"),
    ("epics.devices.struck", "epics.devices"),
    ("epics.devices.scan", "epics.devices"),
    ("epics.devices.mca", "epics.devices"),
    ("epics.devices.ad_camera", "epics.devices"),
    ("epics.devices.ad_fileplugin", "epics.devices"),
    ("cothread.aioca", "aioca"),
    ("ophyd.signal", "ophyd"),
    ("ophyd.epics_motor", "ophyd"),
    ("ophyd.EpicsSignalWithRBV", "ophyd.EpicsSignal"),
    ("ophyd.EpicsSignalRO", "ophyd.EpicsSignal"),
    ("bluesky.run_engine", "bluesky"),
    ("visa", "pyvisa"),
    ("pyvisa.resources.Resource", "pyvisa.Resource"),
    ("pyvisa.resources.MessageBasedResource", "pyvisa.Resource"),
    ("serial.serialposix", "serial"),
    ("asyncua.sync", "opcua"),
    ("asyncua", "opcua"),
    ("opcua.common.node", "opcua"),
    ("pymodbus.client.tcp", "pymodbus.client"),
    ("pymodbus.client.sync", "pymodbus.client"),
    (
        "pymodbus.client.AsyncModbusTcpClient",
        "pymodbus.client.ModbusTcpClient",
    ),
    ("IPython.get_ipython", "builtins.get_ipython"),
    (
        "IPython.core.getipython.get_ipython",
        "builtins.get_ipython",
    ),
    ("mock", "unittest.mock"),
    ("subprocess32", "subprocess"),
    ("numpy.lib.npyio.load", "numpy.load"),
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
    ("pyvisa.ResourceManager.open_resource", "pyvisa.Resource"),
    ("opcua.Client.get_node", "opcua.Node"),
    ("opcua.Client.get_objects_node", "opcua.Node"),
    ("opcua.Client.get_root_node", "opcua.Node"),
    ("opcua.Node.get_child", "opcua.Node"),
    ("serial.serial_for_url", "serial.Serial"),
    ("epics.Device.PV", "epics.PV"),
    ("epics.Motor.PV", "epics.PV"),
];
