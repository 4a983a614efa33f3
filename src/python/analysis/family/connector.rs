//! Connectors that a framework hands to the code: their methods say enough by their name.

use super::Family;
use crate::python::analysis::rules::Rule;

pub(super) const WRITE: Family = Family {
    methods: &[
        "write_channel",
        "write_channels",
        "write_multiple_channels",
        "set_control",
        "SetControlValue",
    ],
    ..Family::new(Rule::ControlWrite)
};

pub(super) const READ: Family = Family {
    methods: &[
        "read_channel",
        "read_channels",
        "read_multiple_channels",
        "GetControlValue",
    ],
    ..Family::new(Rule::ControlRead)
};
