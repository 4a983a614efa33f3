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
use stepwell::executor::{Adoption, OutputFile};
use stepwell::failure::{Failure, FailureKind};
use stepwell::id::{Digest, RunId, StepPath};
use stepwell::run::payload::{
    Answer, Bypass, CacheBypassed, CacheMissed, Miss, NotReused, Parts, StepReused, Values,
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
                )
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
