//! A yes is for code within its bounds: when config.yml widens them between the yes and the start, it is asked anew.

use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};
use stepwell::approval::{Bounds, Changed, Covered, Verdict};
use stepwell::executor::fake::{FakeAnswer, FakeExecutor};
use stepwell::id::Digest;
use stepwell::run::payload::{AnalysisReported, Answer, Miss, Values};
use stepwell::run::{Command, RunStatus};
use stepwell::store::memory::MemoryStore;

use crate::cli_rig::{Place, text};
use crate::engine::{Rig, compiled, create_in};
use crate::machine::plan_of;
use crate::simulator::{Simulation, World, vote};

/// Code that leaves a trace when it runs.
const WRITES: &str = "version: 1\nname: writes\nsteps:\n  - id: work\n    python:\n      mode: write_access\n      \
code: |\n        open('ran.txt', 'w').close()\n        results = {'n': 1}\n";

const LIMITS: &str = "control_system: {write_limits: {channels: {'A:SET': {min: 0, max: 5}}}}\n";

/// What stands in config.yml, what it is changed to, the bound that is named.
const CHANGES: [(&str, &str, &str); 15] = [
    (
        LIMITS,
        "control_system: {write_limits: {channels: {'A:SET': {min: 0, max: 50}}}}\n",
        "write_limits",
    ),
    (LIMITS, "", "write_limits"),
    (
        LIMITS,
        "control_system: {write_limits: {channels: {'A:SET': {min: 0, max: 5}}, unlisted: allow}}\n",
        "write_limits",
    ),
    (
        "execution: {modes: {write_access: {network: none}}}\n",
        "execution: {modes: {write_access: {network: full}}}\n",
        "network",
    ),
    (
        "execution: {modes: {write_access: {writable: [./a]}}}\n",
        "execution: {modes: {write_access: {writable: everywhere}}}\n",
        "writable",
    ),
    (
        "execution: {modes: {write_access: {writable: [./a]}}}\n",
        "execution: {modes: {write_access: {writable: [./a, ./b]}}}\n",
        "writable",
    ),
    (
        "execution: {local: {isolation: prefer}}\n",
        "execution: {local: {isolation: 'off'}}\n",
        "isolation",
    ),
    (
        "execution: {local: {hide: [~/.ssh]}}\n",
        "execution: {local: {hide: []}}\n",
        "hidden",
    ),
    (
        "execution: {modes: {write_access: {gateway: {address: a.example}}}}\n",
        "execution: {modes: {write_access: {gateway: {address: b.example}}}}\n",
        "gateway",
    ),
    (
        "limits: {memory: 2GiB}\n",
        "limits: {memory: 4GiB}\n",
        "memory",
    ),
    ("limits: {cpu_time: 1m}\n", "", "cpu_time"),
    ("limits: {stop_grace: 1m}\n", "", "stop_grace"),
    (
        "limits: {processes: 90}\n",
        "limits: {processes: 91}\n",
        "processes",
    ),
    ("limits: {disk: 1GiB}\n", "limits: {disk: 2GiB}\n", "disk"),
    (
        "execution: {local: {execution_timeout: 60}}\n",
        "execution: {local: {execution_timeout: 61}}\n",
        "timeout",
    ),
];

fn config(place: &Place, text: &str) {
    // Both sections in one file.
    let text = match text.strip_prefix("execution: ") {
        Some(rest) => format!("framework: {{execution: {}}}\n", rest.trim_end()),
        None => text.to_owned(),
    };
    place.write("config.yml", &text);
}

fn question(place: &Place) -> Value {
    place.json(0, &["approvals"])["approvals"][0].clone()
}

fn ran(place: &Place) -> bool {
    walk(&place.path("data")).any(|path| path.ends_with("ran.txt"))
}

fn walk(folder: &std::path::Path) -> Box<dyn Iterator<Item = std::path::PathBuf>> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    Box::new(entries.flat_map(|entry| {
        let path = entry.path();
        let inside = path.is_dir().then(|| walk(&path)).into_iter().flatten();
        std::iter::once(path.clone()).chain(inside)
    }))
}

#[test]
fn wider_bounds_between_the_yes_and_the_start_are_asked_about() {
    for (before, after, name) in CHANGES {
        let place = Place::new();
        place.write("writes.yml", WRITES);
        config(&place, before);
        assert_eq!(place.json(3, &["run", "writes.yml"])["status"], "waiting");
        let first = question(&place);
        place.json(0, &["approve", text(&first["approval_id"])]);
        config(&place, after);
        let again = place.json(3, &["resume", "@last"]);
        assert_eq!(again["status"], "waiting", "{name}: {again}");
        assert!(!ran(&place), "{name}: the code ran without a yes");
        let second = question(&place);
        assert_ne!(second["approval_id"], first["approval_id"], "{name}");
        assert_ne!(second["subject_digest"], first["subject_digest"], "{name}");
        assert_eq!(second["changed"], json!({"bounds": [name]}), "{name}");
        let said = format!("what bounds the code changed: {name}. ");
        assert!(text(&second["reason"]).starts_with(&said), "{second}");
        assert_ne!(second["bounds"][name], first["bounds"][name], "{name}");
        let shown = place.run(&["approvals"]).out;
        assert!(shown.contains(said.trim_end()), "{shown}");
        // The same bounds again are the same subject, and a yes for them lets the code run.
        if name == "memory" {
            place.json(0, &["approve", "@last", "--resume"]);
            assert!(ran(&place), "{name}");
        }
    }
}

#[test]
fn a_question_lists_what_bounds_the_code() {
    let place = Place::new();
    place.write("writes.yml", WRITES);
    place.write(
        "config.yml",
        "limits: {memory: 2GiB}\nframework: {execution: {modes: {write_access: {network: none}}}}\n\
         control_system: {write_limits: {channels: {'A:SET': {min: 0, max: 5, step: 0.5}}}}\n",
    );
    let shown = place.run(&["run", "writes.yml"]).out;
    for part in [
        "timeout 10m",
        "memory 2GiB",
        "no limit",
        "network      none",
        "A:SET 0 to 5, at most 0.5 at once; no other channels",
    ] {
        assert!(shown.contains(part), "`{part}` in {shown}");
    }
}

#[tokio::test]
async fn a_result_made_within_other_bounds_is_not_taken() {
    let cached = compiled(
        "steps:\n  - id: work\n    cache: true\n    python: {code: \"results = {'n': 1}\"}\n",
    );
    let rig = Rig::new(MemoryStore::new());
    let folder = tempfile::tempdir().unwrap();
    let executor = Arc::new(FakeExecutor::new(|_| FakeAnswer::results(json!({"n": 1}))));
    let mut runs = Vec::new();
    for memory in [1, 1, 2] {
        let engine = rig.engine_with(&executor, |options| {
            options.limits.memory_bytes = Some(memory << 30);
        });
        let run = create_in(&engine, &cached, json!({}), Some(folder.path())).await;
        let state = engine.drive(run).await.unwrap();
        assert_eq!(state.status(), RunStatus::Succeeded);
        runs.push((run, state));
    }
    let look = |place: usize| &runs[place].1.step(&"work".into()).unwrap().1.look;
    assert!(look(1).reused.is_some());
    let missed = look(2).missed.as_ref().map(|missed| missed.reason.clone());
    let parts = vec!["bounds.memory".to_owned()];
    assert_eq!(
        missed,
        Some(Miss::Changed {
            parts,
            run: runs[0].0
        })
    );
}

/// An analysis of an earlier version: its yes does not know the bounds. The simulator writes such ones.
#[test]
fn a_yes_of_an_earlier_version_is_asked_for_again() {
    let plan =
        plan_of("steps:\n  - id: a\n    python: {code: \"results = {}\", mode: write_access}\n");
    let mut run = Simulation::new(&plan, &json!({}));
    let mut world = World::sampling(0).voting(|_| None);
    world.verdict = |_| Verdict::Ask;
    run.rest(&mut world);
    let old = run
        .state
        .step(&"a".into())
        .unwrap()
        .1
        .analysis
        .clone()
        .unwrap();
    let written = serde_json::to_string(&old).unwrap();
    for name in ["bounds", "covered", "changed"] {
        assert!(!written.contains(name), "as before: {written}");
    }
    let asked = run.state.open_approvals().next().unwrap().clone();
    let yes = vote(&asked, Answer::Approve, Values::new());
    run.submit(Command::Vote(yes)).unwrap();
    let mut bounds = Bounds::default();
    bounds.add("network", &json!("full"), "full".to_owned());
    let now = AnalysisReported {
        subject: Digest::of(b"with bounds"),
        changed: Changed::between((&old.covered, &old.bounds), (&Covered::new(), &bounds)),
        bounds,
        ..AnalysisReported::clone(&old)
    };
    run.submit(Command::Analysed(now)).unwrap();
    let mut started = run.started(&"a".into(), 1);
    started.subject = Some(old.subject);
    assert!(run.submit(Command::BeginAttempt(started)).is_err());
    run.advance();
    let again = run.state.open_approvals().next().unwrap().request.clone();
    assert_ne!(again.approval, asked.request.approval);
    assert!(
        again.reason.starts_with("an earlier version asked"),
        "{}",
        again.reason
    );
}

const CLOSED: &str = "version: 1\nname: closed\nsteps:\n  - id: work\n    python: {code: \"results = {}\", isolation: require}\n";

#[test]
fn a_container_can_not_promise_every_layer() {
    let place = Place::new();
    place.write(
        "said.yml",
        &CLOSED.replace("isolation", "execution: container, isolation"),
    );
    place.write("closed.yml", CLOSED);
    let error = |code: i32, args: &[&str]| {
        let document = place.json(code, args);
        let of_file = document["files"][0]["diagnostics"][0]["message"].as_str();
        let own = document["diagnostics"][0]["message"].as_str();
        of_file.or(own).unwrap().to_owned()
    };
    let refused = "`isolation: require` can't be held in a container";
    assert_eq!(error(2, &["validate", "said.yml"]), refused);
    assert_eq!(
        error(2, &["run", "closed.yml", "--execution", "container"]),
        refused
    );
    // Where only the configuration says so, nothing is asked of the container before it is refused.
    config(&place, "execution: {execution_method: container}\n");
    let document = place.json(1, &["run", "closed.yml"]);
    let failure = &document["steps"]["work"]["failure"];
    assert_eq!(failure["code"], "isolation_missing", "{document}");
    assert!(text(&failure["message"]).contains("container"), "{failure}");
}
