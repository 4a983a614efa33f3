//! Code that means harm. Each test says which layer stopped it; where the kernel lacks the layer, it says so.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use stepwell::executor::{Executor as _, Job, Outcome, OutcomeStatus};
use stepwell::failure::{Failure, FailureKind};
use stepwell::plan::{IsolationLevel, Network};

use crate::executor_rig::{Rig, failure_of};

/// Runs the code, and tells whether all these layers held. Where one is missing, the test is not one, and says so.
async fn under(rig: &Rig, layers: &[&str], job: Job) -> Option<Outcome> {
    let outcome = rig.executor.execute(job).await.unwrap();
    for name in layers {
        let layer = outcome
            .isolation
            .layers
            .iter()
            .find(|layer| layer.name == *name);
        let layer = layer.unwrap_or_else(|| panic!("no word of {name}: {outcome:#?}"));
        if !layer.held {
            println!("NOT TESTED: this kernel has no {name}: {}", layer.reason);
            return None;
        }
    }
    Some(outcome)
}

pub(crate) fn results(outcome: &Outcome) -> &Value {
    assert_eq!(outcome.status, OutcomeStatus::Succeeded, "{outcome:#?}");
    outcome.results.as_ref().unwrap()
}

/// Code that tries and tells what came of it.
fn tries(attack: &str) -> String {
    let body: String = attack.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "try:\n{body}    results = 'done'\nexcept BaseException as error:\n    results = type(error).__name__ + ': ' + str(error)\n"
    )
}

async fn refused(layers: &[&str], attack: &str, change: impl FnOnce(&mut Job)) {
    let rig = Rig::new().await;
    let mut job = rig.job(&tries(attack));
    change(&mut job);
    if let Some(outcome) = under(&rig, layers, job).await {
        let said = results(&outcome).as_str().unwrap().to_owned();
        assert!(
            ["PermissionError", "OSError", "ProcessLookupError"]
                .iter()
                .any(|kind| said.starts_with(kind)),
            "{attack}: {said}"
        );
    }
}

#[tokio::test]
async fn files_outside_are_not_written() {
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("victim");
    std::fs::write(&victim, "mine").unwrap();
    let path = victim.display();
    for attack in [
        format!("open('{path}', 'w').write('x')"),
        format!("open('{path}.new', 'w')"),
        format!("import os; os.remove('{path}')"),
        format!("import os; os.rename('{path}', 'here')"),
        format!("import os; os.symlink('{path}', 'link'); open('link', 'w').write('x')"),
        format!("import os; os.link('{path}', 'hard')"),
        format!("import os; os.truncate('{path}', 0)"),
        format!("import os; os.mkdir('{path}.d')"),
    ] {
        refused(&["landlock"], &attack, |_| {}).await;
        assert_eq!(
            std::fs::read_to_string(&victim).unwrap(),
            "mine",
            "{attack}"
        );
    }
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn code_does_not_cancel_itself_by_the_pipe_of_its_supervisor() {
    let rig = Rig::new().await;
    for attack in [
        "open('.attempt/control', 'w').write('c')",
        "open('.attempt/cancel', 'w'); open('.attempt/control', 'w').write('c' * 1000)",
        "import os\nfor name in os.listdir('.attempt'):\n    if os.path.isdir('.attempt/' + name): continue\n    open('.attempt/' + name, 'r+b', buffering=0).write(b'c')",
    ] {
        let job = rig.job(&format!(
            "{attack}\nimport time; time.sleep(0.3)\nopen('went_on', 'w')\nresults = 1"
        ));
        let failure = failure_of(rig.executor.execute(job.clone()).await.unwrap());
        assert_eq!(
            (failure.kind, failure.code.as_str()),
            (FailureKind::Safety, "attempt_tampered"),
            "{attack}: {failure:#?}"
        );
        assert!(job.folder.join("went_on").exists(), "{attack}");
    }
    // Its sign is where it can't leave one.
    let sign = "import os; open('../.' + os.path.basename(os.getcwd()) + '.cancel', 'w')";
    refused(&["landlock"], sign, |_| {}).await;
    // Whoever has the right to is still heard, also after such code.
    let job = rig.job("open('.attempt/control', 'w').write('c')\nopen('ready', 'w').write('x')\nimport time; time.sleep(60)");
    let folder = job.folder.clone();
    let executor = crate::executor_rig::executor(rig.data.path());
    let execution = tokio::spawn(async move { executor.execute(job).await });
    crate::executor_rig::appears(&folder.join("ready")).await;
    rig.executor.kill(&folder).await.unwrap();
    let failure = failure_of(execution.await.unwrap().unwrap());
    assert_eq!(failure.kind, FailureKind::Cancelled, "{failure:#?}");
}

/// What code does to put a machine back is done, although the word did not come through.
#[tokio::test]
async fn code_that_took_the_pipe_away_is_still_told_to_stop() {
    let rig = Rig::new().await;
    let job = rig.job(
        "import os, time\nos.unlink('.attempt/control')\nopen('ready', 'w').write('x')\ntry:\n    while True:\n        print('x'); time.sleep(0.02)\nexcept KeyboardInterrupt:\n    open('put_back', 'w').write('x')\n    raise",
    );
    let folder = job.folder.clone();
    let executor = crate::executor_rig::executor(rig.data.path());
    let execution = tokio::spawn(async move { executor.execute(job).await });
    crate::executor_rig::appears(&folder.join("ready")).await;
    rig.executor.kill(&folder).await.unwrap();
    let failure = failure_of(execution.await.unwrap().unwrap());
    assert_eq!(failure.kind, FailureKind::Cancelled, "{failure:#?}");
    assert!(folder.join("put_back").exists());
}

/// The rules of the system are about what is in files: this is a guard rail in the interpreter.
#[tokio::test]
async fn modes_and_times_of_files_outside_are_not_changed_by_python() {
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("victim");
    std::fs::write(&victim, "mine").unwrap();
    std::fs::set_permissions(&victim, std::fs::Permissions::from_mode(0o640)).unwrap();
    let state = || {
        let found = std::fs::metadata(&victim).unwrap();
        (found.mode(), found.uid(), found.mtime(), found.ctime_nsec())
    };
    let before = state();
    let (path, folder) = (victim.display(), outside.path().display());
    for attack in [
        format!("os.chmod('{path}', 0o777)"),
        format!("os.chmod(b'{path}', 0o777)"),
        format!("import pathlib; pathlib.Path('{path}').chmod(0o777)"),
        format!("os.chown('{path}', 0, 0)"),
        format!("os.utime('{path}', (1, 1))"),
        format!("os.setxattr('{path}', 'user.x', b'x')"),
        format!("os.removexattr('{path}', 'user.x')"),
        format!("os.fchmod(os.open('{path}', os.O_RDONLY), 0o777)"),
        format!("os.utime(os.open('{path}', os.O_RDONLY), (1, 1))"),
        format!("os.chmod('victim', 0o777, dir_fd=os.open('{folder}', os.O_RDONLY))"),
        format!("os.chdir('{folder}'); os.chmod('victim', 0o777)"),
        format!("os.symlink('{path}', 'link'); os.chmod('link', 0o777)"),
        format!("os.chmod('/proc/self/root{path}', 0o777)"),
        format!("from shutil import copymode; copymode('code.py', '{path}')"),
        // Caught, and in another process.
        format!("\ntry: os.chmod('{path}', 0o777)\nexcept OSError: pass"),
        format!(
            "\nif os.fork() == 0:\n    try: os.chmod('{path}', 0o777)\n    finally: os._exit(0)\nos.wait()"
        ),
    ] {
        let rig = Rig::new().await;
        let job = rig.job(&format!("import os; {attack}\nresults = 1"));
        let failure = failure_of(rig.executor.execute(job).await.unwrap());
        let seen = (failure.kind, failure.code.as_str());
        assert_eq!(seen, (FailureKind::Safety, "write_refused"), "{attack}");
        assert_eq!(state(), before, "{attack}");
    }
    // Where writes are free, or walls are switched off, it is not there.
    let changes: [fn(&mut Job, &std::path::Path); 3] = [
        |job, _| job.protection.writes_outside = true,
        |job, _| job.protection.isolation = IsolationLevel::Off,
        |job, folder| job.protection.writable = vec![folder.to_owned()],
    ];
    for (mode, change) in (0o600..).zip(changes) {
        let rig = Rig::new().await;
        let mut job = rig.job(&format!(
            "import os; os.chmod('{path}', {mode})\nresults = 1"
        ));
        change(&mut job, outside.path());
        assert_eq!(results(&rig.executor.execute(job).await.unwrap()), 1);
        assert_eq!(state().0 & 0o777, mode);
    }
}

#[tokio::test]
async fn files_of_the_own_folder_are_changed_as_ever() {
    let rig = Rig::new().await;
    let code = r#"
import multiprocessing, os, pathlib, shutil, sys, tarfile, tempfile, zipfile
shutil.copy2("code.py", "copy.py"); shutil.copytree("figures", "more"); os.chmod("copy.py", 0o755)
pathlib.Path("touched").touch(); pathlib.Path("touched").touch()
with zipfile.ZipFile("a.zip", "w") as archive: archive.write("copy.py")
with zipfile.ZipFile("a.zip") as archive: archive.extractall("unzipped")
with tarfile.open("a.tar", "w") as archive: archive.add("copy.py"); archive.add("more")
with tarfile.open("a.tar") as archive: archive.extractall("untarred")
with tempfile.TemporaryDirectory() as folder:
    os.mkdir(os.path.join(folder, "closed")); os.chmod(os.path.join(folder, "closed"), 0)
with tempfile.NamedTemporaryFile() as file: os.fchmod(file.fileno(), 0o600)
with tempfile.TemporaryFile() as file: os.fchmod(file.fileno(), 0o600)
os.fchmod(os.memfd_create("x"), 0o600); os.fchmod(os.pipe()[0], 0o600)
here = os.open(".", os.O_RDONLY); os.utime("touched", (1, 1), dir_fd=here)
with multiprocessing.get_context("fork").Pool(2) as pool: pool.map(pathlib.Path.touch, [pathlib.Path("touched 2")])
results = [oct(os.stat("copy.py").st_mode & 0o777), os.stat("touched").st_mtime, os.path.exists("untarred/copy.py")]
"#;
    let outcome = rig.run(code).await;
    assert_eq!(
        results(&outcome),
        &serde_json::json!(["0o755", 1.0, true]),
        "{outcome:#?}"
    );
}

#[tokio::test]
async fn what_is_hidden_is_not_read_by_any_name() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".ssh")).unwrap();
    let key = home.path().join(".ssh/id_ed25519");
    std::fs::write(&key, "the key").unwrap();
    std::fs::write(home.path().join("data.txt"), "data").unwrap();
    let data = home.path().join("data.txt").display().to_string();
    let hide = |job: &mut Job| job.protection.hidden = vec![home.path().join(".ssh")];
    for attack in [
        format!("open('{}').read()", key.display()),
        format!(
            "import os; os.symlink('{}', 'link'); open('link').read()",
            key.display()
        ),
        format!("open('/proc/self/root{}').read()", key.display()),
        format!(
            "import subprocess; subprocess.run(['cat', '{}'], check=True, capture_output=True)",
            key.display()
        ),
    ] {
        let rig = Rig::new().await;
        let mut job = rig.job(&tries(&attack));
        hide(&mut job);
        if let Some(outcome) = under(&rig, &["landlock"], job).await {
            let said = results(&outcome).as_str().unwrap();
            assert!(
                said.starts_with("PermissionError") || said.starts_with("CalledProcessError"),
                "{said}"
            );
        }
    }
    // What lies beside it is read as ever.
    let rig = Rig::new().await;
    let mut job = rig.job(&format!("results = open('{data}').read()"));
    hide(&mut job);
    assert_eq!(results(&rig.executor.execute(job).await.unwrap()), "data");
}

#[tokio::test]
async fn memory_and_variables_of_other_processes_are_out_of_reach() {
    let parent = "import os; open(f'/proc/{os.getppid()}/environ', 'rb').read()";
    refused(&["user_namespace"], parent, |_| {}).await;
    let engine = format!("open('/proc/{}/environ', 'rb').read()", std::process::id());
    refused(&["user_namespace"], &engine, |_| {}).await;
    let memory = format!("open('/proc/{}/mem', 'rb').read(1)", std::process::id());
    refused(&["user_namespace"], &memory, |_| {}).await;
    let trace = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n\
                 if libc.ptrace(16, os.getppid(), 0, 0): raise OSError(ctypes.get_errno(), 'ptrace')";
    refused(&["seccomp"], trace, |_| {}).await;
}

#[tokio::test]
async fn other_processes_get_no_signals() {
    for attack in [
        "import os; os.kill(os.getppid(), 9)",
        "import os; os.kill(1, 0)",
    ] {
        refused(&["landlock"], attack, |_| {}).await;
    }
    let engine = format!("import os; os.kill({}, 0)", std::process::id());
    refused(&["landlock"], &engine, |_| {}).await;
}

#[tokio::test]
async fn calls_of_administrators_are_refused() {
    for call in [
        "mount(b'none', b'/mnt', b'tmpfs', 0, None)",
        "unshare(0x10000000)",
        "chroot(b'.')",
        "syscall(250, 0, 0, 0, 0, 0)", // keyctl
        "syscall(321, 0, 0, 0)",       // bpf
        "syscall(425, 1, 0)",          // io_uring_setup
    ] {
        let attack = format!(
            "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n\
             if libc.{call} < 0:\n    error = ctypes.get_errno()\n    raise OSError(error, 'refused')"
        );
        refused(&["seccomp"], &attack, |_| {}).await;
    }
}

#[tokio::test]
async fn without_a_network_there_is_no_socket_to_one() {
    for attack in [
        "import socket; socket.socket()",
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "import socket; socket.create_connection(('127.0.0.1', 1))",
    ] {
        refused(&["seccomp", "network_namespace"], attack, |job| {
            job.protection.network = Network::None;
        })
        .await;
    }
    // Processes of one attempt still talk to each other.
    let rig = Rig::new().await;
    let mut job = rig.job(
        "import multiprocessing as m\nwith m.get_context('fork').Pool(2) as pool:\n    results = pool.map(abs, [-1, -2])",
    );
    job.protection.network = Network::None;
    assert_eq!(
        results(&rig.executor.execute(job).await.unwrap()),
        &serde_json::json!([1, 2])
    );
}

async fn resources(code: &str, change: impl FnOnce(&mut Job)) -> Failure {
    let rig = Rig::new().await;
    let mut job = rig.job(code);
    change(&mut job);
    let failure = failure_of(rig.executor.execute(job).await.unwrap());
    assert_eq!(failure.kind, FailureKind::Resources, "{failure:#?}");
    failure
}

#[tokio::test]
async fn a_fork_bomb_is_ended() {
    let bomb = "import os, time\nfor _ in range(200):\n    if os.fork() == 0:\n        time.sleep(30); os._exit(0)\ntime.sleep(30)";
    let failure = resources(bomb, |job| job.limits.processes_max = Some(20)).await;
    assert_eq!(failure.code, "processes_exceeded");
}

#[tokio::test]
async fn memory_is_bounded_in_one_process_and_in_all_together() {
    const MIB: u64 = 1024 * 1024;
    let one = "data = bytearray(6 * 1024 ** 3)";
    let failure = resources(one, |job| job.limits.memory_bytes = Some(512 * MIB)).await;
    assert_eq!(failure.code, "memory_exceeded");
    // Each keeps to the limit, and together they do not.
    let many = "import os, time\nfor _ in range(4):\n    if os.fork() == 0:\n        \
                data = b'x' * (100 * 1024 ** 2); time.sleep(20); os._exit(0)\ntime.sleep(20)";
    let failure = resources(many, |job| job.limits.memory_bytes = Some(250 * MIB)).await;
    assert_eq!(failure.code, "memory_exceeded");
    assert!(failure.message.contains("together"), "{}", failure.message);
}

#[tokio::test]
async fn processor_time_is_bounded_over_all_processes() {
    let failure = resources("while True: pass", |job| {
        job.limits.cpu_time = Some(Duration::from_millis(500));
        job.limits.stop_grace = Duration::from_secs(50);
    })
    .await;
    assert_eq!(failure.code, "cpu_time_exceeded");
    assert!(failure.traceback.unwrap().contains("while True"));
    let deaf = "import signal\nfor s in (2, 15, 24): signal.signal(s, signal.SIG_IGN)\n\
                import os\nos.fork()\nwhile True: pass";
    let failure = resources(deaf, |job| {
        job.limits.cpu_time = Some(Duration::from_millis(500));
    })
    .await;
    assert_eq!(failure.code, "cpu_time_exceeded");
}

#[tokio::test]
async fn the_disk_and_open_files_are_bounded() {
    const MIB: u64 = 1024 * 1024;
    let fill = "import time\nfor index in range(200):\n    open(f'part{index}', 'wb').write(b'x' * 2 ** 20)\n    time.sleep(0.01)";
    let failure = resources(fill, |job| job.limits.disk_bytes_max = Some(20 * MIB)).await;
    assert_eq!(failure.code, "disk_exceeded");
    let quick = "for index in range(30): open(f'part{index}', 'wb').write(b'x' * 2 ** 20)";
    let failure = resources(quick, |job| job.limits.disk_bytes_max = Some(20 * MIB)).await;
    assert_eq!(failure.code, "disk_exceeded");
    let open = "files = [open('code.py') for _ in range(100)]";
    let failure = resources(open, |job| job.limits.open_files_max = 64).await;
    assert_eq!(failure.code, "open_files_exceeded");
}

#[tokio::test]
async fn a_flood_of_output_is_cut() {
    let rig = Rig::new().await;
    let mut job = rig.job("for _ in range(20): print('x' * 2 ** 20)\nresults = 1");
    job.limits.stdout_bytes_max = 1000;
    let outcome = rig.executor.execute(job).await.unwrap();
    assert_eq!(results(&outcome), 1);
    assert!(outcome.stdout.truncated && outcome.stdout.bytes > 20 << 20);
}

#[tokio::test]
async fn every_layer_is_reported_and_require_fails_closed() {
    let rig = Rig::new().await;
    let mut job = rig.job("results = open('/proc/self/status').read()");
    job.protection.isolation = IsolationLevel::Require;
    let outcome = rig.executor.execute(job).await.unwrap();
    let missing: Vec<_> = outcome
        .isolation
        .layers
        .iter()
        .filter(|layer| !layer.held)
        .collect();
    if missing.is_empty() {
        let status = results(&outcome).as_str().unwrap();
        for line in ["NoNewPrivs:\t1", "Seccomp:\t2"] {
            assert!(status.contains(line), "{line}: {status}");
        }
    } else {
        assert_eq!(failure_of(outcome).code, "isolation_missing");
    }
    let mut job = rig.job("results = 1");
    job.protection.isolation = IsolationLevel::Off;
    let outcome = rig.executor.execute(job).await.unwrap();
    let names: Vec<_> = outcome
        .isolation
        .layers
        .iter()
        .map(|layer| layer.name.as_str())
        .collect();
    assert_eq!(names, ["environment", "session", "limits"]);
}

/// Files and folders beside what is hidden get rules of their own.
#[tokio::test]
async fn what_is_hidden_beside_files_takes_no_layer_away() {
    let rig = Rig::new().await;
    let beside = tempfile::tempdir().unwrap();
    let folder = beside.path().canonicalize().unwrap();
    std::fs::write(folder.join("data.txt"), "data").unwrap();
    std::fs::write(folder.join("key"), "hush").unwrap();
    let missing = async |isolation: IsolationLevel, hidden: Vec<PathBuf>| {
        let mut job = rig.job(&format!(
            "results = open({:?}).read()",
            folder.join("data.txt").display().to_string()
        ));
        job.protection.isolation = isolation;
        job.protection.hidden = hidden;
        let outcome = rig.executor.execute(job).await.unwrap();
        let layers = outcome.isolation.layers.iter();
        let missing: Vec<String> = layers
            .filter(|layer| !layer.held)
            .map(|layer| format!("{}: {}", layer.name, layer.reason))
            .collect();
        if missing.is_empty() || isolation != IsolationLevel::Require {
            assert_eq!(results(&outcome), "data");
        }
        missing
    };
    let here = missing(IsolationLevel::Prefer, Vec::new()).await;
    // Where temporary files are there may be too many places for rules that are kept; beside the others there are few.
    for hidden in [folder.join("key"), "/etc/shadow".into(), "/srv".into()] {
        for isolation in [IsolationLevel::Prefer, IsolationLevel::Require] {
            let found = missing(isolation, vec![hidden.clone()]).await;
            assert_eq!(found, here, "{}", hidden.display());
        }
    }
}

#[tokio::test]
async fn what_is_written_about_its_end_is_not_the_codes_to_say() {
    let rig = Rig::new().await;
    let victim = rig.data.path().join("runs/victim");
    std::fs::create_dir_all(&victim).unwrap();
    std::fs::write(victim.join("outcome.json"), "another attempt").unwrap();
    let victim_path = victim.display();
    // The supervisor is not behind the walls: it must not be led through a link.
    for attack in [
        format!("import os; os.rename('.attempt', 'x'); os.symlink('{victim_path}', '.attempt')"),
        "import os; os.rename('.attempt', 'x'); os.mkdir('.attempt')".to_owned(),
        "import os; os.rename('.attempt', 'x'); open('.attempt', 'w')".to_owned(),
        "import os; os.rename('.attempt', 'x')".to_owned(),
    ] {
        let job = rig.job(&format!("{attack}\nresults = 1\nos._exit(0)"));
        let outcome = rig.executor.execute(job.clone()).await.unwrap();
        let failure = failure_of(outcome);
        assert_eq!(
            (failure.kind, failure.code.as_str()),
            (FailureKind::Safety, "attempt_tampered"),
            "{attack}"
        );
        assert_eq!(std::fs::read_dir(&victim).unwrap().count(), 1, "{attack}");
        assert_eq!(
            std::fs::read_to_string(victim.join("outcome.json")).unwrap(),
            "another attempt"
        );
        assert!(matches!(
            rig.executor.adopt(&job.folder).await,
            stepwell::executor::Adoption::Finished(_)
        ));
    }
    // A forged end is overwritten, whatever stands in the way.
    for forged in [
        "open('.attempt/outcome.json', 'w').write('{}')",
        "import os; os.mkdir('.attempt/outcome.json.part')",
        "import os; os.symlink('/dev/null', '.attempt/outcome.json.part')",
    ] {
        let failure = rig
            .failure(&format!("{forged}\nraise ValueError('the truth')"))
            .await;
        assert!(
            failure.message.contains("the truth"),
            "{forged}: {failure:?}"
        );
    }
}
