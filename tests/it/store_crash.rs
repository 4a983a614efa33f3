//! The store on disk against killed processes, damaged files, a second process, and a file system that has no room
//! or no rights. The other processes are this binary again, at one of the ignored tests below.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    reason = "a rig for tests, outside of a test function"
)]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use stepwell::code;
use stepwell::run::RunStatus;
use stepwell::store::conformance::sample;
use stepwell::store::sled::{Options, SledStore};
use stepwell::store::{AppendError, EventStore, ListQuery};

/// Names the data folder to a child.
const FOLDER: &str = "STEPWELL_TEST_STORE";
/// Runs that the child appends to, each from a task of its own.
const RUNS: u32 = 6;
const KILLS: u64 = 30;

/// Starts this binary again at that ignored test.
fn child(test: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            &format!("store_crash::{test}"),
            "--ignored",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the parent test says where")]
fn folder() -> std::path::PathBuf {
    std::env::var(FOLDER)
        .expect("only started by a test")
        .into()
}

fn open(folder: &Path) -> SledStore {
    SledStore::open(folder, Options::default()).unwrap()
}

/// Appends for ever, and notes each acknowledgement in a file that a kill cannot take back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the test that kills it"]
async fn appender() {
    let store = std::sync::Arc::new(open(&folder()));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..RUNS {
        let store = std::sync::Arc::clone(&store);
        tasks.spawn(async move {
            let path = folder().join(format!("acks-{number}"));
            let mut acks = File::options()
                .create(true)
                .append(true)
                .open(path)
                .unwrap();
            let row = store.summary(sample::run(number)).await.unwrap();
            let mut last = row.map_or(0, |row| row.last_seq);
            loop {
                let count = 1 + last as usize % 4;
                let mut append = sample::append(number, last, count);
                if last.is_multiple_of(7) {
                    append.records[0].body = vec![b'x'; 5_000 + last as usize % 50];
                }
                append.summary.status = RunStatus::ALL[last as usize % 8];
                last = store.append(append).await.unwrap().last;
                acks.write_all(&last.to_be_bytes()).unwrap();
            }
        });
    }
    tasks.join_next().await;
}

/// How long a child may take to its first acknowledgement before it is killed all the same.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of acknowledgements that the children noted, over all runs.
fn acknowledgements(folder: &Path) -> u64 {
    let size = |number: u32| {
        fs::metadata(folder.join(format!("acks-{number}"))).map_or(0, |metadata| metadata.len())
    };
    (0..RUNS).map(size).sum()
}

/// The last acknowledgement that the child noted.
fn acknowledged(folder: &Path, number: u32) -> u64 {
    let bytes = fs::read(folder.join(format!("acks-{number}"))).unwrap_or_default();
    bytes
        .chunks_exact(8)
        .last()
        .map_or(0, |last| u64::from_be_bytes(last.try_into().unwrap()))
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut total = 0;
    for kill in 0..KILLS {
        let before = acknowledgements(folder.path());
        let mut appender = child("appender", folder.path());
        // From before the store is open to well into the work: every third kill comes early, whatever the
        // child is at; the others come once it works, however slow the machine is.
        let patience = std::time::Instant::now() + PATIENCE;
        while !kill.is_multiple_of(3)
            && acknowledgements(folder.path()) == before
            && std::time::Instant::now() < patience
        {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(5 + kill * 37 % 190));
        appender.kill().unwrap();
        appender.wait().unwrap();
        let store = open(folder.path());
        let report = store.verify(None).await.unwrap();
        assert_eq!(report.faults, [], "after kill {kill}");
        let rows = store.list(ListQuery::newest(100)).await.unwrap().rows;
        for number in 0..RUNS {
            let last = acknowledged(folder.path(), number);
            let row = rows.iter().find(|row| row.run == sample::run(number));
            let stored = row.map_or(0, |row| row.last_seq);
            assert!(
                stored >= last,
                "kill {kill}: {stored} of {last} acknowledged"
            );
            let records = store
                .read(sample::run(number), 1, usize::MAX)
                .await
                .unwrap();
            assert_eq!(records.len() as u64, stored);
        }
        total = report.records;
    }
    assert!(total > KILLS, "the child hardly worked: {total} records");
}

/// Holds the store until its parent kills it.
#[tokio::test]
#[ignore = "started by the test of the lock"]
async fn holder() {
    let _store = open(&folder());
    println!("\nheld");
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn a_second_process_is_refused_until_the_first_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut holder = child("holder", folder.path());
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "held"));
    let options = Options {
        lock_wait: Duration::from_millis(300),
        ..Options::default()
    };
    let begin = Instant::now();
    let error = SledStore::open(folder.path(), options).unwrap_err();
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert_eq!(error.code(), code::STORE_LOCKED);
    let text = error.to_string();
    assert!(
        text.contains(&format!("process {} since 2", holder.id())),
        "{text}"
    );
    assert!(text.contains("--nocapture"), "the command is named: {text}");
    holder.kill().unwrap();
    holder.wait().unwrap();
    open(folder.path());
}

/// Appends under a small limit for file sizes until it is refused, and says so by the name of the test's end.
#[tokio::test(flavor = "current_thread")]
#[ignore = "started by the test of the full disk"]
async fn filler() {
    use nix::sys::resource::{Resource, setrlimit};
    use nix::sys::signal::{SigSet, Signal};
    // The threads of the store inherit it: a write over the limit is then an error, not a death.
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGXFSZ);
    signals.thread_block().unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, 1 << 20, 1 << 20).unwrap();
    let store = open(&folder());
    let mut last = 0;
    let error = loop {
        let mut append = sample::append(0, last, 8);
        for record in &mut append.records {
            record.body = vec![b' '; 3_000];
        }
        match store.append(append).await {
            Ok(appended) => last = appended.last,
            Err(error) => break error,
        }
        fs::write(folder().join("acks-0"), last.to_be_bytes()).unwrap();
    };
    assert_eq!(error.code(), code::DISK_FULL, "{error}");
    let again = store.append(sample::append(1, 0, 1)).await;
    assert!(
        matches!(again, Err(AppendError::Io(_))),
        "the writer has stopped"
    );
    println!("\nrefused as full");
}

#[tokio::test]
async fn a_write_that_finds_no_room_is_named_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = child("filler", folder.path()).wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("refused as full"), "{text}");
    let store = open(folder.path());
    assert_eq!(store.verify(None).await.unwrap().faults, []);
    let last = store
        .summary(sample::run(0))
        .await
        .unwrap()
        .unwrap()
        .last_seq;
    assert!(last >= acknowledged(folder.path(), 0) && last > 0);
    store.append(sample::append(0, last, 1)).await.unwrap();
}

/// Opens a store as a user without rights.
#[test]
#[ignore = "started by the test of the read-only folder"]
fn stranger() {
    if nix::unistd::geteuid().is_root() {
        nix::unistd::setgid(65_534.into()).unwrap();
        nix::unistd::setuid(65_534.into()).unwrap();
    }
    let error = SledStore::open(&folder(), Options::default()).unwrap_err();
    println!("\n{}: {error}", error.code());
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    for path in [&data, folder.path()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o555)).unwrap();
    }
    let output = child("stranger", &data).wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let expected = format!(
        "store_read_only: cannot open {}",
        data.join("store.lock").display()
    );
    assert!(text.contains(&expected), "{text}");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
}
