//! How long files are kept: what `prune` removes, what it never touches, and what people are told afterwards.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::engine::{Engine, NewFork, NewRun, Pruned, Pruning};
use stepwell::executor::fake::{FakeAnswer, FakeExecutor};
use stepwell::id::{RunId, StepPath};
use stepwell::python::outcome::OutputFile;
use stepwell::run::payload::{CacheBypassed, FilesRemoved, Values};
use stepwell::run::{Actor, Command, RunState, forking, overdue, run_json};
use stepwell::store::memory::MemoryStore;
use stepwell::time::Timestamp;

use crate::cli_rig::Place;
use crate::engine::{Compiled, Rig, compiled, count, create, events};
use crate::machine::plan_of;
use crate::simulator::{Simulation, World};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// One step with a time of its own, one that follows the workflow, one that is repeated.
const WORK: &str = "retention: 30d\nsteps:\n  - id: brief\n    retention: 2d\n    python: {code: 'results = {}'}\n  \
- id: usual\n    needs: []\n    python: {code: 'results = {}'}\n  - id: many\n    needs: []\n    foreach:\n      \
items: ${{ ['x', 'y/z'] }}\n      as: item\n      key: ${{ item }}\n      steps:\n        - id: fit\n          retention: 3d\n          \
python: {code: 'results = {}'}\n";

/// A data folder in which every piece of code leaves a file that says where it ran.
struct Lab {
    rig: Rig,
    engine: Engine,
}

impl Lab {
    fn new() -> Self {
        Self::leaving(ToOwned::to_owned)
    }

    fn leaving(text: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let rig = Rig::new(MemoryStore::new());
        let executor = Arc::new(FakeExecutor::new(move |job| {
            let name = job.folder.parent().unwrap().file_name().unwrap();
            let text = text(&name.to_string_lossy());
            fs::create_dir_all(&job.folder).unwrap();
            fs::write(job.folder.join("left.txt"), &text).unwrap();
            let FakeAnswer::Ends(mut outcome) = FakeAnswer::results(json!({"n": 1})) else {
                unreachable!()
            };
            outcome.artifacts.push(OutputFile {
                path: "left.txt".to_owned(),
                title: String::new(),
                description: String::new(),
                media_type: "text/plain".to_owned(),
                bytes: text.len() as u64,
            });
            FakeAnswer::Ends(outcome)
        }));
        let engine = rig.engine(&executor);
        Self { rig, engine }
    }

    async fn run(&self, made: &Compiled) -> RunId {
        let run = create(&self.engine, made, json!({})).await;
        let state = self.engine.drive(run).await.unwrap();
        assert_eq!(state.status().as_str(), "succeeded", "{:?}", state.ending);
        run
    }

    async fn prune(&self) -> Pruned {
        self.engine.prune(&pruning(None, false)).await.unwrap()
    }

    /// Time passes, for the clock and for the files.
    fn pass(&self, time: Duration) {
        self.rig.clock.advance(time);
        for file in files(&self.rig.data.path().join("blobs")) {
            let file = File::options().append(true).open(file).unwrap();
            let old = file.metadata().unwrap().modified().unwrap() - time;
            file.set_modified(old).unwrap();
        }
    }

    fn home(&self, state: &RunState) -> PathBuf {
        self.rig.data.path().join(&state.created.folder)
    }

    /// Names of the folders of steps that are there.
    async fn folders(&self, run: RunId) -> BTreeSet<String> {
        let home = self.home(&self.engine.state(run).await.unwrap());
        let entries = fs::read_dir(home).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.path().is_dir());
        folders
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect()
    }

    /// The stored files of a step that are there, of all that it left.
    async fn stored(&self, run: RunId, step: &str) -> (usize, usize) {
        let state = self.engine.state(run).await.unwrap();
        let (_, step) = state.step(&StepPath::new(step)).unwrap();
        let result = step.result.clone().unwrap();
        let files: Vec<_> = result.artifacts.iter().chain(&result.notebook).collect();
        let blobs = stepwell::artifact::Blobs::open(&self.rig.data.path().join("blobs")).unwrap();
        let there = files.iter().filter(|file| blobs.contains(&file.digest));
        (there.count(), files.len())
    }
}

fn pruning(usual: Option<Duration>, dry: bool) -> Pruning {
    Pruning {
        usual,
        dry,
        actor: Actor::User("ada".to_owned()),
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

fn names(steps: &[StepPath]) -> Vec<&str> {
    steps.iter().map(StepPath::as_str).collect()
}

#[test]
fn time_counts_from_the_end_of_the_run_and_the_nearest_rule_holds() {
    let mut run = Simulation::new(&plan_of(WORK), &json!({}));
    let early = run.crashed(run.history.len());
    run.rest(&mut World::sampling(1));
    let end = run.state.ending.as_ref().unwrap().at;
    let after = |days: u32| end.plus(DAY * days);
    let at = |now: Timestamp| overdue(&run.state, None, now);
    assert_eq!(overdue(&early.state, Some(Duration::ZERO), after(90)), None);
    assert_eq!(at(after(1)), None);
    let two = at(after(2)).unwrap();
    assert_eq!((names(&two.steps), two.whole), (vec!["brief"], false));
    assert_eq!(two.why, "kept for 2d after the end of the run");
    let three = at(after(3)).unwrap();
    assert_eq!(names(&three.steps), ["brief", "many.fit"]);
    let all = at(after(30)).unwrap();
    assert_eq!(
        (names(&all.steps), all.whole),
        (vec!["brief", "usual", "many.fit"], true)
    );
    let long = plan_of(
        "retention: 1d\nsteps:\n  - id: long\n    retention: 90d\n    python: {code: 'results = {}'}\n  - id: short\n    python: {code: 'results = {}'}\n",
    );
    let mut mixed = Simulation::new(&long, &json!({}));
    mixed.rest(&mut World::sampling(1));
    let of_one = overdue(&mixed.state, None, after(2)).unwrap();
    assert_eq!((names(&of_one.steps), of_one.whole), (vec!["short"], false));
    let none = plan_of("steps:\n  - id: a\n    python: {code: 'results = {}'}\n");
    let mut silent = Simulation::new(&none, &json!({}));
    silent.rest(&mut World::sampling(1));
    assert_eq!(overdue(&silent.state, None, after(36_000)), None);
    let usual = overdue(&silent.state, Some(DAY), after(2)).unwrap();
    assert_eq!((names(&usual.steps), usual.whole), (vec!["a"], true));
}

#[tokio::test]
async fn files_go_step_by_step_and_what_happened_stays() {
    let lab = Lab::new();
    let run = lab.run(&compiled(WORK)).await;
    let before = lab.folders(run).await;
    assert_eq!(before.len(), 4, "{before:?}");
    lab.pass(DAY);
    assert!(lab.prune().await.runs.is_empty());
    assert_eq!(lab.folders(run).await, before);
    lab.pass(DAY);
    let dry = lab.engine.prune(&pruning(None, true)).await.unwrap();
    assert_eq!(names(&dry.runs[0].1.steps), ["brief"]);
    assert_eq!(lab.folders(run).await, before, "a dry run removes nothing");
    assert_eq!(count(&events(&lab.engine, run).await, "FilesRemoved"), 0);
    lab.prune().await;
    let mut left = before.clone();
    left.remove("brief");
    assert_eq!(lab.folders(run).await, left);
    lab.pass(DAY);
    lab.prune().await;
    assert_eq!(lab.folders(run).await, BTreeSet::from(["usual".to_owned()]));
    let state = lab.engine.state(run).await.unwrap();
    assert!(lab.home(&state).join("run.ipynb").is_file());
    lab.pass(DAY * 30);
    lab.prune().await;
    assert!(!lab.home(&state).exists());
    let history = events(&lab.engine, run).await;
    assert_eq!(count(&history, "FilesRemoved"), 3);
    assert!(
        lab.prune().await.runs.is_empty(),
        "nothing is removed twice"
    );
    let state = lab.engine.state(run).await.unwrap();
    let document = run_json(&state);
    assert!(document["files_removed"].is_string());
    assert_eq!(document["steps"]["usual"]["outputs"], json!({"n": 1}));
    assert!(lab.engine.verify(None).await.unwrap().is_sound());
}

#[tokio::test]
async fn stored_files_go_a_day_later_and_only_when_no_other_run_has_them() {
    let same = Lab::leaving(|_| "the same in every run".to_owned());
    let first = same.run(&compiled(WORK)).await;
    same.pass(DAY * 31);
    let second = same.run(&compiled(WORK)).await;
    let pruned = same.prune().await;
    assert_eq!((pruned.runs.len(), pruned.blobs.files), (1, 0));
    assert_eq!(
        same.stored(first, "usual").await,
        (2, 2),
        "not on the same day"
    );
    same.pass(DAY);
    let dry = same.engine.prune(&pruning(None, true)).await.unwrap();
    let pruned = same.prune().await;
    assert_eq!(pruned.blobs, dry.blobs);
    // Its four notebooks; what the code left is the other run's, too.
    assert_eq!(pruned.blobs.files, 4, "{pruned:?}");
    assert_eq!(same.stored(first, "usual").await, (1, 2));
    assert_eq!(same.stored(second, "usual").await, (2, 2));
    let state = same.engine.state(first).await.unwrap();
    let code = state
        .step(&StepPath::new("usual"))
        .unwrap()
        .1
        .analysis
        .as_ref()
        .unwrap()
        .code;
    assert!(
        same.engine.blob(code).await.is_ok(),
        "what was analysed is kept"
    );
    same.pass(DAY * 31);
    same.prune().await;
    same.pass(DAY);
    same.prune().await;
    assert_eq!(same.stored(second, "usual").await, (0, 2));
}

#[tokio::test]
async fn a_crash_between_the_event_and_the_files_is_made_good_by_the_next_one() {
    let lab = Lab::new();
    let run = lab.run(&compiled(WORK)).await;
    let removed = FilesRemoved {
        steps: vec![StepPath::new("many.fit")],
        by: "user:ada".to_owned(),
        why: "for the test".to_owned(),
    };
    let command = Command::RemoveFiles(removed);
    lab.engine
        .command(run, Actor::Engine, command)
        .await
        .unwrap();
    assert_eq!(lab.folders(run).await.len(), 4);
    assert!(lab.prune().await.runs.is_empty(), "no second event");
    assert_eq!(
        lab.folders(run).await,
        BTreeSet::from(["brief", "usual"].map(str::to_owned))
    );
}

#[tokio::test]
async fn a_run_that_goes_on_has_its_files_and_a_reopened_one_has_new_ones() {
    let lab = Lab::new();
    let asks = compiled(
        "retention: 1s\nsteps:\n  - id: work\n    python: {code: 'results = {}'}\n  - id: ask\n    approval: {title: go on}\n",
    );
    let waiting = create(&lab.engine, &asks, json!({})).await;
    lab.engine.drive(waiting).await.unwrap();
    lab.pass(DAY * 99);
    assert!(lab.prune().await.runs.is_empty());
    assert_eq!(lab.folders(waiting).await.len(), 1);
    let refused = lab.engine.command(
        waiting,
        Actor::Engine,
        Command::RemoveFiles(FilesRemoved {
            steps: Vec::new(),
            by: String::new(),
            why: String::new(),
        }),
    );
    assert_eq!(refused.await.unwrap_err().code().as_str(), "run_not_ended");

    let run = lab.run(&compiled(WORK)).await;
    lab.pass(DAY * 2);
    lab.prune().await;
    let again = Command::Reopen {
        from: vec![StepPath::new("brief")],
        by: "ada".to_owned(),
        reason: None,
        seen: None,
        bypass: CacheBypassed::default(),
    };
    lab.engine.command(run, Actor::Engine, again).await.unwrap();
    let state = lab.engine.drive(run).await.unwrap();
    let (_, brief) = state.step(&StepPath::new("brief")).unwrap();
    assert_eq!((brief.files_removed, brief.attempts.len()), (None, 2));
    assert!(lab.prune().await.runs.is_empty(), "time counts anew");
    assert!(lab.folders(run).await.contains("brief"));
}

#[tokio::test]
async fn a_fork_does_not_take_over_what_is_gone() {
    let lab = Lab::new();
    let made = compiled(WORK);
    let run = lab.run(&made).await;
    let fork = |state: &RunState| NewFork {
        source: run,
        seq: state.seq,
        copied: forking(state, &made.0, &Values::new(), &|_| None).copied,
        bypass: CacheBypassed::default(),
        new: NewRun {
            plan: Arc::clone(&made.0),
            blobs: made.1.clone(),
            inputs: Values::new(),
            workflow_folder: None,
            actor: Actor::User("ada".to_owned()),
            scheduled_at: None,
        },
    };
    let state = lab.engine.state(run).await.unwrap();
    lab.engine.fork(fork(&state)).await.unwrap();
    lab.pass(DAY * 31);
    // The fork refers to the same files: as long as it is kept they stay.
    lab.prune().await;
    let state = lab.engine.state(run).await.unwrap();
    let kept = lab.engine.fork(fork(&state)).await.unwrap();
    lab.pass(DAY);
    lab.prune().await;
    assert_eq!(lab.stored(kept, "usual").await, (2, 2));
    for blob in files(&lab.rig.data.path().join("blobs")) {
        if fs::read(&blob).is_ok_and(|text| text == b"usual") {
            fs::remove_file(blob).unwrap();
        }
    }
    let refused = lab.engine.fork(fork(&state)).await.unwrap_err();
    assert_eq!(refused.code().as_str(), "files_removed");
}

#[test]
fn people_are_told_what_is_gone_and_what_is_left() {
    let place = Place::new();
    place.write("config.yml", "approval: {global_mode: disabled}\n");
    place.write(
        "short.yml",
        "version: 1\nname: short\nretention: 1ms\nsteps:\n  - id: work\n    python:\n      code: |\n        print('hello')\n        results = {'n': 7}\n\
         outputs: {n: \"${{ steps.work.outputs.n }}\"}\n",
    );
    let run = place.json(0, &["run", "short.yml"]);
    let folder = place.path("data/runs");
    let shown = place.text(0, &["prune", "--dry-run"]);
    assert!(
        shown.starts_with("RUN  all its files: kept for 1ms after the end of the run\n"),
        "{shown}"
    );
    assert!(!files(&folder).is_empty());
    let pruned = place.json(0, &["prune"]);
    assert_eq!(pruned["runs"][0]["run_id"], run["run_id"]);
    assert!(files(&folder).is_empty());
    for args in [
        &["notebook", "@last"][..],
        &["notebook", "@last", "work"],
        &["logs", "@last", "work"],
    ] {
        let refused = place.json(2, args);
        assert_eq!(refused["error"]["code"], "files_removed", "{refused}");
    }
    let results = place.json(0, &["results", "@last"]);
    assert_eq!(results["outputs"], json!({"n": 7}));
    assert!(results["steps"]["work"]["files_removed"].is_string());
    let shown = place.text(0, &["show", "@last"]);
    assert!(shown.contains("files removed TIME"), "{shown}");
    let logs: Value = place.json(0, &["logs", "@last"]);
    assert_eq!(logs["logs"], json!([]));
    assert_eq!(place.json(0, &["verify"])["sound"], true);
    assert!(
        place
            .text(0, &["prune"])
            .contains("removed: files of 0 runs")
    );
    assert_eq!(place.run(&["prune", "--older-than", "soon"]).code, Some(2));
}

#[test]
fn a_run_that_waits_keeps_the_code_of_the_workflow_that_it_has_yet_to_start() {
    let place = Place::new();
    place.write("config.yml", "approval: {global_mode: disabled}\n");
    place.write(
        "deep.yml",
        "version: 1\nname: deep\nsteps:\n  - id: work\n    python: {code: 'results = {\"n\": 7}'}\n\
         outputs: {n: \"${{ steps.work.outputs.n }}\"}\n",
    );
    place.write(
        "inner.yml",
        "version: 1\nname: inner\nsteps:\n  - id: more\n    workflow: {file: deep.yml}\n\
         outputs: {n: \"${{ steps.more.outputs.n }}\"}\n",
    );
    place.write(
        "outer.yml",
        "version: 1\nname: outer\nsteps:\n  - id: ask\n    approval: {title: Go on?}\n  \
         - id: inside\n    needs: ask\n    workflow: {file: inner.yml}\n\
         outputs: {n: \"${{ steps.inside.outputs.n }}\"}\n",
    );
    place.json(3, &["run", "outer.yml"]);
    // The person answers two days later, and the files may be gone from beside the workflow.
    for file in files(&place.path("data/blobs")) {
        let file = File::options().append(true).open(file).unwrap();
        let old = file.metadata().unwrap().modified().unwrap() - DAY * 2;
        file.set_modified(old).unwrap();
    }
    let pruned = place.json(0, &["prune"]);
    assert_eq!(pruned["stored_files"], json!(0), "{pruned}");
    let ended = place.json(0, &["approve", "@last", "--resume"]);
    assert_eq!(ended["outputs"], json!({"n": 7}));
}
