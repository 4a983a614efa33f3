//! A step that writes, interrupted: it is never repeated unless a person says so, and asks only when it may have begun.

use std::fs;
use std::path::PathBuf;
use std::process::Child;

use serde_json::{Value, json};

use crate::cli_rig::text;
use crate::process_rig::{Scene, kill_command, wait_until};

/// Creates the run and lets it ask for its code; the run and the question.
fn asked(scene: &Scene, pause: &str) -> (String, String) {
    let run = scene.create("write.yml", &[&format!("pause={pause}")]);
    let document = scene.place.json(3, &["resume", &run]);
    assert_eq!(document["waiting"][0]["subject"], "code");
    (run, text(&document["waiting"][0]["approval_id"]).to_owned())
}

/// Approves the code and drives the run on, in the background.
fn approved(scene: &Scene, question: &str) -> Child {
    scene.start(&["approve", question, "--resume", "-q"])
}

/// A run whose write was interrupted after it had begun, engine and all; it has been taken up again, and asks.
fn interrupted(scene: &Scene) -> (String, String) {
    let (run, question) = asked(scene, "0.4");
    let mut engine = approved(scene, &question);
    wait_until("the write has begun", || {
        scene.noted(&run, "apply", "start") == 1
    });
    assert!(kill_command(&mut engine));
    scene.kill_attempts();
    assert_eq!(
        scene.show(&run)["steps"]["apply"]["status"],
        "running",
        "nobody has looked yet"
    );
    for _ in 0..2 {
        let document = scene.place.json(3, &["resume", "--all"]);
        let document = &document["runs"][0];
        assert_eq!(
            (&document["status"], &document["steps"]["apply"]["status"]),
            (&json!("waiting"), &json!("unknown"))
        );
        assert_eq!(
            document["steps"]["apply"]["attempts"][0]["status"],
            "unknown"
        );
        assert_eq!(document["waiting"].as_array().unwrap().len(), 1);
        assert_eq!(document["waiting"][0]["subject"], "unknown_outcome");
    }
    assert_eq!(
        starts_and_ends(scene, &run),
        (1, 0),
        "it is not repeated by itself"
    );
    let document = scene.show(&run);
    (run, text(&document["waiting"][0]["approval_id"]).to_owned())
}

fn starts_and_ends(scene: &Scene, run: &str) -> (usize, usize) {
    (
        scene.noted(run, "apply", "start"),
        scene.noted(run, "apply", "end"),
    )
}

fn at_the_end(scene: &Scene) {
    scene.quiet();
    scene.verify();
    scene.nobody_panicked();
}

#[test]
fn it_asks_and_run_again_runs_it_again() {
    let scene = Scene::new();
    let (run, question) = interrupted(&scene);
    let missing = scene.place.json(2, &["approve", &question]);
    assert_eq!(missing["error"]["code"], "form_invalid", "{missing}");
    let document = scene.place.json(
        0,
        &[
            "approve",
            &question,
            "--form",
            "answer=run_again",
            "--resume",
        ],
    );
    assert_eq!(
        document["outputs"],
        json!({"value": 3, "applied": "succeeded"})
    );
    assert_eq!(starts_and_ends(&scene, &run), (2, 1));
    at_the_end(&scene);
}

#[test]
fn it_asks_and_done_takes_it_as_done() {
    let scene = Scene::new();
    let (run, question) = interrupted(&scene);
    let document = scene.place.json(
        0,
        &["approve", &question, "--form", "answer=done", "--resume"],
    );
    // Nobody knows its outputs, so what falls back on them does.
    assert_eq!(
        document["outputs"],
        json!({"value": 0, "applied": "succeeded"})
    );
    assert_eq!(document["steps"]["apply"]["status"], "succeeded");
    assert_eq!(starts_and_ends(&scene, &run), (1, 0));
    at_the_end(&scene);
}

#[test]
fn it_asks_and_no_fails_it() {
    let scene = Scene::new();
    let (run, question) = interrupted(&scene);
    scene.place.json(
        0,
        &[
            "reject",
            &question,
            "--comment",
            "look at the magnets first",
        ],
    );
    let document = scene.place.json(1, &["resume", &run]);
    assert_eq!(document["status"], "failed", "{document}");
    assert_eq!(document["steps"]["apply"]["status"], "failed");
    assert_eq!(
        document["steps"]["apply"]["failure"]["code"],
        "outcome_unknown"
    );
    assert_eq!(
        document["outputs"],
        json!({"value": 0, "applied": "failed"})
    );
    assert_eq!(starts_and_ends(&scene, &run), (1, 0));
    at_the_end(&scene);
}

/// Its watcher dies under a living engine: the same question.
#[test]
fn a_write_that_lost_its_supervisor_asks() {
    let scene = Scene::new();
    let (run, question) = asked(&scene, "0.4");
    let mut engine = approved(&scene, &question);
    wait_until("the write has begun", || {
        scene.noted(&run, "apply", "start") == 1
    });
    scene
        .supervisors()
        .iter()
        .for_each(crate::process_rig::Process::kill);
    assert_eq!(engine.wait().unwrap().code(), Some(3));
    let document = scene.show(&run);
    assert_eq!(document["waiting"][0]["subject"], "unknown_outcome");
    assert_eq!(starts_and_ends(&scene, &run), (1, 0));
    at_the_end(&scene);
}

/// A write that goes on without its engine is adopted: nothing to ask.
#[test]
fn a_write_that_outlives_its_engine_is_adopted() {
    let scene = Scene::new();
    let (run, question) = asked(&scene, "0.4");
    let mut engine = approved(&scene, &question);
    wait_until("the write has begun", || {
        scene.noted(&run, "apply", "start") == 1
    });
    assert!(kill_command(&mut engine));
    let document = scene.place.json(0, &["resume", &run]);
    assert_eq!(document["outputs"]["value"], 3);
    assert_eq!(starts_and_ends(&scene, &run), (1, 1));
    assert_eq!(scene.audit(&run).adopted, 1);
    at_the_end(&scene);
}

/// The folder of the first attempt of the write, before anything is in it.
fn first_attempt(scene: &Scene, run: &str) -> PathBuf {
    let document = scene.show(run);
    scene.data().join(text(&document["folder"])).join("apply/1")
}

fn status(scene: &Scene, run: &str) -> Value {
    scene.show(run)["steps"]["apply"]["attempts"][0]["status"].clone()
}

/// The supervisor is held up before it takes the attempt, by the very lock that it takes: killed there, the code
/// has surely not begun.
#[test]
fn a_write_that_surely_had_not_begun_runs_without_asking() {
    let scene = Scene::new();
    let (run, question) = asked(&scene, "0");
    let folder = first_attempt(&scene, &run);
    fs::create_dir_all(&folder).unwrap();
    let gate = fs::File::create(folder.join("supervisor.lock")).unwrap();
    gate.lock().unwrap();
    let mut engine = approved(&scene, &question);
    wait_until("the supervisor is at the gate", || {
        !scene.supervisors().is_empty()
    });
    assert!(kill_command(&mut engine));
    scene.kill_attempts();
    drop(gate);
    assert_eq!(
        status(&scene, &run),
        "running",
        "the attempt is in the history"
    );
    let document = scene.place.json(0, &["resume", &run]);
    assert_eq!(
        document["outputs"],
        json!({"value": 3, "applied": "succeeded"})
    );
    assert_eq!(
        document["steps"]["apply"]["attempts"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(starts_and_ends(&scene, &run), (1, 1));
    at_the_end(&scene);
}

/// Held up after the supervisor has taken it, but before Python: nobody can be sure, so it asks.
#[test]
fn a_write_that_may_have_begun_asks() {
    let scene = Scene::new();
    // Answers what it is, and dozes instead of running a step.
    let wrapper =
        "#!/bin/sh\ncase \"$*\" in *faulthandler*) exec sleep 60;; *) exec python3 \"$@\";; esac\n";
    let ask = scene.place.path("doze.sh");
    scene.place.write("doze.sh", wrapper);
    executable(&ask);
    // What the interpreter says it is, is what is started: so it says that it is this file.
    let says = format!(
        "#!/bin/sh\ncase \"$*\" in *sys.executable*) printf '%s\\n3.12.0\\n' '{}';; *) exec '{}' \"$@\";; esac\n",
        scene.place.path("python").display(),
        ask.display()
    );
    scene.place.write("python", &says);
    executable(&scene.place.path("python"));
    scene.place.write(
        "config.yml",
        "framework: {execution: {local: {python_env_path: ./python}}}\n",
    );
    let (run, question) = asked(&scene, "0");
    let folder = first_attempt(&scene, &run);
    let mut engine = approved(&scene, &question);
    wait_until("the supervisor has taken it", || {
        folder.join(".attempt/started").exists()
    });
    assert!(kill_command(&mut engine));
    scene.kill_attempts();
    let document = scene.place.json(3, &["resume", &run]);
    assert_eq!(document["waiting"][0]["subject"], "unknown_outcome");
    let evidence = text(&document["steps"]["apply"]["attempts"][0]["failure"]).to_owned();
    assert!(evidence.contains("may have begun"), "{evidence}");
    assert_eq!(starts_and_ends(&scene, &run), (0, 0));
    at_the_end(&scene);
}

fn executable(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
