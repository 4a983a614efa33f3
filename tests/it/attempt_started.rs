//! Code that hides that it has begun, while whoever saw to it dies: it is never begun a second time.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use stepwell::executor::jupyter::{JupyterExecutor, Options, Shared};
use stepwell::executor::{Adoption, Executor, Job, Outcome, OutcomeStatus, Routed};
use stepwell::plan::{IsolationLevel, Mode};

use crate::cli_rig::Place;
use crate::executor_jupyter::{Wire, dies, is_gone, job, runtime};
use crate::executor_rig::{Rig, appears, executor, is_alive};
use crate::jupyter_rig::{Program, Running, options, shared};
use crate::process_rig::wait_until;

/// What code can do to the folder in which its start is written down.
const HIDING: [&str; 4] = [
    "os.remove('.attempt/started')",
    "os.rename('.attempt', 'moved')",
    "os.rename('.attempt', 'moved'); os.mkdir('.attempt')",
    "os.rename('.attempt', 'moved'); os.remove('job.json'); os.mkdir('.attempt')",
];

/// Hides its start, and notes outside of its folder that it ran.
fn hides(how: &str, mark: &Path) -> String {
    format!("import os, signal, time\n{how}\nopen({mark:?}, 'a').write(f'{{os.getpid()}}\\n')\n")
}

fn starts(mark: &Path) -> usize {
    std::fs::read_to_string(mark).unwrap().lines().count()
}

fn may_have_begun(adoption: &Adoption, how: &str) {
    assert!(
        matches!(adoption, Adoption::Lost { started: true, .. }),
        "{how}: {adoption:?}"
    );
}

#[tokio::test]
async fn on_this_machine_whose_supervisor_dies() {
    let rig = Rig::new().await;
    for how in HIDING {
        let mark = rig.data.path().join("starts");
        let code = hides(how, &mark) + "os.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)\n";
        let mut job = rig.job(&code);
        job.mode = Mode::WriteAccess;
        // Without walls, as on a machine whose system keeps no signals in.
        job.protection.isolation = IsolationLevel::Off;
        let folder = job.folder.clone();
        let told = rig.executor.execute(job).await;
        assert!(told.is_err(), "{how}: {told:?}");
        let adoption = executor(rig.data.path()).adopt(&folder).await;
        may_have_begun(&adoption, how);
        assert_eq!(starts(&mark), 1, "{how}");
        let pid = std::fs::read_to_string(&mark).unwrap();
        assert!(!is_alive(&pid), "{how}: the code is left");
        std::fs::remove_file(&mark).unwrap();
    }
}

#[test]
fn a_write_is_asked_about_and_not_made_again() {
    let place = Place::new();
    place.write("config.yml", "execution: {local: {isolation: off}}\n");
    let mark = place.path("starts");
    let code = hides(HIDING[2], &mark) + "os.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)\n";
    place.write("code.py", &code);
    let asked = place.run(&["exec", "--mode", "readwrite", "--code", "code.py"]);
    assert_eq!(asked.code, Some(3), "{asked:?}");
    let ran = place.run(&["approve", "@last", "--resume"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.out.contains("answer=run_again"), "{ran:?}");
    assert_eq!(starts(&mark), 1);
}

/// A server that shares the data folder.
fn sharing(running: &Running, rig: &Rig) -> Options {
    let mut options = running.options(rig.data.path());
    options.write_access.shared = Some(Shared {
        kernel: rig.data.path().to_owned(),
    });
    options
}

/// The next engine, which has to find out by itself where the attempt was.
fn next_engine(rig: &Rig, options: &Options) -> Routed {
    Routed::new(
        Arc::new(executor(rig.data.path())),
        Arc::new(JupyterExecutor::new(options.clone())),
    )
}

/// Begins the job in a container that shares the folder, and lets the engine die as soon as the code has left its mark.
fn left_alone(rig: &Rig, options: &Options, job: Job, mark: &Path) {
    let engine = runtime();
    let executor = JupyterExecutor::new(options.clone());
    engine.spawn(async move { executor.execute(job).await });
    engine.block_on(appears(mark));
    dies(engine);
    assert!(rig.data.path().exists());
}

fn is_tampered(outcome: &Outcome) -> bool {
    matches!(&outcome.status, OutcomeStatus::Failed(failure) if failure.code == "attempt_tampered")
}

#[test]
fn in_a_container_whose_engine_dies() {
    let Some(running) = shared(Program::Server) else {
        return;
    };
    let next = runtime();
    let rig = next.block_on(Rig::new());
    let options = sharing(running, &rig);
    let mark = rig.data.path().join("starts");
    for how in HIDING {
        let code = hides(how, &mark) + "time.sleep(0.5)\nresults = 1\n";
        let mut job = job(&rig, &code);
        job.mode = Mode::WriteAccess;
        job.timeout = Duration::from_secs(300);
        let folder = job.folder.clone();
        left_alone(&rig, &options, job, &mark);
        match next.block_on(next_engine(&rig, &options).adopt(&folder)) {
            Adoption::Finished(outcome) if how == HIDING[0] => {
                assert_eq!(outcome.results, Some(json!(1)), "{how}");
            }
            Adoption::Finished(outcome) => assert!(is_tampered(&outcome), "{how}: {outcome:#?}"),
            lost => may_have_begun(&lost, how),
        }
        assert_eq!(starts(&mark), 1, "{how}");
        std::fs::remove_file(&mark).unwrap();
    }
}

#[test]
fn in_a_container_that_is_gone_as_well_or_is_to_be_stopped() {
    let Some(running) = shared(Program::Server) else {
        return;
    };
    let next = runtime();
    let rig = next.block_on(Rig::new());
    let options = sharing(running, &rig);
    let mark = rig.data.path().join("starts");
    for (how, stop) in [(HIDING[2], false), (HIDING[2], true), (HIDING[1], true)] {
        let code = hides(how, &mark)
            + "open('../parent', 'w').write(str(os.getppid()))\nwhile True: time.sleep(0.1)\n";
        let mut job = job(&rig, &code);
        job.mode = Mode::WriteAccess;
        job.timeout = Duration::from_secs(300);
        let folder = job.folder.clone();
        left_alone(&rig, &options, job, &mark);
        let engine = next_engine(&rig, &options);
        let kernel = next.block_on(appears(&folder.with_file_name("parent")));
        if stop {
            next.block_on(engine.kill(&folder)).unwrap();
        } else {
            let pid = nix::unistd::Pid::from_raw(kernel.parse().unwrap());
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        }
        let pid = std::fs::read_to_string(&mark).unwrap();
        wait_until("the code has ended", || !is_alive(&pid));
        may_have_begun(&next.block_on(engine.adopt(&folder)), how);
        assert_eq!(starts(&mark), 1, "{how}");
        std::fs::remove_file(&mark).unwrap();
        std::fs::remove_file(folder.with_file_name("parent")).unwrap();
    }
}

/// Code that runs here says that it runs on somebody's server: the token of the configuration does not go there.
#[test]
fn code_can_not_send_the_next_engine_to_a_server_of_its_choice() {
    let next = runtime();
    let rig = next.block_on(Rig::new());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    let record = json!({"base": base, "mode": "read_only", "kernel_name": "x", "path": "x", "session": "x", "attempt": "x", "kernel": "x"});
    let code = format!(
        "import os, signal, time\nopen('.attempt/container.json', 'w').write({:?})\n\
         os.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)\n",
        record.to_string()
    );
    let mut job = rig.job(&code);
    job.protection.isolation = IsolationLevel::Off;
    let folder = job.folder.clone();
    let told = next.block_on(rig.executor.execute(job));
    assert!(told.is_err(), "{told:?}");
    let engine = next_engine(&rig, &options("http://127.0.0.1:1", rig.data.path()));
    may_have_begun(&next.block_on(engine.adopt(&folder)), "a forged record");
    assert!(listener.accept().is_err(), "somebody came");
}

#[test]
fn a_server_out_of_reach_keeps_the_attempt_until_it_is_back() {
    let Some(running) = shared(Program::Server) else {
        return;
    };
    let next = runtime();
    let rig = next.block_on(Rig::new());
    let wire = Wire::to(running.port);
    let mut options = options(&wire.base, rig.data.path());
    options.write_access.patience = Duration::from_secs(1);
    let mark = rig.data.path().join("starts");
    let code = hides("pass", &mark) + "while not os.path.exists('go'): time.sleep(0.05)\n";
    let go = |folder: &Path| mark.with_file_name(folder.file_name().unwrap());
    let job = |rig: &Rig| {
        let mut job = job(rig, "");
        job.mode = Mode::WriteAccess;
        job.timeout = Duration::from_secs(300);
        let go = go(&job.folder);
        job.code = code.replace("'go'", &format!("{go:?}")) + "results = 1\n";
        job
    };
    // The connection is lost for good: what became of the code is not known, and the kernel is left to it.
    let waits = job(&rig);
    let folder = waits.folder.clone();
    let executor = JupyterExecutor::new(options.clone());
    let executing = next.spawn(async move { executor.execute(waits).await });
    next.block_on(appears(&mark));
    wire.blocked.store(true, Ordering::SeqCst);
    wire.cut();
    let failure = next.block_on(executing).unwrap().unwrap_err();
    assert_eq!(failure.code, "websocket_closed", "{failure:#?}");
    wire.blocked.store(false, Ordering::SeqCst);
    assert!(!is_gone(running, &folder), "the code lost its kernel");
    std::fs::write(go(&folder), "").unwrap();
    let adoption = next.block_on(JupyterExecutor::new(options.clone()).adopt(&folder));
    let Adoption::Finished(outcome) = adoption else {
        panic!("{adoption:?}");
    };
    assert_eq!(outcome.results, Some(json!(1)));
    assert_eq!(starts(&mark), 1);
    std::fs::remove_file(&mark).unwrap();
    // It can't be ended as long as nobody gets there either.
    let waits = job(&rig);
    let folder = waits.folder.clone();
    left_alone(&rig, &options, waits, &mark);
    wire.blocked.store(true, Ordering::SeqCst);
    wire.cut();
    let executor = JupyterExecutor::new(options.clone());
    let failure = next.block_on(executor.kill(&folder)).unwrap_err();
    assert_eq!(failure.code, "kill_failed", "{failure:#?}");
    assert!(
        !is_gone(running, &folder),
        "the kernel is gone all the same"
    );
    wire.blocked.store(false, Ordering::SeqCst);
    next.block_on(executor.kill(&folder)).unwrap();
    assert!(is_gone(running, &folder), "a kernel is left");
    let pid = std::fs::read_to_string(&mark).unwrap();
    wait_until("the code has ended", || !is_alive(&pid));
}
