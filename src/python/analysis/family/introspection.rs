//! Walks through the interpreter's own objects, which reach everything without naming it.

use super::Family;
use crate::python::analysis::rules::Rule;

pub(super) const INTROSPECTION: Family = Family {
    calls: &[
        "__loader__.*",
        "__spec__.*",
        "sys._getframe",
        "sys._current_frames",
        "sys.settrace",
        "sys.setprofile",
        "inspect.currentframe",
        "inspect.stack",
        "inspect.getouterframes",
        "gc.get_objects",
        "gc.get_referrers",
        "gc.get_referents",
        "types.CodeType",
        "types.FunctionType",
    ],
    loads: &["__spec__.loader", "sys.meta_path", "sys.path_hooks"],
    // Read as attributes, called or not.
    methods: &[
        "__subclasses__",
        "__globals__",
        "__builtins__",
        "__code__",
        "__closure__",
        "__mro__",
        "__bases__",
        "__base__",
        "__loader__",
        "f_globals",
        "f_builtins",
        "f_locals",
        "f_back",
        "gi_frame",
        "cr_frame",
        "ag_frame",
        "tb_frame",
    ],
    ..Family::new(Rule::Introspection)
};
