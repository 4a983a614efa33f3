//! `kill -9` at random moments, a hundred times: every run comes to its right end, and nothing runs twice in vain.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli_rig::text;
use crate::process_rig::{Audit, Scene, kill_command, wait_until};

/// Kills that land before the test is content.
const KILLS: usize = 100;
/// Runs that are under way at the same time in one data folder.
const RUNS: i64 = 4;
/// Kill attempts in one data folder before the runs are left in peace.
const ROUNDS_MAX: usize = 25;

/// Folders after which it must be content.
const FOLDERS_MAX: u64 = 60;
/// How often it is looked for something to be killed.
const TARGET_LOOKS: usize = 200;

/// A small generator of even numbers: what it gives is fixed by its seed.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    /// A number below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % sides
    }

    fn pause(&mut self, millis: std::ops::Range<u64>) {
        let millis = millis.start + self.roll(millis.end - millis.start);
        std::thread::sleep(Duration::from_millis(millis));
    }
}

/// Attempts that may be cut off in one data folder: a step fails when that happens to it ten times.
const CUT_OFF_MAX: usize = 9;

/// What was killed, over all folders.
#[derive(Debug, Default)]
struct Count {
    tried: AtomicUsize,
    /// Engines alone, and engines with everything that they had started.
    engines: AtomicUsize,
    everything: AtomicUsize,
    supervisors: AtomicUsize,
    interpreters: AtomicUsize,
    adopted: AtomicUsize,
    interrupted: AtomicUsize,
}

impl Count {
    fn kills(&self) -> usize {
        let parts = [
            &self.engines,
            &self.everything,
            &self.supervisors,
            &self.interpreters,
        ];
        parts.iter().map(|part| part.load(Ordering::Relaxed)).sum()
    }

    /// How often each thing happened that must have happened.
    fn needed(&self) -> [(&'static str, usize); 4] {
        [
            ("adopted", &self.adopted),
            ("interrupted", &self.interrupted),
            ("engines killed alone", &self.engines),
            ("interpreters killed alone", &self.interpreters),
        ]
        .map(|(what, part)| (what, part.load(Ordering::Relaxed)))
    }

    fn add(&self, audit: Audit) {
        self.adopted.fetch_add(audit.adopted, Ordering::Relaxed);
        self.interrupted
            .fetch_add(audit.interrupted, Ordering::Relaxed);
    }
}

#[test]
fn a_hundred_kills_at_random_moments() {
    let seed = std::env::var("STEPWELL_TEST_SEED").map_or_else(
        |_| u64::from(std::process::id()) * 0x9E37_79B9 + 1,
        |seed| seed.parse().unwrap(),
    );
    println!("seed {seed} (again with STEPWELL_TEST_SEED)");
    let count = Count::default();
    let folders = Mutex::new(0_u64);
    let work = || {
        loop {
            let seen = count.needed().iter().all(|(_, times)| *times > 0);
            let folder = {
                let mut next = folders.lock().unwrap();
                if (count.kills() >= KILLS && seen) || *next == FOLDERS_MAX {
                    break;
                }
                *next += 1;
                *next
            };
            one_folder(
                &mut Dice(seed.wrapping_add(folder.wrapping_mul(0x9E37_79B9_7F4A_7C15))),
                &count,
            );
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    println!("seed {seed}: {} kills, {count:?}", count.kills());
    let (kills, tried) = (count.kills(), count.tried.load(Ordering::Relaxed));
    assert!(
        kills * 10 >= tried * 7,
        "only {kills} of {tried} kills met something alive"
    );
    assert!(
        kills >= KILLS,
        "only {kills} kills in {FOLDERS_MAX} folders"
    );
    for (what, times) in count.needed() {
        assert!(times > 0, "nothing was {what}");
    }
}

/// Some runs, driven by engines that keep being killed, until all have ended.
fn one_folder(dice: &mut Dice, count: &Count) {
    let scene = Scene::new();
    scene.warm_up();
    let first = i64::try_from(dice.roll(50)).unwrap();
    let runs: Vec<(i64, String)> = (first..first + RUNS)
        .map(|n| (n, scene.create("killed.yml", &[&format!("n={n}")])))
        .collect();
    let mut cut_off = 0;
    for round in 0.. {
        let ended = if round < ROUNDS_MAX {
            drive_and_kill(&scene, dice, count, &mut cut_off)
        } else {
            scene
                .start(&["resume", "--all", "-q"])
                .wait()
                .unwrap()
                .code()
        };
        match ended {
            Some(0) => break,
            Some(3) => answer_all(&scene, dice, count),
            None => {}
            Some(_) => panic!("the engine gave up: {ended:?} (seed of the folder: {dice:?})"),
        }
    }
    scene.quiet();
    for (n, run) in &runs {
        let document = scene.show(run);
        assert_eq!(document["status"], "succeeded", "{document}");
        assert_eq!(document["outputs"], expected(*n), "{document}");
        count.add(scene.audit(run));
    }
    scene.verify();
    scene.nobody_panicked();
}

/// What the workflow computes.
fn expected(n: i64) -> Value {
    let step = |value: i64| value * 2 + 1;
    let load = step(n);
    let sum = step(load) + step(load + 1);
    let (arm, value) = if sum % 8 == 0 {
        ("fine", step(sum))
    } else {
        ("coarse", sum)
    };
    json!({"arm": arm, "total": step(step(value * 3))})
}

/// Lets an engine work on all runs for a moment, and kills it or something that it has started. Its exit code
/// when it came to an end by itself.
fn drive_and_kill(
    scene: &Scene,
    dice: &mut Dice,
    count: &Count,
    cut_off: &mut usize,
) -> Option<i32> {
    let mut engine = scene.start(&["resume", "--all", "-q"]);
    dice.pause(30..500);
    // Once enough attempts were cut off, only engines and interpreters are killed.
    let victim = match dice.roll(10) {
        2.. if *cut_off >= CUT_OFF_MAX => 5,
        other => other,
    };
    *cut_off += usize::from(matches!(victim, 2 | 3 | 7..));
    let hit = |part: &AtomicUsize| part.fetch_add(1, Ordering::Relaxed);
    if victim < 4 {
        let part = if victim < 2 {
            &count.interpreters
        } else {
            &count.supervisors
        };
        let mut targets = Vec::new();
        // On a busy machine it is a while until there is one.
        for _ in 0..TARGET_LOOKS {
            targets = if victim < 2 {
                scene.interpreters()
            } else {
                scene.supervisors()
            };
            if !targets.is_empty() || engine.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        if !targets.is_empty() {
            let one = usize::try_from(dice.roll(targets.len() as u64)).unwrap();
            targets.swap_remove(one).kill();
            hit(&count.tried);
            hit(part);
            dice.pause(10..200);
        }
    }
    if let Some(ended) = engine.try_wait().unwrap() {
        return ended.code();
    }
    hit(&count.tried);
    let everything = victim > 6;
    if !kill_command(&mut engine) {
        return engine.wait().unwrap().code();
    }
    hit(if everything {
        &count.everything
    } else {
        &count.engines
    });
    if everything {
        scene.kill_attempts();
    } else if dice.roll(3) == 0 {
        // What runs on unwatched comes to its end.
        wait_until("the attempts have ended", || scene.processes().is_empty());
    }
    None
}

/// Answers every open question, now and then with a killed command: then the answer is recorded or it is asked again.
fn answer_all(scene: &Scene, dice: &mut Dice, count: &Count) {
    let document = scene.place.json(0, &["approvals"]);
    for asked in document["approvals"].as_array().unwrap() {
        let mut args = vec![
            "approve",
            text(&asked["approval_id"]),
            "--form",
            "factor=3",
            "-q",
        ];
        if dice.roll(2) == 0 {
            args.push("--resume");
        }
        let mut command = scene.start(&args);
        if dice.roll(3) > 0 {
            dice.pause(5..90);
            count.tried.fetch_add(1, Ordering::Relaxed);
            let killed = kill_command(&mut command);
            count
                .engines
                .fetch_add(usize::from(killed), Ordering::Relaxed);
        }
        assert!(matches!(command.wait().unwrap().code(), None | Some(0)));
    }
}

/// How many stored files there are.
fn stored(scene: &Scene) -> usize {
    let folders = std::fs::read_dir(scene.data().join("blobs"))
        .unwrap()
        .flatten();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()));
    files.map(Iterator::count).sum()
}

#[test]
fn a_run_that_was_being_created_exists_or_does_not() {
    let mut dice = Dice(u64::from(std::process::id()) | 1);
    let scene = Scene::new();
    let text_of = std::fs::read_to_string(scene.place.path("pair.yml")).unwrap();
    scene.create("pair.yml", &["pause=0"]);
    let ledger = scene.ledger_input();
    let mut killed = 0;
    for turn in 0..16 {
        // Another text each time: its files are stored before the run that refers to them.
        scene
            .place
            .write("pair.yml", &format!("{text_of}# {turn}\n"));
        let before = stored(&scene);
        let args = [
            "run", "pair.yml", "--detach", "-i", &ledger, "-i", "pause=0",
        ];
        let mut command = scene.start(&args);
        if turn % 2 == 0 {
            wait_until("something is stored", || stored(&scene) > before);
        } else {
            dice.pause(2..60);
        }
        killed += usize::from(kill_command(&mut command));
    }
    assert!(killed > 3, "only {killed} of 16 kills met something alive");
    scene.verify();
    let ended = scene.place.json(0, &["resume", "--all"]);
    let runs = ended["runs"].as_array().unwrap();
    let possible = 17 - killed..=17;
    assert!(
        possible.contains(&runs.len()),
        "{} runs, {killed} kills",
        runs.len()
    );
    for run in runs {
        assert_eq!(run["status"], "succeeded");
        assert_eq!(run["outputs"], json!({"value": 7}));
        scene.audit(text(&run["run_id"]));
    }
    scene.quiet();
    scene.nobody_panicked();
}
