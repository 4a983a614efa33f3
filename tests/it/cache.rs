//! Rule 19 of the language: results that are taken again, and those that never are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::approval::Verdict;
use stepwell::engine::{Engine, Options, Variables};
use stepwell::executor::fake::{FakeAnswer, FakeExecutor};
use stepwell::failure::{Failure, FailureKind};
use stepwell::id::{Digest, RunId, StepPath};
use stepwell::run::payload::{
    Answer, Bypass, CacheBypassed, CacheMissed, Miss, NotReused, StepReused, Values,
};
use stepwell::run::{Actor, Command, Event, RunState, RunStatus};
use stepwell::store::memory::MemoryStore;
use stepwell::time::Clock as _;

use crate::engine::{Rig, compiled, count, create_in, events};
use crate::machine::plan_of;
use crate::simulator::{Simulation, World, by_the_next, result, vote};

/// One step with everything that its key covers.
const WORK: &str = "inputs:\n  n: {type: int, default: 1}\n  data: {type: file}\nsecrets:\n  one: {env: ONE}\n  two: {env: TWO}\n\
steps:\n  - id: work\n    cache: true\n    env: {LEVEL: low, TOKEN: \"${{ secrets.one }}\"}\n    \
with: {n: \"${{ inputs.n }}\", data: \"${{ inputs.data }}\", plain: text}\n    python:\n      packages: [numpy]\n      \
code: |\n        import helper\n        results = {'n': context.n}\n\
outputs: {n: \"${{ steps.work.outputs.n }}\"}\n";

/// A data folder, a folder of a workflow, and a count of what ran.
struct Lab {
    rig: Rig,
    folder: tempfile::TempDir,
    executor: Arc<FakeExecutor>,
}

impl Lab {
    fn new() -> Self {
        Self::leaving(|_| FakeAnswer::results(json!({"n": 7})))
    }

    fn leaving(
        script: impl Fn(&stepwell::executor::Job) -> FakeAnswer + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("helper.py"), "level = 1\n").unwrap();
        fs::write(folder.path().join("data.csv"), "1,2\n").unwrap();
        Self {
            rig: Rig::new(MemoryStore::new()),
            folder,
            executor: Arc::new(FakeExecutor::new(script)),
        }
    }

    fn engine(&self) -> Engine {
        self.engine_with(|_| {})
    }

    fn engine_with(&self, change: impl FnOnce(&mut Options)) -> Engine {
        self.rig.engine_with(&self.executor, |options| {
            let secrets = ["ONE", "TWO"].map(|name| (name.to_owned(), format!("value-of-{name}")));
            options.variables = Variables::new(BTreeMap::from(secrets));
            change(options);
        })
    }

    /// Runs the workflow to its end.
    async fn run(&self, text: &str, inputs: Value) -> (RunId, RunState) {
        self.run_by(&self.engine(), text, inputs).await
    }

    async fn run_by(&self, engine: &Engine, text: &str, inputs: Value) -> (RunId, RunState) {
        let run = create_in(engine, &compiled(text), inputs, Some(self.folder.path())).await;
        (run, engine.drive(run).await.unwrap())
    }

    fn data(&self) -> Value {
        json!({"n": 1, "data": self.folder.path().join("data.csv")})
    }

    /// How often code began.
    fn began(&self) -> usize {
        self.executor.started().len()
    }

    fn index(&self) -> PathBuf {
        self.rig.data.path().join("cache/results")
    }

    fn notes(&self) -> Vec<PathBuf> {
        files_in(&self.index())
    }
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_in(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn reused(state: &RunState, path: &str) -> Option<StepReused> {
    let (_, step) = state.step(&StepPath::new(path)).unwrap();
    step.look.reused.as_deref().cloned()
}

fn missed(state: &RunState, path: &str) -> CacheMissed {
    let (_, step) = state.step(&StepPath::new(path)).unwrap();
    let missed = step.look.missed.as_deref().cloned();
    missed.unwrap_or_else(|| panic!("`{path}` missed nothing: {:?}", step.look))
}

#[tokio::test]
async fn rule_19_the_second_run_of_the_same_work_takes_the_result_of_the_first() {
    let lab = Lab::new();
    let (first, state) = lab.run(WORK, lab.data()).await;
    assert_eq!(state.status(), RunStatus::Succeeded, "{:?}", state.ending);
    assert_eq!(missed(&state, "work").reason, Miss::FirstTime);
    lab.rig.clock.advance(Duration::from_secs(3 * 3_600));
    let engine = lab.engine();
    let (second, state) = lab.run_by(&engine, WORK, lab.data()).await;
    assert_eq!((state.status(), lab.began()), (RunStatus::Succeeded, 1));
    let found = reused(&state, "work").unwrap();
    assert_eq!((found.run, found.age_ms / 1_000), (first, 3 * 3_600));
    assert_eq!(found.told(), format!("reused from {first}, made 3h before"));
    assert_eq!(state.ending.unwrap().outputs.get("n"), Some(&json!(7)));
    let history = events(&engine, second).await;
    assert_eq!(
        (
            count(&history, "StepReused"),
            count(&history, "AttemptStarted"),
            count(&history, "StepSucceeded")
        ),
        (1, 0, 1)
    );
}

#[tokio::test]
async fn rule_19_the_reason_of_a_miss_names_the_parts_that_changed() {
    type Change = fn(&Lab, &mut String, &mut Value);
    let cases: [(&str, Change, &[&str]); 12] = [
        (
            "code",
            |_, text, _| *text = text.replace("context.n", "context.n + 1"),
            &["code"],
        ),
        (
            "an input",
            |_, _, inputs| inputs["n"] = json!(2),
            &["inputs.n"],
        ),
        (
            "a value of with",
            |_, text, _| *text = text.replace("plain: text", "plain: 1.0"),
            &["inputs.plain"],
        ),
        (
            "a new value of with",
            |_, text, _| *text = text.replace("plain: text", "plain: text, more: 1"),
            &["inputs.more"],
        ),
        (
            "the content of a file",
            |lab, _, _| fs::write(lab.folder.path().join("data.csv"), "1,3\n").unwrap(),
            &["file data"],
        ),
        (
            "packages",
            |_, text, _| *text = text.replace("[numpy]", "[scipy]"),
            &["environment"],
        ),
        (
            "a variable",
            |_, text, _| *text = text.replace("LEVEL: low", "LEVEL: high"),
            &["env.LEVEL"],
        ),
        (
            "a secret",
            |_, text, _| *text = text.replace("secrets.one", "secrets.two"),
            &["env.TOKEN", "secrets"],
        ),
        (
            "a module",
            |lab, _, _| fs::write(lab.folder.path().join("helper.py"), "level = 2\n").unwrap(),
            &["modules"],
        ),
        (
            "outputs",
            |_, text, _| *text = text.replace("cache: true", "cache: true\n    outputs: {n: int}"),
            &["outputs"],
        ),
        (
            "sensitive",
            |_, text, _| {
                *text = text.replace(
                    "cache: true",
                    "cache: true\n    outputs: {n: int}\n    sensitive: [n]",
                );
            },
            &["outputs", "sensitive"],
        ),
        (
            "two at once",
            |_, text, inputs| {
                *text = text.replace("context.n", "context.n + 1");
                inputs["n"] = json!(2);
            },
            &["code", "inputs.n"],
        ),
    ];
    for (name, change, parts) in cases {
        let lab = Lab::new();
        let (mut text, mut inputs) = (WORK.to_owned(), lab.data());
        // Both secrets are used somewhere, so that either may be left out of the step.
        text.push_str("handlers:\n  finish:\n    - id: last\n      http: {method: GET, url: 'http://a.example', headers: {a: \"${{ secrets.one }}\", b: \"${{ secrets.two }}\"}}\n");
        let (first, _) = lab.run(&text, inputs.clone()).await;
        change(&lab, &mut text, &mut inputs);
        let (_, state) = lab.run(&text, inputs).await;
        let reason = missed(&state, "work").reason;
        let parts = parts.iter().map(ToString::to_string).collect();
        assert_eq!(reason, Miss::Changed { parts, run: first }, "{name}");
        assert_eq!(lab.began(), 2, "{name}");
    }
}

/// One cached step; what it needs of time is in `settings`.
fn small(settings: &str) -> String {
    format!(
        "steps:\n  - id: work\n    cache: {settings}\n    python: {{code: 'results = {{\"n\": 1}}'}}\n"
    )
}

#[tokio::test]
async fn rule_19_a_result_older_than_its_ttl_is_made_anew_and_the_new_one_is_taken() {
    let lab = Lab::new();
    let text = small("{ttl: 1h}");
    let made_at = lab.rig.clock.now();
    lab.run(&text, json!({})).await;
    lab.rig.clock.advance(Duration::from_secs(3_600));
    let (_, state) = lab.run(&text, json!({})).await;
    assert!(reused(&state, "work").is_some(), "it is just not too old");
    lab.rig.clock.advance(Duration::from_secs(1));
    let (third, state) = lab.run(&text, json!({})).await;
    let ttl_ms = 3_600_000;
    let expired = Miss::Expired { made_at, ttl_ms };
    assert_eq!((missed(&state, "work").reason, lab.began()), (expired, 2));
    lab.rig.clock.advance(Duration::from_secs(60));
    let (_, state) = lab.run(&text, json!({})).await;
    assert_eq!(reused(&state, "work").unwrap().run, third);
    // The clock of the machine was set back: the age of what it made is not known.
    lab.rig.clock.set(made_at);
    let (_, state) = lab.run(&text, json!({})).await;
    assert!(matches!(
        missed(&state, "work").reason,
        Miss::Expired { .. }
    ));
}

#[tokio::test]
async fn rule_19_a_step_that_a_person_decided_about_neither_takes_nor_leaves_a_result() {
    let lab = Lab::new();
    let asks = small("true\n    approve_code: true");
    for _ in 0..2 {
        let engine = lab.engine();
        let run = create_in(&engine, &compiled(&asks), json!({}), None).await;
        let state = engine.drive(run).await.unwrap();
        let asked = state.open_approvals().next().unwrap();
        let yes = by_the_next(asked, vote(asked, Answer::Approve, Values::new()));
        let by = Actor::User(yes.person.clone());
        engine.command(run, by, Command::Vote(yes)).await.unwrap();
        let state = engine.drive(run).await.unwrap();
        assert_eq!(state.status(), RunStatus::Succeeded);
        let why = NotReused::Policy;
        assert_eq!(missed(&state, "work").reason, Miss::Refused { why });
    }
    assert_eq!((lab.began(), lab.notes().len()), (2, 0));
    // What ran without a question is kept, and is not taken where today a person is asked.
    lab.run(&small("true"), json!({})).await;
    let engine = lab.engine();
    let run = create_in(&engine, &compiled(&asks), json!({}), None).await;
    let state = engine.drive(run).await.unwrap();
    assert_eq!(state.status(), RunStatus::Waiting);
}

#[test]
fn rule_19_write_access_is_an_error_in_the_file_and_in_the_fold() {
    let text = "version: 1\nname: test\nsteps:\n  - id: work\n    cache: true\n    python: {code: 'results = {}', mode: write_access}\n";
    let made = stepwell::workflow::compile(
        "test.yml",
        text.as_bytes(),
        &crate::workflow_compile::Folder(".".into()),
        &stepwell::workflow::CompileOptions::default(),
    );
    assert!(made.plan.is_none());
    assert!(crate::workflow_compile::shown(&made).contains("can't be cached"));
    // A plan that says so all the same, and histories that claim a result for what may have none.
    for (setting, verdict) in [
        ("mode: write_access", Verdict::Pass),
        ("mode: read_only", Verdict::Ask),
    ] {
        let mut plan = (*plan_of(&format!(
            "steps:\n  - id: work\n    python: {{code: 'results = {{}}', {setting}}}\n"
        )))
        .clone();
        let mut steps = plan.steps.to_vec();
        steps[0].cache = Some(stepwell::plan::Cache::default());
        plan.steps = stepwell::plan::Steps::from(steps);
        let mut run = Simulation::new(&Arc::new(plan), &json!({}));
        let mut world = World::sampling(0).voting(|_| None);
        world.verdict = match verdict {
            Verdict::Ask => |_| Verdict::Ask,
            Verdict::Pass | Verdict::Block => |_| Verdict::Pass,
        };
        run.rest(&mut world);
        let at = run
            .history
            .iter()
            .position(|event| event.event.name() == "AnalysisReported");
        let mut early = run.crashed(at.unwrap() + 1);
        let refused = early.submit(Command::Reused(Box::new(kept("work"))));
        assert!(refused.is_err(), "{setting}");
        let mut next = early.history.last().unwrap().clone();
        next.seq += 1;
        next.event = Event::StepReused(Box::new(kept("work")));
        assert!(early.state.apply(&next).is_err(), "{setting}");
    }
}

#[tokio::test]
async fn rule_19_what_begins_anew_on_purpose_runs_and_is_kept() {
    let lab = Lab::new();
    let engine = lab.engine();
    let (first, _) = lab.run(&small("true"), json!({})).await;
    let again = Command::Reopen {
        from: vec![StepPath::new("work")],
        by: "ada".to_owned(),
        reason: None,
        seen: None,
        bypass: CacheBypassed::default(),
    };
    let actor = Actor::User("ada".to_owned());
    engine.command(first, actor, again).await.unwrap();
    let state = engine.drive(first).await.unwrap();
    let by = Bypass::Retry;
    assert_eq!(missed(&state, "work").reason, Miss::Bypassed { by });
    assert_eq!(lab.began(), 2);
    let (_, state) = lab.run(&small("true"), json!({})).await;
    let found = reused(&state, "work").unwrap();
    assert_eq!((found.run, found.result.attempt), (first, 2));
}

#[tokio::test]
async fn rule_19_changes_that_were_asked_for_reach_no_kept_result() {
    let text = "steps:\n  - id: work\n    cache: true\n    python: {code: 'results = {\"n\": 1}'}\n  - id: ask\n    \
                needs: [work]\n    approval: {title: Good?, on_changes: work}\n";
    let lab = Lab::new();
    let engine = lab.engine();
    let (run, state) = lab.run(text, json!({})).await;
    let before = lab.notes();
    let asked = state.open_approvals().next().unwrap();
    let sent_back = by_the_next(asked, vote(asked, Answer::RequestChanges, Values::new()));
    let by = Actor::User(sent_back.person.clone());
    engine
        .command(run, by, Command::Vote(sent_back))
        .await
        .unwrap();
    let state = engine.drive(run).await.unwrap();
    let why = NotReused::Rewind;
    assert_eq!(missed(&state, "work").reason, Miss::Refused { why });
    assert_eq!((lab.began(), before), (2, lab.notes()));
    let (_, state) = lab.run(text, json!({})).await;
    assert_eq!(reused(&state, "work").unwrap().result.attempt, 1);
}

#[tokio::test]
async fn rule_19_no_cache_and_refresh_let_code_run_and_keep_what_it_leaves() {
    for (wish, by) in [
        (
            CacheBypassed {
                all: true,
                steps: Vec::new(),
            },
            Bypass::NoCache,
        ),
        (
            CacheBypassed {
                all: false,
                steps: vec![StepPath::new("work")],
            },
            Bypass::Refresh,
        ),
    ] {
        let lab = Lab::new();
        let engine = lab.engine();
        lab.run(&small("true"), json!({})).await;
        let (plan, blobs) = compiled(&small("true"));
        let new = stepwell::engine::NewRun {
            plan,
            blobs,
            inputs: Values::new(),
            workflow_folder: None,
            actor: Actor::User("ada".to_owned()),
            scheduled_at: None,
        };
        let second = engine.create_with(new, wish).await.unwrap();
        let state = engine.drive(second).await.unwrap();
        assert_eq!(missed(&state, "work").reason, Miss::Bypassed { by });
        let (_, state) = lab.run(&small("true"), json!({})).await;
        assert_eq!(
            (reused(&state, "work").unwrap().run, lab.began()),
            (second, 2)
        );
    }
}

#[tokio::test]
async fn rule_19_a_damaged_or_lost_index_costs_a_run_and_nothing_else() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 3] = [
        ("emptied", |path| fs::write(path, "").unwrap()),
        ("cut", |path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("a folder", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
    ];
    for (name, damage) in damages {
        let lab = Lab::new();
        lab.run(&small("true"), json!({})).await;
        let notes = lab.notes();
        assert_eq!(notes.len(), 2);
        notes.iter().for_each(|note| damage(note));
        let (_, state) = lab.run(&small("true"), json!({})).await;
        assert_eq!(state.status(), RunStatus::Succeeded, "{name}");
        let reason = missed(&state, "work").reason;
        assert!(
            matches!(reason, Miss::Lost { run: None, .. }),
            "{name}: {reason:?}"
        );
        assert_eq!(lab.began(), 2);
    }
    // A crash between the end of the step and the note: the result is simply not known.
    let lab = Lab::new();
    lab.run(&small("true"), json!({})).await;
    fs::remove_dir_all(lab.index()).unwrap();
    let (_, state) = lab.run(&small("true"), json!({})).await;
    assert_eq!(missed(&state, "work").reason, Miss::FirstTime);
    // One of the two notes is enough.
    fs::remove_file(&lab.notes()[0]).unwrap();
    let (_, state) = lab.run(&small("true"), json!({})).await;
    assert!(reused(&state, "work").is_some());
}

#[tokio::test]
async fn rule_19_a_source_that_is_gone_or_damaged_is_a_miss_with_its_reason() {
    type Damage = fn(&Lab, &RunState);
    let damages: [(&str, Damage, &str); 4] = [
        (
            "blob damaged",
            |lab, state| fs::write(blob(lab, state), "x").unwrap(),
            "is damaged",
        ),
        (
            "blob gone",
            |lab, state| fs::remove_file(blob(lab, state)).unwrap(),
            "is missing",
        ),
        (
            "file gone",
            |lab, state| {
                fs::remove_dir_all(lab.rig.data.path().join(&state.created.folder)).unwrap();
            },
            "is gone",
        ),
        (
            "run gone",
            |lab, state| {
                for note in lab.notes() {
                    // The note says another run: the log does not have it.
                    let text = fs::read_to_string(&note).unwrap();
                    let (_, text) = text.split_once('\n').unwrap();
                    let text = text.replace(
                        &state.run.to_string(),
                        &RunId::from_bytes([3; 16]).to_string(),
                    );
                    let head = Digest::of(text.as_bytes())
                        .to_string()
                        .replace("sha256:", "");
                    fs::write(&note, format!("{head}\n{text}")).unwrap();
                }
            },
            "no such result",
        ),
    ];
    for (name, damage, why_part) in damages {
        let lab = Lab::new();
        let (_, state) = lab.run(&small("true"), json!({})).await;
        damage(&lab, &state);
        let (second, state) = lab.run(&small("true"), json!({})).await;
        assert_eq!(state.status(), RunStatus::Succeeded, "{name}");
        let Miss::Lost { run: Some(_), why } = missed(&state, "work").reason else {
            panic!("{name}: {:?}", missed(&state, "work"));
        };
        assert!(why.contains(why_part), "{name}: {why}");
        let (_, state) = lab.run(&small("true"), json!({})).await;
        assert_eq!(reused(&state, "work").unwrap().run, second, "{name}");
    }
}

/// The file of the notebook's content.
fn blob(lab: &Lab, state: &RunState) -> PathBuf {
    let (_, step) = state.step(&StepPath::new("work")).unwrap();
    let notebook = step.result.as_ref().unwrap().notebook.as_ref().unwrap();
    let hex = notebook.digest.to_string().replace("sha256:", "");
    lab.rig
        .data
        .path()
        .join("blobs")
        .join(&hex[..2])
        .join(&hex[2..])
}

#[tokio::test]
async fn rule_19_a_result_is_not_kept_when_its_input_changed_while_the_code_ran() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data.csv");
    fs::write(&file, "1").unwrap();
    let changed = file.clone();
    let lab = Lab::leaving(move |_| {
        fs::write(&changed, "2").unwrap();
        FakeAnswer::results(json!({"n": 1}))
    });
    let text = "inputs:\n  data: {type: file}\nsteps:\n  - id: work\n    cache: true\n    with: {data: \"${{ inputs.data }}\"}\n    \
                python: {code: 'results = {\"n\": 1}'}\n";
    let (_, state) = lab.run(text, json!({"data": file})).await;
    assert_eq!(
        (state.status(), lab.notes().len()),
        (RunStatus::Succeeded, 0)
    );
    let (_, state) = lab.run(text, json!({"data": file})).await;
    assert_eq!(missed(&state, "work").reason, Miss::FirstTime);
}

#[tokio::test]
async fn rule_19_two_runs_at_once_both_work_and_the_next_one_takes_a_result() {
    let lab = Lab::new();
    let engine = lab.engine();
    let made = compiled(&small("true"));
    let first = create_in(&engine, &made, json!({}), None).await;
    let second = create_in(&engine, &made, json!({}), None).await;
    let (a, b) = tokio::join!(engine.drive(first), engine.drive(second));
    assert_eq!(a.unwrap().status(), RunStatus::Succeeded);
    assert_eq!(b.unwrap().status(), RunStatus::Succeeded);
    let began = lab.began();
    let (_, state) = lab.run(&small("true"), json!({})).await;
    assert!(reused(&state, "work").is_some());
    assert_eq!(lab.began(), began);
}

#[tokio::test]
async fn rule_19_items_and_rounds_have_results_of_their_own() {
    let text = "steps:\n  - id: all\n    foreach:\n      items: ${{ [1, 2] }}\n      as: item\n      concurrency: 1\n      steps:\n        - id: fit\n          \
                cache: true\n          with: {n: \"${{ item }}\"}\n          python: {code: 'results = {\"n\": 1}'}\n  - id: poll\n    until:\n      \
                condition: ${{ round.index == 2 }}\n      as: round\n      max: 3\n      steps:\n        - id: check\n          cache: true\n          \
                python: {code: 'results = {\"n\": 2}'}\n";
    let lab = Lab::new();
    let (_, state) = lab.run(text, json!({})).await;
    assert_eq!((state.status(), lab.began()), (RunStatus::Succeeded, 4));
    let (_, state) = lab.run(text, json!({})).await;
    assert_eq!((state.status(), lab.began()), (RunStatus::Succeeded, 4));
    assert!(reused(&state, "all[0].fit").is_some() && reused(&state, "poll[2].check").is_some());
}

#[tokio::test]
async fn rule_19_a_failed_attempt_leaves_nothing() {
    let fails = Failure::new(FailureKind::Code, stepwell::code::BAD_OUTPUT, "boom");
    let lab = Lab::leaving(move |_| FakeAnswer::fails(fails.clone()));
    lab.run(&small("true"), json!({})).await;
    assert_eq!((lab.began(), lab.notes().len()), (1, 0));
}

#[test]
fn rule_19_the_real_program_starts_no_python_for_a_result_that_it_has() {
    let place = crate::cli_rig::Place::new();
    place.python(
        "kept",
        "    cache: true\n",
        "import time\nresults = {'n': time.time_ns()}\nprint('it ran')",
    );
    let first = place.json(0, &["run", "kept.yml"]);
    let second = place.json(0, &["run", "kept.yml"]);
    // The time that the code saw is the mark that it leaves: it is the same only when it did not run.
    assert_eq!(first["outputs"]["n"], second["outputs"]["n"]);
    let (one, two) = (&first["run_id"], second["run_id"].as_str().unwrap());
    assert_eq!(&second["steps"]["work"]["reused_from"]["run_id"], one);
    assert_eq!(second["steps"]["work"]["attempts"], json!([]));
    let folder = place.path("data").join(second["folder"].as_str().unwrap());
    assert!(!folder.join("work").exists(), "nothing of it was begun");
    for args in [
        ["show", two].as_slice(),
        &["events", two],
        &["explain", two, "work"],
    ] {
        let ran = place.run(args);
        assert!(ran.out.contains("reused from run_"), "{args:?}: {ran:?}");
    }
    let notebook = place.run(&["notebook", two, "work"]);
    assert_eq!(notebook.code, Some(0), "{notebook:?}");
    assert!(notebook.err.contains("reused from run_"), "{notebook:?}");
    let results = place.json(0, &["results", two, "work"]);
    assert_eq!(&results["reused_from"]["run_id"], one);
    assert!(place.run(&["logs", two, "work"]).out.contains("it ran"));
    let third = place.json(0, &["run", "kept.yml", "--refresh", "work"]);
    assert_ne!(first["outputs"]["n"], third["outputs"]["n"]);
    let missed = &third["steps"]["work"]["cache_missed"]["reason"];
    assert_eq!(missed, &json!({"kind": "bypassed", "by": "refresh"}));
    assert_eq!(
        place.run(&["run", "kept.yml", "--refresh", "wrok"]).code,
        Some(2)
    );
    let fourth = place.json(0, &["run", "kept.yml", "--no-cache"]);
    assert_ne!(third["outputs"]["n"], fourth["outputs"]["n"]);
}

/// A result of another run that step `path` may take.
fn kept(path: &str) -> StepReused {
    let source = StepPath::new(path);
    let mut result = result(&source, 1, Some(json!({"n": 7})));
    let key = Digest::of(path.as_bytes());
    result.cached_as = Some(key);
    StepReused {
        step: source,
        key,
        run: RunId::from_bytes([9; 16]),
        seq: 6,
        made_at: stepwell::time::Timestamp::from_micros(1_700_000_000_000_000),
        age_ms: 90_000,
        result,
    }
}

/// For the golden histories: one step takes a result, one has none, one is to run, one is asked about.
pub(crate) fn stories() -> Vec<(&'static str, Simulation)> {
    let plan = plan_of(
        "steps:\n  - id: taken\n    cache: {ttl: 7d}\n    python: {code: 'results = {}'}\n  - id: new\n    cache: true\n    \
         python: {code: 'results = {}'}\n  - id: fresh\n    cache: true\n    python: {code: 'results = {}'}\n  \
         - id: asked\n    cache: true\n    python: {code: 'results = {}'}\n",
    );
    let mut run = Simulation::new(&plan, &json!({}));
    run.submit(Command::BypassCache(CacheBypassed {
        all: false,
        steps: vec![StepPath::new("fresh")],
    }))
    .unwrap();
    let mut world = World::sampling(0);
    world.verdict = |step| match step.id.as_str() {
        "asked" => Verdict::Ask,
        _ => Verdict::Pass,
    };
    for path in ["taken", "fresh", "asked"] {
        world.kept.insert(StepPath::new(path), kept(path));
    }
    run.rest(&mut world);
    vec![("cache", run)]
}

#[test]
fn rule_19_the_machine_takes_a_result_only_where_it_may() {
    let (_, run) = stories().remove(0);
    assert_eq!(run.state.status(), RunStatus::Succeeded);
    assert!(reused(&run.state, "taken").is_some());
    assert_eq!(missed(&run.state, "new").reason, Miss::FirstTime);
    let by = Bypass::Refresh;
    assert_eq!(missed(&run.state, "fresh").reason, Miss::Bypassed { by });
    let asked = missed(&run.state, "asked");
    let why = NotReused::Policy;
    assert_eq!((asked.reason, asked.key), (Miss::Refused { why }, None));
    let ran: Vec<&str> = run
        .history
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::AttemptStarted(started) => Some(started.step.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(ran, ["new", "fresh", "asked"]);
}
