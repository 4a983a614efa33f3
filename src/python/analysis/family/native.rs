//! Ways out of Python.

use super::Family;
use crate::python::analysis::rules::Rule;

pub(super) const NATIVE: Family = Family {
    imports: &["ctypes", "_ctypes", "cffi", "_cffi_backend"],
    calls: &["numpy.ctypeslib.load_library"],
    ..Family::new(Rule::Native)
};
