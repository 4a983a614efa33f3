//! The service interface: Stepwell for programs that embed it, under the names of the agent framework that its
//! users know.
//!
//! A request becomes a workflow of one step and a run like any other: recorded before anything happens, asked about
//! by the same policy, and found again after a restart. See `docs/library.md`.

mod answer;
pub(crate) mod approved;
mod capability;
mod check;
mod command;
mod context;
mod error;
mod options;
mod outcome;
mod pipeline;
mod plan;
mod request;
mod result;
mod thread;
mod view;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::task::JoinSet;

pub use approved::ChangedModule;
pub use capability::{PythonCapability, PythonCapabilityResult};
pub use command::{Command, Resume};
pub use context::{ContextStore, ContextType};
pub use error::{ErrorCategory, ErrorDetail, PythonExecutorError};
pub use options::OpenOptions;
pub use outcome::{ApprovedBefore, CoveredModule, Outcome, PendingApproval, Rejected, Waiting};
pub use pipeline::Pipeline;
pub use request::{Configurable, ExpectedResults, PythonExecutionRequest, RunnableConfig};
pub use result::{PythonExecutionSuccess, PythonResults, PythonServiceResult};

use crate::code;
use crate::config::Config;
use crate::diagnostic::did_you_mean;
use crate::engine::{Engine, NewRun};
use crate::id::RunId;
use crate::open::Opened;
use crate::run::{Actor, RunState, RunStatus};
use crate::time::{Clock as _, SystemClock};
use check::Checked;
use thread::{Entry, Threads};

/// The service. Cheap to clone; when the last clone goes, what runs goes on and is adopted by whoever waits for it next.
///
/// ```standalone_crate
#[doc = include_str!("../../examples/library/call.rs")]
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/with_service.rs"));
/// # fn main() -> std::process::ExitCode { with_service("", "", async |service| {
/// # let answer = call(&service).await?;
/// # assert_eq!(answer["success"], true, "{answer:#}");
/// # Ok(()) }) }
/// ```
#[derive(Debug, Clone)]
pub struct PythonExecutorService {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    opened: Opened,
    config: Config,
    data: PathBuf,
    person: String,
    threads: Threads,
    /// Runs that were submitted and are driven here.
    driven: Mutex<JoinSet<()>>,
}

/// What `invoke` takes: a request, or an answer to a run that waits.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A job.
    Request(Box<PythonExecutionRequest>),
    /// An answer.
    Command(Box<Command>),
}

impl From<PythonExecutionRequest> for Input {
    fn from(request: PythonExecutionRequest) -> Self {
        Self::Request(Box::new(request))
    }
}

impl From<Command> for Input {
    fn from(command: Command) -> Self {
        Self::Command(Box::new(command))
    }
}

/// What names a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunName {
    /// Its id.
    Run(RunId),
    /// The name of its request.
    Thread(String),
}

impl From<RunId> for RunName {
    fn from(run: RunId) -> Self {
        Self::Run(run)
    }
}

impl From<&str> for RunName {
    fn from(thread: &str) -> Self {
        Self::Thread(thread.to_owned())
    }
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// The run.
    pub run_id: RunId,
    /// The name of its request.
    pub thread_id: Option<String>,
    /// Its status: pending, running, waiting, paused, succeeded, failed, rejected or cancelled.
    pub status: RunStatus,
}

impl PythonExecutorService {
    /// Opens the data folder; several processes may have it open.
    ///
    /// # Errors
    /// The configuration has faults, the folder can't be opened, or the program `stepwell` is not found.
    pub async fn open(options: OpenOptions) -> Result<Self, PythonExecutorError> {
        let settled = options.settle()?;
        let opened = settled
            .place
            .open_with(&settled.config, settled.actions)
            .await?;
        Ok(Self::over(
            opened,
            settled.config,
            settled.place.data,
            settled.person,
        ))
    }

    /// The service over a data folder that is open.
    #[must_use]
    pub fn over(opened: Opened, config: Config, data: PathBuf, person: String) -> Self {
        let threads = Threads::new(&data);
        Self {
            inner: Arc::new(Inner {
                opened,
                config,
                data,
                person,
                threads,
                driven: Mutex::new(JoinSet::new()),
            }),
        }
    }

    /// Carries out a request, or answers the run of a name, and waits until it has ended or only people can move it
    /// on. Dropping the future stops nothing: call again with the same name to wait on.
    ///
    /// # Errors
    /// The request or the answer was refused, and nothing was recorded; or the store failed. What goes wrong in the
    /// run itself is [`Outcome::Failed`].
    pub async fn invoke(
        &self,
        input: impl Into<Input>,
        config: &RunnableConfig,
    ) -> Result<Outcome, PythonExecutorError> {
        match input.into() {
            Input::Request(request) => {
                let run = self.create(*request, config).await?;
                self.wait(run).await
            }
            Input::Command(command) => {
                let Some(thread) = config.thread_name() else {
                    let message = "an answer needs the thread_id of the run that asked";
                    return Err(PythonExecutorError::request(code::MISSING_KEY, message)
                        .hint("or name the run: PythonExecutorService::resume"));
                };
                self.resume(thread, *command).await
            }
        }
    }

    /// Records a request, or finds the run that its name has. Nothing of it begins before somebody waits for it.
    ///
    /// # Errors
    /// The request was refused, and nothing was recorded; or the store failed.
    pub async fn accept(
        &self,
        request: PythonExecutionRequest,
        config: &RunnableConfig,
    ) -> Result<RunId, PythonExecutorError> {
        self.create(request, config).await
    }

    /// Records a request and returns at once. The run is durable, and goes on in this process as long as it lives;
    /// after that whoever waits for it drives it on.
    ///
    /// # Errors
    /// The request was refused, and nothing was recorded; or the store failed.
    pub async fn submit(
        &self,
        request: PythonExecutionRequest,
        config: &RunnableConfig,
    ) -> Result<RunId, PythonExecutorError> {
        let run = self.create(request, config).await?;
        let engine = self.engine().clone();
        let driving = async move {
            if let Err(error) = engine.settle(run).await {
                tracing::error!(%run, %error, "a submitted run can't go on; wait for it or resume it");
            }
        };
        let mut driven = self
            .inner
            .driven
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while driven.try_join_next().is_some() {}
        driven.spawn(driving);
        Ok(run)
    }

    /// Waits until a run has ended or only people can move it on, and drives it unless somebody else does.
    ///
    /// # Errors
    /// There is no such run, or the store failed.
    pub async fn wait(&self, run: impl Into<RunName>) -> Result<Outcome, PythonExecutorError> {
        let run = self.find(run.into())?;
        let state = self.engine().settle(run).await?;
        self.outcome(&state).await
    }

    /// Where a run stands, without waiting.
    ///
    /// # Errors
    /// There is no such run, or the store failed.
    pub async fn status(&self, run: impl Into<RunName>) -> Result<Status, PythonExecutorError> {
        let state = self.state(run).await?;
        Ok(Status {
            run_id: state.run,
            thread_id: state
                .created
                .thread
                .as_ref()
                .map(|thread| thread.id.clone()),
            status: state.status(),
        })
    }

    /// The state of a run, for everything that [`PythonExecutorService::status`] leaves out.
    ///
    /// # Errors
    /// There is no such run, or the store failed.
    pub async fn state(&self, run: impl Into<RunName>) -> Result<RunState, PythonExecutorError> {
        let run = self.find(run.into())?;
        Ok(self.engine().state(run).await?)
    }

    /// The engine below, for whatever the service has no word for.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.inner.opened.engine
    }

    /// The configuration in force.
    ///
    /// ```standalone_crate
    #[doc = include_str!("../../examples/library/debugging.rs")]
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/with_service.rs"));
    /// # fn main() -> std::process::ExitCode { with_service("approval: {capabilities: {python_execution: {enabled: false}}}\n", "", async |service| {
    /// # assert_eq!(introspect(&service)["python approval enabled"], false);
    /// # Ok(()) }) }
    /// ```
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    fn find(&self, name: RunName) -> Result<RunId, PythonExecutorError> {
        match name {
            RunName::Run(run) => Ok(run),
            RunName::Thread(thread) => match self.inner.threads.find(&thread)? {
                Some(entry) => Ok(entry.run),
                None => Err(PythonExecutorError::workflow(
                    code::UNKNOWN_THREAD,
                    format!("no request has the name `{thread}`"),
                )),
            },
        }
    }

    /// How a run ended that has, or what it waits for.
    ///
    /// # Errors
    /// It goes on; or what it left can't be read.
    pub async fn outcome(&self, state: &RunState) -> Result<Outcome, PythonExecutorError> {
        let (opened, data) = (&self.inner.opened, &self.inner.data);
        view::outcome(opened, data, state).await?.ok_or_else(|| {
            PythonExecutorError::workflow(code::INTERNAL, "the run neither ended nor waits")
                .of_run(state.run)
        })
    }

    /// Creates the run of a request, or finds the one that its name has.
    async fn create(
        &self,
        request: PythonExecutionRequest,
        config: &RunnableConfig,
    ) -> Result<RunId, PythonExecutorError> {
        let checked = check::check(request, config, &self.inner.data)?;
        let known = match &checked.thread {
            Some(thread) => self.inner.threads.find(thread)?,
            None => None,
        };
        if let Some(entry) = &known {
            same(entry, &checked)?;
            if self.exists(entry.run).await? {
                return Ok(entry.run);
            }
            if entry.created {
                return Err(gone(entry));
            }
        }
        self.has_code_or_generator(&checked)?;
        let made = plan::make(&checked)?;
        let new = NewRun {
            plan: Arc::new(made.plan),
            blobs: made.blobs,
            inputs: made.inputs,
            workflow_folder: checked
                .folder
                .as_ref()
                .map(|path| path.display().to_string()),
            actor: Actor::User(checked.person().unwrap_or(&self.inner.person).to_owned()),
            scheduled_at: None,
        };
        let Some(thread) = &checked.thread else {
            return Ok(self.engine().create(new).await?);
        };
        let claimed = self.inner.threads.claim(&Entry {
            thread_id: thread.clone(),
            request: checked.digest(),
            run: RunId::generate(SystemClock.now()),
            created: false,
        })?;
        same(&claimed, &checked)?;
        let engine = self.engine();
        engine
            .create_thread(claimed.run, new, claimed.thread())
            .await?;
        self.inner.threads.created(&claimed)?;
        Ok(claimed.run)
    }

    /// Refuses a task that nobody could write code for, and names who could.
    fn has_code_or_generator(&self, checked: &Checked) -> Result<(), PythonExecutorError> {
        let generators = &self.inner.config.generators;
        let wanted = checked.generator.as_ref().or(generators.default.as_ref());
        let known = wanted.is_some_and(|name| generators.by_name.contains_key(name));
        if known || checked.code().is_some() {
            return Ok(());
        }
        let names: Vec<&str> = generators.by_name.keys().map(String::as_str).collect();
        let (fault, message) = match wanted {
            Some(name) => (
                code::UNKNOWN_GENERATOR,
                format!("config.yml has no generator `{name}`"),
            ),
            None if names.is_empty() => (
                code::NO_GENERATOR,
                "no generator is configured that could write code for the task".to_owned(),
            ),
            None => (
                code::NO_GENERATOR,
                "config.yml has no `default_generator`, and none is named".to_owned(),
            ),
        };
        let near = wanted.and_then(|name| did_you_mean(name, names.iter().copied()));
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => "give the code with the request, as `code`, or set `generators` and `default_generator` in config.yml".to_owned(),
            None => format!(
                "config.yml has {}; choose one with `exec --generator NAME` or `generator` of the call, or set `default_generator`",
                names.join(", ")
            ),
        };
        Err(PythonExecutorError::request(fault, message).hint(hint))
    }

    async fn exists(&self, run: RunId) -> Result<bool, PythonExecutorError> {
        let first = self.engine().records(run, 1, 1).await?;
        Ok(!first.is_empty())
    }
}

/// One name means one request.
fn same(entry: &Entry, checked: &Checked) -> Result<(), PythonExecutorError> {
    if entry.request == checked.digest() {
        return Ok(());
    }
    let message = format!(
        "the thread_id `{}` belongs to another request, whose run is {}",
        entry.thread_id, entry.run
    );
    Err(PythonExecutorError::workflow(code::THREAD_TAKEN, message)
        .hint("a new request needs a new thread_id; RunnableConfig::stage makes one for each stage")
        .of_run(entry.run))
}

fn gone(entry: &Entry) -> PythonExecutorError {
    let message = format!(
        "the request `{}` had the run {}, which is not there any more",
        entry.thread_id, entry.run
    );
    PythonExecutorError::workflow(code::THREAD_GONE, message)
        .hint("it is not made again under this name: use another thread_id if it shall be")
        .of_run(entry.run)
}
