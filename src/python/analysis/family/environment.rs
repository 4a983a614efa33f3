//! The process environment.

use super::Family;
use crate::python::analysis::rules::Rule;

pub(super) const ENVIRONMENT: Family = Family {
    calls: &["os.getenv", "os.getenvb"],
    loads: &["os.environ", "os.environb"],
    ..Family::new(Rule::EnvRead)
};
