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

pub(super) const ENVIRONMENT: Family = Family {
    calls: VARIABLE_READERS,
    loads: &["os.environ", "os.environb"],
    ..Family::new(Rule::EnvRead)
};
