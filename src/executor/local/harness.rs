//! The Python side, installed once into the data folder under the digest of its text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::surroundings;
use crate::executor::Environment;
use crate::executor::make_dir;
use crate::id::Digest;

/// How every interpreter is started.
pub(super) const FLAGS: [&str; 3] = ["-s", "-X", "faulthandler"];

/// Starts the harness: a package in a file, so that its compiled form is kept between attempts.
pub(in crate::executor) const BOOTSTRAP: &str = "import sys; sys.path.insert(0, sys.argv[1]); import stepwell_harness as h; h.main(sys.argv[2])";

/// Starts a parent of warm interpreters.
pub(super) const WARM_BOOTSTRAP: &str = "import sys; sys.path.insert(0, sys.argv[1]); import stepwell_harness.warm as w; w.parent(sys.argv[2:])";

pub(in crate::executor) const FILES: [(&str, &str); 13] = [
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
    ("spawning.py", include_str!("harness/spawning.py")),
    ("warm.py", include_str!("harness/warm.py")),
];

/// Compiles what is installed where this runs, and leaves a sign that it has. By names from there: when the data folder is
/// moved meanwhile, nothing is made anew at its old place.
const COMPILE: &str = "import compileall, sys; compileall.compile_dir('.', ddir=sys.argv[1], quiet=2); open(sys.argv[2], 'w').close()";

/// Name of the folder: the digest of what is in it, computed once.
fn name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let text: String = FILES
            .iter()
            .flat_map(|(name, text)| [*name, *text])
            .collect();
        format!("harness-{}", Digest::of(text.as_bytes()).short())
    })
}

/// Has the harness compiled for that interpreter, once, while nobody waits: a step is behind walls and can't keep what it
/// has compiled, so that each would do it again. Without it they do.
pub(super) fn compile(
    tools: &Path,
    environment: &Environment,
    inherited: &BTreeMap<String, String>,
) {
    let name = format!(".compiled-{}", environment.digest.short());
    let sign = tools.join(&name);
    static ASKED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    if !asked.insert(sign.clone()) || sign.exists() {
        return;
    }
    let _unable = tokio::process::Command::new(&environment.interpreter)
        .args(FLAGS)
        .args(["-c", COMPILE])
        .arg(tools)
        .arg(&name)
        .env_clear()
        .envs(surroundings::of_parent(inherited, tools))
        .current_dir(tools)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
}

/// Installs the harness below `tools`, and returns the folder to be put on the import path.
pub(in crate::executor) fn install(tools: &Path) -> io::Result<PathBuf> {
    let folder = tools.join(name());
    if folder.is_dir() {
        return Ok(folder);
    }
    make_dir(tools)?;
    // Two processes may be here at once: each fills its own folder, and one rename wins.
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let part = tools.join(format!(".harness-{}-{count}", std::process::id()));
    let package = part.join("stepwell_harness");
    make_dir(&package)?;
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
