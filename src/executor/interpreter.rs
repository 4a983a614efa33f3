//! Interpreters of this machine, asked once what they are. A `python3` on `PATH` may be a shim that takes
//! nine times as long to start as what it stands for, so steps start what it stands for.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::code;
use crate::executor::make_dir;
use crate::failure::{Failure, FailureKind};

/// The oldest version that the harness speaks.
const VERSION_MIN: (u32, u32) = (3, 9);
const NAMES: [&str; 2] = ["python3", "python"];
const QUESTION: &str = "import sys, site; v = sys.version_info; \
     print(sys.executable); print('%d.%d.%d' % v[:3]); print('\\n'.join(site.getsitepackages()))";

/// An interpreter that answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Interpreter {
    /// The program itself, never a shim.
    pub executable: PathBuf,
    /// For example `3.11.7`.
    pub version: String,
    /// Folders of installed packages.
    pub site: Vec<PathBuf>,
}

impl Interpreter {
    /// Name and version of every installed distribution, sorted.
    pub(super) fn installed(&self) -> Vec<String> {
        distributions(&self.site)
    }

    /// The same for a virtual environment of this interpreter.
    pub(super) fn installed_below(&self, program: &Path) -> Vec<String> {
        distributions(&self.site_below(program))
    }

    /// The folder of installed packages of a virtual environment of this interpreter.
    pub(super) fn site_below(&self, program: &Path) -> Vec<PathBuf> {
        let mut parts = self.version.split('.');
        let (major, minor) = (parts.next().unwrap_or("3"), parts.next().unwrap_or("0"));
        let root = program.parent().and_then(Path::parent);
        let site = root.map(|root| root.join(format!("lib/python{major}.{minor}/site-packages")));
        site.into_iter().collect()
    }

    fn is_new_enough(&self) -> bool {
        let mut parts = self
            .version
            .split('.')
            .map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= VERSION_MIN
    }
}

fn distributions(site: &[PathBuf]) -> Vec<String> {
    let mut found: Vec<String> = site
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".dist-info").map(str::to_owned))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The interpreters that were asked before.
#[derive(Debug)]
pub(super) struct Interpreters {
    cache: PathBuf,
    inherited: BTreeMap<String, String>,
    known: Mutex<BTreeMap<String, Interpreter>>,
    /// Held while an interpreter is asked, so that steps that begin together ask once.
    asking: tokio::sync::Mutex<()>,
}

impl Interpreters {
    pub(super) fn new(cache: PathBuf, inherited: BTreeMap<String, String>) -> Self {
        let known = fs::read(&cache)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        Self {
            cache,
            inherited,
            known: Mutex::new(known),
            asking: tokio::sync::Mutex::new(()),
        }
    }

    /// The interpreter at `wanted`, a virtual environment or a program; or the first good one on `PATH`.
    pub(super) async fn find(&self, wanted: Option<&Path>) -> Result<Interpreter, Failure> {
        if let Some(path) = wanted {
            return self.given(path).await;
        }
        let mut refused = Vec::new();
        for path in self.candidates() {
            match self.ask(&path).await {
                Ok(interpreter) if interpreter.is_new_enough() => return Ok(interpreter),
                Ok(old) => refused.push(format!("{} is {}", path.display(), old.version)),
                Err(error) => refused.push(format!("{}: {error}", path.display())),
            }
        }
        let what = if refused.is_empty() {
            "there is no python3 on PATH".to_owned()
        } else {
            refused.join("; ")
        };
        Err(Failure::new(
            FailureKind::Configuration,
            code::PYTHON_MISSING,
            format!("no Python 3.9 or later was found: {what}"),
        )
        .hint("install Python, or set `python_env_path` in config.yml"))
    }

    async fn given(&self, path: &Path) -> Result<Interpreter, Failure> {
        let program = if path.is_dir() {
            path.join("bin").join("python")
        } else {
            path.to_owned()
        };
        let why = match self.ask(&program).await {
            Ok(interpreter) if interpreter.is_new_enough() => return Ok(interpreter),
            Ok(old) => format!("it is Python {}, and 3.9 is needed", old.version),
            Err(error) => error.to_string(),
        };
        Err(Failure::new(
            FailureKind::Configuration,
            code::PYTHON_ENV_PATH_INVALID,
            format!("`{}` is no usable Python: {why}", path.display()),
        )
        .hint("give the folder of a virtual environment, or the path of an interpreter"))
    }

    fn candidates(&self) -> Vec<PathBuf> {
        let path = self.inherited.get("PATH").map_or("", String::as_str);
        NAMES
            .iter()
            .flat_map(|name| std::env::split_paths(path).map(move |folder| folder.join(name)))
            .filter(|candidate| candidate.is_file())
            .collect()
    }

    async fn ask(&self, program: &Path) -> io::Result<Interpreter> {
        let key = self.key(program)?;
        if let Some(known) = self.remembered(&key) {
            return Ok(known);
        }
        let _asking = self.asking.lock().await;
        if let Some(known) = self.remembered(&key) {
            return Ok(known);
        }
        let output = tokio::process::Command::new(program)
            .args(["-s", "-c", QUESTION])
            .env_clear()
            .envs(self.inherited.iter().filter(|(name, _)| {
                matches!(name.as_str(), "PATH" | "HOME" | "LD_LIBRARY_PATH")
                    || name.starts_with("PYENV_")
            }))
            .current_dir("/")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut lines = text.lines();
        let (Some(executable), Some(version)) = (lines.next(), lines.next()) else {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(io::Error::other(format!(
                "it did not answer ({}) {}",
                output.status,
                said.lines().last().unwrap_or_default()
            )));
        };
        let interpreter = Interpreter {
            executable: PathBuf::from(executable),
            version: version.to_owned(),
            site: lines.map(PathBuf::from).collect(),
        };
        self.remember(key, interpreter.clone());
        Ok(interpreter)
    }

    /// The answer holds as long as these stay the same. A shim of pyenv also follows two things beside itself.
    fn key(&self, program: &Path) -> io::Result<String> {
        let mut key = format!("{}|{}", program.display(), modified(program)?);
        if program
            .parent()
            .is_some_and(|folder| folder.ends_with("shims"))
        {
            let chosen = program.with_file_name("../version");
            key = format!(
                "{key}|{}|{}",
                self.inherited
                    .get("PYENV_VERSION")
                    .map_or("", String::as_str),
                modified(&chosen).unwrap_or_default()
            );
        }
        Ok(key)
    }

    fn remembered(&self, key: &str) -> Option<Interpreter> {
        self.locked(|known| known.get(key).cloned())
            .filter(|known| known.executable.exists())
    }

    fn remember(&self, key: String, interpreter: Interpreter) {
        let text = self.locked(|known| {
            known.insert(key, interpreter);
            serde_json::to_vec_pretty(&*known)
        });
        // Only a cache: where it can't be kept, the question is asked again.
        let _kept = text
            .map_err(io::Error::from)
            .and_then(|text| keep(&self.cache, &text));
    }

    fn locked<T>(&self, look: impl FnOnce(&mut BTreeMap<String, Interpreter>) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Replaces the file of a cache as a whole: other processes read it.
pub(super) fn keep(cache: &Path, text: &[u8]) -> io::Result<()> {
    let part = cache.with_extension(format!("{}.part", std::process::id()));
    make_dir(cache.parent().unwrap_or(Path::new(".")))?;
    fs::write(&part, text)?;
    fs::rename(&part, cache)
}

/// Modification time in nanoseconds.
fn modified(path: &Path) -> io::Result<u128> {
    let modified = fs::metadata(path)?.modified()?;
    Ok(modified
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos()))
}
