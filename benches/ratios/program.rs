//! The program as people start it: how soon it answers, how large it is, what a run takes.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::disk::one;
use crate::rig;
use crate::samples::Samples;
use crate::table::{Bar, Table};

const STEPWELL: &str = env!("CARGO_BIN_EXE_stepwell");
const ROUNDS: usize = 20;
const MIB: f64 = 1_048_576.0;

pub(crate) fn measure(table: &mut Table) {
    let mut starts = Samples::default();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let output = Command::new(STEPWELL).arg("--version").output().unwrap();
        starts.push_millis(begun.elapsed());
        assert!(output.status.success(), "{output:?}");
    }
    let what = "`stepwell --version`, from start to end";
    table.alone(what, &starts, "ms", Some(Bar::AtMost(100.0)));
    let bytes = fs::metadata(STEPWELL).unwrap().len() as f64;
    let what = "size of the program";
    table.alone(what, &one(bytes / MIB), "MiB", Some(Bar::AtMost(40.0)));
    let what = "peak memory of `stepwell run` with 1,000 `set` steps";
    table.alone(what, &one(peak_of_a_run()), "MiB", Some(Bar::AtMost(40.0)));
}

/// The greatest resident memory of a whole run, as the system keeps count of it.
fn peak_of_a_run() -> f64 {
    let folder = rig::folder();
    let file = folder.path().join("chain.yml");
    fs::write(&file, rig::chain(1_000)).unwrap();
    let mut child = Command::new(STEPWELL)
        .arg("run")
        .arg(&file)
        .arg("--data")
        .arg(folder.path().join("data"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak: f64 = 0.0;
    let ended = loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        peak = peak.max(kilobytes(&text, "VmHWM:") / 1_024.0);
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    assert!(ended.success(), "{ended}");
    peak
}

fn kilobytes(status: &str, name: &str) -> f64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0.0)
}
