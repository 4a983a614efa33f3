//! A data folder, an executor on the real binary, and jobs for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stepwell::executor::local::{LocalExecutor, Options, WarmOptions};
use stepwell::executor::{
    Environment, EnvironmentSpec, Executor as _, Job, JobSecrets, Limits, NanPolicy, Outcome,
    OutcomeStatus, Protection,
};
use stepwell::failure::Failure;
use stepwell::id::{Digest, RunId};
use stepwell::plan::Mode;

/// A variable of the engine that no step may ever see.
pub(crate) const SECRET: (&str, &str) = ("STEPWELL_TEST_TOKEN", "hunter2-never-inherited");

pub(crate) struct Rig {
    /// Where the attempts are.
    pub(crate) data: tempfile::TempDir,
    pub(crate) executor: LocalExecutor,
    pub(crate) environment: Environment,
    pub(crate) count: AtomicU32,
}

pub(crate) fn options(data: &Path) -> Options {
    let mut inherited: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    inherited.insert(SECRET.0.to_owned(), SECRET.1.to_owned());
    Options {
        stepwell_binary: PathBuf::from(env!("CARGO_BIN_EXE_stepwell")),
        data: data.to_owned(),
        inherited,
    }
}

/// Whether everything is to run in warm interpreters: `STEPWELL_TEST_WARM`.
pub(crate) fn is_warm() -> bool {
    std::env::var_os("STEPWELL_TEST_WARM").is_some()
}

/// Parents with the first step of their kind, and patience until they are there.
pub(crate) fn at_once() -> WarmOptions {
    WarmOptions {
        from: 1,
        patience: Duration::from_secs(60),
        ..WarmOptions::default()
    }
}

/// An executor as the tests are to have it.
pub(crate) fn executor(data: &Path) -> LocalExecutor {
    let executor = LocalExecutor::new(options(data));
    if is_warm() {
        executor.warm(at_once())
    } else {
        executor
    }
}

impl Rig {
    pub(crate) async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let executor = executor(data.path());
        let environment = executor
            .prepare(&EnvironmentSpec::default(), &|_| {})
            .await
            .unwrap();
        Self {
            data,
            executor,
            environment,
            count: AtomicU32::new(0),
        }
    }

    /// A rig whose environments and tools are kept between runs of the tests.
    pub(crate) fn shared() -> Self {
        Self {
            data: tempfile::tempdir().unwrap(),
            executor: executor(&Self::shared_data()),
            environment: Environment {
                digest: Digest::of(b""),
                interpreter: PathBuf::new(),
                container: None,
                packages: None,
            },
            count: AtomicU32::new(0),
        }
    }

    pub(crate) fn shared_data() -> PathBuf {
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("executor")
    }

    pub(crate) fn job(&self, code: &str) -> Job {
        let attempt = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        Job {
            run: RunId::from_bytes([7; 16]),
            step: "load".into(),
            attempt,
            folder: self.data.path().join(format!("runs/load/{attempt}")),
            code: code.to_owned(),
            file_name: "stages/load.py".to_owned(),
            context: json!({}),
            mode: Mode::ReadOnly,
            environment: self.environment.clone(),
            env: BTreeMap::new(),
            secrets: JobSecrets::default(),
            timeout: Duration::from_secs(30),
            limits: Limits::default(),
            protection: Protection::default(),
            nan: NanPolicy::Refuse,
            artifacts: Vec::new(),
            source_folder: None,
            modules: None,
            files: BTreeMap::new(),
        }
    }

    pub(crate) async fn run(&self, code: &str) -> Outcome {
        self.executor.execute(self.job(code)).await.unwrap()
    }

    pub(crate) async fn results(&self, code: &str) -> Value {
        let outcome = self.run(code).await;
        assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
        outcome.results.unwrap_or(Value::Null)
    }

    pub(crate) async fn failure(&self, code: &str) -> Failure {
        failure_of(self.run(code).await)
    }
}

pub(crate) fn failure_of(outcome: Outcome) -> Failure {
    match outcome.status {
        OutcomeStatus::Failed(failure) => failure,
        OutcomeStatus::Succeeded => panic!("it succeeded: {outcome:#?}"),
    }
}

pub(crate) fn read(job: &Job, name: &str) -> String {
    std::fs::read_to_string(job.folder.join(name)).unwrap()
}

/// Waits until `path` has text, and returns it.
pub(crate) async fn appears(path: &Path) -> String {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        if let Ok(text) = std::fs::read_to_string(path)
            && !text.is_empty()
        {
            return text;
        }
        assert!(Instant::now() < until, "{} never came", path.display());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether a process of this number is alive (a zombie is not).
pub(crate) fn is_alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
        .is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.starts_with(" Z"))
}

/// The parent of the interpreter.
pub(crate) fn supervisor_of(pid: &str) -> nix::unistd::Pid {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let parent = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_ascii_whitespace()
        .nth(1)
        .unwrap();
    nix::unistd::Pid::from_raw(parent.parse().unwrap())
}
