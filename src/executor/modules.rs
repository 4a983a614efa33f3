//! Which modules an environment has: its interpreter is asked once for each, and imports none of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::interpreter::keep;
use crate::id::Digest;

/// Looks for modules as `import` does, and prints those that are not found. To look for a module of the top level
/// runs nothing of it. The folders of the code's own path come in when the interpreter has started: one that starts
/// with them runs a `sitecustomize` in them, and nobody has approved that.
const QUESTION: &str = "\
import os, sys
from importlib.util import find_spec
sys.path[:0] = [entry for entry in sys.argv[1].split(os.pathsep) if entry]
for name in sys.argv[2:]:
    try:
        found = find_spec(name) is not None
    except Exception:
        found = True
    if not found:
        print(name)
";
/// Longest time of the question. Without an answer nothing is missing.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Environments whose modules are remembered.
const ENVIRONMENTS_MAX: usize = 64;

/// Modules that were found, by the environment. What was not found is looked for again: somebody may have put it there.
type Known = BTreeMap<String, BTreeSet<String>>;

/// What is known of the modules of environments.
#[derive(Debug)]
pub(super) struct Modules {
    cache: PathBuf,
    inherited: BTreeMap<String, String>,
    known: Mutex<Known>,
}

impl Modules {
    pub(super) fn new(cache: PathBuf, inherited: BTreeMap<String, String>) -> Self {
        let known = fs::read(&cache).ok();
        let known = known.and_then(|text| serde_json::from_slice(&text).ok());
        Self {
            known: Mutex::new(known.unwrap_or_default()),
            cache,
            inherited,
        }
    }

    /// Those that the environment does not have. Folders of `PYTHONPATH` are no part of an environment, so what is found
    /// with them is not remembered; and with one that is relative to where the code will run, nothing is missing.
    pub(super) async fn missing(
        &self,
        (environment, program): (Digest, &Path),
        modules: &[String],
        path: Option<&str>,
    ) -> Vec<String> {
        let mut folders = path.iter().flat_map(std::env::split_paths);
        if folders.any(|folder| folder.is_relative()) {
            return Vec::new();
        }
        let key = environment.hex();
        let unknown = self.locked(|known| {
            let found = known.get(key.as_str());
            let is_new = |name: &&String| !found.is_some_and(|found| found.contains(*name));
            modules.iter().filter(is_new).cloned().collect::<Vec<_>>()
        });
        if unknown.is_empty() {
            return unknown;
        }
        let Some(missing) = self.ask(program, &unknown, path).await else {
            return Vec::new();
        };
        if path.is_none() {
            let found = unknown.into_iter().filter(|name| !missing.contains(name));
            self.remember(key.clone(), found.collect());
        }
        missing
    }

    async fn ask(
        &self,
        program: &Path,
        names: &[String],
        path: Option<&str>,
    ) -> Option<Vec<String>> {
        let inherited = self.inherited.iter();
        let inherited = inherited
            .filter(|(name, _)| matches!(name.as_str(), "PATH" | "HOME" | "LD_LIBRARY_PATH"));
        let output = tokio::process::Command::new(program)
            .args(["-I", "-c", QUESTION, path.unwrap_or_default()])
            .args(names)
            .env_clear()
            .envs(inherited)
            .current_dir("/")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(ANSWER_TIMEOUT, output)
            .await
            .ok()?
            .ok()?;
        if !output.status.success() {
            return None;
        }
        let said = String::from_utf8_lossy(&output.stdout);
        let missing: Vec<String> = said.lines().map(str::to_owned).collect();
        // What something else printed at the start of the interpreter is no name that was asked for.
        Some(
            missing
                .into_iter()
                .filter(|name| names.contains(name))
                .collect(),
        )
    }

    fn remember(&self, environment: String, found: BTreeSet<String>) {
        if found.is_empty() {
            return;
        }
        let text = self.locked(|known| {
            if known.len() >= ENVIRONMENTS_MAX && !known.contains_key(&environment) {
                known.clear();
            }
            known.entry(environment).or_default().extend(found);
            serde_json::to_vec(&*known)
        });
        // Only a cache: where it can't be kept, the question is asked again.
        let _kept = text
            .map_err(io::Error::from)
            .and_then(|text| keep(&self.cache, &text));
    }

    fn locked<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
