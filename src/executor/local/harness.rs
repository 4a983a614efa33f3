//! The Python side, installed once into the data folder under the digest of its text.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::id::Digest;

/// How every interpreter is started.
pub(super) const FLAGS: [&str; 3] = ["-s", "-X", "faulthandler"];

/// Starts the harness: a package in a file, so that its compiled form is kept between attempts.
pub(in crate::executor) const BOOTSTRAP: &str = "import sys; sys.path.insert(0, sys.argv[1]); import stepwell_harness as h; h.main(sys.argv[2])";

/// Starts a parent of warm interpreters.
pub(super) const WARM_BOOTSTRAP: &str = "import sys; sys.path.insert(0, sys.argv[1]); import stepwell_harness.warm as w; w.parent(sys.argv[2:])";

pub(in crate::executor) const FILES: [(&str, &str); 12] = [
    ("__init__.py", include_str!("harness/__init__.py")),
    ("context.py", crate::python::CONTEXT),
    ("encode.py", include_str!("harness/encode.py")),
    ("cells.py", include_str!("harness/cells.py")),
    ("display.py", include_str!("harness/display.py")),
    ("keep.py", include_str!("harness/keep.py")),
    ("guard.py", include_str!("harness/guard.py")),
    ("failure.py", include_str!("harness/failure.py")),
    ("libraries.py", include_str!("harness/libraries.py")),
    ("modules.py", include_str!("harness/modules.py")),
    ("spawned.py", include_str!("harness/spawned.py")),
    ("warm.py", include_str!("harness/warm.py")),
];

/// Installs the harness below `tools`, and returns the folder to be put on the import path.
pub(in crate::executor) fn install(tools: &Path) -> io::Result<PathBuf> {
    let text: String = FILES
        .iter()
        .flat_map(|(name, text)| [*name, *text])
        .collect();
    let folder = tools.join(format!("harness-{}", Digest::of(text.as_bytes()).short()));
    if folder.is_dir() {
        return Ok(folder);
    }
    fs::create_dir_all(tools)?;
    // Two processes may be here at once: each fills its own folder, and one rename wins.
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let part = tools.join(format!(".harness-{}-{count}", std::process::id()));
    let package = part.join("stepwell_harness");
    fs::create_dir_all(&package)?;
    for (name, text) in FILES {
        fs::write(package.join(name), text)?;
    }
    match fs::rename(&part, &folder) {
        Ok(()) => Ok(folder),
        Err(_) if folder.is_dir() => {
            fs::remove_dir_all(&part)?;
            Ok(folder)
        }
        Err(error) => Err(error),
    }
}
