//! Ways out of Python.

use super::Family;
use crate::python::analysis::rules::Rule;

pub(super) const NATIVE: Family = Family {
    imports: &["ctypes", "_ctypes", "cffi", "_cffi_backend"],
    calls: &[
        "numpy.ctypeslib.*",
        "_imp.create_dynamic",
        "_imp.exec_dynamic",
        "cython.inline",
        "Cython.inline",
        "pyximport.*",
        "cppyy.*",
        "jpype.*",
        "clr.*",
        "rpy2.*",
        "oct2py.*",
        "julia.*",
        "juliacall.*",
        "matlab.engine.*",
        "llvmlite.*",
        "torch.utils.cpp_extension.load*",
        "torch.ops.load_library",
        "tensorflow.load_op_library",
        "win32api.*",
        "win32com.*",
        "comtypes.*",
    ],
    methods: &[
        "load_extension",
        "enable_load_extension",
        "loadextension",
        "enableloadextension",
    ],
    ..Family::new(Rule::Native)
};
