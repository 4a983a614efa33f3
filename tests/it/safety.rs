//! Faults that a reading of the engine found, each with the situation that shows it: writers that come in between,
//! runs that nobody owns, work that comes too late.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use stepwell::artifact::Blobs;
use stepwell::engine::{Engine, Options, Ports};
use stepwell::executor::fake::FakeExecutor;
use stepwell::id::RunId;
use stepwell::run::{
    Actor, Command, Epoch, Record, RunStatus, RunSummary, Seq, summary,
};
use stepwell::store::memory::MemoryStore;
use stepwell::store::{
    Append, AppendError, Appended, Error, EventStore, Lease, ListQuery, Page, Report, Watch,
};
use stepwell::time::BoxFuture;

use crate::engine::{Rig, compiled, count, create, events};

/// What somebody does before an append reaches the store.
type Before = Box<dyn Fn(&Append) -> BoxFuture<'static, ()> + Send + Sync>;

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
    fn new(inner: &MemoryStore, before: Before) -> Arc<Self> {
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
    let steps = (0..1_000).map(|n| format!("  - id: s{n}\n    needs: [gate]\n    set: {{x: {n}}}\n"));
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
    assert_eq!(engine.drive(run).await.unwrap().status(), RunStatus::Waiting);
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
