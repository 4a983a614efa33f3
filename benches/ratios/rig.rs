//! An engine over the real store, in a folder of its own, with its syncs counted.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use stepwell::artifact::Blobs;
use stepwell::engine::{Engine, NewRun, Options, Ports};
use stepwell::executor::local::{self, LocalExecutor, WarmOptions};
use stepwell::id::{Digest, RunId};
use stepwell::plan::Plan;
use stepwell::run::{Actor, RunState, RunStatus};
use stepwell::store::sled::{Options as StoreOptions, SledStore};
use stepwell::time::SystemClock;
use stepwell::transport::fake::FakeTransport;
use stepwell::workflow::{CompileOptions, NoSources, compile};
use tokio::runtime::Runtime;

/// Folders that are not needed any more.
static LEFT: Mutex<Vec<tempfile::TempDir>> = Mutex::new(Vec::new());

/// A new folder on the disk that holds the build. It is removed when everything was measured: new files cost more for
/// half a minute where many were just removed, on file systems without a journal.
pub(crate) struct Folder(Option<tempfile::TempDir>);

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        self.0.as_ref().unwrap().path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        LEFT.lock().unwrap().extend(self.0.take());
    }
}

pub(crate) fn folder() -> Folder {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    Folder(Some(folder))
}

/// Removes every folder that was needed.
pub(crate) fn tidy_up() {
    LEFT.lock().unwrap().clear();
}

/// The runtime as the program has it.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// The syncs of a store.
#[derive(Debug, Default)]
pub(crate) struct Syncs {
    count: AtomicU64,
    nanos: AtomicU64,
}

impl Syncs {
    /// How many there were, and how many microseconds they took together.
    pub(crate) fn so_far(&self) -> (u64, f64) {
        let nanos = self.nanos.load(Ordering::Relaxed);
        (self.count.load(Ordering::Relaxed), nanos as f64 / 1e3)
    }

    fn sync(&self, file: &File) -> std::io::Result<()> {
        let begun = Instant::now();
        let synced = file.sync_data();
        let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap();
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
        synced
    }
}

/// Opens the real store of that folder; its syncs are real and counted.
pub(crate) fn store(data: &Path) -> (SledStore, Arc<Syncs>) {
    let syncs = Arc::new(Syncs::default());
    let counted = Arc::clone(&syncs);
    let options = StoreOptions {
        sync: Arc::new(move |file| counted.sync(file)),
        ..StoreOptions::default()
    };
    (SledStore::open(data, options).unwrap(), syncs)
}

/// An engine as the program has it.
pub(crate) struct Rig {
    pub(crate) engine: Engine,
    pub(crate) syncs: Arc<Syncs>,
    pub(crate) data: Folder,
}

impl Rig {
    pub(crate) fn new(python: Option<PathBuf>) -> Self {
        Self::with(python, false)
    }

    /// One that has warm interpreters from the first step on.
    pub(crate) fn warm(python: PathBuf) -> Self {
        Self::with(Some(python), true)
    }

    fn with(python: Option<PathBuf>, warm: bool) -> Self {
        let data = folder();
        let (store, syncs) = store(data.path());
        let inherited: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let executor = LocalExecutor::new(local::Options {
            stepwell_binary: PathBuf::from(env!("CARGO_BIN_EXE_stepwell")),
            data: data.path().to_owned(),
            inherited,
        })
        .warm(WarmOptions {
            enabled: warm,
            from: 1,
            patience: Duration::from_secs(60),
            ..WarmOptions::default()
        });
        let ports = Ports {
            store: Arc::new(store),
            blobs: Arc::new(Blobs::open(&data.path().join("blobs")).unwrap()),
            executor: Arc::new(executor),
            clock: Arc::new(SystemClock),
            transport: Arc::new(FakeTransport::default()),
        };
        let mut options = Options::new(data.path().to_owned());
        options.python = python;
        Self {
            engine: Engine::new(ports, options),
            syncs,
            data,
        }
    }

    /// Creates a run of that workflow.
    pub(crate) async fn create(&self, workflow: &Workflow) -> RunId {
        let new = NewRun {
            plan: Arc::clone(&workflow.plan),
            blobs: workflow.blobs.clone(),
            inputs: serde_json::Map::new(),
            workflow_folder: None,
            actor: Actor::User("bench".to_owned()),
            scheduled_at: None,
        };
        self.engine.create(new).await.unwrap()
    }

    /// Drives a run, which must succeed.
    pub(crate) async fn drive(&self, run: RunId) -> RunState {
        let state = self.engine.drive(run).await.unwrap();
        assert_eq!(state.status(), RunStatus::Succeeded, "{:#?}", state.ending);
        state
    }
}

/// A compiled workflow.
pub(crate) struct Workflow {
    pub(crate) plan: Arc<Plan>,
    pub(crate) blobs: Vec<(Digest, Vec<u8>)>,
}

impl Workflow {
    pub(crate) fn of(text: &str) -> Self {
        let made = compile(
            "bench.yml",
            text.as_bytes(),
            &NoSources,
            &CompileOptions::default(),
        );
        let plan = made
            .plan
            .unwrap_or_else(|| panic!("{:#?}", made.diagnostics));
        Self {
            plan: Arc::new(plan),
            blobs: made.blobs,
        }
    }
}

/// A chain of `set` steps, each of which counts on from the one before.
pub(crate) fn chain(steps: usize) -> String {
    let mut text = String::from("version: 1\nname: chain\nsteps:\n  - {id: s1, set: {n: 1}}\n");
    for step in 2..=steps {
        let before = step - 1;
        writeln!(
            text,
            "  - {{id: s{step}, set: {{n: '${{{{ steps.s{before}.outputs.n + 1 }}}}'}}}}"
        )
        .unwrap();
    }
    text
}
