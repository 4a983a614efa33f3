//! Other control systems with Python clients: DOOCS, TINE, JAPC.

use super::{Family, Pack};
use crate::python::analysis::rules::Rule;

pub(super) const WRITE: Family = Family {
    pack: Some(Pack::Doocs),
    calls: &[
        "pydoocs.write",
        "pydoocs.write_*",
        "doocspy.write*",
        "PyTine.set",
        "PyTine.set_*",
        "pyjapc.PyJapc.setParam",
        "pyjapc.PyJapc.rpcParam",
        "pyda.SimpleClient.set",
    ],
    methods: &["setParam"],
    ..Family::new(Rule::ControlWrite)
};

pub(super) const READ: Family = Family {
    pack: Some(Pack::Doocs),
    calls: &[
        "pydoocs.read",
        "pydoocs.read_*",
        "pydoocs.names",
        "pydoocs.connect",
        "doocspy.read*",
        "PyTine.get",
        "PyTine.get_*",
        "PyTine.attach",
        "pyjapc.PyJapc.getParam",
        "pyjapc.PyJapc.subscribeParam",
        "pyda.SimpleClient.get",
    ],
    methods: &["getParam"],
    ..Family::new(Rule::ControlRead)
};
