//! `kill -9` at named points of an attempt, and of one of its processes alone.

use std::path::Path;

use serde_json::json;

use crate::cli_rig::text;
use crate::process_rig::{Scene, kill_command, wait_until};

/// A place in the life of an attempt, by the file that shows that it was reached.
#[derive(Debug, Clone, Copy)]
struct Point {
    file: &'static str,
    /// Whether the outcome of the attempt is written: whatever dies now, nothing runs again.
    is_over: bool,
}

const POINTS: [Point; 6] = [
    Point {
        file: "code.py",
        is_over: false,
    },
    Point {
        file: "job.json",
        is_over: false,
    },
    Point {
        file: ".attempt/started",
        is_over: false,
    },
    Point {
        file: ".attempt/begun",
        is_over: false,
    },
    Point {
        file: ".attempt/outcome.json",
        is_over: true,
    },
    Point {
        file: "notebook.ipynb",
        is_over: true,
    },
];

/// Starts `pair.yml` and kills its engine when the first step has left that file; the run.
fn killed_at(scene: &Scene, point: &str, pause: &str, everything: bool) -> String {
    let ledger = scene.ledger_input();
    let pause = format!("pause={pause}");
    let mut engine = scene.start(&["run", "pair.yml", "-i", &ledger, "-i", &pause]);
    let mut folder = None;
    let reached = || {
        folder = folder.take().or_else(|| scene.attempt("pair", "first", 1));
        folder
            .as_deref()
            .is_some_and(|folder: &Path| folder.join(point).exists())
    };
    wait_until(point, reached);
    assert!(
        kill_command(&mut engine),
        "it had ended before it reached {point}"
    );
    if everything {
        scene.kill_attempts();
    }
    text(&scene.place.json(0, &["list"])["runs"][0]["run_id"]).to_owned()
}

#[test]
fn at_every_point_of_an_attempt() {
    let mut adopted_over = 0;
    for point in POINTS {
        for everything in [false, true] {
            let scene = Scene::new();
            let run = killed_at(&scene, point.file, "0.3", everything);
            let after = scene.place.json(0, &["resume", &run]);
            assert_eq!(after["outputs"], json!({"value": 7}), "{point:?}");
            let audit = scene.audit(&run);
            let starts = scene.noted(&run, "first", "start");
            if point.is_over {
                // The engine may have recorded it in the moment before it died.
                assert_eq!(
                    (starts, audit.interrupted),
                    (1, 0),
                    "{point:?}, everything: {everything}"
                );
                adopted_over += audit.adopted;
            } else if everything && point.file.starts_with(".attempt") {
                assert_eq!((audit.adopted, audit.interrupted), (0, 1), "{point:?}");
            } else if everything {
                // A supervisor may be getting up: it is killed before the code has begun, or after it.
                assert_eq!(audit.adopted + audit.interrupted, 1, "{point:?}");
                assert!((1..=1 + audit.interrupted).contains(&starts), "{point:?}");
            } else {
                assert_eq!(audit.adopted + audit.interrupted, 1, "{point:?}");
                assert_eq!(starts, 1, "{point:?}: its supervisor lived, or never began");
            }
            scene.quiet();
            scene.verify();
            scene.nobody_panicked();
        }
    }
    assert!(adopted_over > 0, "an outcome that was written is adopted");
}

#[test]
fn what_ended_while_nobody_watched_is_adopted() {
    let scene = Scene::new();
    let run = killed_at(&scene, ".attempt/begun", "0.3", false);
    wait_until("the child has ended", || {
        scene.noted(&run, "first", "end") == 1
    });
    scene.quiet();
    assert_eq!(
        scene.show(&run)["steps"]["first"]["status"],
        "running",
        "nobody has looked yet"
    );
    let after = scene.place.json(0, &["resume", "--all"]);
    assert_eq!(after["runs"][0]["status"], "succeeded");
    let audit = scene.audit(&run);
    assert_eq!((audit.adopted, audit.interrupted), (1, 0));
    assert_eq!(scene.noted(&run, "first", "start"), 1);
}

#[test]
fn what_still_runs_is_waited_for_and_adopted() {
    let scene = Scene::new();
    let run = killed_at(&scene, ".attempt/begun", "1.0", false);
    assert_eq!(
        scene.supervisors().len(),
        1,
        "it goes on without its engine"
    );
    let after = scene.place.json(0, &["resume", &run]);
    assert_eq!(after["status"], "succeeded");
    assert_eq!(scene.audit(&run).adopted, 1);
    assert_eq!(scene.noted(&run, "first", "start"), 1);
}

/// A killed interpreter is a failure of its step, of the kind that its end has.
#[test]
fn a_killed_interpreter_is_a_failure_of_its_step() {
    let scene = Scene::new();
    let text_of = std::fs::read_to_string(scene.place.path("pair.yml")).unwrap();
    let line = text_of
        .lines()
        .find(|line| line.contains("max_attempts"))
        .unwrap();
    scene.place.write(
        "pair.yml",
        &text_of.replace(line, "  retry: {max_attempts: 1}"),
    );
    let ledger = scene.ledger_input();
    let mut engine = scene.start(&["run", "pair.yml", "-i", &ledger, "-i", "pause=30", "--json"]);
    wait_until("the code runs", || !scene.ledger().is_empty());
    scene
        .interpreters()
        .iter()
        .for_each(crate::process_rig::Process::kill);
    assert_eq!(engine.wait().unwrap().code(), Some(1));
    let document = scene.show("@last");
    let failure = &document["steps"]["first"]["failure"];
    assert_eq!(
        (&failure["kind"], &failure["code"]),
        (&json!("resources"), &json!("killed")),
        "{document}"
    );
    assert_eq!(document["status"], "failed");
    assert_eq!(document["steps"]["second"]["status"], "not_run");
    scene.quiet();
}

#[test]
fn with_a_retry_a_killed_interpreter_is_tried_again() {
    let scene = Scene::new();
    let ledger = scene.ledger_input();
    let mut engine = scene.start(&["run", "pair.yml", "-i", &ledger, "-i", "pause=0.4"]);
    wait_until("the code runs", || !scene.ledger().is_empty());
    scene
        .interpreters()
        .iter()
        .for_each(crate::process_rig::Process::kill);
    assert_eq!(engine.wait().unwrap().code(), Some(0));
    let document = scene.show("@last");
    let attempts = &document["steps"]["first"]["attempts"];
    assert_eq!(attempts[0]["failure"]["code"], "killed", "{document}");
    assert_eq!(attempts[1]["status"], "succeeded");
    let run = text(&document["run_id"]);
    assert_eq!(
        (
            scene.noted(run, "first", "start"),
            scene.noted(run, "first", "end")
        ),
        (2, 1)
    );
    scene.audit(run);
}

/// The watcher of a reading step dies under a living engine: nothing of the attempt lives on, and it is done again.
#[test]
fn a_killed_supervisor_takes_its_interpreter_along() {
    let scene = Scene::new();
    let ledger = scene.ledger_input();
    let mut engine = scene.start(&["run", "pair.yml", "-i", &ledger, "-i", "pause=0.4"]);
    wait_until("the code runs", || !scene.ledger().is_empty());
    let interpreters = scene.interpreters();
    scene
        .supervisors()
        .iter()
        .for_each(crate::process_rig::Process::kill);
    wait_until("its interpreter is gone", || {
        !Path::new(&format!("/proc/{}/environ", interpreters[0].pid)).exists()
            || scene
                .interpreters()
                .iter()
                .all(|one| one.pid != interpreters[0].pid)
    });
    assert_eq!(engine.wait().unwrap().code(), Some(0));
    let document = scene.show("@last");
    assert_eq!(
        document["steps"]["first"]["attempts"]
            .as_array()
            .unwrap()
            .len(),
        2,
        "{document}"
    );
    let run = text(&document["run_id"]);
    assert_eq!(
        (
            scene.noted(run, "first", "start"),
            scene.noted(run, "first", "end")
        ),
        (2, 1)
    );
    scene.audit(run);
    scene.quiet();
}
