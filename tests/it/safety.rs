//! Faults that a reading of the engine found, each with the situation that shows it: writers that come in between,
//! runs that nobody owns, work that comes too late.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use stepwell::artifact::Blobs;
use stepwell::engine::{Engine, Options, Ports};
use stepwell::executor::fake::FakeExecutor;
use stepwell::id::{RunId, StepPath};
use stepwell::run::payload::{Answer, Values};
use stepwell::run::{
    Actor, Command, Effect, Epoch, Life, Record, Refusal, RunStatus, RunSummary, Seq, effects,
    summary,
};
use stepwell::store::memory::MemoryStore;
use stepwell::store::{
    Append, AppendError, Appended, Error, EventStore, Lease, ListQuery, Page, Report, Watch,
};
use stepwell::time::{BoxFuture, Timestamp};
use stepwell::transport::fake::{FakeAnswer, FakeTransport};

use crate::engine::{Rig, compiled, count, create, events};
use crate::inner_runs::compiled_with;
use crate::simulator::{Ends, Simulation, World, result, vote};

/// What somebody does before an append reaches the store.
pub(crate) type Before = Box<dyn Fn(&Append) -> BoxFuture<'static, ()> + Send + Sync>;

/// A store in memory at which somebody else may come first, and that remembers every row.
pub(crate) struct Crowded {
    inner: MemoryStore,
    before: Before,
    rows: Mutex<Vec<RunSummary>>,
}

impl fmt::Debug for Crowded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Crowded")
    }
}

impl Crowded {
    pub(crate) fn new(inner: &MemoryStore, before: Before) -> Arc<Self> {
        Arc::new(Self {
            inner: inner.clone(),
            before,
            rows: Mutex::default(),
        })
    }
}

impl EventStore for Crowded {
    fn epoch(&self) -> Epoch {
        self.inner.epoch()
    }
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            (self.before)(&append).await;
            let row = append.summary.clone();
            let appended = self.inner.append(append).await?;
            self.rows.lock().unwrap().push(row);
            Ok(appended)
        })
    }
    fn read(
        &self,
        run: RunId,
        from: Seq,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Record>, Error>> {
        self.inner.read(run, from, limit)
    }
    fn summary(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunSummary>, Error>> {
        self.inner.summary(run)
    }
    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, Error>> {
        self.inner.list(query)
    }
    fn resolve<'a>(
        &'a self,
        text: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<RunId>, Error>> {
        self.inner.resolve(text, limit)
    }
    fn verify(&self, run: Option<RunId>) -> BoxFuture<'_, Result<Report, Error>> {
        self.inner.verify(run)
    }
    fn watch(&self, run: RunId) -> BoxFuture<'_, Result<Watch, Error>> {
        self.inner.watch(run)
    }
    fn lease(&self, run: RunId) -> BoxFuture<'_, Result<Lease, Error>> {
        self.inner.lease(run)
    }
}

/// An engine over that store.
fn engine_over(rig: &Rig, store: Arc<dyn EventStore>, executor: &Arc<FakeExecutor>) -> Engine {
    let ports = Ports {
        store,
        blobs: Arc::new(Blobs::open(&rig.data.path().join("blobs")).unwrap()),
        executor: Arc::clone(executor) as _,
        clock: Arc::clone(&rig.clock) as _,
        transport: Arc::clone(&rig.transport) as _,
    };
    Engine::new(ports, Options::new(rig.data.path().to_owned()))
}

fn nobody() -> Arc<FakeExecutor> {
    Arc::new(FakeExecutor::new(|job| panic!("nothing runs: {job:?}")))
}

/// A step that waits for a signal, and a thousand that come after it.
fn after_a_signal() -> String {
    let gate = "  - id: gate\n    wait: {signal: beam}\n";
    let late = "  - id: late\n    needs: []\n    wait: {signal: never}\n";
    let steps =
        (0..1_000).map(|n| format!("  - id: s{n}\n    needs: [gate]\n    set: {{x: {n}}}\n"));
    format!("steps:\n{gate}{late}{}", steps.collect::<String>())
}

fn ada() -> Actor {
    Actor::User("ada".to_owned())
}

#[tokio::test]
async fn a_command_whose_bookkeeping_meets_another_writer_has_its_effect_once() {
    let store = MemoryStore::new();
    let rig = Rig::new(store.clone());
    let executor = nobody();
    let other = rig.engine(&executor);
    // A thousand waits that are over when the signal comes.
    let wait = |n| format!("  - id: w{n}\n    needs: []\n    wait: {{duration: 1m}}\n");
    let gate = "  - id: gate\n    needs: []\n    wait: {signal: beam}\n";
    let steps: String = (0..1_000).map(wait).collect();
    let text = format!("steps:\n{gate}{steps}");
    let run = create(&other, &compiled(&text), json!({})).await;
    other.command(run, ada(), Command::Start).await.unwrap();
    rig.clock.advance(Duration::from_secs(120));

    let came = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&came);
    let between = other.clone();
    let crowded = Crowded::new(
        &store,
        Box::new(move |_| {
            let number = {
                let mut seen = seen.lock().unwrap();
                *seen += 1;
                *seen
            };
            let between = between.clone();
            Box::pin(async move {
                if number == 2 {
                    let reason = Some("somebody was faster".to_owned());
                    let pause = Command::Pause { reason };
                    between.command(run, ada(), pause).await.unwrap();
                }
            })
        }),
    );
    let engine = engine_over(&rig, Arc::clone(&crowded) as _, &executor);
    let signal = Command::Signal {
        name: "beam".to_owned(),
        payload: serde_json::Map::new(),
        key: None,
    };
    let state = engine.command(run, ada(), signal).await.unwrap();
    assert!(*came.lock().unwrap() >= 2, "it was cut into commits");
    let all = events(&engine, run).await;
    assert_eq!(count(&all, "SignalReceived"), 1);
    assert_eq!(count(&all, "SignalConsumed"), 1);
    assert_eq!(count(&all, "RunPaused"), 1);
    assert_eq!(state.signals.len(), 1);
    assert!(engine.verify(None).await.unwrap().is_sound());
}

#[tokio::test]
async fn the_row_of_a_commit_is_that_of_the_log_up_to_it() {
    let store = MemoryStore::new();
    let rig = Rig::new(store.clone());
    let crowded = Crowded::new(&store, Box::new(|_| Box::pin(async {})));
    let engine = engine_over(&rig, Arc::clone(&crowded) as _, &nobody());
    let text = after_a_signal();
    let run = create(&engine, &compiled(&text), json!({})).await;
    assert_eq!(
        engine.drive(run).await.unwrap().status(),
        RunStatus::Waiting
    );
    let signal = Command::Signal {
        name: "beam".to_owned(),
        payload: serde_json::Map::new(),
        key: None,
    };
    engine.command(run, ada(), signal).await.unwrap();
    engine.drive(run).await.unwrap();
    let rows = crowded.rows.lock().unwrap().clone();
    assert!(rows.len() > 4, "it was cut into commits");
    for row in rows {
        let state = engine.state_at(run, row.last_seq).await.unwrap();
        assert_eq!(row, summary(&state), "at {}", row.last_seq);
    }
}

/// Runs a step of the simulation until its attempt is under way.
fn begin(run: &mut Simulation, world: &World, step: &str) {
    let path = StepPath::new(step);
    let report = run.analysis(&path, world);
    run.submit(Command::Analysed(report)).unwrap();
    run.advance();
    let started = run.started(&path, 1);
    run.submit(Command::BeginAttempt(started)).unwrap();
}

fn end(run: &mut Simulation, step: &str) {
    let result = result(&StepPath::new(step), 1, Some(json!({"x": 1})));
    let command = Command::AttemptEnded {
        result,
        failure: None,
    };
    run.submit(command).unwrap();
    run.advance();
}

fn wants_changes(run: &mut Simulation, step: &str) {
    let asked = run
        .state
        .open_approvals()
        .find(|asked| asked.request.step.as_str() == step)
        .unwrap();
    let wish = vote(asked, Answer::RequestChanges, Values::new());
    run.submit(Command::Vote(wish)).unwrap();
    run.advance();
}

/// `b` hangs on `a`; a question about each; beside each something that is under way when changes are asked for.
fn two_questions() -> Simulation {
    let py = "python: {code: \"results = {'x': 1}\"}";
    let text = format!(
        "steps:\n  - id: a\n    {py}\n  - id: b\n    {py}\n  - id: beside_a\n    needs: [a]\n    {py}\n  - id: beside_b\n    needs: [b]\n    {py}\n  \
         - id: ask_a\n    needs: [a]\n    approval: {{title: Good?, on_changes: a}}\n  - id: ask_b\n    needs: [b]\n    approval: {{title: Good?, on_changes: b}}\n  \
         - id: end\n    needs: [beside_a, beside_b, ask_a, ask_b]\n    {py}\n"
    );
    let world = World::sampling(0);
    let mut run = Simulation::new(&compiled(&text).0, &json!({}));
    run.submit(Command::Start).unwrap();
    run.advance();
    for step in ["a", "b"] {
        begin(&mut run, &world, step);
        end(&mut run, step);
    }
    begin(&mut run, &world, "beside_a");
    begin(&mut run, &world, "beside_b");
    run
}

fn owed(run: &Simulation) -> Vec<String> {
    let all = effects(&run.state, Timestamp::from_micros(i64::MAX));
    let mut told: Vec<String> = all
        .iter()
        .map(|effect| match effect {
            Effect::Kill { step, .. } => format!("kill {step}"),
            other => format!("{other:?}"),
        })
        .collect();
    told.sort();
    told
}

#[test]
fn changes_asked_for_at_two_questions_are_both_made_and_nothing_in_between_runs_for_nothing() {
    let mut run = two_questions();
    wants_changes(&mut run, "ask_b");
    wants_changes(&mut run, "ask_a");
    assert_eq!(owed(&run), ["kill beside_a", "kill beside_b"]);
    let kill = |run: &mut Simulation, step: &str| {
        let step = StepPath::new(step);
        run.submit(Command::AttemptKilled { step, attempt: 1 })
            .unwrap();
        run.advance();
    };
    kill(&mut run, "beside_b");
    // `b` could begin anew, but with what `a` gave before: it waits for `a`.
    assert_eq!(owed(&run), ["kill beside_a"]);
    kill(&mut run, "beside_a");
    let mut world = World::new(|_, attempt| Ends::With(json!({"x": attempt})));
    run.rest(&mut world);
    assert_eq!(run.state.status(), RunStatus::Succeeded);
    for step in ["a", "b", "beside_a", "beside_b"] {
        let (_, state) = run.state.step_with_id(step).unwrap();
        assert_eq!(state.attempts.len(), 2, "{step}");
    }
    let rewound = |at: &stepwell::run::Recorded| at.event.name() == "StepsRewound";
    assert_eq!(run.history.iter().filter(|at| rewound(at)).count(), 2);
    let wished = &run.state.frames().next().unwrap().1.changes;
    assert_eq!(wished.len(), 2, "what both people wanted is kept");
}

#[test]
fn two_rewinds_end_the_same_whatever_event_they_crash_after() {
    let mut base = two_questions();
    wants_changes(&mut base, "ask_b");
    wants_changes(&mut base, "ask_a");
    base.rest(&mut World::sampling(0));
    let asked = base
        .history
        .iter()
        .rposition(|at| at.event.name() == "ApprovalVoted");
    let last_wish = base
        .history
        .iter()
        .enumerate()
        .filter(|(_, at)| at.event.name() == "ApprovalVoted")
        .nth(1)
        .unwrap()
        .0;
    assert!(asked.unwrap() > last_wish, "both were asked again");
    for kept in last_wish + 1..=base.history.len() {
        let mut run = base.crashed(kept);
        run.rest(&mut World::sampling(0));
        assert_eq!(run.state.status(), RunStatus::Succeeded, "cut after {kept}");
        let rewound = run
            .history
            .iter()
            .filter(|at| at.event.name() == "StepsRewound");
        assert_eq!(rewound.count(), 2, "cut after {kept}");
    }
}

#[test]
fn an_attempt_out_of_turn_or_of_an_earlier_life_is_refused_before_it_is_recorded() {
    let mut run = two_questions();
    let earlier = Life::of(&run.state, &StepPath::new("end")).unwrap();
    let b = Life::of(&run.state, &StepPath::new("b")).unwrap();
    wants_changes(&mut run, "ask_b");
    let path = StepPath::new("beside_b");
    run.submit(Command::AttemptKilled {
        step: path.clone(),
        attempt: 1,
    })
    .unwrap();
    run.advance();
    let world = World::sampling(0);
    let report = run.analysis(&StepPath::new("b"), &world);
    let stale = Command::Since(b.clone(), Box::new(Command::Analysed(report.clone())));
    let refused = run.submit(stale).unwrap_err();
    assert!(matches!(refused, Refusal::Stale(_)), "{refused}");
    let now = Life::of(&run.state, &StepPath::new("b")).unwrap();
    assert_eq!(now.number, b.number + 1);
    assert_eq!(Life::of(&run.state, &StepPath::new("end")), Some(earlier));
    run.submit(Command::Since(now, Box::new(Command::Analysed(report))))
        .unwrap();
    run.advance();
    for wrong in [1, 3] {
        let started = run.started(&StepPath::new("b"), wrong);
        let refused = run.submit(Command::BeginAttempt(started)).unwrap_err();
        assert!(matches!(refused, Refusal::Stale(_)), "{wrong}: {refused}");
    }
    let started = run.started(&StepPath::new("b"), 2);
    run.submit(Command::BeginAttempt(started)).unwrap();
}

#[test]
fn an_attempt_of_a_step_that_has_not_got_its_lock_is_refused() {
    let text = "steps:\n  - id: move\n    locks: [magnet]\n    http: {method: POST, url: 'http://a.example'}\n";
    let mut run = Simulation::new(&compiled(text).0, &json!({}));
    run.submit(Command::Start).unwrap();
    run.advance();
    let started = run.started(&StepPath::new("move"), 1);
    let refused = run.submit(Command::BeginAttempt(started)).unwrap_err();
    assert!(matches!(refused, Refusal::Stale(_)), "{refused}");
}

#[tokio::test]
async fn an_act_that_was_about_to_begin_when_its_step_began_anew_is_not_made() {
    let store = MemoryStore::new();
    let mut rig = Rig::new(store.clone());
    let answer = FakeTransport::default().on_request(|_| FakeAnswer::json(200, &json!({})));
    rig.transport = Arc::new(answer);
    let executor = nobody();
    let other = rig.engine(&executor);
    let text = "steps:\n  - id: prep\n    set: {n: '${{ len(changes) }}'}\n  \
                - id: ask\n    needs: [prep]\n    approval: {title: Good?, on_changes: prep}\n  \
                - id: send\n    needs: [prep]\n    http: {method: POST, url: 'http://a.example/${{ steps.prep.outputs.n }}'}\n";
    let run = create(&other, &compiled(text), json!({})).await;
    let once = Arc::new(Mutex::new(false));
    let between = other.clone();
    let crowded = Crowded::new(
        &store,
        Box::new(move |append| {
            let about = append.records.iter().any(|record| {
                String::from_utf8_lossy(&record.body).contains("\"executor\":\"http\"")
            });
            let first = about && !std::mem::replace(&mut *once.lock().unwrap(), about);
            let between = between.clone();
            Box::pin(async move {
                if first {
                    let state = between.state(run).await.unwrap();
                    let asked = state.open_approvals().next().unwrap();
                    let wish = vote(asked, Answer::RequestChanges, Values::new());
                    let by = Actor::User(wish.person.clone());
                    between.command(run, by, Command::Vote(wish)).await.unwrap();
                }
            })
        }),
    );
    let engine = engine_over(&rig, crowded, &executor);
    engine.drive(run).await.unwrap();
    let urls: Vec<String> = rig
        .transport
        .requests()
        .into_iter()
        .map(|r| r.url)
        .collect();
    assert_eq!(
        urls,
        ["http://a.example/1"],
        "only what the reviewer wanted was sent"
    );
}

#[test]
fn a_copy_of_a_run_shares_its_questions_and_those_that_are_open_are_known() {
    let mut run = two_questions();
    let ids: Vec<_> = run.state.approvals.keys().cloned().collect();
    assert_eq!(ids.len(), 2);
    let copy = run.state.clone();
    wants_changes(&mut run, "ask_b");
    let shared = |id| {
        let (here, there) = (run.state.approvals.get(id), copy.approvals.get(id));
        std::ptr::eq(here.unwrap(), there.unwrap())
    };
    assert!(
        shared(&ids[0]),
        "a question that did not change is not copied"
    );
    assert!(!shared(&ids[1]));
    let open = |state: &stepwell::run::RunState| {
        let open: Vec<_> = state
            .approvals
            .values()
            .filter(|asked| asked.closed.is_none())
            .cloned()
            .collect();
        assert!(state.open_approvals().eq(open.iter()));
        open.len()
    };
    assert_eq!((open(&copy), open(&run.state)), (2, 1));
    run.rest(&mut World::sampling(0));
    assert_eq!((run.state.approvals.len(), open(&run.state)), (3, 0));
}

const CHILD: &str = "version: 1\nname: child\nsteps:\n  - id: ask\n    approval: {title: Go on?, timeout: 3h}\n  \
                     - id: again\n    approval: {title: And now?}\n  - id: done\n    set: {x: 1}\n";

#[tokio::test]
async fn a_run_that_its_step_never_took_is_cancelled_and_never_driven() {
    // The engine dies before the run is its own, or the step is stopped in that moment.
    for dies in [true, false] {
        let store = MemoryStore::new();
        let rig = Rig::new(store.clone());
        let executor = nobody();
        let other = rig.engine(&executor);
        let made = compiled_with(
            "steps:\n  - id: inside\n    workflow: {file: child.yml}\n",
            &[("child.yml", CHILD)],
        );
        let run = create(&other, &made, json!({})).await;
        let between = other.clone();
        let reached = Arc::new(tokio::sync::Notify::new());
        let reaches = Arc::clone(&reached);
        let crowded = Crowded::new(
            &store,
            Box::new(move |append| {
                let taken = append.run == run
                    && append.records.iter().any(|record| {
                        String::from_utf8_lossy(&record.body).contains("\"run\":\"run_")
                    });
                let (between, reaches) = (between.clone(), Arc::clone(&reaches));
                Box::pin(async move {
                    if taken && dies {
                        reaches.notify_one();
                        std::future::pending::<()>().await;
                    }
                    if taken {
                        let reason = Some("no more".to_owned());
                        let cancel = Command::Cancel { reason };
                        between.command(run, ada(), cancel).await.unwrap();
                    }
                })
            }),
        );
        let engine = engine_over(&rig, crowded, &executor);
        let died = tokio::select! {
            driven = engine.drive(run) => driven.is_err(),
            () = reached.notified() => true,
        };
        assert_eq!(died, dies);
        if dies {
            let reason = Some("no more".to_owned());
            let cancel = Command::Cancel { reason };
            other.command(run, ada(), cancel).await.unwrap();
        }
        let state = other.state(run).await.unwrap();
        assert_eq!(state.status(), RunStatus::Cancelled);
        for left in other.unfinished().await.unwrap() {
            let left = other.drive(left).await.unwrap();
            assert_eq!(left.status(), RunStatus::Cancelled);
        }
        let query = stepwell::store::ListQuery::newest(10);
        let rows = other.list(query).await.unwrap().rows;
        let child = rows.iter().find(|row| row.run != run).unwrap().run;
        let state = other.state(child).await.unwrap();
        assert_eq!(state.status(), RunStatus::Cancelled);
        let reason = state.ending.unwrap().reason.unwrap();
        assert!(reason.contains("`inside`"), "{reason}");
        let all = events(&other, child).await;
        assert_eq!(count(&all, "StepReady"), 0, "nothing of it began");
    }
}

#[tokio::test]
async fn a_run_that_its_step_will_take_is_left_to_it() {
    let store = MemoryStore::new();
    let rig = Rig::new(store.clone());
    let executor = nobody();
    let other = rig.engine(&executor);
    let made = compiled_with(
        "steps:\n  - id: inside\n    workflow: {file: child.yml}\n",
        &[("child.yml", CHILD)],
    );
    let run = create(&other, &made, json!({})).await;
    let between = other.clone();
    let seen = Arc::new(Mutex::new(0));
    let looked = Arc::clone(&seen);
    let crowded = Crowded::new(
        &store,
        Box::new(move |append| {
            let taken = append.run == run
                && append
                    .records
                    .iter()
                    .any(|record| String::from_utf8_lossy(&record.body).contains("\"run\":\"run_"));
            let (between, looked) = (between.clone(), Arc::clone(&looked));
            Box::pin(async move {
                for other in between.unfinished().await.unwrap() {
                    if taken && other != run {
                        let state = between.drive(other).await.unwrap();
                        assert_eq!(state.status(), RunStatus::Pending);
                        *looked.lock().unwrap() += 1;
                    }
                }
            })
        }),
    );
    let engine = engine_over(&rig, crowded, &executor);
    let state = engine.drive(run).await.unwrap();
    assert!(*seen.lock().unwrap() > 0);
    assert_eq!(state.status(), RunStatus::Waiting, "the run inside asks");
}

/// A run inside a run asks, while a step beside it keeps the engine up.
async fn asks_inside(rig: &Rig) -> (Engine, RunId) {
    let executor = Arc::new(FakeExecutor::new(|_| {
        stepwell::executor::fake::FakeAnswer::Hangs
    }));
    let engine = rig.engine(&executor);
    let made = compiled_with(
        "steps:\n  - id: inside\n    workflow: {file: child.yml}\n  - id: beside\n    needs: []\n    python: {code: 'results = {}'}\n",
        &[("child.yml", CHILD)],
    );
    let run = create(&engine, &made, json!({})).await;
    (engine, run)
}

/// The step of the run inside whose question the run shows.
async fn shown_inside(engine: &Engine, run: RunId) -> Option<(RunId, String)> {
    let state = engine.state(run).await.unwrap();
    let (_, inside) = state.step_with_id("inside")?;
    let asked = inside.waiting_child()?.questions.first()?;
    let child = inside.children.last()?.run;
    Some((child, asked.step.to_string()))
}

/// Drives a run until it shows the question of that step inside.
async fn until_shown(engine: &Engine, rig: &Rig, run: RunId, step: &str, tick: Duration) -> RunId {
    let driving = engine.drive(run);
    tokio::pin!(driving);
    for _ in 0..300 {
        tokio::select! {
            state = &mut driving => panic!("it ended: {:?}", state.unwrap().status()),
            () = tokio::time::sleep(Duration::from_millis(10)) => rig.clock.advance(tick),
        }
        if let Some((child, shown)) = shown_inside(engine, run).await
            && shown == step
        {
            return child;
        }
    }
    panic!("the question of `{step}` is not shown");
}

#[tokio::test]
async fn limits_on_people_pass_in_runs_inside_while_the_run_around_them_is_driven() {
    let rig = Rig::new(MemoryStore::new());
    let (engine, run) = asks_inside(&rig).await;
    let second = Duration::from_secs(1);
    let child = until_shown(&engine, &rig, run, "ask", second).await;
    let driving = engine.drive(run);
    tokio::pin!(driving);
    for _ in 0..300 {
        tokio::select! {
            state = &mut driving => panic!("it ended: {:?}", state.unwrap().status()),
            () = tokio::time::sleep(Duration::from_millis(10)) => {
                rig.clock.advance(Duration::from_secs(600));
            }
        }
        if engine.state(child).await.unwrap().status() == RunStatus::Rejected {
            return;
        }
    }
    panic!("the time to answer did not pass");
}

#[tokio::test]
async fn the_next_question_inside_is_shown_when_it_comes_with_the_answer() {
    let rig = Rig::new(MemoryStore::new());
    let (engine, run) = asks_inside(&rig).await;
    let second = Duration::from_secs(1);
    let child = until_shown(&engine, &rig, run, "ask", second).await;
    let driving = engine.drive(run);
    tokio::pin!(driving);
    let mut answered = false;
    for _ in 0..300 {
        tokio::select! {
            state = &mut driving => panic!("it ended: {:?}", state.unwrap().status()),
            () = tokio::time::sleep(Duration::from_millis(10)) => rig.clock.advance(second),
        }
        let (_, shown) = shown_inside(&engine, run)
            .await
            .unwrap_or((child, String::new()));
        if shown == "again" {
            assert!(answered);
            return;
        }
        if !std::mem::replace(&mut answered, true) {
            // Long enough for the driver to listen.
            tokio::select! {
                state = &mut driving => panic!("it ended: {:?}", state.unwrap().status()),
                () = tokio::time::sleep(Duration::from_millis(100)) => {}
            }
            let state = engine.state(child).await.unwrap();
            let yes = vote(
                state.open_approvals().next().unwrap(),
                Answer::Approve,
                Values::new(),
            );
            let by = Actor::User(yes.person.clone());
            let state = engine.command(child, by, Command::Vote(yes)).await.unwrap();
            assert_eq!(state.status(), RunStatus::Waiting);
        }
    }
    panic!("the next question is not shown");
}

#[tokio::test]
async fn what_is_too_large_to_be_recorded_is_a_failure_of_its_step() {
    let rig = Rig::new(MemoryStore::new());
    let large = |job: &stepwell::executor::Job| {
        let bytes = if job.code.contains("huge") {
            17 << 20
        } else {
            900 << 10
        };
        stepwell::executor::fake::FakeAnswer::results(json!({"x": "x".repeat(bytes)}))
    };
    let engine = rig.engine(&Arc::new(FakeExecutor::new(large)));
    let items: Vec<u32> = (0..20).collect();
    let text = format!(
        "steps:\n  - id: huge\n    needs: []\n    on_failure: continue\n    python: {{code: 'results = {{\"huge\": 1}}'}}\n  \
         - id: all\n    needs: []\n    on_failure: continue\n    foreach:\n      items: {items:?}\n      as: item\n      steps:\n        - id: one\n          python: {{code: 'results = {{}}'}}\n  \
         - id: small\n    needs: []\n    set: {{x: 1}}\n"
    );
    let run = create(&engine, &compiled(&text), json!({})).await;
    let state = engine.drive(run).await.unwrap();
    assert!(state.ending.is_some(), "it has ended");
    for (id, failed) in [("huge", true), ("all", true), ("small", false)] {
        let (_, step) = state.step_with_id(id).unwrap();
        let code = step.failure.as_ref().map(|failure| failure.code.as_str());
        assert_eq!(code, failed.then_some("store_too_large"), "{id}");
    }
}

#[test]
fn a_write_that_failed_is_named_before_it_is_made_again() {
    let text = "steps:\n  - id: move\n    python: {code: 'results = {}', mode: write_access}\n  - id: read\n    needs: []\n    python: {code: 'results = {}'}\n";
    let mut run = Simulation::new(&compiled(text).0, &json!({}));
    let boom = || {
        let kind = stepwell::failure::FailureKind::Code;
        stepwell::failure::Failure::new(kind, stepwell::code::BAD_OUTPUT, "boom")
    };
    run.rest(&mut World::new(move |_, _| Ends::Failing(boom())));
    let chosen = stepwell::run::reopening(&run.state, &[]).unwrap();
    assert_eq!(chosen.writes_again, [StepPath::new("move")]);
}

#[test]
fn who_may_not_answer_is_told_to_speak_for_somebody_who_may() {
    let place = crate::cli_rig::Place::new();
    let text = "version: 1\nname: theirs\nsteps:\n  - id: ask\n    approval:\n      title: Good?\n      reviewers: {users: [somebody-else]}\n";
    place.write("theirs.yml", text);
    let shown = place.text(3, &["run", "theirs.yml"]);
    assert!(shown.contains(" --as NAME --resume"), "{shown}");
    place.write(
        "mine.yml",
        &text.replace("\n      reviewers: {users: [somebody-else]}", ""),
    );
    let shown = place.text(3, &["run", "mine.yml"]);
    assert!(!shown.contains("--as"), "{shown}");
}
