//! While the end of a step becomes durable, the code of the next one is looked at; nothing of that counts unless the end
//! became durable as it was.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stepwell::artifact::Blobs;
use stepwell::engine::{Engine, Options, Ports};
use stepwell::executor::fake::{FakeAnswer, FakeExecutor};
use stepwell::executor::{
    Adoption, Environment, EnvironmentIdentity, EnvironmentSpec, Executor, Job, Outcome,
};
use stepwell::failure::Failure;
use stepwell::id::RunId;
use stepwell::run::{Actor, Command, NewRecord, RunStatus};
use stepwell::store::memory::MemoryStore;
use stepwell::time::BoxFuture;
use tokio::sync::Notify;

use crate::engine::{Rig, compiled, count, create, events};
use crate::safety::Crowded;

/// Two steps, of which the second has an environment of its own, by which it is known.
const CHAIN: &str = "steps:
  - id: a
    python: {code: 'results = {}'}
  - id: b
    needs: [a]
    python: {code: 'results = {}', packages: [second]}
";
/// Number of that kind of event.
const ATTEMPT_SUCCEEDED: u16 = 41;
/// Longest wait for something that is to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// An executor that says when the environment of the second step is asked for.
#[derive(Debug)]
struct Telling {
    fake: FakeExecutor,
    looked: Arc<Notify>,
}

impl Executor for Telling {
    fn identify<'a>(
        &'a self,
        spec: &'a EnvironmentSpec,
    ) -> BoxFuture<'a, Result<EnvironmentIdentity, Failure>> {
        if spec.packages == ["second"] {
            self.looked.notify_one();
        }
        self.fake.identify(spec)
    }
    fn prepare<'a>(
        &'a self,
        spec: &'a EnvironmentSpec,
        progress: &'a (dyn Fn(&str) + Send + Sync),
    ) -> BoxFuture<'a, Result<Environment, Failure>> {
        self.fake.prepare(spec, progress)
    }
    fn execute(&self, job: Job) -> BoxFuture<'_, Result<Outcome, Failure>> {
        self.fake.execute(job)
    }
    fn adopt<'a>(&'a self, folder: &'a Path) -> BoxFuture<'a, Adoption> {
        self.fake.adopt(folder)
    }
    fn kill<'a>(&'a self, folder: &'a Path) -> BoxFuture<'a, Result<(), Failure>> {
        self.fake.kill(folder)
    }
}

/// What was done when the run came to its end, or to rest.
struct Done {
    engine: Engine,
    run: RunId,
    executor: Arc<Telling>,
    status: RunStatus,
    _rig: Rig,
}

/// Drives the chain. When the end of the first step comes to the store, the code of the second one is looked at; then
/// somebody else does `between`, and only then the end is appended.
async fn driven(between: Option<Command>) -> Done {
    let store = MemoryStore::new();
    let rig = Rig::new(store.clone());
    let executor = Arc::new(Telling {
        fake: FakeExecutor::new(|_| FakeAnswer::results(json!({}))),
        looked: Arc::default(),
    });
    let engine_over = |store| {
        let ports = Ports {
            store,
            blobs: Arc::new(Blobs::open(&rig.data.path().join("blobs")).unwrap()),
            executor: Arc::clone(&executor) as _,
            clock: Arc::clone(&rig.clock) as _,
            transport: Arc::clone(&rig.transport) as _,
        };
        Engine::new(ports, Options::new(rig.data.path().to_owned()))
    };
    let other = engine_over(Arc::new(store.clone()));
    let run = create(&other, &compiled(CHAIN), json!({})).await;
    let first = Arc::new(std::sync::Mutex::new(true));
    let (looked, telling) = (Arc::clone(&executor.looked), Arc::clone(&executor));
    let crowded = Crowded::new(
        &store,
        Box::new(move |append| {
            let ends = |record: &NewRecord| record.kind == ATTEMPT_SUCCEEDED;
            let is_end =
                append.records.iter().any(ends) && std::mem::take(&mut *first.lock().unwrap());
            let (between, other) = (between.clone(), other.clone());
            let (looked, telling) = (Arc::clone(&looked), Arc::clone(&telling));
            Box::pin(async move {
                if !is_end {
                    return;
                }
                let heard = tokio::time::timeout(PATIENCE, looked.notified()).await;
                assert!(heard.is_ok(), "nobody looked at the code that follows");
                // Time enough for what must not happen.
                tokio::time::sleep(Duration::from_millis(50)).await;
                assert_eq!(
                    telling.fake.started().len(),
                    1,
                    "nothing begins before the end is durable"
                );
                if let Some(command) = between {
                    let ada = Actor::User("ada".to_owned());
                    other.command(run, ada, command).await.unwrap();
                }
            })
        }),
    );
    let engine = engine_over(crowded);
    let state = tokio::time::timeout(PATIENCE, engine.drive(run)).await;
    let status = state.unwrap().unwrap().status();
    Done {
        engine,
        run,
        executor,
        status,
        _rig: rig,
    }
}

/// How often the second step was analysed, and begun.
async fn of_second(done: &Done) -> (usize, usize) {
    let all = events(&done.engine, done.run).await;
    // One of each is that of the first step.
    (
        count(&all, "AnalysisReported") - 1,
        count(&all, "AttemptStarted") - 1,
    )
}

#[tokio::test]
async fn code_is_looked_at_while_the_end_before_it_becomes_durable() {
    let done = driven(None).await;
    assert_eq!(done.status, RunStatus::Succeeded);
    assert_eq!(of_second(&done).await, (1, 1));
    assert_eq!(done.executor.fake.started().len(), 2);
}

#[tokio::test]
async fn what_was_looked_at_too_early_begins_nothing() {
    let done = driven(Some(Command::Cancel { reason: None })).await;
    assert_eq!(done.status, RunStatus::Cancelled);
    assert_eq!(of_second(&done).await, (0, 0));
    assert_eq!(done.executor.fake.started().len(), 1);
}

#[tokio::test]
async fn a_run_that_went_on_otherwise_looks_again() {
    let pause = Command::Pause { reason: None };
    let done = driven(Some(pause)).await;
    assert_eq!(done.status, RunStatus::Paused);
    assert_eq!(of_second(&done).await, (0, 0));
    let ada = Actor::User("ada".to_owned());
    let unpause = Command::Unpause;
    done.engine.command(done.run, ada, unpause).await.unwrap();
    let state = done.engine.drive(done.run).await.unwrap();
    assert_eq!(state.status(), RunStatus::Succeeded);
    assert_eq!(of_second(&done).await, (1, 1));
    assert_eq!(done.executor.fake.started().len(), 2);
}
