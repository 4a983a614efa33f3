//! Every sort of executor side by side, and what an attempt leaves in a form that can be compared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use stepwell::executor::jupyter::{JupyterExecutor, Shared};
use stepwell::executor::local::LocalExecutor;
use stepwell::executor::{
    Environment, EnvironmentSpec, Executor, Job, Outcome, OutcomeStatus, Start,
};
use stepwell::plan::Mode;

use crate::executor_rig::{Rig, at_once, options};
use crate::jupyter_rig::{self, Program};

/// An executor of whatever sort, and jobs for it.
pub(crate) struct Bench {
    pub(crate) name: &'static str,
    pub(crate) rig: Rig,
    pub(crate) executor: Arc<dyn Executor>,
    environment: Environment,
    count: AtomicU32,
}

impl Bench {
    /// On this machine, with the Python that the kernels have.
    async fn local() -> Self {
        Self::on_this_machine("local", |executor| executor).await
    }

    /// On this machine, forked from interpreters that have imported the libraries.
    async fn warm() -> Self {
        Self::on_this_machine("warm", |executor| executor.warm(at_once())).await
    }

    async fn on_this_machine(
        name: &'static str,
        made: impl Fn(LocalExecutor) -> LocalExecutor,
    ) -> Self {
        let rig = Rig::new().await;
        let executor = Arc::new(made(LocalExecutor::new(options(rig.data.path()))));
        let spec = EnvironmentSpec {
            python: std::env::var_os("STEPWELL_TEST_PYTHON").map(PathBuf::from),
            ..EnvironmentSpec::default()
        };
        let environment = executor.prepare(&spec, &|_| {}).await.unwrap();
        Self {
            name,
            rig,
            executor,
            environment,
            count: AtomicU32::new(0),
        }
    }

    async fn container(program: Program, shared: bool) -> Option<Self> {
        let running = jupyter_rig::shared(program)?;
        let rig = Rig::new().await;
        let mut options = running.options(rig.data.path());
        if shared {
            let kernel = rig.data.path().to_owned();
            options.read_only.shared = Some(Shared {
                kernel: kernel.clone(),
            });
            options.write_access.shared = Some(Shared { kernel });
        }
        let executor = Arc::new(JupyterExecutor::new(options));
        let spec = EnvironmentSpec {
            container: Some(Mode::ReadOnly),
            ..EnvironmentSpec::default()
        };
        let environment = executor.prepare(&spec, &|_| {}).await.unwrap();
        let name = match (program, shared) {
            (Program::Server, false) => "server",
            (Program::Server, true) => "server with a shared folder",
            (Program::Gateway, _) => "gateway",
        };
        Some(Self {
            name,
            rig,
            executor,
            environment,
            count: AtomicU32::new(0),
        })
    }

    /// Every sort that is there.
    pub(crate) async fn all() -> Vec<Self> {
        let mut benches = vec![Self::local().await, Self::warm().await];
        benches.extend(Self::container(Program::Server, false).await);
        benches.extend(Self::container(Program::Server, true).await);
        benches.extend(Self::container(Program::Gateway, false).await);
        benches
    }

    pub(crate) fn job(&self, code: &str) -> Job {
        let attempt = self.count.fetch_add(1, Ordering::Relaxed) + 100;
        let mut job = self.rig.job(code);
        job.attempt = attempt;
        job.folder = self.rig.data.path().join(format!("runs/load/{attempt}"));
        job.environment = self.environment.clone();
        job.modules = Some(BTreeMap::from([(
            "beside.py".to_owned(),
            b"def fall(x):\n    return 1 / x\n".to_vec(),
        )]));
        job.source_folder = Some(PathBuf::from("/nowhere/my workflow"));
        job
    }

    pub(crate) async fn run(&self, job: Job) -> Outcome {
        let warm = self.name == "warm" && job.secrets.is_empty();
        let outcome = self
            .executor
            .execute(job)
            .await
            .unwrap_or_else(|failure| panic!("{}: {failure:#?}", self.name));
        if warm {
            assert_eq!(outcome.start, Some(Start::Warm));
        }
        outcome
    }
}

/// What must be the same everywhere.
pub(crate) fn essence(outcome: &Outcome, folder: &Path) -> Value {
    let failure = match &outcome.status {
        OutcomeStatus::Succeeded => Value::Null,
        OutcomeStatus::Failed(failure) => json!({
            "kind": failure.kind, "code": failure.code, "message": failure.message, "hint": failure.hint,
            "traceback": failure.traceback, "detail": failure.detail,
        }),
    };
    let files = |files: &[stepwell::executor::OutputFile]| -> Value {
        let described = files.iter().map(|file| {
            let bytes = std::fs::read(folder.join(&file.path)).unwrap();
            assert_eq!(bytes.len() as u64, file.bytes, "{}", file.path);
            let digest = stepwell::id::Digest::of(&bytes).to_string();
            json!([
                file.path,
                file.title,
                file.description,
                file.media_type,
                digest
            ])
        });
        described.collect()
    };
    let log = |name: &str| {
        String::from_utf8_lossy(&std::fs::read(folder.join(name)).unwrap()).into_owned()
    };
    json!({
        "failure": failure,
        "results": outcome.results,
        "figures": files(&outcome.figures),
        "artifacts": files(&outcome.artifacts),
        "stdout": [log("stdout.log"), outcome.stdout.bytes, outcome.stdout.truncated],
        "stderr": [log("stderr.log"), outcome.stderr.bytes, outcome.stderr.truncated],
        "notes": outcome.notes,
        "python": outcome.python,
        "shown": shown(folder),
        "packages": outcome.packages,
    })
}

/// What the code gave out in order, as the notebook of the attempt is made of it.
fn shown(folder: &Path) -> Value {
    let text = std::fs::read(folder.join(".attempt/outputs.json"));
    text.map_or(Value::Null, |text| serde_json::from_slice(&text).unwrap())
}

/// Runs the job that `made` makes on every bench at the same time, and tells where what it leaves is not what it
/// leaves on the first.
pub(crate) async fn differences(
    benches: &[Arc<Bench>],
    name: &str,
    made: impl Fn(&Bench) -> Job,
) -> Vec<String> {
    let runs: Vec<_> = benches
        .iter()
        .map(|bench| {
            let (bench, job) = (Arc::clone(bench), made(bench));
            tokio::spawn(async move { essence_of(&bench, job).await })
        })
        .collect();
    let mut found = Vec::new();
    for run in runs {
        found.push(run.await.unwrap());
    }
    let others = benches.iter().zip(&found).skip(1);
    others
        .filter(|(_, there)| **there != found[0])
        .map(|(bench, there)| {
            let lines = differing_lines(&found[0], there);
            format!("{name} on {}:\n{lines}", bench.name)
        })
        .collect()
}

/// Runs the job and tells what it left, without the place where that was.
pub(crate) async fn essence_of(bench: &Bench, job: Job) -> Value {
    let folder = job.folder.clone();
    let outcome = bench.run(job).await;
    let text = essence(&outcome, &folder).to_string();
    let text = text.replace(folder.to_str().unwrap(), "FOLDER");
    abridged(serde_json::from_str(&text).unwrap())
}

/// Longest text that is compared as it stands, in bytes; of longer ones the digest is.
const TEXT_BYTES_MAX: usize = 1 << 20;

fn abridged(value: Value) -> Value {
    match value {
        Value::String(text) if text.len() > TEXT_BYTES_MAX => {
            json!(stepwell::id::Digest::of(text.as_bytes()).hex())
        }
        Value::Array(items) => items.into_iter().map(abridged).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            fields
                .map(|(name, value)| (name, abridged(value)))
                .collect()
        }
        other => other,
    }
}

/// The lines in which they differ.
fn differing_lines(expected: &Value, found: &Value) -> String {
    let (expected, found) = (format!("{expected:#}"), format!("{found:#}"));
    let diff = similar::TextDiff::from_lines(&expected, &found);
    diff.unified_diff().context_radius(1).to_string()
}
