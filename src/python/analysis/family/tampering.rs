//! Replacing parts of Python, and folders that modules come from.
//!
//! A store to any name whose call a rule knows (`os.system = print`) counts as well, see `target.rs`.

use super::Family;
use crate::python::analysis::rules::Rule;

pub(super) const TAMPERING: Family = Family {
    stores: &[
        "builtins.*",
        "sys.modules",
        "sys.meta_path",
        "sys.path_hooks",
        "sys.path_importer_cache",
        "sys.breakpointhook",
        "sys.exit",
        "io.open",
        "socket.socket",
        "socket.create_connection",
        "requests.get",
        "requests.post",
        "requests.request",
        "urllib.request.urlopen",
    ],
    calls: &[
        "unittest.mock.patch*",
        "wrapt.*",
        "gorilla.*",
        "forbiddenfruit.*",
        "importlib.reload",
    ],
    calm: &["wrapt.decorator"],
    ..Family::new(Rule::Tampering)
};

pub(super) const IMPORT_PATH: Family = Family {
    stores: &["sys.path"],
    calls: &[
        "sys.path.append",
        "sys.path.insert",
        "sys.path.extend",
        "sys.path.__iadd__",
        "site.addsitedir",
        "site.main",
        "pkgutil.extend_path",
        "pkg_resources.require",
    ],
    ..Family::new(Rule::ImportPath)
};
