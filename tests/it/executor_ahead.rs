//! Pairs of processes that a warm interpreter has forked ahead: they wait for an attempt, and end when nobody has one.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::executor_rig::{Rig, at_once, is_alive};

impl Rig {
    /// Every process with the data folder of this rig in its command line and these words.
    pub(crate) fn processes(&self, words: &str) -> Vec<Pid> {
        let ours = self.data.path().to_str().unwrap();
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        all.filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read_to_string(entry.path().join("cmdline")).ok()?;
            let line = line.replace('\0', " ");
            (line.contains(ours) && line.contains(words)).then(|| Pid::from_raw(pid))
        })
        .collect()
    }

    /// The pair that waits for an attempt: its supervisor and the process that will run the code.
    pub(crate) async fn waiting(&self) -> [Pid; 2] {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let waiting: Vec<Pid> = self
                .processes(" ahead ")
                .into_iter()
                .filter(|pid| {
                    let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
                    // One that has an attempt has a name of its own.
                    name.is_ok_and(|name| !name.starts_with("sw-"))
                })
                .collect();
            if let [supervisor] = waiting[..] {
                let line = std::fs::read(format!("/proc/{supervisor}/cmdline")).unwrap();
                let mut words = line.split(|byte| *byte == 0).rev();
                let twin = words
                    .nth(1)
                    .map(|word| String::from_utf8_lossy(word).into_owned());
                return [supervisor, Pid::from_raw(twin.unwrap().parse().unwrap())];
            }
            assert!(Instant::now() < until, "{waiting:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn until_gone(&self, pid: Pid) {
        let until = Instant::now() + Duration::from_secs(20);
        while is_alive(&pid.to_string()) {
            assert!(Instant::now() < until, "{pid}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until nothing of the rig is alive: no parent, no pair that waits, no step.
    pub(crate) async fn until_alone(&self) {
        let until = Instant::now() + Duration::from_secs(20);
        while !self.processes("").is_empty() {
            assert!(Instant::now() < until, "{:?}", self.processes(""));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn a_pair_that_waits_is_the_one_that_runs_the_next_step_or_another_takes_its_place() {
    const WHO: &str = "import os; results = [os.getppid(), os.getpid()]\n";
    let rig = Rig::warm().await;
    rig.forked(rig.job(WHO)).await;
    let waiting = rig.waiting().await;
    let pids = json!(waiting.map(Pid::as_raw));
    assert_eq!(rig.forked(rig.job(WHO)).await, pids);
    let parents = rig.parents();
    for which in [0, 1] {
        let waiting = rig.waiting().await;
        kill(waiting[which], Signal::SIGKILL).unwrap();
        // One does not wait without the other.
        rig.until_gone(waiting[0]).await;
        rig.until_gone(waiting[1]).await;
        let ran = rig.forked(rig.job(WHO)).await;
        assert_ne!(ran, json!(waiting.map(Pid::as_raw)));
    }
    assert_eq!(rig.parents(), parents);
    // A parent that is gone has left a pair behind, which is as good as ever.
    let waiting = rig.waiting().await;
    kill(parents[0], Signal::SIGKILL).unwrap();
    rig.until_gone(parents[0]).await;
    let pids = json!(waiting.map(Pid::as_raw));
    assert_eq!(rig.forked(rig.job(WHO)).await, pids);
    rig.forked(rig.job(WHO)).await;
    assert_ne!(rig.parents(), parents);
}

#[tokio::test]
async fn a_pair_that_waits_costs_little_memory() {
    const MAX_KIB: u64 = 24 * 1024;
    let rig = match Rig::science(at_once()).await {
        Some(rig) => rig,
        None => Rig::warm().await,
    };
    rig.forked(rig.job("import numpy, pandas\nimport matplotlib.pyplot as plt\n"))
        .await;
    let own: u64 = rig.waiting().await.into_iter().map(own_kib).sum();
    println!("a pair that waits: {own} KiB of its own");
    assert!(own < MAX_KIB, "{own} KiB");
}

/// Memory that this process has changed, and nobody else has.
fn own_kib(pid: Pid) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let own = text
        .lines()
        .filter(|line| line.starts_with("Private_Dirty"));
    own.map(|line| {
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
    })
    .sum()
}
