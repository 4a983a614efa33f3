//! Steps that are forked from a warm interpreter: as good as fresh ones, and fresh whenever forking is not safe.
//! That they leave the same is in executor_conformance.rs.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use stepwell::executor::local::{LocalExecutor, WarmOptions};
use stepwell::executor::{EnvironmentSpec, Executor as _, Job, Outcome, OutcomeStatus, Start};

use crate::executor_rig::{Rig, at_once, is_alive, options};

impl Rig {
    /// A rig whose steps are forked from warm interpreters.
    pub(crate) async fn warm() -> Self {
        Self::with(at_once()).await
    }

    pub(crate) async fn with(warm: WarmOptions) -> Self {
        let mut rig = Self::new().await;
        rig.executor = LocalExecutor::new(options(rig.data.path())).warm(warm);
        rig
    }

    /// The Python that has numpy, when there is one.
    pub(crate) async fn science(warm: WarmOptions) -> Option<Self> {
        let mut rig = Self::with(warm).await;
        let python = std::env::var_os("STEPWELL_TEST_PYTHON").map(PathBuf::from)?;
        let spec = EnvironmentSpec {
            python: Some(python),
            ..EnvironmentSpec::default()
        };
        rig.environment = rig.executor.prepare(&spec, &|_| {}).await.unwrap();
        Some(rig)
    }

    /// What a step that was forked leaves.
    pub(crate) async fn forked(&self, job: Job) -> Value {
        let outcome = self.executor.execute(job).await.unwrap();
        assert_eq!(outcome.start, Some(Start::Warm), "{}", reason(&outcome));
        assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
        outcome.results.unwrap_or_default()
    }

    /// The parents of this rig that are alive.
    pub(crate) fn parents(&self) -> Vec<Pid> {
        let ours = self.data.path().to_str().unwrap();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let line = std::fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
            let inner = std::fs::read_to_string(entry.path().join("status")).unwrap_or_default();
            let leader = format!("PPid:\t{}\n", std::process::id());
            if line.contains("harness.warm") && line.contains(ours) && inner.contains(&leader) {
                found.push(Pid::from_raw(pid));
            }
        }
        found
    }

    async fn until_parents(&self, count: usize) {
        let until = Instant::now() + Duration::from_secs(20);
        while self.parents().len() != count {
            assert!(Instant::now() < until, "{:?}", self.parents());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn reason(outcome: &Outcome) -> &str {
    match &outcome.start {
        Some(Start::Fresh { reason }) => reason,
        Some(Start::Warm) => "it was warm",
        None => "nothing was said",
    }
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn nothing_of_one_step_is_seen_by_another() {
    const FIRST: &str = "import os, sys, builtins, json, random, tempfile\n\
        builtins.left = json.left = sys.left = 1\nos.environ['LEFT'] = '1'\nos.chdir('/')\n\
        sys.path.insert(0, '/left')\nkept = open('/dev/null')\nimport beside\ntempfile.gettempdir()\n\
        random.seed(1)\nresults = [random.random(), os.getpid(), sys._getframe().f_code.co_filename]\n";
    const SECOND: &str = "import os, sys, builtins, json, random, tempfile\n\
        results = {'left': [hasattr(x, 'left') for x in (builtins, json, sys)] + ['LEFT' in os.environ, '/left' in sys.path, 'beside' in sys.modules],\n\
        'cwd': os.getcwd() == os.environ['STEPWELL_FOLDER'], 'temp': tempfile.gettempdir() == os.environ['TMPDIR'],\n\
        'fds': sorted(int(fd) for fd in os.listdir('/proc/self/fd'))[:-1], 'random': random.random(),\n\
        'session': os.getsid(0) == os.getpid(), 'mask': oct(os.umask(0)), 'argv': sys.orig_argv[-1] == os.environ['STEPWELL_FOLDER'],\n\
        'stdin': sys.stdin.read(), 'threads': len(os.listdir('/proc/self/task'))}\n";
    let rig = Rig::warm().await;
    let mut job = rig.job(FIRST);
    job.modules = Some([("beside.py".to_owned(), b"x = 1\n".to_vec())].into());
    job.source_folder = Some(PathBuf::from("/nowhere"));
    rig.forked(job).await;
    let mut found = [
        rig.forked(rig.job(SECOND)).await,
        rig.forked(rig.job(SECOND)).await,
    ];
    let drawn: Vec<Value> = found
        .iter_mut()
        .map(|found| found["random"].take())
        .collect();
    assert_ne!(drawn[0], drawn[1], "both were forked with the same seed");
    assert_eq!(
        found[0],
        json!({
            "left": [false, false, false, false, false, false], "cwd": true, "temp": true, "fds": [0, 1, 2],
            "random": null, "session": true, "mask": "0o77", "argv": true, "stdin": "", "threads": 1,
        })
    );
    assert_eq!(rig.parents().len(), 1);
}

#[tokio::test]
async fn the_end_of_a_forked_step_is_the_end_of_an_interpreter() {
    const CODE: &str = "import atexit, threading, time\n\
        class Last:\n    def __del__(self): open('del.txt', 'w').write('del')\n\
        last = Last()\nround = [last]\nround.append(round)\n\
        kept = open('open.txt', 'w')\nkept.write('flushed')\n\
        atexit.register(lambda: open('atexit.txt', 'w').write('atexit'))\nimport beside\n\
        def late():\n    time.sleep(0.05)\n    open('thread.txt', 'w').write('thread')\n\
        threading.Thread(target=late).start()\nprint('no newline', end='')\n";
    let rig = Rig::warm().await;
    let mut job = rig.job(CODE);
    let beside = b"kept = open('beside.txt', 'w')\nkept.write('beside')\n".to_vec();
    job.modules = Some([("beside.py".to_owned(), beside)].into());
    job.source_folder = Some(PathBuf::from("/nowhere"));
    let folder = job.folder.clone();
    rig.forked(job).await;
    for (name, text) in [
        ("del.txt", "del"),
        ("open.txt", "flushed"),
        ("atexit.txt", "atexit"),
        ("thread.txt", "thread"),
        ("beside.txt", "beside"),
        ("stdout.log", "no newline"),
    ] {
        assert_eq!(
            std::fs::read_to_string(folder.join(name)).unwrap_or_default(),
            text,
            "{name}"
        );
    }
}

#[tokio::test]
async fn what_is_not_safe_to_be_forked_starts_fresh_and_says_why() {
    let rig = Rig::warm().await;
    let mut secret = rig.job("pass");
    secret
        .secrets
        .env
        .insert("KEY".to_owned(), "s3cret-s3cret".to_owned());
    let mut threads = rig.job("import os; results = os.environ['OMP_NUM_THREADS']");
    threads
        .env
        .insert("OMP_NUM_THREADS".to_owned(), "3".to_owned());
    for (job, said) in [
        (secret, "it has secrets"),
        (threads, "its variable OMP_NUM_THREADS"),
    ] {
        let outcome = rig.executor.execute(job).await.unwrap();
        assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
        assert!(reason(&outcome).starts_with(said), "{}", reason(&outcome));
    }
    assert_eq!(rig.parents(), []);
    let plain = Rig::with(WarmOptions::default()).await;
    let outcome = plain.run("pass").await;
    assert_eq!(
        reason(&outcome),
        "it is the first of its kind in this process"
    );
    assert_eq!(plain.parents(), [], "one step is no reason for a parent");
    let outcome = plain.run("pass").await;
    assert_eq!(
        reason(&outcome),
        "the warm interpreter of its kind is being started"
    );
}

/// An interpreter that does that when it is to be a parent, and is a usual one otherwise.
fn as_parent(rig: &Rig, does: &str) -> PathBuf {
    let path = rig.data.path().join("python");
    let real = rig.environment.interpreter.display();
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in *harness.warm*) {does};; esac\nexec \"{real}\" \"$@\"\n"
    );
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
    path
}

#[tokio::test]
async fn a_parent_that_can_not_be_started_costs_nothing_but_the_word_of_it() {
    let mut rig = Rig::warm().await;
    rig.environment.interpreter = as_parent(&rig, "echo 'no room' >&2; exit 3");
    for _ in 0..2 {
        let outcome = rig.run("results = 1").await;
        assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
        let why = reason(&outcome);
        assert_eq!(
            why,
            "there is no warm interpreter: it ended while it was started: no room"
        );
    }
}

#[tokio::test]
async fn a_parent_with_threads_is_refused() {
    let Some(rig) = Rig::science(at_once()).await else {
        return;
    };
    // A package that is imported in the parent and starts a thread.
    let site = rig.data.path().join("site");
    std::fs::create_dir_all(site.join("scipy")).unwrap();
    let text = "import threading, time\nthreading.Thread(target=time.sleep, args=(30,), daemon=True).start()\n";
    std::fs::write(site.join("scipy/__init__.py"), text).unwrap();
    let mut options = options(rig.data.path());
    // Nothing else is searched first, and the step sees the same.
    let startup = format!("export PYTHONPATH={}", site.display());
    let mut with_site = rig.job("import scipy\nresults = 1\n");
    with_site.environment.interpreter = as_parent(&rig, &startup);
    options.inherited.remove("PYTHONPATH");
    let executor = LocalExecutor::new(options).warm(at_once());
    let outcome = executor.execute(with_site).await.unwrap();
    assert!(
        reason(&outcome).contains("scipy started 1 threads when imported"),
        "{}",
        reason(&outcome)
    );
}

#[tokio::test]
async fn a_parent_that_dies_or_hangs_loses_no_step_and_begins_none_twice() {
    let rig = Rig::warm().await;
    let ledger = rig.data.path().join("ledger");
    let step = |rig: &Rig| {
        let mut job = rig.job("open(context.ledger, 'a').write(f'{context.number}\\n')\n");
        job.context = json!({"ledger": ledger, "number": job.attempt});
        job.protection.writes_outside = true;
        job
    };
    rig.forked(step(&rig)).await;
    for (signal, said) in [
        (Signal::SIGKILL, "the warm interpreter"),
        (Signal::SIGSTOP, "the warm interpreter did not start it"),
    ] {
        let parents = rig.parents();
        assert_eq!(parents.len(), 1);
        // Pairs that wait need no parent any more.
        kill(parents[0], signal).unwrap();
        rig.end_pairs().await;
        let outcome = rig.executor.execute(step(&rig)).await.unwrap();
        assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
        assert!(reason(&outcome).starts_with(said), "{}", reason(&outcome));
        rig.forked(step(&rig)).await;
        assert!(!rig.parents().contains(&parents[0]));
    }
    assert_eq!(lines(&ledger), ["1", "2", "3", "4", "5"]);
}

#[tokio::test]
async fn a_parent_that_could_not_be_had_is_tried_again_later() {
    let again = |again| WarmOptions { again, ..at_once() };
    for (after, warm) in [(Duration::from_secs(600), false), (Duration::ZERO, true)] {
        let mut rig = Rig::with(again(after)).await;
        let room = rig.data.path().join("room");
        let does = format!(
            "test -e {} || {{ echo 'no room' >&2; exit 3; }}",
            room.display()
        );
        rig.environment.interpreter = as_parent(&rig, &does);
        let outcome = rig.run("pass").await;
        assert!(
            reason(&outcome).ends_with("no room"),
            "{}",
            reason(&outcome)
        );
        std::fs::write(&room, "").unwrap();
        let outcome = rig.run("pass").await;
        assert_eq!(
            outcome.start == Some(Start::Warm),
            warm,
            "{}",
            reason(&outcome)
        );
    }
}

#[tokio::test]
async fn parents_are_replaced_bounded_and_end_with_their_work() {
    let worn = WarmOptions {
        forks_max: 2,
        parents_max: 2,
        ..at_once()
    };
    let rig = Rig::with(worn).await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        rig.forked(rig.job("pass")).await;
        seen.extend(rig.parents());
    }
    seen.sort();
    seen.dedup();
    assert!(
        seen.len() >= 2,
        "nobody took the place of the first: {seen:?}"
    );
    // Three kinds, and room for two: a name that can't be imported makes a kind of its own.
    for name in ["numpy.a", "numpy.b", "numpy.c"] {
        rig.forked(rig.job(&format!(
            "try:\n    import {name}\nexcept ImportError: pass\n"
        )))
        .await;
    }
    rig.until_parents(2).await;
    let idle = Rig::with(WarmOptions {
        idle: Duration::from_millis(100),
        ..at_once()
    })
    .await;
    idle.forked(idle.job("pass")).await;
    idle.until_alone().await;
    idle.forked(idle.job("pass")).await;
}

#[tokio::test]
async fn parents_end_with_the_executor() {
    let mut rig = Rig::warm().await;
    rig.forked(rig.job("pass")).await;
    assert_eq!(rig.parents().len(), 1);
    rig.waiting().await;
    rig.executor = LocalExecutor::new(options(rig.data.path()));
    rig.until_alone().await;
}

#[tokio::test]
async fn a_step_outlives_its_parent_and_keeps_its_supervisor() {
    let rig = Rig::warm().await;
    let gate = rig.data.path().join("gate");
    let mut job = rig.job("import os, time\nopen('pid', 'w').write(str(os.getpid()))\nwhile not os.path.exists(context.gate): time.sleep(0.01)\nresults = 1\n");
    job.context = json!({"gate": gate});
    let folder = job.folder.clone();
    let step = rig.forked(job);
    let after = async {
        let pid = crate::executor_rig::appears(&folder.join("pid")).await;
        kill(rig.parents()[0], Signal::SIGKILL).unwrap();
        rig.until_parents(0).await;
        assert!(is_alive(&pid));
        std::fs::write(&gate, "").unwrap();
    };
    let (results, ()) = tokio::join!(step, after);
    assert_eq!(results, json!(1));
}

#[tokio::test]
async fn numeric_libraries_are_loaded_seeded_anew_and_have_their_threads() {
    const CODE: &str = "import sys\nloaded = [name in sys.modules for name in ('numpy', 'pandas', 'matplotlib.pyplot')]\n\
        import os, numpy as np, pandas as pd, matplotlib.pyplot as plt\n\
        a = np.ones((400, 400))\nproduct = float((a @ a)[0, 0])\n\
        plt.plot([1, 2]); plt.title('one')\n\
        results = {'loaded': loaded, 'product': product, 'random': float(np.random.rand()),\n\
        'threads': len(os.listdir('/proc/self/task')), 'variable': os.environ.get('OPENBLAS_NUM_THREADS')}\n";
    let Some(rig) = Rig::science(at_once()).await else {
        return;
    };
    let fresh = LocalExecutor::new(options(rig.data.path()));
    let expected = fresh.execute(rig.job(CODE)).await.unwrap().results.unwrap();
    let outcomes = [
        rig.executor.execute(rig.job(CODE)).await.unwrap(),
        rig.executor.execute(rig.job(CODE)).await.unwrap(),
    ];
    for outcome in &outcomes {
        assert_eq!(outcome.start, Some(Start::Warm), "{}", reason(outcome));
        assert_eq!(outcome.figures.len(), 1);
        let found = outcome.results.as_ref().unwrap();
        assert_eq!(found["loaded"], json!([true, true, true]));
        for key in ["product", "threads", "variable"] {
            assert_eq!(found[key], expected[key], "{key}");
        }
    }
    let [first, second] = outcomes.map(|outcome| outcome.results.unwrap()["random"].clone());
    assert_ne!(first, second);
}

/// A parent that has threads after its imports is refused, so a warm start says that scipy started none.
#[tokio::test]
async fn a_fit_by_scipy_gives_the_same_in_a_fork() {
    const CODE: &str = "import sys\nloaded = 'scipy.optimize' in sys.modules\n\
        import os, numpy as np\nfrom scipy.optimize import curve_fit\nfrom scipy import linalg, stats\n\
        x = np.linspace(0, 4, 500)\ny = 2.5 * np.exp(-1.3 * x) + 0.5 + 0.1 * np.sin(97 * x)\n\
        found, covariance = curve_fit(lambda x, a, b, c: a * np.exp(-b * x) + c, x, y)\n\
        matrix = np.vander(np.linspace(1, 2, 120), 120) + 120 * np.eye(120)\n\
        results = {'loaded': loaded, 'fit': found.tolist(), 'covariance': covariance.tolist(),\n\
        'solved': float(linalg.solve(matrix, np.ones(120)).sum()), 'slope': float(stats.linregress(x, y).slope),\n\
        'threads': len(os.listdir('/proc/self/task'))}\n";
    if crate::control_rig::python_with("scipy.optimize").is_none() {
        return;
    }
    let Some(rig) = Rig::science(at_once()).await else {
        return;
    };
    // The imports alone take long on a loaded machine.
    let job = || Job {
        timeout: Duration::from_secs(120),
        ..rig.job(CODE)
    };
    let fresh = LocalExecutor::new(options(rig.data.path()));
    let mut expected = fresh.execute(job()).await.unwrap().results.unwrap();
    assert_eq!(expected["loaded"], false);
    let rate = expected["fit"][1].as_f64().unwrap();
    assert!((rate - 1.3).abs() < 0.05, "{expected:#}");
    expected["loaded"] = json!(true);
    for _ in 0..2 {
        assert_eq!(rig.forked(job()).await, expected);
    }
}
