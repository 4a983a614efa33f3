//! Containers when things break: connections, kernels, engines, servers. On the real programs.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::executor::jupyter::{JupyterExecutor, Token};
use stepwell::executor::{
    Adoption, ContainerEnvironment, EnvironmentSpec, Executor as _, Job, OutcomeStatus,
};
use stepwell::failure::FailureKind;
use stepwell::plan::Mode;

use crate::cli_rig::{Place, text};
use crate::executor_rig::{Rig, appears, is_alive, read};
use crate::jupyter_rig::{Program, Running, TOKEN, TOKEN_NAME, options, shared};

/// A job for a kernel.
pub(crate) fn job(rig: &Rig, code: &str) -> Job {
    let mut job = rig.job(code);
    job.environment.container = Some(ContainerEnvironment {
        packages: Vec::new(),
    });
    job
}

/// The kernel that an attempt had.
fn kernel_of(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join(".attempt/container.json")).unwrap();
    let record: Value = serde_json::from_str(&text).unwrap();
    record["kernel"].as_str().unwrap().to_owned()
}

pub(crate) fn is_gone(running: &Running, folder: &Path) -> bool {
    let (status, _) = running.get(&format!("/api/kernels/{}", kernel_of(folder)));
    status == 404
}

/// How many kernels are noted that are not known to be removed.
fn left(rig: &Rig) -> usize {
    std::fs::read_dir(rig.data.path().join("containers")).map_or(0, Iterator::count)
}

/// Notes every start of the code, then waits, then prints.
pub(crate) fn counting(mark: &Path, seconds: f64) -> String {
    format!(
        "import os, time\nopen({mark:?}, 'a').write(f'{{os.getpid()}}\\n')\nprint('before', flush=True)\n\
         time.sleep({seconds})\nprint('after')\nsave_artifact('x', 'note')\nresults = {{'n': 1}}\n"
    )
}

/// A way through to a server that can be cut.
pub(crate) struct Wire {
    pub(crate) base: String,
    open: Arc<Mutex<Vec<TcpStream>>>,
    pub(crate) blocked: Arc<AtomicBool>,
}

impl Wire {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let open: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let blocked = Arc::new(AtomicBool::new(false));
        let (streams, shut) = (Arc::clone(&open), Arc::clone(&blocked));
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let near = near.unwrap();
                if shut.load(Ordering::SeqCst) {
                    continue;
                }
                let far = TcpStream::connect(("127.0.0.1", port)).unwrap();
                streams
                    .lock()
                    .unwrap()
                    .extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                copy(near.try_clone().unwrap(), far.try_clone().unwrap());
                copy(far, near);
            }
        });
        Self {
            base,
            open,
            blocked,
        }
    }

    pub(crate) fn cut(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _gone = stream.shutdown(Shutdown::Both);
        }
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(count) = from.read(&mut buffer) {
            if count == 0 || to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _gone = to.shutdown(Shutdown::Both);
    });
}

/// As happens when somebody else is faster to take a port that the server has chosen for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kernel_that_dies_or_says_nothing_is_replaced_once() {
    for (program, kernel) in [
        (Program::Server, "dies-at-first"),
        (Program::Gateway, "dies-at-first"),
        (Program::Server, "silent-at-first"),
    ] {
        let Some(running) = shared(program) else {
            return;
        };
        let rig = Rig::new().await;
        let mut options = running.options(rig.data.path());
        options.read_only.kernel_name = kernel.to_owned();
        options.read_only.start_timeout = Duration::from_secs(25);
        let executor = JupyterExecutor::new(options);
        let outcome = executor.execute(job(&rig, "results = 1\n")).await;
        let outcome =
            outcome.unwrap_or_else(|failure| panic!("{kernel} on {program:?}: {failure:#?}"));
        assert_eq!(outcome.results, Some(json!(1)), "{kernel} on {program:?}");
        let left = std::fs::read_dir(rig.data.path().join("containers"));
        assert_eq!(
            left.map_or(0, Iterator::count),
            0,
            "{kernel} on {program:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_is_made_again_and_the_code_runs_once() {
    for program in [Program::Server, Program::Gateway] {
        let Some(running) = shared(program) else {
            return;
        };
        let rig = Rig::new().await;
        let wire = Wire::to(running.port);
        let executor = JupyterExecutor::new(options(&wire.base, rig.data.path()));
        let mark = rig.data.path().join("starts");
        let job = job(&rig, &counting(&mark, 3.0));
        let folder = job.folder.clone();
        let execution = tokio::spawn(async move { executor.execute(job).await });
        appears(&mark).await;
        wire.cut();
        wire.blocked.store(true, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(700)).await;
        wire.blocked.store(false, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(700)).await;
        wire.cut();
        let outcome = execution.await.unwrap().unwrap();
        assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
        assert_eq!(outcome.results, Some(json!({"n": 1})));
        assert_eq!(outcome.artifacts.len(), 1);
        let starts = std::fs::read_to_string(&mark).unwrap();
        assert_eq!(starts.lines().count(), 1, "{program:?}");
        let log = std::fs::read_to_string(folder.join("stdout.log")).unwrap();
        assert_eq!(log, "before\nafter\n", "{program:?}");
        assert!(is_gone(running, &folder), "{program:?}: a kernel is left");
    }
}

/// An engine that dies: its tasks are gone in the middle of whatever they did.
pub(crate) fn dies(runtime: tokio::runtime::Runtime) {
    runtime.shutdown_timeout(Duration::from_millis(100));
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn an_engine_that_dies_leaves_an_attempt_that_the_next_one_takes_over() {
    for program in [Program::Server, Program::Gateway] {
        let Some(running) = shared(program) else {
            return;
        };
        let next = runtime();
        let rig = next.block_on(Rig::new());
        for (seconds, pause) in [(2.5, 0), (0.2, 1500)] {
            let mark = rig.data.path().join(format!("starts {seconds}"));
            let mut job = job(&rig, &counting(&mark, seconds));
            job.mode = Mode::WriteAccess;
            job.code.push_str("print(os.environ['ARCHIVER'])\nresults['mode'] = os.environ['KERNEL_OF_THE_TESTS']\n");
            job.secrets
                .env
                .insert("ARCHIVER".to_owned(), "s3cret-value".to_owned());
            job.secrets
                .values
                .insert("archiver".to_owned(), "s3cret-value".to_owned());
            let folder = job.folder.clone();
            let engine = runtime();
            let executor = running.executor(rig.data.path());
            engine.spawn(async move { executor.execute(job).await });
            next.block_on(appears(&mark));
            dies(engine);
            std::thread::sleep(Duration::from_millis(pause));
            let executor = running.executor(rig.data.path());
            let Adoption::Finished(outcome) = next.block_on(executor.adopt(&folder)) else {
                panic!("{program:?}: it was lost");
            };
            assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
            assert_eq!(outcome.results, Some(json!({"n": 1, "mode": "write"})));
            assert_eq!(std::fs::read_to_string(&mark).unwrap().lines().count(), 1);
            let log = std::fs::read_to_string(folder.join("stdout.log")).unwrap();
            assert_eq!(log, "before\nafter\n***archiver***\n");
            assert!(is_gone(running, &folder), "a kernel is left");
            // Whoever asks again hears the same, without any kernel.
            let again = next.block_on(executor.adopt(&folder));
            assert!(matches!(again, Adoption::Finished(_)));
        }
    }
}

#[test]
fn an_attempt_that_never_began_is_known_not_to_have_begun() {
    let Some(running) = shared(Program::Server) else {
        return;
    };
    let next = runtime();
    let rig = next.block_on(Rig::new());
    let mark = rig.data.path().join("starts");
    let job = job(&rig, &counting(&mark, 0.1));
    let folder = job.folder.clone();
    let engine = runtime();
    let executor = running.executor(rig.data.path());
    engine.spawn(async move { executor.execute(job).await });
    next.block_on(appears(&folder.join(".attempt/container.json")));
    while !std::fs::read_to_string(folder.join(".attempt/container.json"))
        .unwrap()
        .contains("\"kernel\"")
    {
        std::thread::sleep(Duration::from_millis(2));
    }
    dies(engine);
    assert!(
        !folder.join(".attempt/started").exists(),
        "too late to test anything"
    );
    let executor = running.executor(rig.data.path());
    let adoption = next.block_on(executor.adopt(&folder));
    assert!(
        matches!(adoption, Adoption::Lost { started: false, .. }),
        "{adoption:?}"
    );
    assert!(!mark.exists());
    assert!(is_gone(running, &folder), "a kernel is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kernel_that_dies_is_told_and_what_it_did_is_unknown() {
    for program in [Program::Server, Program::Gateway] {
        let Some(running) = shared(program) else {
            return;
        };
        let rig = Rig::new().await;
        let executor = running.executor(rig.data.path());
        let mark = rig.data.path().join("pid");
        let job = job(
            &rig,
            &format!(
                "import os, time\nopen({mark:?}, 'w').write(f'{{os.getpid()}} {{os.getppid()}}')\ntime.sleep(60)"
            ),
        );
        let folder = job.folder.clone();
        let executing = executor.clone();
        let execution = tokio::spawn(async move { executing.execute(job).await });
        let pids = appears(&mark).await;
        let (code, kernel) = pids.split_once(' ').unwrap();
        let pid = nix::unistd::Pid::from_raw(kernel.parse().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        let failure = execution.await.unwrap().unwrap_err();
        assert_eq!(failure.code, "kernel_died", "{program:?}: {failure:#?}");
        assert_eq!(failure.kind, FailureKind::Infrastructure);
        assert!(!is_alive(code), "{program:?}: the code outlived its kernel");
        // The server starts a dead kernel anew, and refuses to remove it until it has.
        assert!(is_gone(running, &folder), "{program:?}: a kernel is left");
        assert_eq!(left(&rig), 0, "{program:?}: a note is left");
        let sessions = running.get("/api/sessions").1;
        assert!(!sessions.contains(&kernel_of(&folder)), "{sessions}");
        let adoption = executor.adopt(&folder).await;
        assert!(
            matches!(adoption, Adoption::Lost { started: true, .. }),
            "{adoption:?}"
        );
        assert!(is_gone(running, &folder), "{program:?}: a kernel is left");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_to_remove_a_kernel_is_asked_again() {
    let Some(running) = shared(Program::Server) else {
        return;
    };
    let rig = Rig::new().await;
    let refusals = AtomicUsize::new(2);
    let base = answering(running.port, move |head| {
        let one_less = |left: usize| left.checked_sub(1);
        let refuse = head.starts_with("delete /api/kernels/")
            && refusals
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
                .is_ok();
        refuse.then_some("500 Internal Server Error")
    });
    let executor = JupyterExecutor::new(options(&base, rig.data.path()));
    let job = job(&rig, "results = 1");
    let folder = job.folder.clone();
    let outcome = executor.execute(job).await.unwrap();
    assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
    assert!(is_gone(running, &folder), "a kernel is left");
    assert_eq!(left(&rig), 0, "a note is left");
    for name in ["", ".attempt"] {
        let found = std::fs::metadata(folder.join(name)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o700, "{name:?}");
    }
}

/// The attempt leaves no outcome, since its kernel died, and the server does not remove the kernel meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kernel_that_could_not_be_removed_goes_before_a_later_attempt() {
    let Some(running) = shared(Program::Server) else {
        return;
    };
    let rig = Rig::new().await;
    let refusing = Arc::new(AtomicBool::new(true));
    let refuses = Arc::clone(&refusing);
    let base = answering(running.port, move |head| {
        let refuse = head.starts_with("delete /api/kernels/") && refuses.load(Ordering::SeqCst);
        refuse.then_some("500 Internal Server Error")
    });
    for (another, pruned) in [(false, false), (true, false), (true, true)] {
        refusing.store(true, Ordering::SeqCst);
        let executor = JupyterExecutor::new(options(&base, rig.data.path()));
        let mark = rig.data.path().join(format!("pid {another} {pruned}"));
        let dying = job(
            &rig,
            &format!(
                "import os, time\nopen({mark:?}, 'w').write(f'{{os.getppid()}}')\ntime.sleep(60)"
            ),
        );
        let folder = dying.folder.clone();
        let executing = executor.clone();
        let execution = tokio::spawn(async move { executing.execute(dying).await });
        let kernel = appears(&mark).await.parse().unwrap();
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(kernel),
            nix::sys::signal::Signal::SIGKILL,
        )
        .unwrap();
        let failure = execution.await.unwrap().unwrap_err();
        assert_eq!(failure.code, "kernel_died", "{failure:#?}");
        assert!(!is_gone(running, &folder), "nothing is tested");
        assert_eq!(left(&rig), 1);
        refusing.store(false, Ordering::SeqCst);
        let kernel = kernel_of(&folder);
        if pruned {
            std::fs::remove_dir_all(&folder).unwrap();
        }
        let later = if another {
            JupyterExecutor::new(options(&base, rig.data.path()))
        } else {
            executor
        };
        later.execute(job(&rig, "results = 1")).await.unwrap();
        // It is removed beside the attempt.
        crate::process_rig::wait_until("no kernel is left", || {
            running.get(&format!("/api/kernels/{kernel}")).0 == 404 && left(&rig) == 0
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_kernel_is_left_however_an_attempt_ends() {
    for program in [Program::Server, Program::Gateway] {
        let Some(running) = shared(program) else {
            return;
        };
        let rig = Rig::new().await;
        let executor = running.executor(rig.data.path());
        for (code, timeout) in [("pass", 30), ("1/0", 30), ("while True: pass", 1)] {
            let mut job = job(&rig, code);
            job.timeout = Duration::from_secs(timeout);
            let folder = job.folder.clone();
            let _outcome = executor.execute(job).await.unwrap();
            assert!(is_gone(running, &folder), "{program:?} {code}");
        }
        let mut lacking = job(&rig, "pass");
        lacking.environment.container = Some(ContainerEnvironment {
            packages: vec![
                "numpy>=1".to_owned(),
                "no-such-package".to_owned(),
                "pandas<0.1".to_owned(),
            ],
        });
        let folder = lacking.folder.clone();
        let failure = executor.execute(lacking).await.unwrap_err();
        assert_eq!(failure.code, "kernel_packages");
        assert!(
            failure
                .message
                .ends_with("lacks no-such-package, pandas<0.1"),
            "{}",
            failure.message
        );
        assert!(is_gone(running, &folder), "{program:?}");
        let noted = std::fs::read_dir(rig.data.path().join("containers")).unwrap();
        assert_eq!(noted.count(), 0, "{program:?}");
    }
}

/// Kernels of both modes, and neither the server's token nor its name in the code.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mode_has_its_kernel_and_no_token_of_the_server() {
    let Some(running) = shared(Program::Server) else {
        return;
    };
    let rig = Rig::new().await;
    let executor = running.executor(rig.data.path());
    for (mode, word) in [(Mode::ReadOnly, "readonly"), (Mode::WriteAccess, "write")] {
        let mut job = job(&rig, "import os; results = dict(os.environ)");
        job.mode = mode;
        let folder = job.folder.clone();
        let results = executor
            .execute(job.clone())
            .await
            .unwrap()
            .results
            .unwrap();
        assert_eq!(results["KERNEL_OF_THE_TESTS"], word);
        assert!(!results.to_string().contains(TOKEN), "{results:#}");
        for name in [".attempt/container.json", "job.json"] {
            assert!(!read(&job, name).contains(TOKEN), "{name}");
        }
        assert!(folder.join("outcome.json").exists());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_not_to_get_through_has_its_own_code() {
    let Some(running) = shared(Program::Server) else {
        return;
    };
    let rig = Rig::new().await;
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let other_address = other.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in other.incoming() {
            let mut stream = stream.unwrap();
            let _head = stream.read(&mut [0; 4096]);
            let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        }
    });
    let at = |base: String| options(&base, rig.data.path());
    let good = running.base.clone();
    let mut wrong_token = at(good.clone());
    wrong_token
        .inherited
        .insert(TOKEN_NAME.to_owned(), "wrong-token-987".to_owned());
    let mut no_token = at(good.clone());
    no_token.read_only.token = Token::None;
    let mut lost_token = at(good.clone());
    lost_token.read_only.token = Token::File(PathBuf::from("/no/such/file"));
    let mut no_kernel = at(good);
    no_kernel.read_only.kernel_name = "python3-nowhere".to_owned();
    let table = [
        (
            "refused",
            at(format!("http://{closed}")),
            "connection_refused",
            FailureKind::Infrastructure,
        ),
        (
            "dns",
            at("http://no-such-host.invalid:8888".to_owned()),
            "host_unknown",
            FailureKind::Infrastructure,
        ),
        (
            "tls",
            at(format!("https://{other_address}")),
            "tls_failed",
            FailureKind::Infrastructure,
        ),
        (
            "another server",
            at(format!("http://{other_address}")),
            "jupyter_answer",
            FailureKind::Configuration,
        ),
        (
            "a wrong token",
            wrong_token,
            "jupyter_unauthorized",
            FailureKind::Configuration,
        ),
        (
            "no token",
            no_token,
            "jupyter_unauthorized",
            FailureKind::Configuration,
        ),
        (
            "a token that is not there",
            lost_token,
            "jupyter_unauthorized",
            FailureKind::Configuration,
        ),
        (
            "no such kernel",
            no_kernel,
            "kernelspec_missing",
            FailureKind::Configuration,
        ),
    ];
    let spec = EnvironmentSpec {
        container: Some(Mode::ReadOnly),
        ..EnvironmentSpec::default()
    };
    for (what, options, code, kind) in table {
        let executor = JupyterExecutor::new(options);
        executor.identify(&spec).await.unwrap();
        let prepared = executor.prepare(&spec, &|_| {}).await.unwrap_err();
        let job = job(&rig, "pass");
        let folder = job.folder.clone();
        let failure = executor.execute(job).await.unwrap_err();
        for failure in [&prepared, &failure] {
            assert_eq!(
                (failure.code.as_str(), failure.kind),
                (code, kind),
                "{what}: {failure:#?}"
            );
            let said = format!("{failure:?}");
            assert!(
                !said.contains(TOKEN) && !said.contains("wrong-token"),
                "{what}: {said}"
            );
        }
        let adoption = executor.adopt(&folder).await;
        if !what.contains("that is not there") {
            assert!(
                matches!(adoption, Adoption::Lost { started: false, .. }),
                "{what}: {adoption:?}"
            );
        }
        executor.kill(&folder).await.ok();
    }
    let listed = failure_text(&running.executor(rig.data.path())).await;
    assert!(listed.contains("python3-epics-readonly"), "{listed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kernel_that_does_not_start_is_told_and_nothing_ran() {
    for program in [Program::Server, Program::Gateway] {
        let Some(running) = shared(program) else {
            return;
        };
        let rig = Rig::new().await;
        let mut broken = running.options(rig.data.path());
        broken.read_only.kernel_name = "python3-broken".to_owned();
        let executor = JupyterExecutor::new(broken);
        let job = job(&rig, "pass");
        let folder = job.folder.clone();
        let failure = executor.execute(job).await.unwrap_err();
        assert_eq!(
            (failure.code.as_str(), failure.kind),
            ("kernel_not_started", FailureKind::Infrastructure),
            "{program:?}: {failure:#?}"
        );
        let adoption = executor.adopt(&folder).await;
        assert!(
            matches!(adoption, Adoption::Lost { started: false, .. }),
            "{program:?}: {adoption:?}"
        );
    }
}

async fn failure_text(executor: &JupyterExecutor) -> String {
    let probes = executor.probe(Mode::ReadOnly).await;
    format!("{probes:?}")
}

/// The whole program: a workflow, its configuration, what `explain` and `doctor` say.
#[test]
fn a_workflow_runs_in_containers_by_the_rules_and_says_why() {
    let Some(running) = shared(Program::Server) else {
        return;
    };
    let place = Place::new();
    let config = format!(
        "execution:\n  execution_method: auto\n  container: {{jupyter_host: 127.0.0.1, jupyter_port: {}, token_env: {TOKEN_NAME}, shared_folder: {:?}}}\n",
        running.port,
        place.path("data").display().to_string(),
    );
    place.write("config.yml", &config);
    place.write(
        "both.yml",
        "version: 1\nname: both\nsteps:\n  - id: here\n    python: {code: \"import os; results = {'kernel': os.environ.get('KERNEL_OF_THE_TESTS', 'none')}\"}\n    outputs: {kernel: string}\n  - id: there\n    python:\n      code: \"import os; results = {'kernel': os.environ.get('KERNEL_OF_THE_TESTS', 'none'), 'before': context.before}\"\n      security_level: high\n    with: {before: \"${{ steps.here.outputs.kernel }}\"}\n    outputs: {kernel: string, before: string}\noutputs: {here: \"${{ steps.here.outputs.kernel }}\", there: \"${{ steps.there.outputs.kernel }}\"}\n",
    );
    let json = |code: i32, args: &[&str]| -> Value {
        let output = place
            .command(&[args, &["--json"]].concat())
            .env(TOKEN_NAME, TOKEN)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains(TOKEN), "{said}");
        assert_eq!(output.status.code(), Some(code), "{said}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let ran = json(0, &["run", "both.yml"]);
    assert_eq!(
        ran["outputs"],
        json!({"here": "none", "there": "readonly"}),
        "{ran:#}"
    );
    let run = text(&ran["run_id"]);
    let reasons = json(0, &["explain", run, "there"]).to_string();
    assert!(reasons.contains("it runs in `container` by `execution_method: auto` of the configuration, rule 1 of select: security_level == 'high' or requires_isolation"), "{reasons}");
    let ran = json(0, &["run", "both.yml", "--execution", "container"]);
    assert_eq!(ran["outputs"]["here"], "readonly", "{ran:#}");
    let doctor = json(0, &["doctor"]);
    let said = doctor.to_string();
    for piece in [
        "read_only, server: http://127.0.0.1",
        "write_access, kernelspec: python3-epics-write",
        "a kernel answers over its websocket",
        "the kernel reads and writes the same data folder",
    ] {
        assert!(said.contains(piece), "{piece}: {doctor:#}");
    }
    let data = place.path("data");
    let found = std::process::Command::new("grep")
        .args(["-rl", TOKEN])
        .arg(&data)
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&found.stdout),
        "",
        "the token is in a file"
    );
    assert!(running.pid > 0);
    let _listed = running.kernels();
}

#[test]
fn outcomes_in_a_shared_folder_outlive_their_kernel() {
    let Some(running) = shared(Program::Server) else {
        return;
    };
    let next = runtime();
    let rig = next.block_on(Rig::new());
    let mut options = running.options(rig.data.path());
    let kernel = rig.data.path().to_owned();
    options.read_only.shared = Some(stepwell::executor::jupyter::Shared { kernel });
    let mark = rig.data.path().join("starts");
    let job = job(&rig, &counting(&mark, 1.0));
    let folder = job.folder.clone();
    let (engine, executor) = (runtime(), JupyterExecutor::new(options.clone()));
    engine.spawn(async move { executor.execute(job).await });
    next.block_on(appears(&mark));
    dies(engine);
    next.block_on(appears(&folder.join(".attempt/end.json")));
    let request = format!(
        "DELETE /api/kernels/{} HTTP/1.0\r\nAuthorization: token {TOKEN}\r\n\r\n",
        kernel_of(&folder)
    );
    let mut stream = TcpStream::connect(("127.0.0.1", running.port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let _answer = stream.read_to_end(&mut Vec::new());
    assert!(is_gone(running, &folder));
    let adoption = next.block_on(JupyterExecutor::new(options).adopt(&folder));
    let Adoption::Finished(outcome) = adoption else {
        panic!("{adoption:?}");
    };
    assert_eq!(outcome.results, Some(json!({"n": 1})));
    assert_eq!(
        std::fs::read_to_string(folder.join("stdout.log")).unwrap(),
        "before\nafter\n"
    );
    let wrong = {
        let mut options = running.options(rig.data.path());
        options.read_only.shared = Some(stepwell::executor::jupyter::Shared {
            kernel: PathBuf::from("/tmp/nowhere"),
        });
        options
    };
    let executor = JupyterExecutor::new(wrong);
    let failure = next
        .block_on(executor.execute(self::job(&rig, "pass")))
        .unwrap_err();
    assert_eq!(failure.code, "shared_folder", "{failure:#?}");
}

/// What `doctor` finds at a server, the last thing first: what was tried, and the code of the failure.
async fn last_probe(executor: &JupyterExecutor) -> (&'static str, Option<String>) {
    let probes = executor.probe(Mode::ReadOnly).await;
    let last = probes.last().unwrap();
    (
        last.what,
        last.found
            .as_ref()
            .err()
            .map(|failure| failure.code.clone()),
    )
}

/// Every link of the chain has its own probe and its own code, on the real programs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_probes_of_a_server_tell_which_link_is_broken() {
    for program in [Program::Server, Program::Gateway] {
        let Some(running) = shared(program) else {
            return;
        };
        let rig = Rig::new().await;
        let good = || running.options(rig.data.path());
        let closed = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let with = |change: &dyn Fn(&mut stepwell::executor::jupyter::Endpoint)| {
            let mut options = good();
            change(&mut options.read_only);
            JupyterExecutor::new(options)
        };
        let proxy = without_websockets(running.port, "400 Bad Request");
        let tired = without_websockets(running.port, "503 Service Unavailable");
        let elsewhere = tempfile::tempdir().unwrap();
        let table: Vec<(JupyterExecutor, &str, Option<&str>)> = vec![
            (with(&|_| {}), "isolation", None),
            (
                with(&|end| end.token = Token::File("/no/such/file".into())),
                "token",
                Some("jupyter_unauthorized"),
            ),
            (
                with(&|end| end.token = Token::None),
                "server",
                Some("jupyter_unauthorized"),
            ),
            (
                with(&|end| end.base = "http://no-such-host.invalid:8888".to_owned()),
                "server",
                Some("host_unknown"),
            ),
            (
                with(&|end| end.base = format!("http://{closed}")),
                "server",
                Some("connection_refused"),
            ),
            (
                with(&|end| end.kernel_name = "nowhere".to_owned()),
                "kernelspec",
                Some("kernelspec_missing"),
            ),
            (
                with(&|end| {
                    end.kernel_name = "dies".to_owned();
                    end.start_timeout = Duration::from_secs(20);
                }),
                "websocket",
                Some("kernel_died"),
            ),
            (
                with(&|end| {
                    end.kernel_name = "silent".to_owned();
                    end.start_timeout = Duration::from_secs(4);
                }),
                "websocket",
                Some("kernel_not_started"),
            ),
            (
                with(&|end| end.base.clone_from(&proxy)),
                "websocket",
                Some("websocket_refused"),
            ),
            (
                with(&|end| {
                    end.base.clone_from(&tired);
                    end.start_timeout = Duration::from_secs(3);
                }),
                "websocket",
                Some("websocket_refused"),
            ),
            (
                with(&|end| {
                    end.shared = Some(stepwell::executor::jupyter::Shared {
                        kernel: elsewhere.path().to_owned(),
                    });
                }),
                "shared folder",
                Some("shared_folder"),
            ),
            (
                with(&|end| {
                    end.shared = Some(stepwell::executor::jupyter::Shared {
                        kernel: rig.data.path().to_owned(),
                    });
                }),
                "shared folder",
                None,
            ),
        ];
        for (executor, what, code) in table {
            let found = last_probe(&executor).await;
            assert_eq!(
                found,
                (what, code.map(str::to_owned)),
                "{program:?}: {:#?}",
                executor.probe(Mode::ReadOnly).await
            );
        }
        if program == Program::Server {
            // Other tests may look at the same server meanwhile.
            let ours = || running.get("/api/sessions").1.contains("stepwell/doctor/");
            crate::process_rig::wait_until("no kernel is left", || !ours());
        }
        let left = std::fs::read_dir(rig.data.path().join("containers"));
        assert_eq!(left.map_or(0, Iterator::count), 0);
    }
}

/// A proxy that passes on plain requests, and answers the wish for a websocket itself.
fn without_websockets(port: u16, answer: &'static str) -> String {
    answering(port, move |head| {
        let websocket = head.contains("upgrade: websocket");
        websocket.then_some(answer)
    })
}

/// A proxy that answers those requests itself for which there is an answer, by their heads in small letters.
fn answering(
    port: u16,
    answer: impl Fn(&str) -> Option<&'static str> + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let mut near = near.unwrap();
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && near.read(&mut byte).unwrap_or(0) > 0 {
                    head.push(byte[0]);
                }
                let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
                if let Some(answer) = answer(&text) {
                    let said = format!(
                        "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    );
                    let _gone = near.write_all(said.as_bytes());
                    return;
                }
                if !text.contains("upgrade: websocket") && !head.is_empty() {
                    // One request for each connection, so that every head is seen.
                    head.truncate(head.len() - 2);
                    head.extend_from_slice(b"Connection: close\r\n\r\n");
                }
                let mut far = TcpStream::connect(("127.0.0.1", port)).unwrap();
                far.write_all(&head).unwrap();
                copy(near.try_clone().unwrap(), far.try_clone().unwrap());
                copy(far, near);
            });
        }
    });
    base
}
