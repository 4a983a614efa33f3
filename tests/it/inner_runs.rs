//! Runs inside runs through the real engine: who started them, and how they are stopped.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use stepwell::artifact::Blobs;
use stepwell::engine::{Engine, Options, Ports};
use stepwell::executor::fake::{FakeAnswer, FakeExecutor};
use stepwell::id::RunId;
use stepwell::run::payload::{Answer, Values};
use stepwell::run::{Actor, Command, Record, RunState, RunStatus, RunSummary, Seq, Vote};
use stepwell::store::memory::MemoryStore;
use stepwell::store::{
    Append, AppendError, Appended, Error, EventStore, Lease, ListQuery, Page, Report, Watch,
};
use stepwell::time::BoxFuture;
use stepwell::workflow::{CompileOptions, SourceError, Sources, compile};

use crate::actions::drive_through;
use crate::engine::{Compiled, Rig, create, drive_until};
use crate::simulator::vote;
use crate::workflow_compile::shown;

struct Beside(HashMap<&'static str, &'static str>);

impl Sources for Beside {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        let text = self.0.get(path).ok_or(SourceError::Missing)?;
        Ok(text.as_bytes().to_vec())
    }
}

/// A workflow compiled with the files beside it.
pub(crate) fn compiled_with(text: &str, files: &[(&'static str, &'static str)]) -> Compiled {
    let text = format!("version: 1\nname: test\n{text}");
    let beside = Beside(files.iter().copied().collect());
    let options = CompileOptions::default();
    let made = compile("test.yml", text.as_bytes(), &beside, &options);
    let said = shown(&made);
    let plan = made.plan.unwrap_or_else(|| panic!("{said}"));
    (Arc::new(plan), made.blobs)
}

/// A store that counts how often lists were read and runs were taken to be driven.
#[derive(Debug)]
pub(crate) struct Counting {
    store: MemoryStore,
    lists: AtomicUsize,
    leases: AtomicUsize,
}

impl Counting {
    pub(crate) fn over(rig: &Rig) -> Arc<Self> {
        Arc::new(Self {
            store: rig.store.clone(),
            lists: AtomicUsize::new(0),
            leases: AtomicUsize::new(0),
        })
    }

    pub(crate) fn lists(&self) -> usize {
        self.lists.load(Ordering::SeqCst)
    }

    fn leases(&self) -> usize {
        self.leases.load(Ordering::SeqCst)
    }

    pub(crate) fn engine(self: &Arc<Self>, rig: &Rig, executor: &Arc<FakeExecutor>) -> Engine {
        let ports = Ports {
            store: Arc::clone(self) as _,
            blobs: Arc::new(Blobs::open(&rig.data.path().join("blobs")).unwrap()),
            executor: Arc::clone(executor) as _,
            clock: Arc::clone(&rig.clock) as _,
            transport: Arc::clone(&rig.transport) as _,
        };
        Engine::new(ports, Options::new(rig.data.path().to_owned()))
    }
}

impl EventStore for Counting {
    fn epoch(&self) -> stepwell::run::Epoch {
        self.store.epoch()
    }

    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        self.store.append(append)
    }

    fn read(
        &self,
        run: RunId,
        from: Seq,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Record>, Error>> {
        self.store.read(run, from, limit)
    }

    fn summary(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunSummary>, Error>> {
        self.store.summary(run)
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, Error>> {
        self.lists.fetch_add(1, Ordering::SeqCst);
        self.store.list(query)
    }

    fn resolve<'a>(
        &'a self,
        abbreviation: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<RunId>, Error>> {
        self.store.resolve(abbreviation, limit)
    }

    fn verify(&self, run: Option<RunId>) -> BoxFuture<'_, Result<Report, Error>> {
        self.store.verify(run)
    }

    fn watch(&self, run: RunId) -> BoxFuture<'_, Result<Watch, Error>> {
        self.store.watch(run)
    }

    fn lease(&self, run: RunId) -> BoxFuture<'_, Result<Lease, Error>> {
        self.leases.fetch_add(1, Ordering::SeqCst);
        self.store.lease(run)
    }
}

fn fine() -> Arc<FakeExecutor> {
    Arc::new(FakeExecutor::new(|_| FakeAnswer::results(json!({}))))
}

const OUTER: &str = "steps:\n  - id: inner\n    workflow: {file: child.yml}\n";

/// The run inside.
async fn inside(engine: &Engine, run: RunId) -> RunState {
    let state = engine.state(run).await.unwrap();
    let (_, step) = state.step_with_id("inner").unwrap();
    engine.state(step.children[0].run).await.unwrap()
}

#[tokio::test]
async fn who_started_the_outer_run_may_not_approve_inside_it_either() {
    let child = "version: 1\nname: child\nsteps:\n  - id: ask\n    approval: {title: go on, allow_self: false}\n";
    let middle =
        "version: 1\nname: middle\nsteps:\n  - id: inner\n    workflow: {file: deep.yml}\n";
    for files in [
        vec![("child.yml", child)],
        vec![("child.yml", middle), ("deep.yml", child)],
    ] {
        let rig = Rig::new(MemoryStore::new());
        let engine = rig.engine(&fine());
        let run = create(&engine, &compiled_with(OUTER, &files), json!({})).await;
        let state = engine.drive(run).await.unwrap();
        assert_eq!(state.starter.as_deref(), Some("ada"));
        assert_eq!(state.status(), RunStatus::Waiting);
        let mut asks = inside(&engine, run).await;
        if files.len() == 2 {
            asks = inside(&engine, asks.run).await;
        }
        assert_eq!(asks.starter.as_deref(), Some("ada"));
        let asked = asks.open_approvals().next().unwrap();
        let says = |person: &str| {
            let vote = Vote {
                person: person.to_owned(),
                ..vote(asked, Answer::Approve, Values::new())
            };
            engine.command(
                asks.run,
                Actor::User(person.to_owned()),
                Command::Vote(vote),
            )
        };
        let refused = says("ada").await.unwrap_err();
        assert_eq!(refused.code().as_str(), "self_approval", "{refused}");
        says("bea").await.unwrap();
        let state = drive_through(&engine, &rig, run, Duration::from_secs(1)).await;
        assert_eq!(state.status(), RunStatus::Succeeded);
    }
}

fn cancel() -> Command {
    Command::Cancel {
        reason: Some("storm".to_owned()),
    }
}

#[tokio::test]
async fn cancelling_a_run_inside_that_still_waits_does_not_spin() {
    // Its handler asks a person: until then it can't end, and nothing is to be done.
    let child = "version: 1\nname: child\nsteps:\n  - id: nap\n    wait: {signal: beam}\nhandlers:\n  cancel:\n    \
                 - id: sure\n      approval: {title: is the beam off?}\n";
    let rig = Rig::new(MemoryStore::new());
    let store = Counting::over(&rig);
    let engine = store.engine(&rig, &fine());
    let made = compiled_with(OUTER, &[("child.yml", child)]);
    let run = create(&engine, &made, json!({})).await;
    engine.drive(run).await.unwrap();
    engine.command(run, Actor::Engine, cancel()).await.unwrap();
    let before = store.leases();
    let mut looks = 0;
    drive_until(&engine, run, async || {
        // For a while after it has asked.
        let asks = inside(&engine, run).await;
        looks += usize::from(asks.open_approvals().next().is_some());
        looks > 40
    })
    .await;
    let tries = store.leases() - before;
    assert!(tries <= 3, "no time passes, yet it was tried {tries} times");

    let asks = inside(&engine, run).await;
    let asked = asks.open_approvals().next().unwrap();
    let yes = Command::Vote(vote(asked, Answer::Approve, Values::new()));
    let bea = Actor::User("bea".to_owned());
    engine.command(asks.run, bea, yes).await.unwrap();
    let state = drive_through(&engine, &rig, run, Duration::from_secs(1)).await;
    assert_eq!(state.status(), RunStatus::Cancelled);
    assert_eq!(inside(&engine, run).await.status(), RunStatus::Cancelled);
}

#[tokio::test]
async fn a_paused_run_inside_is_cancelled_with_the_one_around_it() {
    let child = "version: 1\nname: child\nsteps:\n  - id: nap\n    wait: {signal: beam}\n  - id: z\n    set: {x: 1}\n";
    let rig = Rig::new(MemoryStore::new());
    let store = Counting::over(&rig);
    let engine = store.engine(&rig, &fine());
    let made = compiled_with(OUTER, &[("child.yml", child)]);
    let run = create(&engine, &made, json!({})).await;
    engine.drive(run).await.unwrap();
    let inner = inside(&engine, run).await.run;
    let pause = Command::Pause { reason: None };
    engine
        .command(inner, Actor::Engine, pause.clone())
        .await
        .unwrap();
    engine.command(run, Actor::Engine, pause).await.unwrap();
    let before = store.leases();
    assert_eq!(engine.drive(run).await.unwrap().status(), RunStatus::Paused);
    engine.command(run, Actor::Engine, cancel()).await.unwrap();
    let state = drive_through(&engine, &rig, run, Duration::from_secs(1)).await;
    assert_eq!(state.status(), RunStatus::Cancelled);
    assert_eq!(inside(&engine, run).await.status(), RunStatus::Cancelled);
    assert!(store.leases() - before <= 6, "{}", store.leases() - before);
}
