//! Connectors that a framework or LabVIEW hands to the code: their methods say enough by their name.

use super::{Family, Pack};
use crate::python::analysis::rules::Rule;

pub(super) const WRITE: Family = Family {
    pack: Some(Pack::Generic),
    methods: &[
        "write_channel",
        "write_channels",
        "write_multiple_channels",
        "writeChannel",
        "put_channel",
        "set_channel",
        "write_setting",
        "write_settings",
        "writeSetting",
        "writeSettings",
        "WriteSetting",
        "set_control",
        "set_control_value",
        "setControlValue",
        "SetControlValue",
        "SetCtrlVal",
        "write_pv",
        "set_pv",
        "put_pv",
    ],
    ..Family::new(Rule::ControlWrite)
};

pub(super) const READ: Family = Family {
    pack: Some(Pack::Generic),
    methods: &[
        "read_channel",
        "read_channels",
        "read_multiple_channels",
        "readChannel",
        "read_setting",
        "readSetting",
        "get_control_value",
        "getControlValue",
        "GetControlValue",
        "GetCtrlVal",
        "read_pv",
        "get_pv",
    ],
    ..Family::new(Rule::ControlRead)
};

/// What an object of unknown origin is called by those who write to it.
const RECEIVERS: &[&str] = &[
    "pv",
    "pvs",
    "channel",
    "channels",
    "connector",
    "device",
    "labview",
    "vi",
    "magnet",
    "motor",
    "setpoint",
    "signal",
];

/// Methods by which such objects write.
const METHODS: &[&str] = &[
    "put",
    "put_complete",
    "set_value",
    "setValue",
    "write",
    "write_value",
    "caput",
    "move",
    "set_position",
    "set_current",
    "set_setpoint",
    "setpoint",
];

/// Whether `receiver.method(…)` reads like a write to hardware.
pub(in crate::python::analysis) fn reads_like_a_write(receiver: &str, method: &str) -> bool {
    METHODS.contains(&method) && is_hardware(receiver)
}

/// Whether `receiver.name = …` does.
pub(in crate::python::analysis) fn stores_like_a_write(receiver: &str, name: &str) -> bool {
    matches!(name, "value" | "setpoint") && receiver.split('_').any(|word| word == "pv")
}

fn is_hardware(receiver: &str) -> bool {
    let receiver = receiver.to_ascii_lowercase();
    let receiver = receiver.trim_end_matches(|end: char| end.is_ascii_digit() || end == '_');
    RECEIVERS.contains(&receiver)
        || receiver
            .split('_')
            .any(|word| matches!(word, "pv" | "pvs" | "connector"))
}
