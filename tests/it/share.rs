//! Several processes in one data folder: commands beside a run, owners that are killed, strangers at the socket.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::cli_rig::text;
use crate::process_rig::{Scene, kill_command, wait_until};

/// Kills that land before the test of random kills is content.
const KILLS: usize = 20;

fn started(scene: &Scene, run: &str, step: &str) {
    wait_until(&format!("{step} has begun"), || {
        scene.noted(run, step, "start") > 0
    });
}

/// Starts a command, and waits until it owns the store or has found the owner: then it is known who came first.
fn resumed(scene: &Scene, run: &str, step: &str) -> Child {
    let child = scene.start(&["resume", run, "-q"]);
    started(scene, run, step);
    child
}

fn code(child: &mut Child) -> Option<i32> {
    child.wait().unwrap().code()
}

fn count(events: &[Value], name: &str) -> usize {
    events.iter().filter(|event| event["name"] == name).count()
}

#[test]
fn every_command_works_beside_a_run() {
    let scene = Scene::new();
    scene.warm_up();
    let run = scene.create("beside.yml", &["pause=5"]);
    let mut first = resumed(&scene, &run, "long");
    let place = &scene.place;

    let listed = place.json(0, &["list", "--status", "running"]);
    assert_eq!(listed["runs"][0]["run_id"], run.as_str());
    assert_eq!(scene.show(&run)["status"], "running");
    place.json(0, &["events", &run]);
    place.json(0, &["logs", &run]);
    let doctor = place.json(0, &["doctor"]).to_string();
    let owner = format!("asked through process {} since", first.id());
    assert!(doctor.contains(&owner), "{doctor}");
    assert!(
        doctor.contains(&format!("is driven by process {}", first.id())),
        "{doctor}"
    );

    let refused = place.json(1, &["resume", &run]);
    assert_eq!(refused["error"]["code"], "run_driven", "{refused}");
    let message = text(&refused["error"]["message"]);
    assert!(
        message.contains(&format!("process {} since", first.id())),
        "{message}"
    );
    let all = place.json(0, &["resume", "--all"]);
    assert_eq!(all["runs"][0]["error"]["code"], "run_driven", "{all}");

    let other = place.json(0, &["run", "plain.yml"]);
    assert_eq!(other["status"], "succeeded");
    let ledger = scene.ledger_input();
    place.json(0, &["run", "pair.yml", "-i", &ledger, "-i", "pause=0"]);

    let approved = place.json(0, &["approve", &run]);
    assert_eq!(approved["next"], Value::Null, "{approved}");
    assert!(
        text(&approved["driven_by"]).contains(&format!("process {}", first.id())),
        "{approved}"
    );
    wait_until("the step behind the question has ended", || {
        scene.noted(&run, "behind", "end") == 1
    });
    assert_eq!(
        scene.noted(&run, "long", "end"),
        0,
        "the answer is heard while the long step goes on"
    );
    assert_eq!(code(&mut first), Some(0));
    assert_eq!(scene.show(&run)["outputs"]["behind"], 5);
    scene.audit(&run);
    scene.verify();
    scene.quiet();
    scene.nobody_panicked();
    let leases = std::fs::read_dir(scene.data().join("drivers")).unwrap();
    assert_eq!(leases.count(), 0, "nobody drives any more");
}

#[test]
fn an_answer_may_wait_for_the_end_of_a_run_that_is_driven_elsewhere() {
    let scene = Scene::new();
    scene.warm_up();
    let run = scene.create("beside.yml", &["pause=2"]);
    let mut first = resumed(&scene, &run, "long");
    let ended = scene.place.json(0, &["approve", &run, "--resume"]);
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert_eq!(code(&mut first), Some(0));
    scene.audit(&run);
    scene.nobody_panicked();
}

#[test]
fn a_run_is_cancelled_from_another_process_whoever_owns_the_store() {
    let scene = Scene::new();
    scene.warm_up();
    let [owned, asked] = [0; 2].map(|_| scene.create("beside.yml", &["pause=50"]));
    let mut owner = resumed(&scene, &owned, "long");
    let mut guest = resumed(&scene, &asked, "long");
    for (run, driver) in [(&asked, &mut guest), (&owned, &mut owner)] {
        let cancelled = scene.place.json(0, &["cancel", run, "--reason", "enough"]);
        assert_eq!(cancelled["status"], "cancelled", "{cancelled}");
        assert_eq!(code(driver), Some(1), "its driver hears of it");
        let events = scene.events(run);
        assert_eq!(count(&events, "RunCancelRequested"), 1);
        assert_eq!(count(&events, "RunCancelled"), 1);
        assert_eq!(scene.noted(run, "long", "end"), 0);
    }
    assert_eq!(scene.processes().len(), 0, "no process is alive");
    scene.verify();
    scene.nobody_panicked();
}

#[test]
fn a_run_that_only_sleeps_is_cancelled_at_once() {
    let scene = Scene::new();
    scene.warm_up();
    let run = text(&scene.place.json(0, &["run", "later.yml", "--detach"])["run_id"]).to_owned();
    let mut driver = scene.start(&["resume", &run, "-q"]);
    wait_until("a retry is due", || {
        count(&scene.events(&run), "RetryScheduled") > 0
    });
    scene.place.json(0, &["cancel", &run]);
    assert_eq!(code(&mut driver), Some(1));
    scene.nobody_panicked();
}

#[test]
fn when_the_owner_is_killed_the_other_takes_over_and_finishes() {
    let scene = Scene::new();
    scene.warm_up();
    let [first, second] = [0; 2].map(|_| scene.create("pair.yml", &["pause=1.5"]));
    let mut owner = resumed(&scene, &first, "first");
    let mut guest = resumed(&scene, &second, "first");
    assert!(kill_command(&mut owner));
    assert_eq!(code(&mut guest), Some(0), "it takes over and finishes");
    assert_eq!(scene.show(&second)["status"], "succeeded");
    scene.verify();
    // What the owner drove is resumable; its step went on.
    let document = scene.place.json(0, &["resume", &first]);
    assert_eq!(document["status"], "succeeded");
    for run in [&first, &second] {
        scene.audit(run);
        assert_eq!(count(&scene.events(run), "AttemptStarted"), 2);
        for step in ["first", "second"] {
            assert_eq!(scene.noted(run, step, "start"), 1, "{step} runs once");
        }
    }
    scene.verify();
    scene.quiet();
    scene.nobody_panicked();
}

#[test]
fn an_answer_is_heard_by_a_guest_that_has_become_the_owner() {
    let scene = Scene::new();
    scene.warm_up();
    let other = scene.create("pair.yml", &["pause=50"]);
    let run = scene.create("beside.yml", &["pause=5"]);
    let mut owner = resumed(&scene, &other, "first");
    let mut guest = resumed(&scene, &run, "long");
    assert!(kill_command(&mut owner));
    let approved = scene.place.json(0, &["approve", &run]);
    assert!(
        text(&approved["driven_by"]).contains(&format!("process {}", guest.id())),
        "{approved}"
    );
    assert_eq!(code(&mut guest), Some(0));
    scene.audit(&run);
    scene.place.json(0, &["cancel", &other]);
    scene.verify();
    scene.nobody_panicked();
}

#[test]
fn twenty_kills_at_random_moments_with_two_processes_at_work() {
    let seed = std::env::var("STEPWELL_TEST_SEED").map_or_else(
        |_| u64::from(std::process::id()) * 0x9E37_79B9 + 1,
        |seed| seed.parse().unwrap(),
    );
    println!("seed {seed} (again with STEPWELL_TEST_SEED)");
    let mut dice = seed;
    let mut roll = |sides: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        (dice >> 16) % sides
    };
    let (mut kills, mut taken_over) = (0, 0);
    while kills < KILLS {
        let scene = Scene::new();
        scene.warm_up();
        let runs = [0; 2].map(|_| scene.create("pair.yml", &["pause=0.3"]));
        let start = |run: &str| scene.start(&["resume", run, "-q"]);
        let mut drivers = [0, 1].map(|index| start(&runs[index]));
        for _ in 0..8 {
            std::thread::sleep(std::time::Duration::from_millis(20 + roll(250)));
            let victim = usize::from(roll(2) == 0);
            let killed = kill_command(&mut drivers[victim]);
            kills += usize::from(killed);
            if let Some(ended) = drivers[1 - victim].try_wait().unwrap() {
                assert_eq!(ended.code(), Some(0), "the other has finished");
            } else {
                taken_over += usize::from(killed);
            }
            drivers[victim] = start(&runs[victim]);
        }
        for driver in &mut drivers {
            assert_eq!(code(driver), Some(0));
        }
        for run in &runs {
            assert_eq!(scene.show(run)["status"], "succeeded");
            scene.audit(run);
        }
        scene.verify();
        scene.quiet();
        scene.nobody_panicked();
    }
    assert!(taken_over > KILLS / 4, "only {taken_over} left another one");
}

#[test]
fn an_owner_that_stands_still_is_named() {
    let scene = Scene::new();
    scene.warm_up();
    let run = scene.create("pair.yml", &["pause=3"]);
    let mut owner = resumed(&scene, &run, "first");
    let pid = Pid::from_raw(i32::try_from(owner.id()).unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    let refused = scene.place.json(4, &["list"]);
    kill(pid, Signal::SIGCONT).unwrap();
    assert_eq!(refused["error"]["code"], "store_locked", "{refused}");
    let message = text(&refused["error"]["message"]);
    assert!(
        message.contains(&format!("process {}", owner.id())) && message.contains("not answer"),
        "{message}"
    );
    assert_eq!(code(&mut owner), Some(0));
    scene.verify();
}

#[test]
fn another_user_is_sent_away_even_where_the_rights_of_the_file_would_let_them_in() {
    if !nix::unistd::geteuid().is_root() {
        assert!(std::env::var_os("CI").is_none(), "needs root");
        println!("skipped, only for root");
        return;
    }
    let scene = Scene::new();
    scene.warm_up();
    let run = scene.create("pair.yml", &["pause=3"]);
    let mut owner = resumed(&scene, &run, "first");
    let socket = scene.data().join("store.sock");
    for path in socket
        .ancestors()
        .take_while(|path| path.parent().is_some())
    {
        let rights = std::fs::metadata(path).unwrap().permissions().mode();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(rights | 0o777)).unwrap();
    }
    let code_of_stranger = "
import socket, struct, sys
hello = b'{\"protocol\":1,\"version\":\"0\"}'
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1])
peer.sendall(struct.pack('>II', len(hello), 0) + hello)
answer = b''
while part := peer.recv(4096):
    answer += part
    if sys.argv[2] == 'once': break
print(answer)
";
    let ask = |uid: u32, how: &str| {
        let mut python = Command::new("python3");
        python.args(["-c", code_of_stranger]).arg(&socket).arg(how);
        let ran = python.uid(uid).current_dir("/").output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
        String::from_utf8(ran.stdout).unwrap()
    };
    let welcome = ask(0, "once");
    assert!(welcome.contains("welcome"), "{welcome}");
    let refused = ask(65_534, "to the end");
    assert!(
        refused.contains("another user") && !refused.contains("welcome"),
        "{refused}"
    );
    assert_eq!(code(&mut owner), Some(0));
}
