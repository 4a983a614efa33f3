//! One table of scripts, run on this machine and in containers: what they leave is the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::executor::{Job, Limits};

use crate::conformance_rig::{Bench, differences, essence_of};
use crate::executor_rig::{appears, failure_of};

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
    (
        "names of ours",
        "for name in ('results.json', 'outcome.json', 'notebook.ipynb'): open(name, 'w').write('mine')\nresults = 1",
    ),
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
        "values that are shown",
        "class Rich:\n    def __repr__(self): return 'rich'\n    def _repr_html_(self): return '<b>é</b>'\n    def _repr_svg_(self): return '<svg/>'\n    def _repr_png_(self): return b'\\x89PNG'\n    def _repr_markdown_(self): return '*x*'\n    def _repr_mimebundle_(self, **_): return {'application/json': '{}', 'text/latex': '$x$', 'bad': 1}\nclass Broken:\n    def __repr__(self): raise ValueError('no')\n    def _repr_html_(self): raise ValueError('no')\nprint('before')\ndisplay(Rich(), Broken(), Rich)\nprint('after')",
    ),
    (
        "more than is recorded",
        "class Long:\n    def __repr__(self): return 'long'\n    def _repr_html_(self): return 'x' * (5 << 20)\ndisplay(Long()); print('y' * 600_000); display(1)",
    ),
    (
        "figures and text in their order",
        "import matplotlib.pyplot as plt\nprint('one')\nplt.plot([1, 2]); plt.title('A'); plt.show()\nprint('two')\nfigure = plt.figure(); figure.gca().plot([2, 1]); display(figure)\nprint('three')",
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
        faults.extend(differences(&benches, name, |bench| prepared(bench, code)).await);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A notebook of these code cells as the code of a job; the first is tagged as that of the parameters.
fn notebook(bench: &Bench, cells: &[&str]) -> Job {
    let cells: Vec<Value> = cells
        .iter()
        .enumerate()
        .map(|(at, text)| {
            let tags = if at == 0 {
                json!(["parameters"])
            } else {
                json!([])
            };
            json!({"cell_type": "code", "metadata": {"tags": tags}, "source": text, "outputs": []})
        })
        .collect();
    let text = json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells});
    let source = stepwell::python::cells::read(&text.to_string(), &["count", "day"]).unwrap();
    let mut job = prepared(bench, &source.code);
    job.file_name = "study.ipynb".to_owned();
    job.context = json!({"count": 4, "day": "2026-11-23"});
    job
}

/// Names and notebooks.
const NOTEBOOKS: &[(&str, &[&str])] = &[
    (
        "outputs of cells",
        &[
            "count = 1\nday = 'never'",
            "print('for', day)\nimport sys\nprint('beside', file=sys.stderr)\ncount",
            "",
            "count + 1;",
            "import pandas as pd\ntable = pd.DataFrame({'x': range(count)})\ntable",
            "import matplotlib.pyplot as plt\nplt.plot(table['x'])\nplt.title('Rising')\nplt.show()\nplt.figure(); plt.plot([2, 1]); None",
            "display(table.head(1), 'text')\nsave_artifact(table, 'table.csv')\nresults = {'day': day, 'sum': int(table['x'].sum()), 'inputs': sorted(context)}",
        ],
    ),
    (
        "a cell that fails",
        &[
            "count = 1",
            "def half(n):\n    return n / 0\nprint('before')",
            "print('in it')\nresults = 5\nhalf(count)",
            "print('never')",
        ],
    ),
    (
        "a cell that is no Python",
        &["count = 1", "print('before')", "x = 1\nif x:\ny = 2"],
    ),
    (
        "a cell that ends the program",
        &[
            "count = 1",
            "import sys\nresults = count\nsys.exit(0)",
            "print('never')",
        ],
    ),
    (
        "a cell that fails to end it well",
        &["count = 1", "count\nraise SystemExit('beam lost')"],
    ),
    (
        "the future for the cells after it",
        &[
            "from __future__ import annotations\ncount = 1",
            "def f(x: Nothing) -> Never: pass\nresults = f.__annotations__",
        ],
    ),
    (
        "threads in a cell",
        &[
            "count = 1",
            "import concurrent.futures as c\nwith c.ThreadPoolExecutor(2) as pool: results = list(pool.map(lambda x: x * count, [1, 2]))\nresults",
        ],
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_notebook_leaves_the_same_wherever_it_runs() {
    let benches: Vec<Arc<Bench>> = Bench::all().await.into_iter().map(Arc::new).collect();
    let mut faults = Vec::new();
    for (name, cells) in NOTEBOOKS {
        faults.extend(differences(&benches, name, |bench| notebook(bench, cells)).await);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // They are the same, and what they should be.
    for bench in &benches {
        let (_, cells) = NOTEBOOKS[0];
        let left = essence_of(bench, notebook(bench, cells)).await;
        let cell = |number: usize| &left["shown"]["cells"][number]["outputs"];
        assert_eq!(
            left["results"],
            json!({"day": "2026-11-23", "sum": 6, "inputs": ["count", "day"]}),
            "{left:#}"
        );
        let shown = left["shown"].to_string();
        for piece in ["for 2026-11-23", "<table", "figures/figure_01.png"] {
            assert!(shown.contains(piece), "{}: {piece}: {left:#}", bench.name);
        }
        assert!(cell(0).as_array().is_some(), "{left:#}");
        let failed = essence_of(bench, notebook(bench, NOTEBOOKS[1].1)).await;
        assert_eq!(
            failed["failure"]["message"],
            "cell 3: ZeroDivisionError: division by zero"
        );
        assert_eq!(failed["results"], 5);
        let traceback = failed["failure"]["traceback"].as_str().unwrap();
        assert!(
            traceback.contains("File \"study.ipynb, cell 2\", line 2, in half"),
            "{traceback}"
        );
    }
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
    const CODE: &str = "import os, time\ntry:\n    open(context.where, 'w').write(str(os.getpid()))\n    time.sleep(60)\nfinally:\n    time.sleep(3)\n    open(context.where + '-finally', 'w').write('x')\n";
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

/// A way to end: its name, the code, what is changed in the job, how it ends on this machine and how in a container.
type End = (
    &'static str,
    &'static str,
    fn(&mut Job),
    &'static str,
    &'static str,
);

/// `-` is an end that is well. Where the two differ, docs/python-steps.md says so under "In a container".
const ENDS: &[End] = &[
    ("well", "pass", |_| {}, "-", "-"),
    (
        "status none",
        "import sys; sys.exit(None)",
        |_| {},
        "-",
        "-",
    ),
    (
        "status true",
        "import sys; sys.exit(True)",
        |_| {},
        "exit_status",
        "exit_status",
    ),
    ("status 256", "import sys; sys.exit(256)", |_| {}, "-", "-"),
    (
        "status -1",
        "import sys; sys.exit(-1)",
        |_| {},
        "exit_status",
        "exit_status",
    ),
    (
        "an interrupt of its own",
        "raise KeyboardInterrupt",
        |_| {},
        "python_exception",
        "python_exception",
    ),
    (
        "endless recursion",
        "def f(): f()\nf()",
        |_| {},
        "python_exception",
        "python_exception",
    ),
    (
        "an exit of the generator",
        "raise GeneratorExit('x')",
        |_| {},
        "python_exception",
        "python_exception",
    ),
    (
        "abort",
        "import os; os.abort()",
        |_| {},
        "crashed",
        "crashed",
    ),
    (
        "terminated",
        "import os, signal, time; os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)",
        |_| {},
        "crashed",
        "crashed",
    ),
    (
        "a crash",
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        |_| {},
        "crashed",
        "crashed",
    ),
    (
        "too much memory",
        "x = bytearray(6 << 30)",
        |job| job.limits.memory_bytes = Some(2 << 30),
        "memory_exceeded",
        "memory_exceeded",
    ),
    (
        "too much processor time",
        "while True: pass",
        |job| job.limits.cpu_time = Some(Duration::from_secs(1)),
        "cpu_time_exceeded",
        "cpu_time_exceeded",
    ),
    (
        "too many open files",
        "files = [open('/dev/null') for _ in range(900)]",
        |job| job.limits.open_files_max = 256,
        "open_files_exceeded",
        "open_files_exceeded",
    ),
    (
        "too large files",
        "open('a', 'wb').write(bytes(3 << 20))",
        |job| job.limits.artifact_bytes_max = 1 << 20,
        "files_too_large",
        "files_too_large",
    ),
    (
        "too many processes",
        "import subprocess, time\nall = [subprocess.Popen(['sleep', '20']) for _ in range(12)]\ntime.sleep(5)\nfor one in all: one.kill()",
        |job| job.limits.processes_max = Some(6),
        "processes_exceeded",
        "-",
    ),
    (
        "too much on the disk",
        "import os, time\nfor i in range(4): open(f'f{i}', 'wb').write(os.urandom(4 << 20))\ntime.sleep(3)\nfor i in range(4): os.remove(f'f{i}')",
        |job| job.limits.disk_bytes_max = Some(6 << 20),
        "disk_exceeded",
        "-",
    ),
    (
        "its folder taken away",
        "import os; os.rename('.attempt', 'mine')",
        |_| {},
        "attempt_tampered",
        "attempt_tampered",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_end_has_the_same_code_but_for_the_differences_that_are_told() {
    let mut faults = Vec::new();
    for bench in Bench::all().await {
        for (name, code, change, here, there) in ENDS {
            let mut job = bench.job(code);
            change(&mut job);
            let outcome = bench.executor.execute(job).await;
            let failure = match outcome.map(|outcome| outcome.status) {
                Ok(stepwell::executor::OutcomeStatus::Succeeded) => None,
                Ok(stepwell::executor::OutcomeStatus::Failed(failure)) | Err(failure) => {
                    Some(failure)
                }
            };
            let found = failure.as_ref().map_or("-", |failure| &failure.code);
            let is_local = ["local", "warm"].contains(&bench.name);
            let expected = if is_local { here } else { there };
            if found != *expected {
                let place = bench.name;
                faults.push(format!("{name} on {place}: not {expected}: {failure:#?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
