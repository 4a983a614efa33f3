//! One table of scripts, run on this machine and in containers: what they leave is the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::executor::jupyter::{JupyterExecutor, Shared};
use stepwell::executor::local::LocalExecutor;
use stepwell::executor::{
    Environment, EnvironmentSpec, Executor, Job, Limits, Outcome, OutcomeStatus, Start,
};
use stepwell::plan::Mode;

use crate::executor_rig::{Rig, appears, at_once, failure_of, options};
use crate::jupyter_rig::{self, Program};

/// An executor of whatever sort, and jobs for it.
struct Bench {
    name: &'static str,
    rig: Rig,
    executor: Arc<dyn Executor>,
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
    async fn all() -> Vec<Self> {
        let mut benches = vec![Self::local().await, Self::warm().await];
        benches.extend(Self::container(Program::Server, false).await);
        benches.extend(Self::container(Program::Server, true).await);
        benches.extend(Self::container(Program::Gateway, false).await);
        benches
    }

    fn job(&self, code: &str) -> Job {
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

    async fn run(&self, job: Job) -> Outcome {
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
fn essence(outcome: &Outcome, folder: &Path) -> Value {
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
    })
}

/// Names and scripts. What they print must not depend on where they run.
const SCRIPTS: &[(&str, &str)] = &[
    ("nothing", "pass"),
    (
        "results",
        "results = {'a': [1, 2.5, None, 'é😀'], 'deep': {'x': True}, 'set': {3, 1}}",
    ),
    ("a list", "results = [1, 2, 3]"),
    (
        "context",
        "results = [context.load.rows[1].x, context['load']['rows'][0]['x'], sorted(context)]",
    ),
    ("a missing key", "context.nothing"),
    (
        "the future",
        "from __future__ import annotations\ntext = '''one\n    two'''\nresults = text",
    ),
    (
        "main",
        "import __main__, pickle\nclass P: x = 1\nresults = [__name__, pickle.loads(pickle.dumps(P())).x, __main__.P is P]",
    ),
    (
        "bytes",
        "import sys\nsys.stdout.buffer.write(bytes(range(256)))\nprint('é', file=sys.stderr)",
    ),
    ("a flood", "for i in range(20000): print('line', i)"),
    (
        "an exception",
        "def f():\n    return {}['k']\ntry:\n    f()\nexcept KeyError as error:\n    raise ValueError('worse') from error\n",
    ),
    ("a syntax error", "a = 1\nb = a +* 2\n"),
    ("a missing module", "import no_such_thing.sub"),
    ("a module beside", "import beside\nbeside.fall(0)"),
    ("exit status", "import sys; sys.exit(3)"),
    ("exit text", "raise SystemExit('beam lost')"),
    ("exit well", "import sys; results = 1; sys.exit(0)"),
    (
        "exit early",
        "import os; print('x', flush=True); os._exit(0)",
    ),
    (
        "killed",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    ),
    ("no memory", "raise MemoryError"),
    ("nan", "results = {'x': float('nan')}"),
    ("a wrong key", "results = {(1, 2): 3}"),
    ("a cycle", "results = []\nresults.append(results)"),
    ("unsupported", "results = {'f': open}"),
    (
        "artifacts",
        "save_artifact('text', 'note.txt', 'a note')\nsave_artifact(b'\\x00\\xff', 'raw')\nsave_artifact({'a': [1]}, 'table')\nopen('own file.csv', 'w').write('a,b\\n')\nimport os; os.makedirs('deep/er'); open('deep/er/x.dat', 'w').write('y')",
    ),
    ("an empty file", "open('empty.dat', 'w').close()"),
    (
        "a large file",
        "open('large.bin', 'wb').write(bytes(range(256)) * 16384)",
    ),
    (
        "a link",
        "import os; os.symlink('/etc/passwd', 'link'); os.symlink('code.py', 'inside')",
    ),
    (
        "own names",
        "open('results.json', 'w').write('mine'); open('outcome.json', 'w').write('mine'); results = 1",
    ),
    (
        "too many files",
        "for i in range(30): open(f'f{i}', 'w').write('x')",
    ),
    ("a file too large", "open('big', 'wb').truncate(2 << 30)"),
    ("the terminal", "input()"),
    (
        "a process",
        "import subprocess, sys\nresults = subprocess.run([sys.executable, '-c', 'print(6 * 7)'], capture_output=True, text=True).stdout",
    ),
    (
        "a pool",
        "import multiprocessing\ndef work(x): return x * 2\nif __name__ == '__main__':\n    with multiprocessing.get_context('spawn').Pool(2) as pool: results = pool.map(work, [1, 2])",
    ),
    (
        "left behind",
        "import subprocess; subprocess.Popen(['sleep', '60'], start_new_session=True); results = 1",
    ),
    (
        "a thread",
        "import threading, time\nresults = []\ndef late():\n    time.sleep(0.2); results.append(1)\nthreading.Thread(target=late).start()",
    ),
    (
        "two figures",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.title('Orbit'); plt.show()\nplt.figure(); plt.plot([2, 1])\nresults = plt.get_backend()",
    ),
    (
        "numpy and pandas",
        "import numpy as np, pandas as pd\nresults = {'a': np.arange(3), 't': pd.DataFrame({'x': [1, 2]}), 'f': np.float32(0.5)}\nsave_artifact(pd.DataFrame({'x': [1]}), 'frame')",
    ),
    (
        "the surroundings",
        "import os, sys\nnames = ['STEPWELL_STEP', 'STEPWELL_MODE', 'STEPWELL_RUN_ID', 'PYTHONHASHSEED', 'MPLBACKEND', 'WANTED', 'STEPWELL_WORKFLOW_DIR']\nresults = [os.environ.get(name) for name in names[:6]] + [sys.argv[1:], os.path.basename(__file__), os.listdir(os.environ['TMPDIR']), sorted(name for name in os.environ if 'TOKEN' in name)]",
    ),
    (
        "its folder",
        "import os\nresults = sorted(name for name in os.listdir('.') if not name.startswith('.') and not name.endswith(('.log', '.lock')) and name != 'job.json')",
    ),
];

fn prepared(bench: &Bench, code: &str) -> Job {
    let mut job = bench.job(code);
    job.context = json!({"load": {"rows": [{"x": 1}, {"x": "é😀"}]}});
    job.env.insert("WANTED".to_owned(), "yes".to_owned());
    job.limits = Limits {
        stdout_bytes_max: 100_000,
        files_max: 20,
        ..Limits::default()
    };
    job
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_script_leaves_the_same_wherever_it_runs() {
    let benches: Vec<Arc<Bench>> = Bench::all().await.into_iter().map(Arc::new).collect();
    let mut faults = Vec::new();
    for (name, code) in SCRIPTS {
        let runs: Vec<_> = benches
            .iter()
            .map(|bench| tokio::spawn(essence_of(Arc::clone(bench), code)))
            .collect();
        let mut found = Vec::new();
        for run in runs {
            found.push(run.await.unwrap());
        }
        for (bench, found_there) in benches.iter().zip(&found).skip(1) {
            if *found_there != found[0] {
                let difference = similar_lines(&found[0], found_there);
                faults.push(format!("{name} on {}:\n{difference}", bench.name));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

async fn essence_of(bench: Arc<Bench>, code: &'static str) -> Value {
    let job = prepared(&bench, code);
    let outcome = bench.run(job.clone()).await;
    let folder = job.folder.to_str().unwrap();
    let text = essence(&outcome, &job.folder).to_string();
    serde_json::from_str(&text.replace(folder, "FOLDER")).unwrap()
}

/// The lines in which they differ.
fn similar_lines(expected: &Value, found: &Value) -> String {
    let (expected, found) = (format!("{expected:#}"), format!("{found:#}"));
    let diff = similar::TextDiff::from_lines(&expected, &found);
    diff.unified_diff().context_radius(1).to_string()
}

/// The code is told to end, and gets the time to say where it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_out_ends_the_whole_tree_and_keeps_what_was_there() {
    const CODE: &str = "import subprocess, time\nchild = subprocess.Popen(['sleep', '61'])\nopen('pid', 'w').write(str(child.pid))\nopen('kept.csv', 'w').write('1')\nprint('here', flush=True)\nresults = 5\ntime.sleep(60)\n";
    const STUBBORN: &str = "import time\nopen('kept.csv', 'w').write('1')\nprint('here', flush=True)\nwhile True:\n    try:\n        time.sleep(60)\n    except BaseException:\n        pass\n";
    for bench in Bench::all().await {
        for (code, heard) in [(CODE, true), (STUBBORN, false)] {
            let mut job = bench.job(code);
            // Time to begin, and time to end for whoever hears it, on the slowest machine.
            job.timeout = Duration::from_secs(5);
            job.limits.stop_grace = Duration::from_secs(if heard { 50 } else { 1 });
            let folder = job.folder.clone();
            let outcome = bench.run(job).await;
            let listed: Vec<&str> = outcome
                .artifacts
                .iter()
                .map(|file| file.path.as_str())
                .collect();
            assert!(listed.contains(&"kept.csv"), "{}: {outcome:#?}", bench.name);
            assert_eq!(
                std::fs::read_to_string(folder.join("stdout.log")).unwrap(),
                "here\n"
            );
            if heard {
                let pid = std::fs::read_to_string(folder.join("pid")).unwrap();
                assert!(!crate::executor_rig::is_alive(&pid), "{}", bench.name);
                assert_eq!(outcome.results, Some(json!(5)), "{}", bench.name);
            }
            let failure = failure_of(outcome);
            assert_eq!(failure.code, "timed_out", "{}", bench.name);
            let traceback = failure.traceback.unwrap_or_default();
            assert_eq!(
                traceback.contains("line 7, in <module>"),
                heard,
                "{}: {traceback}",
                bench.name
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_that_is_killed_is_gone_and_stays_gone() {
    const CODE: &str = "import os, time\nopen(context.where, 'w').write(str(os.getpid()))\ntry:\n    time.sleep(60)\nfinally:\n    time.sleep(3)\n    open(context.where + '-finally', 'w').write('x')\n";
    for bench in Bench::all().await {
        let mut job = bench.job(CODE);
        let (folder, attempt) = (job.folder.clone(), job.attempt);
        let mark = bench.rig.data.path().join(format!("pid-{attempt}"));
        job.context = json!({"where": mark});
        job.protection.writes_outside = true;
        job.limits.stop_grace = Duration::from_secs(50);
        let executor = Arc::clone(&bench.executor);
        let execution = tokio::spawn(async move { executor.execute(job).await });
        let pid = appears(&mark).await;
        bench.executor.kill(&folder).await.unwrap();
        assert!(!crate::executor_rig::is_alive(&pid), "{}", bench.name);
        let left = bench.rig.data.path().join(format!("pid-{attempt}-finally"));
        assert!(left.exists(), "{}: it had no time to clean up", bench.name);
        let outcome = execution.await.unwrap().unwrap();
        assert_eq!(failure_of(outcome).code, "cancelled", "{}", bench.name);
        bench.executor.kill(&folder).await.unwrap();
    }
}

/// Secrets reach the code and nothing that it leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_reach_the_code_and_nothing_that_it_leaves() {
    const CODE: &str = "import os, sys\nsecret = os.environ['ARCHIVER']\nprint(secret)\nprint(secret, file=sys.stderr)\nopen('note.txt', 'w').write(secret)\nresults = {'s': secret, 'n': len(secret)}\nraise ValueError(secret)\n";
    for bench in Bench::all().await {
        let mut job = bench.job(CODE);
        let secret = "s3cret-of-the-archiver".to_owned();
        job.secrets
            .env
            .insert("ARCHIVER".to_owned(), secret.clone());
        job.secrets
            .values
            .insert("archiver".to_owned(), secret.clone());
        let folder = job.folder.clone();
        let outcome = bench.run(job).await;
        assert_eq!(outcome.results.as_ref().unwrap()["n"], 22, "{}", bench.name);
        assert!(
            !format!("{outcome:?}").contains(&secret),
            "{}: {outcome:#?}",
            bench.name
        );
        for file in walk(&folder) {
            let bytes = std::fs::read(&file).unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            assert!(
                !text.contains(&secret),
                "{}: {}",
                bench.name,
                file.display()
            );
        }
        let log = std::fs::read_to_string(folder.join("stdout.log")).unwrap();
        assert_eq!(log, "***archiver***\n", "{}", bench.name);
    }
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

/// A write that the guard holds back fails the attempt wherever it runs, also when the code looks away.
#[tokio::test]
async fn a_write_that_is_held_back_is_told_by_every_executor() {
    for bench in Bench::all().await {
        let mut job = bench
            .job("import magnets\ntry: magnets.ramp('Q1', 2)\nexcept Exception: pass\nresults = 1");
        let written = b"def ramp(name, value): open('written', 'w')\n".to_vec();
        job.modules = Some(BTreeMap::from([("magnets.py".to_owned(), written)]));
        job.protection.guard.writers = vec!["magnets.ramp".to_owned()];
        let outcome = bench.run(job.clone()).await;
        assert_eq!(failure_of(outcome).code, "write_refused", "{}", bench.name);
        assert!(!job.folder.join("written").exists(), "{}", bench.name);
    }
}
