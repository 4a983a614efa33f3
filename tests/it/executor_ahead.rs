//! Pairs of processes that a warm interpreter has forked ahead: they wait for an attempt, and end when nobody has one.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use stepwell::executor::local::WarmOptions;
use stepwell::executor::{Executor as _, Start};
use stepwell::plan::IsolationLevel;

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

    /// The supervisors that wait for an attempt.
    pub(crate) fn supervisors(&self) -> Vec<Pid> {
        let mut all = self.processes(" ahead ");
        all.retain(|pid| {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
            // One that has an attempt has a name of its own; one that only becomes it has that of the interpreter.
            name.is_ok_and(|name| name == "stepwell\n")
        });
        all
    }

    /// The pair whose template has a copy already, which waits for an attempt: supervisor, template and copy.
    pub(crate) async fn waiting(&self) -> [Pid; 3] {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let supervisors = self.supervisors();
            let found = supervisors.iter().find_map(|supervisor| {
                let template = template(*supervisor)?;
                let copy = children(*supervisor)
                    .into_iter()
                    .find(|pid| *pid != template)?;
                Some([*supervisor, template, copy])
            });
            if let Some(found) = found {
                return found;
            }
            assert!(Instant::now() < until, "{supervisors:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until those that wait are as they should be.
    async fn until_supervisors(&self, are: impl Fn(&[Pid]) -> bool) {
        let until = Instant::now() + Duration::from_secs(20);
        while !are(&self.supervisors()) {
            assert!(Instant::now() < until, "{:?}", self.supervisors());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends every pair that waits.
    pub(crate) async fn end_pairs(&self) {
        self.waiting().await;
        // One that has just had an attempt is on its way to wait.
        self.until_supervisors(|waiting| waiting.len() == self.processes(" ahead ").len())
            .await;
        for pid in self.supervisors() {
            kill(pid, Signal::SIGKILL).unwrap();
            self.until_gone(pid).await;
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

/// The process that is copied for the attempts of that supervisor: its last argument.
fn template(supervisor: Pid) -> Option<Pid> {
    let line = std::fs::read(format!("/proc/{supervisor}/cmdline")).ok()?;
    let word = line.split(|byte| *byte == 0).rev().nth(1)?;
    let number = std::str::from_utf8(word).ok()?.parse().ok()?;
    Some(Pid::from_raw(number))
}

fn children(pid: Pid) -> Vec<Pid> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let text = text.unwrap_or_default();
    let numbers = text.split_whitespace().map(|word| word.parse().unwrap());
    numbers.map(Pid::from_raw).collect()
}

const WHO: &str = "import os; results = [os.getppid(), os.getpid()]\n";

#[tokio::test]
async fn a_pair_that_waits_is_the_one_that_runs_the_next_step_or_another_takes_its_place() {
    let rig = Rig::warm().await;
    rig.forked(rig.job(WHO)).await;
    let [supervisor, _, copy] = rig.waiting().await;
    let pids = json!([supervisor.as_raw(), copy.as_raw()]);
    assert_eq!(rig.forked(rig.job(WHO)).await, pids);
    let parents = rig.parents();
    for which in [0, 1, 2] {
        let waiting = rig.waiting().await;
        kill(waiting[which], Signal::SIGKILL).unwrap();
        rig.until_gone(waiting[which]).await;
        if which != 1 {
            // One does not wait without the others. Without its template a copy that is ready is as good as ever.
            for pid in waiting {
                rig.until_gone(pid).await;
            }
        }
        let ran = rig.forked(rig.job(WHO)).await;
        assert!(which == 1 || ran[0] != json!(waiting[0].as_raw()));
        rig.until_gone(waiting[0]).await;
    }
    assert_eq!(rig.parents(), parents);
    // A parent that is gone has left pairs behind, which are as good as ever.
    let waiting = rig.waiting().await;
    kill(parents[0], Signal::SIGKILL).unwrap();
    rig.until_gone(parents[0]).await;
    let ran = rig.forked(rig.job(WHO)).await;
    assert_eq!(ran[1], json!(waiting[2].as_raw()));
    rig.end_pairs().await;
    rig.executor.execute(rig.job(WHO)).await.unwrap();
    rig.forked(rig.job(WHO)).await;
    assert_ne!(rig.parents(), parents);
}

#[tokio::test]
async fn steps_one_after_another_need_two_pairs_and_no_process_twice() {
    let rig = Rig::warm().await;
    let mut ran = Vec::new();
    for _ in 0..6 {
        let pids = rig.forked(rig.job(WHO)).await;
        ran.push([0, 1].map(|which| pids[which].as_i64().unwrap()));
    }
    let different = |which: usize| {
        let pids: std::collections::BTreeSet<i64> = ran.iter().map(|pids| pids[which]).collect();
        pids.len()
    };
    assert_eq!(different(0), 2, "supervisors: {ran:?}");
    assert_eq!(
        different(1),
        6,
        "each step had a process of its own: {ran:?}"
    );
}

/// What a supervisor has had before does not count.
#[tokio::test]
async fn what_is_used_is_that_of_the_attempt() {
    const MIB: u64 = 1024 * 1024;
    let rig = Rig::warm().await;
    let large = "x = bytearray(200 * 1024 * 1024)\n";
    for code in [large, "pass\n", large, "pass\n", "pass\n"] {
        let outcome = rig.run(code).await;
        let used = outcome.usage.max_rss_bytes;
        assert_eq!(used > 150 * MIB, code == large, "{used}");
        assert!(used > 5 * MIB, "{used}");
    }
    let busy = "import time\nwhile time.process_time() < 1: pass\n";
    for (code, from, to) in [
        (busy, 0.9, 20.0),
        (busy, 0.9, 20.0),
        ("pass\n", 0.001, 0.9),
        ("pass\n", 0.001, 0.9),
    ] {
        let used = rig.run(code).await.usage;
        let seconds = used.user_seconds + used.system_seconds;
        assert!((from..to).contains(&seconds), "{seconds}");
    }
    rig.until_supervisors(|waiting| waiting.len() == 2).await;
}

/// Code that was stopped, or was not behind every wall, could have reached what the next copy is made of.
#[tokio::test]
async fn a_supervisor_is_kept_only_after_an_attempt_that_came_to_its_end_behind_every_wall() {
    let rig = Rig::warm().await;
    let before = rig.forked(rig.job(WHO)).await;
    let open = |code: &str| {
        let mut job = rig.job(code);
        job.protection.isolation = IsolationLevel::Off;
        job
    };
    let stopped = |code: &str| {
        let mut job = rig.job(code);
        job.timeout = Duration::from_millis(200);
        job
    };
    let killed = "import os; os.kill(os.getpid(), 9)\n";
    let ran = rig.forked(open(WHO)).await;
    rig.until_gone(Pid::from_raw(
        i32::try_from(ran[0].as_i64().unwrap()).unwrap(),
    ))
    .await;
    for job in [stopped("import time; time.sleep(60)\n"), rig.job(killed)] {
        let [supervisor, ..] = rig.waiting().await;
        let outcome = rig.executor.execute(job).await.unwrap();
        assert_eq!(outcome.start, Some(Start::Warm), "{outcome:#?}");
        rig.until_gone(supervisor).await;
    }
    // An end with a failure, or with processes that outlived it, is an end.
    let left = "import subprocess, sys\nsubprocess.Popen(['sleep', '600'])\n";
    for code in ["raise SystemExit(3)\n", left] {
        let [supervisor, ..] = rig.waiting().await;
        rig.executor.execute(rig.job(code)).await.unwrap();
        rig.until_supervisors(|waiting| waiting.contains(&supervisor))
            .await;
    }
    assert_ne!(rig.forked(rig.job(WHO)).await, before);
}

/// The template of a step is beside it while it runs, and is what later steps are made of.
#[tokio::test]
async fn code_does_not_reach_the_template_that_it_was_copied_from() {
    const TRIES: &str = r"import os
mine, results = open('/proc/self/cmdline', 'rb').read(), []
for pid in (int(name) for name in os.listdir('/proc') if name.isdigit()):
    try:
        other = open(f'/proc/{pid}/cmdline', 'rb').read()
    except OSError:
        continue
    if pid == os.getpid() or other != mine:
        continue
    for way in (lambda: open(f'/proc/{pid}/mem', 'r+b'), lambda: os.kill(pid, 0)):
        try:
            way()
            results.append('allowed')
        except OSError as error:
            results.append(type(error).__name__)
";
    let rig = Rig::warm().await;
    for _ in 0..3 {
        let outcome = rig.run(TRIES).await;
        let layers = &outcome.isolation.layers;
        if let Some(layer) = layers.iter().find(|layer| !layer.held) {
            println!(
                "NOT TESTED: this kernel has no {}: {}",
                layer.name, layer.reason
            );
            return;
        }
        let said = outcome.results.unwrap();
        let said = said.as_array().unwrap();
        // Its template and its parent at least.
        assert!(said.len() >= 4, "{said:?}");
        assert!(
            said.iter().all(|word| word == "PermissionError"),
            "{said:?}"
        );
    }
}

/// What is beside something hidden stays open for the rules of the next attempt, but not all of it at any price.
#[tokio::test]
async fn very_many_files_beside_what_is_hidden_are_given_and_not_held_open() {
    const FILES: usize = 1_500;
    let rig = Rig::warm().await;
    let folder = rig.data.path().canonicalize().unwrap().join("many");
    std::fs::create_dir(&folder).unwrap();
    for number in 0..FILES {
        std::fs::write(folder.join(format!("{number}")), "x").unwrap();
    }
    let (last, key) = (folder.join(format!("{}", FILES - 1)), folder.join("key"));
    std::fs::write(&key, "hush").unwrap();
    let code = format!(
        "results = open({:?}).read()\ntry:\n    results += open({:?}).read()\nexcept PermissionError:\n    pass\n",
        last.display().to_string(),
        key.display().to_string()
    );
    for _ in 0..4 {
        let mut job = rig.job(&code);
        job.protection.hidden = vec![key.clone()];
        assert_eq!(rig.forked(job).await, json!("x"));
    }
    rig.waiting().await;
    for supervisor in rig.supervisors() {
        // Only root looks into a supervisor.
        if let Ok(open) = std::fs::read_dir(format!("/proc/{supervisor}/fd")) {
            assert!(open.count() < FILES / 2);
        }
    }
}

/// A system that does not let the template be copied has pairs for one attempt each.
#[tokio::test]
async fn without_copies_each_pair_runs_one_step() {
    let rig = Rig::with(WarmOptions {
        copies: false,
        ..at_once()
    })
    .await;
    let mut ran = Vec::new();
    for _ in 0..4 {
        let pids = rig.forked(rig.job(WHO)).await;
        ran.push(pids[0].clone());
    }
    let before = ran.len();
    ran.dedup();
    assert_eq!(ran.len(), before);
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
