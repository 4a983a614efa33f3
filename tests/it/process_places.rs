//! Locks and groups between processes that work in one data folder, and questions of items, with the real program and
//! `kill -9`.

use std::fs::File;
use std::process::Child;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::cli_rig::text;
use crate::process_rig::{Scene, kill_command, wait_until};

fn resumed(scene: &Scene, run: &str) -> Child {
    scene.start(&["resume", run, "-q"])
}

fn has(scene: &Scene, run: &str, event: &str) -> bool {
    scene.events(run).iter().any(|one| one["name"] == event)
}

/// When the step that holds the place began and ended in each of the runs, in the order of the beginnings.
fn turns(scene: &Scene, step: &str) -> Vec<(i64, i64, String)> {
    let ledger = scene.ledger();
    let of = |run: &str, what: &str| {
        let mut found = ledger
            .iter()
            .filter(|one| one.run == run && one.step == step && one.what == what);
        let at = found.next().map(|one| one.at);
        assert!(found.next().is_none(), "{run} {what} once");
        at
    };
    let begun = ledger.iter().filter(|one| one.step == step);
    let mut runs: Vec<&str> = begun.map(|one| one.run.as_str()).collect();
    runs.dedup();
    runs.sort_unstable();
    runs.dedup();
    let turn = |run: &str| {
        let end = of(run, "end").unwrap_or(i64::MAX);
        (of(run, "start").unwrap(), end, run.to_owned())
    };
    let mut turns: Vec<_> = runs.into_iter().map(turn).collect();
    turns.sort_unstable();
    turns
}

fn one_at_a_time(turns: &[(i64, i64, String)]) {
    for pair in turns.windows(2) {
        assert!(pair[0].1 <= pair[1].0, "two at once: {turns:?}");
    }
}

#[test]
fn no_two_processes_ever_have_the_same_place() {
    for file in ["lock.yml", "group.yml"] {
        let scene = Scene::new();
        scene.warm_up();
        let runs = [(); 4].map(|()| scene.create(file, &["pause=0.4"]));
        let mut drivers = runs.each_ref().map(|run| resumed(&scene, run));
        for driver in &mut drivers {
            assert_eq!(driver.wait().unwrap().code(), Some(0), "{file}");
        }
        let turns = turns(&scene, "hold");
        assert_eq!(turns.len(), 4, "{file}");
        one_at_a_time(&turns);
        for run in &runs {
            assert_eq!(scene.show(run)["status"], "succeeded");
        }
        scene.verify();
        scene.quiet();
        scene.nobody_panicked();
    }
}

#[test]
fn a_killed_engine_keeps_its_place_as_long_as_its_step_may_run_and_the_next_gets_it_then() {
    for file in ["lock.yml", "group.yml"] {
        let scene = Scene::new();
        scene.warm_up();
        let [first, second] = [(); 2].map(|()| scene.create(file, &["pause=2"]));
        let mut holder = resumed(&scene, &first);
        wait_until("the first holds it", || {
            scene.noted(&first, "hold", "start") == 1
        });
        let mut next = resumed(&scene, &second);
        let queued = if file == "lock.yml" {
            "StepQueued"
        } else {
            "RunQueued"
        };
        wait_until("the second queues", || has(&scene, &second, queued));
        assert!(kill_command(&mut holder));
        // The code of the first goes on without its engine: nobody may come between.
        wait_until("the code has ended", || {
            scene.noted(&first, "hold", "end") == 1
        });
        assert_eq!(scene.noted(&second, "hold", "start"), 0, "{file}");
        // Whoever takes the first up again finds what it left, and its place is free.
        let ended = scene.place.json(0, &["resume", &first]);
        assert_eq!(ended["status"], "succeeded");
        assert_eq!(next.wait().unwrap().code(), Some(0), "{file}");
        let turns = turns(&scene, "hold");
        assert_eq!(turns.len(), 2);
        one_at_a_time(&turns);
        scene.verify();
        scene.quiet();
        scene.nobody_panicked();
    }
}

#[test]
fn who_waits_for_a_run_that_nobody_drives_is_told_which_one() {
    let scene = Scene::new();
    scene.warm_up();
    for file in ["lock.yml", "group.yml"] {
        let [first, second] = [(); 2].map(|()| scene.create(file, &["pause=2"]));
        let mut holder = resumed(&scene, &first);
        wait_until("the first holds it", || {
            scene.noted(&first, "hold", "start") == 1
        });
        assert!(kill_command(&mut holder));
        let log = scene.data().join("second.log");
        let mut next = scene
            .place
            .command(&["resume", &second])
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let short = &first[first.len() - 8..];
        let hint = format!("nobody drives that run: `stepwell resume {short}`");
        wait_until("it says so", || {
            std::fs::read_to_string(&log).unwrap().contains(&hint)
        });
        scene.place.json(0, &["resume", &first]);
        assert_eq!(next.wait().unwrap().code(), Some(0));
        one_at_a_time(&turns(&scene, "hold"));
    }
    scene.nobody_panicked();
}

#[test]
fn a_killed_engine_that_only_waited_stands_in_nobodys_way() {
    let scene = Scene::new();
    scene.warm_up();
    let [first, second, third] = [(); 3].map(|()| scene.create("lock.yml", &["pause=1.5"]));
    let mut holder = resumed(&scene, &first);
    wait_until("the first holds it", || {
        scene.noted(&first, "hold", "start") == 1
    });
    let mut waits = resumed(&scene, &second);
    wait_until("the second queues", || has(&scene, &second, "StepQueued"));
    let mut last = resumed(&scene, &third);
    wait_until("the third queues", || has(&scene, &third, "StepQueued"));
    assert!(kill_command(&mut waits));
    assert_eq!(holder.wait().unwrap().code(), Some(0));
    assert_eq!(last.wait().unwrap().code(), Some(0));
    assert_eq!(scene.noted(&second, "hold", "start"), 0);
    scene.place.json(0, &["resume", &second]);
    one_at_a_time(&turns(&scene, "hold"));
    scene.verify();
    scene.nobody_panicked();
}

#[test]
fn processes_get_their_turn_in_the_order_in_which_they_came() {
    let scene = Scene::new();
    scene.warm_up();
    let runs = [(); 4].map(|()| scene.create("lock.yml", &["pause=1.2"]));
    let mut drivers = Vec::new();
    // Whoever was created last comes first, so that the order is that of coming.
    for run in runs.iter().rev() {
        drivers.push(resumed(&scene, run));
        let line = scene.data().join("line");
        wait_until("it holds the lock or lines up", || {
            let shown = std::fs::read_dir(&line).map_or(0, Iterator::count);
            let begun = runs
                .iter()
                .filter(|run| scene.noted(run, "hold", "start") == 1)
                .count();
            shown + begun >= drivers.len()
        });
    }
    for driver in &mut drivers {
        assert_eq!(driver.wait().unwrap().code(), Some(0));
    }
    let turns = turns(&scene, "hold");
    let order: Vec<&String> = turns.iter().map(|(_, _, run)| run).collect();
    assert_eq!(order, runs.iter().rev().collect::<Vec<_>>());
    one_at_a_time(&turns);
}

/// Every process looks each half second by itself, and at once when it hears of an append.
const SEVERAL_LOOKS: Duration = Duration::from_secs(2);

#[test]
fn a_process_that_is_held_up_keeps_its_turn() {
    let scene = Scene::new();
    scene.warm_up();
    let [first, second, third] = [(); 3].map(|()| scene.create("lock.yml", &["pause=1.5"]));
    let mut holder = resumed(&scene, &first);
    wait_until("the first holds it", || {
        scene.noted(&first, "hold", "start") == 1
    });
    let line = || std::fs::read_dir(scene.data().join("line")).map_or(0, Iterator::count);
    let mut second_driver = resumed(&scene, &second);
    wait_until("the second lines up", || line() == 1);
    let stopped = Pid::from_raw(i32::try_from(second_driver.id()).unwrap());
    wait_until("it is held up between two looks", || {
        kill(stopped, Signal::SIGSTOP).unwrap();
        let between = File::create(scene.data().join("slots.lock")).unwrap();
        let between = between.try_lock().is_ok();
        if !between {
            kill(stopped, Signal::SIGCONT).unwrap();
        }
        between
    });
    let mut third_driver = resumed(&scene, &third);
    wait_until("the third lines up", || line() == 2);
    assert_eq!(holder.wait().unwrap().code(), Some(0));
    // Free, and only the third could take it: it must not.
    std::thread::sleep(SEVERAL_LOOKS);
    let begun = scene.noted(&third, "hold", "start");
    kill(stopped, Signal::SIGCONT).unwrap();
    assert_eq!(begun, 0, "the second came before");
    for driver in [&mut second_driver, &mut third_driver] {
        assert_eq!(driver.wait().unwrap().code(), Some(0));
    }
    let turns = turns(&scene, "hold");
    let order: Vec<&String> = turns.iter().map(|(_, _, run)| run).collect();
    assert_eq!(order, [&first, &second, &third]);
    one_at_a_time(&turns);
    scene.verify();
    scene.nobody_panicked();
}

#[test]
fn answers_for_items_survive_the_death_of_their_engine() {
    let scene = Scene::new();
    scene.warm_up();
    let run = scene.create("items.yml", &["pause=3"]);
    let mut driver = resumed(&scene, &run);
    let questions = || -> Vec<String> {
        let shown = scene.show(&run);
        let listed = shown["waiting"].as_array().cloned().unwrap_or_default();
        let ids = listed
            .iter()
            .map(|one| text(&one["approval_id"]).to_owned());
        ids.collect()
    };
    wait_until("all three are asked", || questions().len() == 3);
    let asked = questions();
    scene.place.json(0, &["approve", &asked[0]]);
    let worked = |what: &str| {
        let steps = [1, 2, 3].map(|shot| format!("per[shot_{shot}].work"));
        steps
            .iter()
            .map(|step| scene.noted(&run, step, what))
            .sum::<usize>()
    };
    wait_until("the first item is done", || worked("end") == 1);
    assert!(kill_command(&mut driver));
    for question in &asked[1..] {
        scene.place.json(0, &["approve", question]);
    }
    let ended: Value = scene.place.json(0, &["resume", &run]);
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert_eq!(ended["outputs"], json!({"values": [3, 5, 7]}));
    assert_eq!((worked("start"), worked("end")), (3, 3), "each once");
    assert_eq!(
        scene.noted(&run, "long", "start"),
        1,
        "adopted, not repeated"
    );
    scene.audit(&run);
    scene.verify();
    scene.quiet();
    scene.nobody_panicked();
}
