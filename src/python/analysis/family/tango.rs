//! Tango: `tango` and its older name `PyTango`.

use super::{Family, Pack};
use crate::python::analysis::rules::Rule;

pub(super) const WRITE: Family = Family {
    pack: Some(Pack::Tango),
    // Every method that the proxy does not have itself is a command of the device.
    calls: &[
        "tango.DeviceProxy.*",
        "tango.AttributeProxy.write*",
        "tango.Group.write_attribute*",
        "tango.Group.command_inout*",
        "tango.Database.put_*",
        "tango.Database.delete_*",
    ],
    calm: &[
        "tango.DeviceProxy.read_*",
        "tango.DeviceProxy.get_*",
        "tango.DeviceProxy.is_*",
        "tango.DeviceProxy.attribute_*",
        "tango.DeviceProxy.command_list_query",
        "tango.DeviceProxy.command_query",
        "tango.DeviceProxy.command_history",
        "tango.DeviceProxy.state",
        "tango.DeviceProxy.State",
        "tango.DeviceProxy.status",
        "tango.DeviceProxy.Status",
        "tango.DeviceProxy.ping",
        "tango.DeviceProxy.info",
        "tango.DeviceProxy.name",
        "tango.DeviceProxy.dev_name",
        "tango.DeviceProxy.alias",
        "tango.DeviceProxy.adm_name",
        "tango.DeviceProxy.description",
        "tango.DeviceProxy.set_timeout_millis",
        "tango.DeviceProxy.set_green_mode",
        "tango.DeviceProxy.set_source",
        "tango.DeviceProxy.subscribe_event",
        "tango.DeviceProxy.unsubscribe_event",
    ],
    stores: &["tango.DeviceProxy.*", "tango.AttributeProxy.value"],
    methods: &[
        "write_attribute",
        "write_attribute_asynch",
        "write_attributes",
        "write_attributes_asynch",
        "write_read_attribute",
        "write_read_attributes",
        "command_inout",
        "command_inout_asynch",
    ],
    ..Family::new(Rule::ControlWrite)
};

pub(super) const READ: Family = Family {
    pack: Some(Pack::Tango),
    calls: &[
        "tango.DeviceProxy.read_*",
        "tango.DeviceProxy.state",
        "tango.DeviceProxy.State",
        "tango.DeviceProxy.status",
        "tango.DeviceProxy.Status",
        "tango.AttributeProxy.read*",
        "tango.Group.read_attribute*",
    ],
    methods: &["read_attribute", "read_attributes"],
    ..Family::new(Rule::ControlRead)
};
