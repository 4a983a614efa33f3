//! An executor without processes, for tests: a closure says how each attempt ends.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::{Adoption, Environment, EnvironmentIdentity, EnvironmentSpec, Executor, Job};
use crate::failure::Failure;
use crate::id::Digest;
use crate::python::outcome::{Outcome, OutcomeStatus, StreamFile, Usage};
use crate::time::BoxFuture;

/// How a fake attempt goes.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one is made per attempt and moved once"
)]
pub enum FakeAnswer {
    /// It ends so.
    Ends(Outcome),
    /// It could not be started.
    Breaks(Failure),
    /// It never ends: the engine has to cancel it or to crash.
    Hangs,
}

impl FakeAnswer {
    /// It succeeds and leaves these results.
    #[must_use]
    pub fn results(results: serde_json::Value) -> Self {
        Self::Ends(Outcome {
            results: Some(results),
            ..empty(OutcomeStatus::Succeeded)
        })
    }

    /// Its code fails.
    #[must_use]
    pub fn fails(failure: Failure) -> Self {
        Self::Ends(empty(OutcomeStatus::Failed(failure)))
    }
}

fn empty(status: OutcomeStatus) -> Outcome {
    let stream = |path: &str| StreamFile {
        path: path.to_owned(),
        ..StreamFile::default()
    };
    Outcome {
        status,
        results: None,
        figures: Vec::new(),
        artifacts: Vec::new(),
        stdout: stream("stdout.log"),
        stderr: stream("stderr.log"),
        notes: Vec::new(),
        seconds: 0.0,
        usage: Usage::default(),
        python: "3.0.0".to_owned(),
    }
}

type Script = dyn Fn(&Job) -> FakeAnswer + Send + Sync;
type AdoptScript = dyn Fn(&Path) -> Adoption + Send + Sync;

/// An executor that follows a script and remembers what it was asked.
pub struct FakeExecutor {
    script: Box<Script>,
    adopt: Box<AdoptScript>,
    asked: Mutex<Asked>,
}

#[derive(Default)]
struct Asked {
    started: Vec<Job>,
    killed: Vec<PathBuf>,
}

impl FakeExecutor {
    /// Follows `script`; an adopted attempt is lost before it started, until [`FakeExecutor::on_adopt`] says otherwise.
    #[must_use]
    pub fn new(script: impl Fn(&Job) -> FakeAnswer + Send + Sync + 'static) -> Self {
        Self {
            script: Box::new(script),
            adopt: Box::new(|_| Adoption::Lost {
                started: false,
                evidence: "the fake executor started nothing".to_owned(),
            }),
            asked: Mutex::default(),
        }
    }

    /// Says what becomes of adopted attempts.
    #[must_use]
    pub fn on_adopt(mut self, adopt: impl Fn(&Path) -> Adoption + Send + Sync + 'static) -> Self {
        self.adopt = Box::new(adopt);
        self
    }

    /// Every job that was started, in order.
    #[must_use]
    pub fn started(&self) -> Vec<Job> {
        self.locked(|asked| asked.started.clone())
    }

    /// Every folder whose attempt was killed, in order.
    #[must_use]
    pub fn killed(&self) -> Vec<PathBuf> {
        self.locked(|asked| asked.killed.clone())
    }

    fn locked<T>(&self, look: impl FnOnce(&mut Asked) -> T) -> T {
        let mut asked = self
            .asked
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        look(&mut asked)
    }
}

impl fmt::Debug for FakeExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeExecutor").finish_non_exhaustive()
    }
}

impl Executor for FakeExecutor {
    fn identify<'a>(
        &'a self,
        spec: &'a EnvironmentSpec,
    ) -> BoxFuture<'a, Result<EnvironmentIdentity, Failure>> {
        let identity = identity(spec);
        Box::pin(async move { Ok(identity) })
    }

    fn prepare<'a>(
        &'a self,
        spec: &'a EnvironmentSpec,
        _progress: &'a (dyn Fn(&str) + Send + Sync),
    ) -> BoxFuture<'a, Result<Environment, Failure>> {
        let digest = identity(spec).digest;
        Box::pin(async move {
            Ok(Environment {
                digest,
                interpreter: PathBuf::from("python3"),
            })
        })
    }

    fn execute(&self, job: Job) -> BoxFuture<'_, Result<Outcome, Failure>> {
        let answer = (self.script)(&job);
        self.locked(|asked| asked.started.push(job));
        Box::pin(async move {
            match answer {
                FakeAnswer::Ends(outcome) => Ok(outcome),
                FakeAnswer::Breaks(failure) => Err(failure),
                FakeAnswer::Hangs => std::future::pending().await,
            }
        })
    }

    fn adopt<'a>(&'a self, folder: &'a Path) -> BoxFuture<'a, Adoption> {
        let adoption = (self.adopt)(folder);
        Box::pin(async move { adoption })
    }

    fn kill<'a>(&'a self, folder: &'a Path) -> BoxFuture<'a, Result<(), Failure>> {
        self.locked(|asked| asked.killed.push(folder.to_owned()));
        Box::pin(async move { Ok(()) })
    }
}

fn identity(spec: &EnvironmentSpec) -> EnvironmentIdentity {
    let description = format!(
        "fake\n{}\n{}",
        spec.packages.join("\n"),
        spec.requirements.as_deref().unwrap_or_default()
    );
    EnvironmentIdentity {
        digest: Digest::of(description.as_bytes()),
        description,
    }
}
