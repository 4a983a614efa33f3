//! Code that is not in the text.

use super::Family;
use crate::python::analysis::rules::Rule;

pub(super) const DYNAMIC_CODE: Family = Family {
    calls: &[
        "builtins.eval",
        "builtins.exec",
        "builtins.compile",
        "builtins.execfile",
        "builtins.get_ipython.run_cell*",
        "builtins.get_ipython.run_line_magic",
        "builtins.get_ipython.run_code",
        "builtins.get_ipython.ev",
        "builtins.get_ipython.ex",
        "runpy.run_path",
        "runpy.run_module",
        "code.InteractiveInterpreter.*",
        "code.InteractiveConsole.*",
        "code.interact",
        "codeop.*",
        "timeit.timeit",
        "timeit.repeat",
        "timeit.Timer",
        "cProfile.run",
        "cProfile.runctx",
        "profile.run",
        "profile.runctx",
        "pdb.run",
        "pdb.runeval",
        "imp.load_*",
        "importlib.util.module_from_spec",
        "importlib.util.spec_from_file_location",
        "importlib.util.spec_from_loader",
        "importlib.machinery.SourceFileLoader",
        "importlib.machinery.SourcelessFileLoader",
        "importlib.machinery.ExtensionFileLoader",
        "zipimport.zipimporter",
    ],
    ..Family::new(Rule::DynamicCode)
};
