//! Python environments by name: what a step asks for, and what it gets.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::installer::{Build, Installer};
use super::interpreter::{Interpreter, Interpreters};
use super::modules::Modules;
use super::packages::Lists;
use crate::code;
use crate::executor::make_dir;
use crate::failure::{Failure, FailureKind};
use crate::id::Digest;
use crate::plan::Mode;
use crate::python::outcome::Packages;

/// Between two looks at the lock of another process that builds the same environment.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// What a step asks for. Empty means the base interpreter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct EnvironmentSpec {
    /// Requirement lines, for example `numpy>=2`.
    pub packages: Vec<String>,
    /// Text of a requirements file.
    pub requirements: Option<String>,
    /// A virtual environment or an interpreter to use as it is.
    pub python: Option<PathBuf>,
    /// In a container, in the kernel of that mode; none = on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Mode>,
}

impl EnvironmentSpec {
    /// The requirement lines without comments and blank lines: packages sorted, then the file in its order.
    ///
    /// # Errors
    /// With a line that is no requirement, or one that reads another file.
    pub fn lines(&self) -> Result<Vec<String>, Failure> {
        let mut lines: Vec<String> = self
            .packages
            .iter()
            .map(|line| line.trim().to_owned())
            .collect();
        if let Some(bad) = lines
            .iter()
            .find(|line| line.is_empty() || line.starts_with('-') || line.contains('\n'))
        {
            return Err(invalid(bad, "a package is a name with version limits"));
        }
        lines.sort();
        lines.dedup();
        for line in self.requirements.as_deref().unwrap_or_default().lines() {
            let line = line.split(" #").next().unwrap_or_default().trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if [
                "-r",
                "-c",
                "-e",
                "--requirement",
                "--constraint",
                "--editable",
                ".",
            ]
            .iter()
            .any(|word| line.starts_with(word))
            {
                return Err(invalid(
                    line,
                    "it refers to another file, which is not part of the plan",
                ));
            }
            lines.push(line.to_owned());
        }
        Ok(lines)
    }
}

fn invalid(line: &str, why: &str) -> Failure {
    Failure::new(
        FailureKind::Configuration,
        code::REQUIREMENTS_INVALID,
        format!("the requirement `{line}` can't be used: {why}"),
    )
    .hint("write one requirement a line, for example `numpy>=2,<3`")
}

/// The name of an environment, whether or not it has been built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentIdentity {
    /// Digest of interpreter, version and requirement lines.
    pub digest: Digest,
    /// The same for people, one line each.
    pub description: String,
}

/// An environment that is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// The digest of its identity.
    pub digest: Digest,
    /// The interpreter to start; in a container the name of the kernel.
    pub interpreter: PathBuf,
    /// What it is in a container; none = on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerEnvironment>,
    /// What is installed there; none = nobody has looked yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<Packages>,
}

/// The environment of a kernel: built by whoever built its image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerEnvironment {
    /// Requirement lines that it must meet.
    pub packages: Vec<String>,
}

/// The environments of one data folder.
#[derive(Debug)]
pub(super) struct Environments {
    root: PathBuf,
    interpreters: Interpreters,
    modules: Modules,
    installer: Installer,
    lists: Lists,
}

impl Environments {
    pub(super) fn new(data: &Path, inherited: BTreeMap<String, String>) -> Self {
        let root = data.join("envs");
        Self {
            interpreters: Interpreters::new(root.join("interpreters.json"), inherited.clone()),
            modules: Modules::new(root.join("modules.json"), inherited.clone()),
            installer: Installer::new(data, inherited),
            lists: Lists::new(data),
            root,
        }
    }

    pub(super) async fn identify(
        &self,
        spec: &EnvironmentSpec,
    ) -> Result<EnvironmentIdentity, Failure> {
        let (identity, _) = self.resolve(spec).await?;
        Ok(identity)
    }

    async fn resolve(
        &self,
        spec: &EnvironmentSpec,
    ) -> Result<(EnvironmentIdentity, Interpreter), Failure> {
        let interpreter = self.interpreters.find(spec.python.as_deref()).await?;
        let lines = spec.lines()?;
        let mut description = format!(
            "python {} {}\n",
            interpreter.version,
            interpreter.executable.display()
        );
        if lines.is_empty() {
            // Nothing is built, so what is installed there is part of the name.
            let installed = interpreter.installed();
            let digest = Digest::of(installed.join("\n").as_bytes());
            let _infallible = writeln!(
                description,
                "{} packages installed ({})",
                installed.len(),
                digest.short()
            );
        }
        for line in lines {
            description.push_str(&line);
            description.push('\n');
        }
        let digest = Digest::of(description.as_bytes());
        Ok((
            EnvironmentIdentity {
                digest,
                description,
            },
            interpreter,
        ))
    }

    pub(super) async fn prepare(
        &self,
        spec: &EnvironmentSpec,
        progress: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Environment, Failure> {
        let (identity, base) = self.resolve(spec).await?;
        let lines = spec.lines()?;
        if lines.is_empty() {
            return Ok(Environment {
                digest: identity.digest,
                packages: self.lists.of_folders(&base.site),
                interpreter: base.executable,
                container: None,
            });
        }
        let name: String = identity.digest.hex().chars().take(16).collect();
        let folder = self.root.join(&name);
        let program = folder.join("bin").join("python");
        let site = base.site_below(&program);
        let environment = || Environment {
            digest: identity.digest,
            packages: self.lists.of_folders(&site),
            interpreter: program.clone(),
            container: None,
        };
        if is_ready(&folder, &program) {
            return Ok(environment());
        }
        let _lock = self.lock(&name, progress).await?;
        if is_ready(&folder, &program) {
            return Ok(environment());
        }
        // Built where it stays: scripts and activation files of a virtual environment hold its path. What makes
        // it whole is `ready.json`, written last; a folder without it is a half-made one and goes.
        clear(&folder).map_err(|error| disk(&folder, &error))?;
        let build = Build {
            folder: &folder,
            base: &base.executable,
            lines: &lines,
            progress,
        };
        self.installer.build(&build).await?;
        self.finish(&folder, &identity)
            .map_err(|error| disk(&folder, &error))?;
        Ok(environment())
    }

    /// The version of Python and what is installed, one line each.
    pub(super) async fn packages(
        &self,
        spec: &EnvironmentSpec,
        progress: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Vec<String>, Failure> {
        let (_, base) = self.resolve(spec).await?;
        let built = self.prepare(spec, progress).await?;
        let installed = if built.interpreter == base.executable {
            base.installed()
        } else {
            base.installed_below(&built.interpreter)
        };
        // Names end where versions begin: `scipy-1.11.4`.
        let told = installed.iter().map(|name| name.replacen('-', " ", 1));
        Ok([format!("Python {}", base.version)]
            .into_iter()
            .chain(told)
            .collect())
    }

    /// Modules that are not there, as far as that can be told without building anything.
    pub(super) async fn missing(
        &self,
        spec: &EnvironmentSpec,
        modules: &[String],
        path: Option<&str>,
    ) -> Result<Vec<String>, Failure> {
        let (identity, base) = self.resolve(spec).await?;
        let program = if spec.lines()?.is_empty() {
            base.executable
        } else {
            let name: String = identity.digest.hex().chars().take(16).collect();
            let folder = self.root.join(name);
            let interpreter = folder.join("bin").join("python");
            if !(folder.join("ready.json").exists() && interpreter.exists()) {
                return Ok(Vec::new());
            }
            interpreter
        };
        Ok(self
            .modules
            .missing((identity.digest, &program), modules, path)
            .await)
    }

    async fn lock(
        &self,
        name: &str,
        progress: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<File, Failure> {
        make_dir(&self.root).map_err(|error| disk(&self.root, &error))?;
        let path = self.root.join(format!("{name}.lock"));
        let file = File::create(&path).map_err(|error| disk(&path, &error))?;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(fs::TryLockError::WouldBlock) => {
                    if !told {
                        progress("another process is building this environment; waiting for it");
                        told = true;
                    }
                    tokio::time::sleep(LOCK_PAUSE).await;
                }
                Err(fs::TryLockError::Error(error)) => return Err(disk(&path, &error)),
            }
        }
    }

    fn finish(&self, folder: &Path, identity: &EnvironmentIdentity) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(identity)?;
        let part = folder.join("ready.json.part");
        fs::write(&part, text)?;
        File::open(&part)?.sync_all()?;
        fs::rename(&part, folder.join("ready.json"))
    }
}

fn is_ready(folder: &Path, program: &Path) -> bool {
    // The second look finds an environment whose base interpreter was removed since.
    folder.join("ready.json").exists() && program.exists()
}

fn clear(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn disk(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        FailureKind::Infrastructure,
        code::ENVIRONMENT_DISK,
        format!(
            "the environment can't be written: {}: {error}",
            path.display()
        ),
    )
    .hint("check rights and space of the data folder")
}
