//! The engine: the only room with tasks and timers. Load → decide → append → perform effects → decide …
//!
//! A run that is waited for here is driven by one task that owns its state. A run that nobody drives is
//! just a history: a command to it is decided and appended, and what it owes is owed until somebody drives it.

mod act;
mod action;
mod analyse;
mod bounds;
mod cache;
mod child;
mod collect;
mod commit;
mod drive;
mod edit;
mod error;
mod execute;
mod files;
mod folder;
mod follow;
mod generate;
mod given;
mod history;
mod http;
mod inputs;
mod key;
mod merge;
mod missing;
mod modules;
mod notebook;
mod options;
mod orphan;
mod packages;
mod perform;
mod plans;
mod progress;
mod prune;
mod queue;
mod rerun;
mod secrets;
mod slots;
mod task;
mod tell;

use std::sync::Arc;

use tokio::sync::{Semaphore, broadcast};

pub use edit::Edit;
pub use error::Error;
pub use folder::RunFolder;
pub use options::{ModeEnvironment, Options, Placement, Ports, Protections, Variables};
pub use progress::{Note, Progress, Writing};
pub use prune::{Pruned, Pruning};
pub use rerun::{NewFork, Places};

use crate::artifact::Index;
use crate::id::{Digest, RunId};
use crate::plan::Plan;
use crate::run::payload::{CacheBypassed, RunCreated, StepCopied, Thread, Trigger, Values};
use crate::run::{Actor, Command, Event, Moment, Recorded, RunState, RunStatus, RunSummary, Seq};
use crate::store::{AppendError, ListQuery};
use crate::time::Timestamp;
use history::History;
use plans::Plans;
use queue::Queue;

/// Capacity of the progress channel, in messages. A slow listener loses the oldest, never an event of the log.
const PROGRESS_MESSAGES_MAX: usize = 4_096;

/// A handle to the engine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// What every task of the engine sees.
#[derive(Debug)]
struct Shared {
    ports: Ports,
    options: Options,
    progress: broadcast::Sender<Progress>,
    slots: Semaphore,
    plans: Plans,
    queue: Queue,
    /// Where kept results are.
    index: Index,
    /// Held from the look at a budget until what the call cost is noted: two calls never pass it side by side.
    paying: tokio::sync::Mutex<()>,
}

/// A run to be created.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its plan.
    pub plan: Arc<Plan>,
    /// Everything that the plan names by digest: workflow text, code, requirements.
    pub blobs: Vec<(Digest, Vec<u8>)>,
    /// Its inputs, checked and complete.
    pub inputs: Values,
    /// Folder of the workflow file, absolute.
    pub workflow_folder: Option<String>,
    /// Who creates it.
    pub actor: Actor,
    /// The moment that it stands for; now when absent.
    pub scheduled_at: Option<Timestamp>,
}

impl Engine {
    /// An engine over these ports.
    #[must_use]
    pub fn new(ports: Ports, options: Options) -> Self {
        let slots = Semaphore::new(options.steps_at_once.max(1));
        let progress = broadcast::Sender::new(PROGRESS_MESSAGES_MAX);
        let index = Index::new(options.data.join("cache").join("results"));
        Self {
            shared: Arc::new(Shared {
                ports,
                options,
                progress,
                slots,
                plans: Plans::default(),
                queue: Queue::default(),
                index,
                paying: tokio::sync::Mutex::default(),
            }),
        }
    }

    /// The engine that these tasks belong to.
    fn over(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
        }
    }

    /// Listens to what happens: every event after it is durable, and notes for people.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Progress> {
        self.shared.progress.subscribe()
    }

    /// Creates a run. When this returns the run is durable; nothing of it has begun.
    ///
    /// # Errors
    /// The store or the blobs can't be written.
    pub async fn create(&self, new: NewRun) -> Result<RunId, Error> {
        self.create_with(new, CacheBypassed::default()).await
    }

    /// As [`Engine::create`], with steps that take no result from the cache.
    ///
    /// # Errors
    /// The store or the blobs can't be written.
    pub async fn create_with(&self, new: NewRun, bypass: CacheBypassed) -> Result<RunId, Error> {
        let run = RunId::generate(self.shared.ports.clock.now());
        self.create_as(run, new, Trigger::Manual, (Vec::new(), bypass))
            .await?;
        Ok(run)
    }

    /// Creates the run of a request that has a name. Its id was chosen before, and was durable before, so that the
    /// request has one run whatever happens; when there is that run, nothing is created.
    ///
    /// # Errors
    /// The store or the blobs can't be written.
    pub async fn create_thread(
        &self,
        run: RunId,
        new: NewRun,
        thread: Thread,
    ) -> Result<(), Error> {
        let born = (Trigger::Manual, Vec::new(), CacheBypassed::default());
        match self.create_born(run, new, born, Some(thread)).await {
            Err(Error::Append(AppendError::Conflict { .. })) => Ok(()),
            created => created,
        }
    }

    /// Creates a run with that id; what was copied, and what takes no kept result, is fixed with it.
    async fn create_as(
        &self,
        run: RunId,
        new: NewRun,
        trigger: Trigger,
        before: (Vec<StepCopied>, CacheBypassed),
    ) -> Result<(), Error> {
        let (copies, bypass) = before;
        self.create_born(run, new, (trigger, copies, bypass), None)
            .await
    }

    async fn create_born(
        &self,
        run: RunId,
        new: NewRun,
        (trigger, copies, bypass): (Trigger, Vec<StepCopied>, CacheBypassed),
        thread: Option<Thread>,
    ) -> Result<(), Error> {
        let shared = &self.shared;
        action::check(shared, &new)?;
        let now = shared.ports.clock.now();
        let plan_digest = self.keep(&new.plan, new.blobs).await?;
        let created = RunCreated {
            workflow: new.plan.name.clone(),
            plan: plan_digest,
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            inputs: new.inputs,
            trigger,
            folder: folder::name(&new.plan.name, run, now),
            workflow_folder: new.workflow_folder,
            base_url: shared.options.base_url.clone(),
            scheduled_at: new.scheduled_at.unwrap_or(now),
            allow_self: shared.options.allow_self,
            labels: new.plan.labels.clone(),
            thread,
        };
        History::create(
            Arc::clone(shared),
            run,
            new.plan,
            (created, new.actor),
            (copies, bypass),
        )
        .await?;
        Ok(())
    }

    /// Keeps a plan and what it names; gives its digest.
    async fn keep(&self, plan: &Arc<Plan>, blobs: Vec<(Digest, Vec<u8>)>) -> Result<Digest, Error> {
        let shared = &self.shared;
        let plan_bytes = plan.to_bytes();
        let plan_digest = Digest::of(&plan_bytes);
        for (digest, bytes) in blobs.into_iter().chain([(plan_digest, plan_bytes)]) {
            let stored = shared.ports.put_blob(bytes).await?;
            if stored != digest {
                return Err(Error::Internal(format!(
                    "blob {digest} was stored as {stored}"
                )));
            }
        }
        shared.plans.share(plan_digest, plan);
        Ok(plan_digest)
    }

    /// The state of a run.
    ///
    /// # Errors
    /// There is no such run, or its history can't be read.
    pub async fn state(&self, run: RunId) -> Result<RunState, Error> {
        Ok(History::load(Arc::clone(&self.shared), run)
            .await?
            .into_state())
    }

    /// The state of a run just after event `seq`.
    ///
    /// # Errors
    /// There is no such run or event, or the history can't be read.
    pub async fn state_at(&self, run: RunId, seq: Seq) -> Result<RunState, Error> {
        let state = history::replay(&self.shared, run, seq).await?;
        if state.seq == seq {
            Ok(state)
        } else {
            Err(Error::NoEvent { run, seq })
        }
    }

    /// The events of a run from `from` on, at most `limit`.
    ///
    /// # Errors
    /// The history can't be read.
    pub async fn records(
        &self,
        run: RunId,
        from: Seq,
        limit: usize,
    ) -> Result<Vec<crate::run::Record>, Error> {
        Ok(self.shared.ports.store.read(run, from, limit).await?)
    }

    /// Hears of the events of a run, whoever appends them.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn watch(&self, run: RunId) -> Result<crate::store::Watch, Error> {
        Ok(self.shared.ports.store.watch(run).await?)
    }

    /// Lists runs, newest first.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn list(&self, query: ListQuery) -> Result<crate::store::Page, Error> {
        Ok(self.shared.ports.store.list(query).await?)
    }

    /// Runs that an abbreviation means: a prefix, an end, or `@last`.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn resolve(&self, abbreviation: &str, limit: usize) -> Result<Vec<RunId>, Error> {
        Ok(self.shared.ports.store.resolve(abbreviation, limit).await?)
    }

    /// Checks the store: checksums, order, links, indexes.
    ///
    /// # Errors
    /// The store can't be read at all.
    pub async fn verify(&self, run: Option<RunId>) -> Result<crate::store::Report, Error> {
        Ok(self.shared.ports.store.verify(run).await?)
    }

    /// Runs that have not ended, oldest first.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn unfinished(&self) -> Result<Vec<RunId>, Error> {
        let rows = self.unfinished_rows().await?;
        Ok(rows.into_iter().map(|row| row.run).collect())
    }

    /// The rows of runs that have not ended, oldest first.
    async fn unfinished_rows(&self) -> Result<Vec<RunSummary>, Error> {
        let statuses = [
            RunStatus::Pending,
            RunStatus::Running,
            RunStatus::Waiting,
            RunStatus::Paused,
        ];
        let mut rows = self.every_row(&statuses).await?;
        rows.reverse();
        Ok(rows)
    }

    /// The rows of all runs in one of these statuses, newest first; no status = of all runs.
    async fn every_row(&self, statuses: &[RunStatus]) -> Result<Vec<RunSummary>, Error> {
        let mut query = ListQuery::newest(crate::store::PAGE_MAX);
        query.statuses = statuses.to_vec();
        let mut rows = Vec::new();
        loop {
            let page = self.list(query.clone()).await?;
            rows.extend(page.rows);
            query.after = page.next;
            if query.after.is_none() {
                return Ok(rows);
            }
        }
    }

    /// Records a command to a run, and the bookkeeping that follows from it. Whoever drives the run hears of it.
    ///
    /// # Errors
    /// The command is refused, or the store can't be written.
    pub async fn command(
        &self,
        run: RunId,
        actor: Actor,
        command: Command,
    ) -> Result<RunState, Error> {
        let mut history = History::load(Arc::clone(&self.shared), run).await?;
        history.submit(self.with_roles(command), actor).await?;
        history.advance().await?;
        let state = history.into_state();
        if state.status().is_terminal() || state.status() == RunStatus::Waiting {
            notebook::write_run(&self.shared, &state).await;
        }
        Ok(state)
    }

    /// The roles that the configuration gives to a person.
    #[must_use]
    pub fn roles_of(&self, person: &str) -> Vec<String> {
        self.shared.options.roles.of(person)
    }

    /// Who has that role by the configuration.
    #[must_use]
    pub fn people_of(&self, role: &str) -> Vec<String> {
        let people = self.shared.options.roles.people(role);
        people.map(str::to_owned).collect()
    }

    /// An answer with the roles of the person who gives it, whatever the caller says of them.
    fn with_roles(&self, mut command: Command) -> Command {
        if let Command::Vote(vote) = &mut command {
            vote.roles = self.roles_of(&vote.person);
        }
        if let Command::Edit(edited) = &mut command {
            edited.roles = self.roles_of(&edited.person);
        }
        command
    }

    /// Drives a run until it has ended or only people can move it on. Dropping the future leaves the run
    /// as it is: resumable, its attempts running on.
    ///
    /// # Errors
    /// Somebody else drives it; or the history can't be read or written. The run is as the log says.
    pub async fn drive(&self, run: RunId) -> Result<RunState, Error> {
        follow::drive(Arc::clone(&self.shared), run, follow::Owner::Asked).await
    }

    /// As [`Engine::drive`]; while somebody else drives the run, waits for what comes of it, and drives it when they stop.
    ///
    /// # Errors
    /// The history can't be read or written. The run is as the log says.
    pub async fn settle(&self, run: RunId) -> Result<RunState, Error> {
        follow::settle(Arc::clone(&self.shared), run, follow::Owner::Asked).await
    }

    /// How many secrets a run names, and those that can't be had now: their names, and why.
    ///
    /// # Errors
    /// There is no such run, or its history can't be read.
    pub async fn missing_secrets(
        &self,
        run: RunId,
    ) -> Result<(usize, Vec<(String, String)>), Error> {
        let state = self.state(run).await?;
        Ok(secrets::Secrets::of(&self.shared, &state).await.faults())
    }

    /// Blob bytes by digest.
    ///
    /// # Errors
    /// The blob is missing or damaged.
    pub async fn blob(&self, digest: Digest) -> Result<Vec<u8>, Error> {
        self.shared.ports.get_blob(digest).await
    }

    /// Where a path of an event is, which is relative to the data folder.
    #[must_use]
    pub fn in_data(&self, relative: &str) -> std::path::PathBuf {
        self.shared.options.data.join(relative)
    }

    /// Where the files of a run are.
    #[must_use]
    pub fn folder(&self, state: &RunState) -> RunFolder {
        RunFolder::new(&self.shared.options.data, &state.created.folder)
    }
}

impl Shared {
    fn moment(&self) -> Moment {
        let now = self.ports.clock.now();
        Moment {
            now,
            draw: draw(now),
        }
    }

    fn tell(&self, progress: Progress) {
        // Nobody listening is fine: the log has it.
        let _ = self.progress.send(progress);
    }

    fn tell_event(&self, run: RunId, recorded: &Recorded) {
        if self.progress.receiver_count() == 0 {
            return;
        }
        self.tell(Progress::Event {
            run,
            recorded: Box::new(recorded.clone()),
        });
    }
}

/// A number from 0 to 1 that differs from moment to moment; for jitter only, and recorded once drawn.
fn draw(now: Timestamp) -> f64 {
    let digest = Digest::of(&now.as_micros().to_be_bytes());
    let byte = |index: usize| f64::from(digest.as_bytes().get(index).copied().unwrap_or(0));
    (byte(0) * 256.0 + byte(1)) / 65_535.0
}

/// Whether an event ends a run.
#[must_use]
pub fn ends_run(event: &Event) -> bool {
    matches!(
        event,
        Event::RunSucceeded(_)
            | Event::RunFailed(_)
            | Event::RunRejected(_)
            | Event::RunCancelled(_)
    )
}
