//! An executor without processes, for tests: a closure says how each attempt ends.

use std::fmt;
use std::path::{Path, PathBuf};

use tokio::sync::watch;

use super::{Adoption, Environment, EnvironmentIdentity, EnvironmentSpec, Executor, Job};
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::id::Digest;
use crate::python::outcome::{Isolation, Outcome, OutcomeStatus, StreamFile, Usage};
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
    /// It goes on until it is killed: the engine has to cancel it or to crash.
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
        isolation: Isolation::default(),
        start: None,
        packages: None,
    }
}

type Script = dyn Fn(&Job) -> FakeAnswer + Send + Sync;
type AdoptScript = dyn Fn(&Path) -> Adoption + Send + Sync;

/// An executor that follows a script and remembers what it was asked.
pub struct FakeExecutor {
    script: Box<Script>,
    adopt: Box<AdoptScript>,
    asked: watch::Sender<Asked>,
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
            asked: watch::Sender::default(),
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
        self.asked.borrow().started.clone()
    }

    /// Every folder whose attempt was killed, in order.
    #[must_use]
    pub fn killed(&self) -> Vec<PathBuf> {
        self.asked.borrow().killed.clone()
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
                container: None,
                packages: None,
            })
        })
    }

    fn execute(&self, job: Job) -> BoxFuture<'_, Result<Outcome, Failure>> {
        let answer = (self.script)(&job);
        let folder = job.folder.clone();
        self.asked.send_modify(|asked| asked.started.push(job));
        let mut changes = self.asked.subscribe();
        Box::pin(async move {
            match answer {
                FakeAnswer::Ends(outcome) => Ok(outcome),
                FakeAnswer::Breaks(failure) => Err(failure),
                FakeAnswer::Hangs => {
                    let killed = changes.wait_for(|asked| asked.killed.contains(&folder));
                    if killed.await.is_err() {
                        std::future::pending::<()>().await;
                    }
                    Ok(empty(OutcomeStatus::Failed(cancelled())))
                }
            }
        })
    }

    fn adopt<'a>(&'a self, folder: &'a Path) -> BoxFuture<'a, Adoption> {
        let adoption = (self.adopt)(folder);
        Box::pin(async move { adoption })
    }

    fn kill<'a>(&'a self, folder: &'a Path) -> BoxFuture<'a, Result<(), Failure>> {
        self.asked
            .send_modify(|asked| asked.killed.push(folder.to_owned()));
        Box::pin(async move { Ok(()) })
    }
}

fn cancelled() -> Failure {
    Failure::new(
        FailureKind::Cancelled,
        code::CANCELLED,
        "the attempt was cancelled",
    )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hanging_attempt_ends_when_it_is_killed() {
        let fake = FakeExecutor::new(|_| FakeAnswer::Hangs);
        let job = Job {
            run: crate::id::RunId::from_bytes([1; 16]),
            step: "load".into(),
            attempt: 1,
            folder: "/a".into(),
            code: String::new(),
            file_name: String::new(),
            context: serde_json::Value::Null,
            mode: crate::plan::Mode::ReadOnly,
            environment: Environment {
                digest: Digest::of(b""),
                interpreter: PathBuf::new(),
                container: None,
                packages: None,
            },
            env: std::collections::BTreeMap::new(),
            secrets: crate::executor::JobSecrets::default(),
            timeout: std::time::Duration::ZERO,
            limits: crate::executor::Limits::default(),
            protection: crate::executor::Protection::default(),
            nan: crate::executor::NanPolicy::Refuse,
            artifacts: Vec::new(),
            source_folder: None,
            modules: None,
            files: std::collections::BTreeMap::new(),
        };
        let execution = fake.execute(job);
        let killing = async {
            fake.kill(Path::new("/other")).await.unwrap();
            fake.kill(Path::new("/a")).await.unwrap();
        };
        let (outcome, ()) = tokio::join!(execution, killing);
        let OutcomeStatus::Failed(failure) = outcome.unwrap().status else {
            panic!("it succeeded");
        };
        assert_eq!(failure.code, "cancelled");
        assert_eq!((fake.started().len(), fake.killed().len()), (1, 2));
    }
}
