//! What changes under a run between one command and the next: its files, its folder, the program itself.

use std::fs;

use serde_json::{Value, json};
use stepwell::run::{Actor, NewRecord, RunSummary};
use stepwell::store::sled::{Options, SledStore};
use stepwell::store::{Append, EventStore as _};

use crate::cli_rig::{Place, text};
use crate::process_rig::{Scene, kill_command, wait_until};

/// Two steps with code in files, and a question between them.
fn asks(place: &Place) -> String {
    place.write("stages ü/one.py", "results = {'n': context.n + 1}\n");
    place.write("stages ü/two.py", "results = {'n': context.n * 10}\n");
    place.write(
        "flow é.yml",
        "version: 1\nname: flow\ninputs:\n  n: {type: int, default: 1}\nsteps:\n  - id: one\n    python: {file: stages ü/one.py}\n    \
         with: {n: \"${{ inputs.n }}\"}\n  - id: ask\n    approval: {title: Go on?}\n  - id: two\n    \
         python: {file: stages ü/two.py}\n    with: {n: \"${{ steps.one.outputs.n }}\"}\noutputs: {n: \"${{ steps.two.outputs.n }}\"}\n",
    );
    text(&place.json(3, &["run", "flow é.yml"])["run_id"]).to_owned()
}

fn goes_on(place: &Place, data: &str, run: &str) -> Value {
    let document = place.json(0, &["--data", data, "approve", run, "--resume"]);
    assert_eq!(document["outputs"], json!({"n": 20}));
    assert_eq!(place.json(0, &["--data", data, "verify"])["sound"], true);
    document
}

#[test]
fn a_deleted_workflow_file_changes_nothing() {
    let place = Place::new();
    let run = asks(&place);
    fs::remove_file(place.path("flow é.yml")).unwrap();
    fs::remove_dir_all(place.path("stages ü")).unwrap();
    assert_eq!(place.json(0, &["show", &run])["status"], "waiting");
    goes_on(&place, "data", &run);
}

#[test]
fn an_edited_workflow_file_changes_nothing() {
    let place = Place::new();
    let run = asks(&place);
    place.write("stages ü/two.py", "results = {'n': 'edited'}\n");
    place.write("flow é.yml", "steps: [\n");
    goes_on(&place, "data", &run);
}

#[test]
fn a_moved_data_folder_goes_on() {
    let place = Place::new();
    let run = asks(&place);
    fs::rename(place.path("data"), place.path("elsewhere ä")).unwrap();
    let none = place.json(2, &["show", &run]);
    assert_eq!(none["error"]["code"], "unknown_run");
    let document = goes_on(&place, "elsewhere ä", &run);
    let folder = place.path("elsewhere ä").join(text(&document["folder"]));
    assert!(folder.join("run.ipynb").exists());
    assert!(!place.path("data").exists(), "the old place is left alone");
}

/// Killed while a step runs, and moved before anybody looks: the outcome is found in the new place.
#[test]
fn a_data_folder_moved_after_a_crash_goes_on() {
    let scene = Scene::new();
    let run = scene.create("pair.yml", &["pause=0.2"]);
    let mut engine = scene.start(&["resume", &run, "-q"]);
    wait_until("the code runs", || scene.noted(&run, "first", "start") == 1);
    assert!(kill_command(&mut engine));
    scene.quiet();
    fs::rename(scene.data(), scene.place.path("moved")).unwrap();
    let document = scene.place.json(0, &["--data", "moved", "resume", &run]);
    assert_eq!(document["outputs"], json!({"value": 7}));
    assert_eq!(
        scene.noted(&run, "first", "start"),
        1,
        "what ended unwatched is adopted"
    );
    assert_eq!(
        scene.place.json(0, &["--data", "moved", "verify"])["sound"],
        true
    );
}

/// The same, moved while the code still runs: it can't be found any more, is lost, and is done again.
#[test]
fn a_data_folder_moved_under_a_running_step_goes_on() {
    let scene = Scene::new();
    let run = scene.create("pair.yml", &["pause=3"]);
    let mut engine = scene.start(&["resume", &run, "-q"]);
    wait_until("the code runs", || scene.noted(&run, "first", "start") == 1);
    assert!(kill_command(&mut engine));
    fs::rename(scene.data(), scene.place.path("moved")).unwrap();
    let document = scene.place.json(0, &["--data", "moved", "resume", &run]);
    assert_eq!(document["outputs"], json!({"value": 7}));
    let attempts = &document["steps"]["first"]["attempts"];
    assert_eq!(
        attempts[0]["failure"]["code"], "attempt_interrupted",
        "{attempts}"
    );
    assert_eq!(attempts[1]["status"], "succeeded", "{attempts}");
    assert_eq!(scene.noted(&run, "first", "start"), 2);
    scene.quiet();
    assert!(!scene.data().exists(), "the old place is left alone");
    assert_eq!(
        scene.place.json(0, &["--data", "moved", "verify"])["sound"],
        true
    );
    scene.nobody_panicked();
}

/// Appends an event that this version does not know to a run, as a newer one would have.
async fn append_newer(place: &Place, run: &str) {
    let store = SledStore::open(&place.path("data"), Options::default()).unwrap();
    let run = run.parse().unwrap();
    let last: RunSummary = store.summary(run).await.unwrap().unwrap();
    let records = store.read(run, 1, 100).await.unwrap();
    let time = records.last().unwrap().content.time;
    let expected = last.last_seq;
    let newer = NewRecord {
        time,
        kind: 999,
        version: 1,
        actor: Actor::Engine,
        body: br#"{"step": "ask", "mood": "curious"}"#.to_vec(),
    };
    let summary = RunSummary {
        last_seq: expected + 1,
        ..last
    };
    store
        .append(Append {
            run,
            expected,
            records: vec![newer],
            summary,
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn an_event_of_a_newer_version_is_shown_and_its_run_is_left_alone() {
    let place = Place::new();
    let newer = asks(&place);
    let other = asks(&place);
    append_newer(&place, &newer).await;
    let events = place.json(0, &["events", &newer]);
    let last = events["events"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&last["kind"], &last["body"]["mood"]),
        (&json!(999), &json!("curious")),
        "{last}"
    );
    assert!(place.run(&["events", &newer]).out.contains("999"));
    for command in ["resume", "approve", "reject", "cancel", "show"] {
        let refused = place.json(4, &[command, &newer]);
        assert_eq!(
            refused["error"]["code"], "history_unreadable",
            "{command}: {refused}"
        );
        assert!(
            refused["error"]["message"]
                .as_str()
                .unwrap()
                .contains("kind 999"),
            "{refused}"
        );
    }
    let listed = place.json(0, &["list"]);
    assert_eq!(listed["runs"].as_array().unwrap().len(), 2);
    // The other run waits, and goes on by itself; the newer one is named.
    let all = place.json(4, &["resume", "--all"]);
    let codes: Vec<&Value> = all["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["error"]["code"])
        .collect();
    assert!(
        codes.contains(&&json!("history_unreadable")) && codes.contains(&&Value::Null),
        "{all}"
    );
    let document = place.json(0, &["approve", &other, "--resume"]);
    assert_eq!(document["outputs"], json!({"n": 20}));
    assert_eq!(
        place.json(0, &["events", &newer])["events"],
        events["events"],
        "nothing was added to it"
    );
}
