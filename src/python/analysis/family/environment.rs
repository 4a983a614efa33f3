//! The process environment.

use super::Family;
use crate::python::analysis::rules::Rule;

/// Calls whose first argument is the name of a variable.
pub(in crate::python::analysis) const VARIABLE_READERS: &[&str] = &[
    "os.getenv",
    "os.getenvb",
    "os.environ.get",
    "os.environ.pop",
    "os.environ.setdefault",
    "os.environ.__getitem__",
];

/// Variables by which interpreters and programs that are started later load other code.
pub(in crate::python::analysis) const LOADING_VARIABLES: &[&str] = &[
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_AUDIT",
];

pub(super) const ENVIRONMENT: Family = Family {
    calls: VARIABLE_READERS,
    loads: &["os.environ", "os.environb"],
    ..Family::new(Rule::EnvRead)
};
