//! Processes: time-outs, cancellation, crashes of the engine and of the supervisor. Nothing may stay alive.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use serde_json::json;
use stepwell::executor::{Adoption, Executor as _, Job, OutcomeStatus};
use stepwell::failure::FailureKind;

use crate::executor_rig::{Rig, appears, failure_of, is_alive, options, read, supervisor_of};

/// A child in its own session, a daemon forked twice, and one that ignores every polite signal; their numbers
/// are in `pids`. Then it sleeps.
const FAMILY: &str = r#"
import os, signal, subprocess, sys, time
pids = [os.getpid()]
pids.append(subprocess.Popen(["sleep", "60"], start_new_session=True).pid)
stubborn = "import signal, time; [signal.signal(s, signal.SIG_IGN) for s in (2, 15)]; time.sleep(60)"
pids.append(subprocess.Popen([sys.executable, "-c", stubborn], env={}).pid)
read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    pid = os.fork()
    if pid:
        os.write(write, str(pid).encode()); os._exit(0)
    time.sleep(60); os._exit(0)
pids.append(int(os.read(read, 20)))
time.sleep(0.2)
with open("pids.part", "w") as f: f.write(" ".join(map(str, pids)))
os.rename("pids.part", "pids")
"#;

async fn pids_of(job: &Job) -> Vec<String> {
    let text = appears(&job.folder.join("pids")).await;
    text.split(' ').map(str::to_owned).collect()
}

fn assert_none_alive(pids: &[String]) {
    assert_eq!(pids.len(), 4);
    for pid in pids {
        assert!(!is_alive(pid), "{pid} of {pids:?} is alive");
    }
}

#[tokio::test]
async fn a_time_out_ends_the_whole_family_and_keeps_what_there_is() {
    let rig = Rig::new().await;
    let mut job = rig.job(&format!(
        "results = {{'partial': 1}}\n{FAMILY}\ntry:\n    time.sleep(60)\nfinally:\n    print('put back')\n"
    ));
    job.timeout = Duration::from_secs(8);
    job.limits.stop_grace = Duration::from_secs(50);
    let outcome = rig.executor.execute(job.clone()).await.unwrap();
    assert_none_alive(&pids_of(&job).await);
    assert_eq!(outcome.results, Some(json!({"partial": 1})));
    assert_eq!(read(&job, "stdout.log"), "put back\n");
    let failure = failure_of(outcome);
    assert_eq!(
        (failure.code.as_str(), failure.kind),
        ("timed_out", FailureKind::Timeout)
    );
    assert!(failure.traceback.unwrap().contains("time.sleep(60)"));
}

#[tokio::test]
async fn code_that_swallows_every_signal_is_killed_all_the_same() {
    let rig = Rig::new().await;
    let mut job = rig.job(
        "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nwhile True:\n    try:\n        time.sleep(60)\n    except BaseException: pass",
    );
    // Long enough for a busy machine to come to the loop.
    job.timeout = Duration::from_secs(4);
    job.limits.stop_grace = Duration::from_millis(700);
    let outcome = rig.executor.execute(job).await.unwrap();
    // Not before its time to end is over.
    assert!(outcome.seconds > 4.7, "{}", outcome.seconds);
    assert_eq!(failure_of(outcome).code, "timed_out");
}

/// Under `nohup`, and in the background of a shell, signals are ignored by whatever is started.
#[tokio::test]
async fn code_hears_its_end_whatever_the_engine_was_told_to_ignore() {
    let mut rig = Rig::new().await;
    let deaf = rig.data.path().join("deaf");
    let real = rig.environment.interpreter.display();
    std::fs::write(
        &deaf,
        format!("#!/bin/sh\ntrap '' INT TERM HUP QUIT\nexec \"{real}\" \"$@\"\n"),
    )
    .unwrap();
    std::fs::set_permissions(&deaf, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    rig.environment.interpreter = deaf;
    let mut job = rig.job(
        "import signal, time\n\
         results = [signal.getsignal(s) == signal.SIG_DFL for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)]\n\
         try:\n    time.sleep(600)\nfinally:\n    print('put back')\n",
    );
    job.timeout = Duration::from_secs(5);
    job.limits.stop_grace = Duration::from_secs(50);
    let outcome = rig.executor.execute(job.clone()).await.unwrap();
    assert_eq!(outcome.results, Some(json!([true, true, true])));
    assert_eq!(read(&job, "stdout.log"), "put back\n");
    let failure = failure_of(outcome);
    assert!(failure.traceback.unwrap().contains("KeyboardInterrupt"));
}

#[tokio::test]
async fn what_outlives_the_code_is_stopped_with_a_note() {
    let rig = Rig::new().await;
    let job = rig.job(&format!("{FAMILY}\nresults = 1"));
    let outcome = rig.executor.execute(job.clone()).await.unwrap();
    assert_none_alive(&pids_of(&job).await);
    assert_eq!(outcome.status, OutcomeStatus::Succeeded);
    assert!(
        outcome
            .notes
            .iter()
            .any(|note| note.contains("outlived the code") && note.contains("sleep")),
        "{:?}",
        outcome.notes
    );
}

#[tokio::test]
async fn kill_returns_when_nobody_is_left() {
    let rig = Rig::new().await;
    let job = rig.job(&format!("{FAMILY}\ntime.sleep(60)"));
    let execution = rig.executor.execute(job.clone());
    let killing = async {
        let pids = pids_of(&job).await;
        rig.executor.kill(&job.folder).await.unwrap();
        assert_none_alive(&pids);
    };
    let (outcome, ()) = tokio::join!(execution, killing);
    assert_eq!(failure_of(outcome.unwrap()).code, "cancelled");
    // Once more, and where nothing ever was: nothing to do.
    rig.executor.kill(&job.folder).await.unwrap();
    rig.executor
        .kill(Path::new("/nowhere/at/all"))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_attempt_that_was_cancelled_before_its_start_never_begins() {
    let rig = Rig::new().await;
    let job = rig.job("open('ran','w').write('x')");
    std::fs::create_dir_all(&job.folder).unwrap();
    rig.executor.kill(&job.folder).await.unwrap();
    let outcome = rig.executor.execute(job.clone()).await.unwrap();
    assert_eq!(failure_of(outcome).code, "cancelled");
    assert!(!job.folder.join("ran").exists());
}

#[tokio::test]
async fn an_attempt_whose_engine_went_away_is_adopted() {
    let rig = Rig::new().await;
    let job = rig.job("import time\nopen('pids','w').write('x')\ntime.sleep(4)\nresults = {'x': [1.5, 'é']}\nprint('end')");
    // The engine's side is dropped in the middle; the attempt goes on.
    let execution = rig.executor.execute(job.clone());
    let begun = job.folder.join("pids");
    tokio::select! {
        _ = execution => panic!("it was too fast"),
        _ = appears(&begun) => {}
    }
    assert!(!job.folder.join("outcome.json").exists());
    let next = stepwell::executor::local::LocalExecutor::new(options(rig.data.path()));
    let Adoption::Finished(outcome) = next.adopt(&job.folder).await else {
        panic!("it was lost");
    };
    assert_eq!(outcome.status, OutcomeStatus::Succeeded);
    assert_eq!(outcome.results, Some(json!({"x": [1.5, "é"]})));
    assert_eq!(next.adopt(&job.folder).await, Adoption::Finished(outcome));
    // The same folder is never run twice.
    let failure = rig.executor.execute(job).await.unwrap_err();
    assert_eq!(failure.code, "attempt_folder");
}

#[tokio::test]
async fn without_its_supervisor_an_attempt_is_lost_and_leaves_no_orphan() {
    let rig = Rig::new().await;
    // This family keeps its environment, so that its mark is found; see docs/errors/supervisor_lost.md.
    let job = rig.job(&format!(
        "{}\ntime.sleep(60)",
        FAMILY.replace(", env={}", "")
    ));
    let execution = rig.executor.execute(job.clone());
    let killing = async {
        let pids = pids_of(&job).await;
        kill(supervisor_of(&pids[0]), Signal::SIGKILL).unwrap();
        pids
    };
    let (failure, pids) = tokio::join!(execution, killing);
    let failure = failure.unwrap_err();
    assert_eq!(
        (failure.code.as_str(), failure.kind),
        ("supervisor_lost", FailureKind::Infrastructure)
    );
    assert_eq!(failure.detail, json!({"started": true}));
    assert_none_alive(&pids);
    let Adoption::Lost { started, evidence } = rig.executor.adopt(&job.folder).await else {
        panic!("it was not lost");
    };
    assert!(started && evidence.contains("had begun"), "{evidence}");
}

#[tokio::test]
async fn what_never_started_is_lost_and_never_will() {
    let rig = Rig::new().await;
    assert!(matches!(
        rig.executor.adopt(Path::new("/nowhere")).await,
        Adoption::Lost { started: false, .. }
    ));
    // A folder as it stands when the engine dies between writing it and starting the supervisor.
    let job = rig.job("open('ran','w').write('x')");
    rig.executor.execute(job.clone()).await.unwrap();
    let copy = rig.data.path().join("copy");
    for folder in ["", ".attempt", "figures", "artifacts"] {
        std::fs::create_dir_all(copy.join(folder)).unwrap();
    }
    for file in [
        "job.json",
        "code.py",
        "context.json",
        ".attempt/harness.json",
    ] {
        std::fs::copy(job.folder.join(file), copy.join(file)).unwrap();
    }
    assert!(matches!(
        rig.executor.adopt(&copy).await,
        Adoption::Lost { started: false, .. }
    ));
    // The supervisor that gets up too late goes again.
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_stepwell"))
        .arg("__supervise")
        .arg(&copy)
        .status()
        .unwrap();
    assert!(status.success());
    assert!(!copy.join("ran").exists() && !copy.join("outcome.json").exists());
}

#[tokio::test]
async fn attempts_run_beside_each_other() {
    let rig = Rig::new().await;
    // Each waits until all three are there: one after another they would never meet.
    let meeting = tempfile::tempdir().unwrap();
    let meet = format!(
        "import os, time\nfolder = {:?}\nopen(os.path.join(folder, str(os.getpid())), 'w').close()\n\
         end = time.monotonic() + 60\nwhile len(os.listdir(folder)) < 3 and time.monotonic() < end:\n    \
         time.sleep(0.01)\nresults = len(os.listdir(folder))",
        meeting.path().display().to_string()
    );
    let jobs = (0..3).map(|_| {
        let mut job = rig.job(&meet);
        job.protection.writable = vec![meeting.path().to_owned()];
        job
    });
    let jobs: Vec<Job> = jobs.collect();
    let mut all = tokio::task::JoinSet::new();
    let executor = std::sync::Arc::new(stepwell::executor::local::LocalExecutor::new(options(
        rig.data.path(),
    )));
    for job in jobs {
        let executor = executor.clone();
        all.spawn(async move { executor.execute(job).await.unwrap().results });
    }
    assert_eq!(all.join_all().await, vec![Some(json!(3)); 3]);
}
