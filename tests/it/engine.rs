//! The engine over a store in memory and an executor without processes: what it promises across its own deaths.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::artifact::Blobs;
use stepwell::code;
use stepwell::engine::{Engine, NewRun, Options, Ports, Variables};
use stepwell::executor::fake::{FakeAnswer, FakeExecutor};
use stepwell::executor::{Adoption, Job};
use stepwell::failure::{Failure, FailureKind};
use stepwell::generator::fake::FakeGenerator;
use stepwell::generator::{Answer as Written, Generators};
use stepwell::id::{Digest, RunId};
use stepwell::plan::Plan;
use stepwell::run::payload::{Answer, Values};
use stepwell::run::{Actor, Command, Event, Recorded, RunState, RunStatus};
use stepwell::store::memory::{Break, MemoryStore};
use stepwell::time::{Clock, SimClock, Timestamp};
use stepwell::transport::fake::FakeTransport;
use stepwell::workflow::{CompileOptions, compile};

use crate::simulator::{PEOPLE, by_the_next, sample, sample_results, vote};
use crate::workflow_compile::{Folder, examples, shown};

/// An engine with everything it needs, in a folder of its own.
pub(crate) struct Rig {
    pub(crate) data: tempfile::TempDir,
    pub(crate) store: MemoryStore,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) transport: Arc<FakeTransport>,
}

impl Rig {
    pub(crate) fn new(store: MemoryStore) -> Self {
        let clock = Arc::new(SimClock::new(Timestamp::from_micros(1_800_000_000_000_000)));
        Self {
            data: tempfile::tempdir().unwrap(),
            store,
            clock,
            transport: Arc::default(),
        }
    }

    pub(crate) fn engine(&self, executor: &Arc<FakeExecutor>) -> Engine {
        self.engine_with(executor, |_| {})
    }

    pub(crate) fn engine_with(
        &self,
        executor: &Arc<FakeExecutor>,
        change: impl FnOnce(&mut Options),
    ) -> Engine {
        let mut options = Options::new(self.data.path().to_owned());
        change(&mut options);
        let ports = Ports {
            store: Arc::new(self.store.clone()),
            blobs: Arc::new(Blobs::open(&self.data.path().join("blobs")).unwrap()),
            executor: Arc::clone(executor) as _,
            clock: Arc::clone(&self.clock) as _,
            transport: Arc::clone(&self.transport) as _,
        };
        Engine::new(ports, options)
    }

    /// The same store under a new writer: what a second process finds.
    pub(crate) fn restarted(&mut self) {
        self.store = self.store.reopen();
    }
}

pub(crate) type Compiled = (Arc<Plan>, Vec<(Digest, Vec<u8>)>);

pub(crate) fn compiled(text: &str) -> Compiled {
    let text = format!("version: 1\nname: test\n{text}");
    crate::cli_schema::agree(&text);
    of(compile(
        "test.yml",
        text.as_bytes(),
        &Folder(".".into()),
        &CompileOptions::default(),
    ))
}

fn of(made: stepwell::workflow::Compilation) -> Compiled {
    let said = shown(&made);
    (
        Arc::new(made.plan.unwrap_or_else(|| panic!("{said}"))),
        made.blobs,
    )
}

pub(crate) async fn create(engine: &Engine, made: &Compiled, inputs: Value) -> RunId {
    create_in(engine, made, inputs, None).await
}

/// Creates a run whose workflow lies in that folder.
pub(crate) async fn create_in(
    engine: &Engine,
    (plan, blobs): &Compiled,
    inputs: Value,
    folder: Option<&Path>,
) -> RunId {
    let new = NewRun {
        plan: Arc::clone(plan),
        blobs: blobs.clone(),
        inputs: inputs.as_object().cloned().unwrap(),
        workflow_folder: folder.map(|folder| folder.display().to_string()),
        actor: Actor::User("ada".to_owned()),
        scheduled_at: None,
    };
    engine.create(new).await.unwrap()
}

/// Answers every open question and drives on, until the run has ended.
async fn to_the_end(engine: &Engine, run: RunId) -> RunState {
    loop {
        let state = engine.drive(run).await.unwrap();
        let Some(asked) = state.open_approvals().next() else {
            return state;
        };
        let mut form = Values::new();
        for (name, field) in asked
            .request
            .form
            .iter()
            .filter(|(_, field)| field.default.is_none())
        {
            form.insert(name.clone(), sample(field, 0));
        }
        let vote = by_the_next(asked, vote(asked, Answer::Approve, form));
        engine
            .command(run, Actor::User(vote.person.clone()), Command::Vote(vote))
            .await
            .unwrap();
    }
}

pub(crate) async fn events(engine: &Engine, run: RunId) -> Vec<Recorded> {
    let records = engine.records(run, 1, 10_000).await.unwrap();
    records
        .iter()
        .map(|record| Recorded::from_record(record).unwrap())
        .collect()
}

pub(crate) fn count(events: &[Recorded], name: &str) -> usize {
    events
        .iter()
        .filter(|recorded| recorded.event.name() == name)
        .count()
}

/// An executor that leaves fitting results for every step of a plan.
fn sampling(plan: &Arc<Plan>, seed: u64) -> Arc<FakeExecutor> {
    let plan = Arc::clone(plan);
    Arc::new(FakeExecutor::new(move |job: &Job| {
        // The address of a step in an item or a round ends with its id too.
        let id = job.step.as_str().rsplit('.').next().unwrap();
        FakeAnswer::results(sample_results(plan.steps.with_id(id).unwrap(), seed))
    }))
}

/// A generator that always writes this code.
pub(crate) fn fenced(code: &str) -> FakeGenerator {
    let text = format!("```python\n{code}\n```\n");
    FakeGenerator::new(move |_| {
        Ok(Written {
            text: text.clone(),
            ..Written::default()
        })
    })
}

/// Time that passes by itself, for workflows that wait.
async fn passing(clock: &SimClock) {
    loop {
        tokio::time::sleep(Duration::from_millis(2)).await;
        clock.advance(Duration::from_millis(200));
    }
}

#[tokio::test]
async fn every_workflow_of_the_product_runs_on_fakes_through_the_real_engine() {
    for example in examples() {
        let name = &example.name;
        let made = of(example.compile());
        let executor = sampling(&made.0, 0);
        let rig = Rig::new(MemoryStore::new());
        let engine = rig.engine_with(&executor, |options| {
            let people = PEOPLE.map(str::to_owned);
            options.roles.add("shift_lead", people);
            let token = ("ORBIT_TOKEN".to_owned(), "token-4711".to_owned());
            options.generators = Generators::only("any", Arc::new(fenced("results = {}")));
            options.variables = Variables::new(BTreeMap::from([token]));
        });
        let inputs = made
            .0
            .inputs
            .iter()
            .map(|(name, field)| (name.clone(), sample(field, 0)));
        let run = create(&engine, &made, inputs.collect()).await;
        let state = tokio::select! {
            state = to_the_end(&engine, run) => state,
            () = passing(&rig.clock) => unreachable!("time never ends"),
        };
        assert_eq!(state.status(), RunStatus::Succeeded, "{name}");
        let files = engine.folder(&state);
        assert!(
            files.notebook().is_file() && files.summary().is_file(),
            "{name}"
        );
        assert!(engine.verify(None).await.unwrap().is_sound(), "{name}");
        let graph = stepwell::plan::graph::to_text(&made.0);
        assert!(
            made.0.steps.iter().all(|step| graph.contains(&step.id)),
            "{name} is drawn whole"
        );
    }
}

pub(crate) const WRITE: &str = "
steps:
  - id: read
    python: {code: \"results = {'x': 1}\"}
  - id: write
    python: {code: \"results = {'y': context.x}\", mode: write_access}
    with: {x: '${{ steps.read.outputs.x }}'}
";

fn xy() -> Arc<FakeExecutor> {
    Arc::new(FakeExecutor::new(|_| {
        FakeAnswer::results(json!({"x": 1, "y": 2}))
    }))
}

#[tokio::test]
async fn code_with_write_access_waits_for_a_yes_across_restarts_and_then_runs_once() {
    let mut rig = Rig::new(MemoryStore::new());
    let executor = xy();
    let engine = rig.engine(&executor);
    let run = create(&engine, &compiled(WRITE), json!({})).await;
    assert_eq!(
        engine.drive(run).await.unwrap().status(),
        RunStatus::Waiting
    );
    assert_eq!(executor.started().len(), 1);

    rig.restarted();
    let second = rig.engine(&executor);
    assert_eq!(
        second.drive(run).await.unwrap().status(),
        RunStatus::Waiting,
        "driving does not help"
    );
    let state = second.state(run).await.unwrap();
    let asked = state.open_approvals().next().unwrap().clone();
    let waiting = second.folder(&state).path().join("write/waiting.ipynb");
    assert!(waiting.is_file(), "the waiting notebook is there");
    let yes = Command::Vote(vote(&asked, Answer::Approve, Values::new()));
    second
        .command(run, Actor::User("bea".to_owned()), yes)
        .await
        .unwrap();

    rig.restarted();
    let third = rig.engine(&executor);
    let state = third.drive(run).await.unwrap();
    assert_eq!(state.status(), RunStatus::Succeeded);
    let steps: Vec<String> = executor
        .started()
        .iter()
        .map(|job| job.step.to_string())
        .collect();
    assert_eq!(
        steps,
        ["read", "write"],
        "each step once over three engines"
    );
}

#[tokio::test]
async fn a_yes_holds_only_for_what_was_seen_also_when_the_surroundings_change_afterwards() {
    let mut rig = Rig::new(MemoryStore::new());
    let executor = xy();
    let engine = rig.engine(&executor);
    let run = create(&engine, &compiled(WRITE), json!({})).await;
    let state = engine.drive(run).await.unwrap();
    let first = state.open_approvals().next().unwrap().clone();
    let yes = Command::Vote(vote(&first, Answer::Approve, Values::new()));
    engine
        .command(run, Actor::User("bea".to_owned()), yes)
        .await
        .unwrap();

    // Between the yes and the launch somebody gives the mode another gateway.
    rig.restarted();
    let changed = rig.engine_with(&executor, |options| {
        let gateway = ("EPICS_CA_ADDR_LIST".to_owned(), "10.0.0.9".to_owned());
        options.mode_environment.write_access.extend([gateway]);
    });
    let state = changed.drive(run).await.unwrap();
    assert_eq!(state.status(), RunStatus::Waiting, "it asks again");
    let second = state.open_approvals().next().unwrap().clone();
    assert_ne!(first.request.approval, second.request.approval);
    assert_ne!(first.request.subject_digest, second.request.subject_digest);
    assert_eq!(executor.started().len(), 1, "the write has not run");
    assert_eq!(
        to_the_end(&changed, run).await.status(),
        RunStatus::Succeeded
    );
    assert_eq!(
        executor.started().last().unwrap().env["EPICS_CA_ADDR_LIST"],
        "10.0.0.9"
    );
}

/// Drives the run, which does not come to rest, until that is so.
pub(crate) async fn drive_until(engine: &Engine, run: RunId, mut is_so: impl AsyncFnMut() -> bool) {
    let reached = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        state = engine.drive(run) => panic!("it came to rest: {state:#?}"),
        () = reached => {}
    }
}

#[tokio::test]
async fn an_attempt_that_finished_while_nobody_watched_is_adopted_not_repeated() {
    let mut rig = Rig::new(MemoryStore::new());
    let hanging = Arc::new(FakeExecutor::new(|_| FakeAnswer::Hangs));
    let engine = rig.engine(&hanging);
    let run = create(
        &engine,
        &compiled("steps:\n  - id: a\n    python: {code: 'results = {}'}\n"),
        json!({}),
    )
    .await;
    // The engine dies while the attempt is under way.
    drive_until(&engine, run, async || hanging.started().len() == 1).await;

    rig.restarted();
    let FakeAnswer::Ends(outcome) = FakeAnswer::results(json!({"late": true})) else {
        panic!()
    };
    let adopting = Arc::new(
        FakeExecutor::new(|_| {
            FakeAnswer::Breaks(Failure::new(FailureKind::Internal, code::INTERNAL, "never"))
        })
        .on_adopt(move |_| Adoption::Finished(outcome.clone())),
    );
    let state = rig.engine(&adopting).drive(run).await.unwrap();
    assert_eq!(state.status(), RunStatus::Succeeded);
    let (_, step) = state.step_with_id("a").unwrap();
    assert_eq!(
        Value::Object(step.outputs.clone().unwrap()),
        json!({"late": true})
    );
    assert!(adopting.started().is_empty());
}

#[tokio::test]
async fn a_retry_waits_for_its_time_on_the_clock_of_the_system() {
    let rig = Rig::new(MemoryStore::new());
    let attempts = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&attempts);
    let executor = Arc::new(FakeExecutor::new(move |_| {
        if counter.fetch_add(1, Ordering::SeqCst) == 0 {
            FakeAnswer::Breaks(Failure::new(
                FailureKind::Infrastructure,
                code::SPAWN_FAILED,
                "no process",
            ))
        } else {
            FakeAnswer::results(json!({}))
        }
    }));
    let engine = rig.engine(&executor);
    let yaml = "steps:\n  - id: a\n    python: {code: 'results = {}'}\n    retry: {max_attempts: 2, delay: 1h, jitter: 0}\n";
    let run = create(&engine, &compiled(yaml), json!({})).await;
    let driving = {
        let engine = engine.clone();
        tokio::task::spawn(async move { engine.drive(run).await })
    };
    while count(&events(&engine, run).await, "RetryScheduled") == 0 {
        tokio::task::yield_now().await;
    }
    rig.clock.advance(Duration::from_secs(3_599));
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(attempts.load(Ordering::SeqCst), 1, "a second too early");
    rig.clock.advance(Duration::from_secs(1));
    let state = driving.await.unwrap().unwrap();
    assert_eq!(
        (state.status(), attempts.load(Ordering::SeqCst)),
        (RunStatus::Succeeded, 2)
    );
}

#[tokio::test]
async fn a_store_that_breaks_at_any_append_loses_nothing_and_the_next_engine_goes_on() {
    let text = "steps:\n  - id: a\n    python: {code: \"results = {'x': 1}\"}\n  - id: b\n    set: {y: '${{ steps.a.outputs.x + 1 }}'}\n";
    let made = compiled(text);
    let breaks = (2..9).flat_map(|append| [Break::Before(append), Break::After(append)]);
    for broken in breaks {
        let mut rig = Rig::new(MemoryStore::breaking(broken));
        let executor = xy();
        let engine = rig.engine(&executor);
        let run = create(&engine, &made, json!({})).await;
        let driven = engine.drive(run).await;
        rig.restarted();
        let FakeAnswer::Ends(outcome) = FakeAnswer::results(json!({"x": 1})) else {
            panic!()
        };
        let second = Arc::new(
            FakeExecutor::new(|_| FakeAnswer::results(json!({"x": 1})))
                .on_adopt(move |_| Adoption::Finished(outcome.clone())),
        );
        let engine = rig.engine(&second);
        let state = engine.drive(run).await.unwrap();
        assert_eq!(state.status(), RunStatus::Succeeded, "{broken:?}");
        assert_eq!(state.outputs_of("b"), json!({"y": 2}));
        let ran = executor.started().len() + second.started().len();
        assert!(ran <= 1, "{broken:?}: the code ran {ran} times");
        // Where the attempt had begun in the log, its result was adopted; otherwise it ran now.
        let adopted = count(&events(&engine, run).await, "AttemptStarted") - second.started().len();
        assert!(ran == 1 || adopted == 1, "{broken:?}");
        assert!(
            driven.is_err() || matches!(broken, Break::Before(5..) | Break::After(5..)),
            "{broken:?} was reached"
        );
    }
}

trait OutputsOf {
    fn outputs_of(&self, id: &str) -> Value;
}

impl OutputsOf for RunState {
    fn outputs_of(&self, id: &str) -> Value {
        Value::Object(self.step_with_id(id).unwrap().1.outputs.clone().unwrap())
    }
}

#[tokio::test]
async fn a_crash_that_loses_the_tail_of_the_log_ends_the_same() {
    let made = compiled(WRITE);
    let rig = Rig::new(MemoryStore::new());
    let run = {
        let engine = rig.engine(&xy());
        let run = create(&engine, &made, json!({})).await;
        assert_eq!(
            to_the_end(&engine, run).await.status(),
            RunStatus::Succeeded
        );
        run
    };
    for kept in 1..=rig.store.appended() {
        let crashed = Rig {
            data: tempfile::tempdir().unwrap(),
            store: rig.store.crash_after(kept),
            transport: Arc::default(),
            clock: Arc::clone(&rig.clock),
        };
        copy(
            &rig.data.path().join("blobs"),
            &crashed.data.path().join("blobs"),
        );
        let executor = xy();
        let engine = crashed.engine(&executor);
        if engine.state(run).await.is_err() {
            continue; // The run's first event was in the lost tail: it was never acknowledged.
        }
        let state = to_the_end(&engine, run).await;
        assert_eq!(state.status(), RunStatus::Succeeded, "{kept} records kept");
        assert_eq!(state.outputs_of("write"), json!({"x": 1, "y": 2}));
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn a_cancel_is_done_only_when_the_attempt_is_dead() {
    let mut rig = Rig::new(MemoryStore::new());
    let executor = Arc::new(FakeExecutor::new(|_| FakeAnswer::Hangs));
    let engine = rig.engine(&executor);
    let yaml =
        "steps:\n  - id: a\n    python: {code: 'results = {}'}\n  - id: b\n    set: {x: 1}\n";
    let run = create(&engine, &compiled(yaml), json!({})).await;
    drive_until(&engine, run, async || executor.started().len() == 1).await;
    rig.restarted();
    let second = rig.engine(&executor);
    let cancel = Command::Cancel {
        reason: Some("storm".to_owned()),
    };
    let state = second
        .command(run, Actor::User("ada".to_owned()), cancel)
        .await
        .unwrap();
    assert_eq!(
        state.status(),
        RunStatus::Running,
        "asked for, not yet done: a process is alive"
    );
    let state = second.drive(run).await.unwrap();
    assert_eq!(state.status(), RunStatus::Cancelled);
    assert_eq!(executor.killed().len(), 1);
    let kinds: Vec<&str> = events(&second, run)
        .await
        .iter()
        .map(|r| r.event.name())
        .collect();
    assert_eq!(kinds.last(), Some(&"RunCancelled"));
}

#[tokio::test]
async fn independent_steps_run_side_by_side_up_to_the_bound() {
    let rig = Rig::new(MemoryStore::new());
    let executor = Arc::new(FakeExecutor::new(|_| FakeAnswer::Hangs));
    let engine = rig.engine_with(&executor, |options| options.steps_at_once = 3);
    let steps: String = (0..5)
        .map(|n| format!("  - id: s{n}\n    needs: []\n    python: {{code: 'results = {{}}'}}\n"))
        .collect();
    let run = create(&engine, &compiled(&format!("steps:\n{steps}")), json!({})).await;
    let mut looks = 0;
    drive_until(&engine, run, async || {
        // For a while after that: a fourth would begin then.
        looks += usize::from(executor.started().len() >= 3);
        looks > 40
    })
    .await;
    assert_eq!(executor.started().len(), 3);
    // Only what really began is recorded as begun.
    assert_eq!(count(&events(&engine, run).await, "AttemptStarted"), 3);
}

#[tokio::test]
async fn two_thousand_steps_that_may_all_begin_at_once_fit_into_the_store() {
    let rig = Rig::new(MemoryStore::new());
    let engine = rig.engine(&xy());
    let steps: String = (0..2_000)
        .map(|n| format!("  - id: s{n}\n    needs: []\n    set: {{x: {n}}}\n"))
        .collect();
    let run = create(&engine, &compiled(&format!("steps:\n{steps}")), json!({})).await;
    let state = engine.drive(run).await.unwrap();
    assert_eq!(state.status(), RunStatus::Succeeded);
    assert_eq!(state.outputs_of("s1999"), json!({"x": 1999}));
    assert!(engine.verify(None).await.unwrap().is_sound());
}

#[tokio::test]
async fn a_stale_engine_is_fenced_off_by_the_one_that_opened_the_store_after_it() {
    let mut rig = Rig::new(MemoryStore::new());
    let executor = xy();
    let old = rig.engine(&executor);
    let run = create(&old, &compiled(WRITE), json!({})).await;
    rig.restarted();
    let new = rig.engine(&executor);
    let error = old.drive(run).await.unwrap_err();
    assert_eq!(error.code(), code::STORE_FENCED, "{error}");
    assert_eq!(new.drive(run).await.unwrap().status(), RunStatus::Waiting);
}

#[tokio::test]
async fn the_state_at_an_event_is_the_state_then() {
    let rig = Rig::new(MemoryStore::new());
    let engine = rig.engine(&xy());
    let run = create(&engine, &compiled(WRITE), json!({})).await;
    let end = to_the_end(&engine, run).await;
    let history = events(&engine, run).await;
    let asked = history
        .iter()
        .find(|r| matches!(r.event, Event::ApprovalRequested(_)))
        .unwrap()
        .seq;
    let then = engine.state_at(run, asked).await.unwrap();
    assert_eq!(then.status(), RunStatus::Waiting);
    assert_eq!(
        engine.state_at(run, end.seq).await.unwrap().status(),
        RunStatus::Succeeded
    );
    assert!(engine.state_at(run, end.seq + 1).await.is_err());
    assert!(rig.clock.now() > Timestamp::from_micros(0));
}

#[tokio::test]
async fn a_write_whose_results_could_not_be_kept_asks_and_is_not_made_again() {
    let rig = Rig::new(MemoryStore::new());
    let executor = Arc::new(FakeExecutor::new(|_| {
        let FakeAnswer::Ends(mut outcome) = FakeAnswer::results(json!({})) else {
            panic!()
        };
        // A figure that is not there when it is fetched: as on a disk that died meanwhile.
        outcome.figures.push(stepwell::executor::OutputFile {
            path: "figures/gone.png".to_owned(),
            title: String::new(),
            description: String::new(),
            media_type: "image/png".to_owned(),
            bytes: 1,
        });
        FakeAnswer::Ends(outcome)
    }));
    let engine = rig.engine_with(&executor, |options| {
        options.policy.write_access.requires_approval = false;
    });
    let yaml = "steps:\n  - id: w\n    python: {code: 'results = {}', mode: write_access}\n    \
                retry: {max_attempts: 5, delay: 1ms, kinds: [infrastructure]}\n";
    let run = create(&engine, &compiled(yaml), json!({})).await;
    let state = engine.drive(run).await.unwrap();
    assert_eq!(state.status(), RunStatus::Waiting);
    assert_eq!(
        state.step_with_id("w").unwrap().1.status.as_str(),
        "unknown"
    );
    assert_eq!(executor.started().len(), 1);
}

#[tokio::test]
async fn the_notebook_of_code_that_never_ran_says_why() {
    for (answer, state_word) in [(Answer::Reject, "rejected"), (Answer::Approve, "succeeded")] {
        let rig = Rig::new(MemoryStore::new());
        let engine = rig.engine(&xy());
        let run = create(&engine, &compiled(WRITE), json!({})).await;
        let state = engine.drive(run).await.unwrap();
        let waiting = engine.folder(&state).path().join("write/waiting.ipynb");
        let page = || std::fs::read_to_string(&waiting).unwrap();
        assert!(page().contains("\"state\": \"waiting\""), "{}", page());
        let asked = state.open_approvals().next().unwrap();
        let command = Command::Vote(vote(asked, answer, Values::new()));
        engine
            .command(run, Actor::User("bea".to_owned()), command)
            .await
            .unwrap();
        let state = engine.drive(run).await.unwrap();
        assert_eq!(
            state.step_with_id("write").unwrap().1.status.as_str(),
            state_word
        );
        if answer == Answer::Reject {
            assert!(page().contains("\"state\": \"rejected\"") && page().contains("as agreed"));
            let whole = std::fs::read_to_string(engine.folder(&state).notebook()).unwrap();
            assert!(
                whole.contains("as agreed"),
                "the run's notebook has the reason"
            );
        }
    }
}
