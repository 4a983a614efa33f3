//! The engine's side: writes the folder, starts the supervisor, waits, reads the outcome.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::OnceCell;

use super::folder::{Folder, Order, create, read_at_most};
use super::sandbox::{self, Offered, Outline};
use super::surroundings::{self, Places};
use super::warm::{Kind, Pool, WarmOptions, World};
use super::{clean, harness, leftover, recover};
use crate::code;
use crate::executor::environment::Environments;
use crate::executor::make_dir;
use crate::executor::{
    Adoption, Environment, EnvironmentIdentity, EnvironmentSpec, Executor, Job, JobSecrets, Layer,
    Outcome, OutcomeStatus,
};
use crate::failure::{Failure, FailureKind};
use crate::redact::Redactor;
use crate::time::BoxFuture;

/// Longest last words of a supervisor, in bytes.
const SAID_BYTES_MAX: u64 = 64 * 1024;

/// What a local executor needs to know of the world.
#[derive(Debug, Clone)]
pub struct Options {
    /// This program: it is started again as supervisor and launcher.
    pub stepwell_binary: PathBuf,
    /// The data folder: environments, tools and caches are kept below it.
    pub data: PathBuf,
    /// The environment of the engine's process. Steps see a short list of it; installers see theirs.
    pub inherited: BTreeMap<String, String>,
}

/// Runs attempts as processes of this machine.
#[derive(Debug)]
pub struct LocalExecutor {
    options: Options,
    environments: Environments,
    offered: OnceCell<Offered>,
    warm: Option<Arc<Pool>>,
}

impl LocalExecutor {
    /// An executor that keeps its things below the data folder. Nothing is made before it is needed.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let environments = Environments::new(&options.data, options.inherited.clone());
        Self {
            options,
            environments,
            offered: OnceCell::new(),
            warm: None,
        }
    }

    /// The same with warm interpreters.
    #[must_use]
    pub fn warm(mut self, options: WarmOptions) -> Self {
        let world = World {
            program: self.options.stepwell_binary.clone(),
            data: self.options.data.clone(),
            copies: options.copies,
            inherited: self.options.inherited.clone(),
        };
        self.warm = options.enabled.then(|| Pool::new(options, world));
        self
    }

    async fn run(&self, job: Job) -> Result<Outcome, Failure> {
        let folder = Folder::new(job.folder.clone());
        let secrets = job.secrets.clone();
        let offered = self.offered().await.clone();
        let kind = self.warm.is_some().then(|| Kind::of(&job));
        let outline = self
            .write(&folder, job, offered)
            .map_err(|error| folder_failure(&folder, &error))?;
        let status = self
            .see_through((&folder, &outline), &secrets, kind)
            .await
            .map_err(|error| spawn_failure(&error))?;
        let outcome = folder
            .outcome()
            .map_err(|error| folder_failure(&folder, &error))?;
        let Some(outcome) = outcome else {
            return Err(lost(&folder, &status).await);
        };
        match outcome.status {
            OutcomeStatus::Failed(failure) if failure.code == code::SPAWN_FAILED.as_str() => {
                Err(failure)
            }
            OutcomeStatus::Failed(_) | OutcomeStatus::Succeeded => Ok(outcome),
        }
    }

    /// The layers of isolation that this machine gives.
    pub async fn layers(&self) -> Vec<Layer> {
        self.offered().await.layers.clone()
    }

    /// What the system offers, tried once.
    async fn offered(&self) -> &Offered {
        let asked = async {
            // Once in the life of a process too, and nobody waits for it.
            let _background = tokio::task::spawn_blocking(|| {
                leftover::sweep(&std::env::temp_dir(), leftover::AGE);
            });
            let asked = tokio::process::Command::new(&self.options.stepwell_binary)
                .arg("__probe")
                .env_clear()
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .output();
            let said = asked
                .await
                .map(|output| serde_json::from_slice(&output.stdout));
            match said {
                Ok(Ok(offered)) => offered,
                Ok(Err(_)) => Offered::nothing("the system ended the process that tried"),
                Err(error) => Offered::nothing(&error.to_string()),
            }
        };
        self.offered.get_or_init(|| asked).await
    }

    /// Writes the folder; what the walls of the attempt are.
    fn write(&self, folder: &Folder, mut job: Job, offered: Offered) -> io::Result<Outline> {
        if !folder.root().is_absolute() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the path is not absolute",
            ));
        }
        if folder.file("job.json").exists() {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "it holds another attempt",
            ));
        }
        let matplotlib = self.options.data.join("cache").join("matplotlib");
        let matplotlib = matplotlib.join(job.environment.digest.short());
        make_dir(&matplotlib)?;
        let temporary = folder.temporary(&std::env::temp_dir());
        let places = Places {
            temporary: &temporary,
            matplotlib: &matplotlib,
        };
        job.protection.hidden = sandbox::real(&job.protection.hidden);
        let env = surroundings::of(&job, folder, &self.options.inherited, &places);
        let tools = harness::install(&self.options.data.join("tools"))?;
        harness::compile(&tools, &job.environment, &self.options.inherited);
        let order = Order {
            secrets_follow: !job.secrets.is_empty(),
            job,
            env,
            tools,
            temporary,
            cache: unfilled(matplotlib),
            offered,
        };
        folder.write(&order)?;
        Ok(Outline::of(&order))
    }

    /// Has the attempt run, warm or fresh, to the end of its supervisor; how that ended.
    async fn see_through(
        &self,
        (folder, outline): (&Folder, &Outline),
        secrets: &JobSecrets,
        kind: Option<Result<Kind, String>>,
    ) -> io::Result<String> {
        let warm = match (&self.warm, kind) {
            (Some(pool), Some(Ok(kind))) => Some(pool.run(&kind, (folder, outline)).await),
            (_, Some(Err(unfit))) => Some(Err(unfit)),
            (None, Some(Ok(_))) | (_, None) => None,
        };
        let reason = match warm {
            Some(Ok(())) => return Ok("forked from a warm interpreter".to_owned()),
            Some(Err(reason)) => Some(reason),
            None => None,
        };
        let status = self.supervise(folder, secrets, reason).await?;
        Ok(status.to_string())
    }

    /// Starts the supervisor and waits for its end. Dropped, it leaves the supervisor at work.
    async fn supervise(
        &self,
        folder: &Folder,
        secrets: &JobSecrets,
        reason: Option<String>,
    ) -> io::Result<ExitStatus> {
        let log = create(&folder.internal("supervisor.log"))?;
        let mut child = tokio::process::Command::new(&self.options.stepwell_binary)
            .arg("__supervise")
            .arg(folder.root())
            .args(reason.iter().flat_map(|reason| ["fresh", reason]))
            .env_clear()
            .envs(surroundings::passed(&self.options.inherited))
            .env("STEPWELL_MARK", folder.mark())
            .current_dir(folder.root())
            .stdin(if secrets.is_empty() {
                Stdio::null()
            } else {
                Stdio::piped()
            })
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(false)
            .spawn()?;
        if let Some(mut pipe) = child.stdin.take() {
            // A supervisor that died meanwhile is missed below. One that gets half of it begins nothing.
            let _gone = pipe.write_all(&serde_json::to_vec(secrets)?).await;
        }
        child.wait().await
    }
}

impl Executor for LocalExecutor {
    fn identify<'a>(
        &'a self,
        spec: &'a EnvironmentSpec,
    ) -> BoxFuture<'a, Result<EnvironmentIdentity, Failure>> {
        Box::pin(self.environments.identify(spec))
    }

    fn prepare<'a>(
        &'a self,
        spec: &'a EnvironmentSpec,
        progress: &'a (dyn Fn(&str) + Send + Sync),
    ) -> BoxFuture<'a, Result<Environment, Failure>> {
        Box::pin(self.environments.prepare(spec, progress))
    }

    fn packages<'a>(
        &'a self,
        spec: &'a EnvironmentSpec,
        progress: &'a (dyn Fn(&str) + Send + Sync),
    ) -> BoxFuture<'a, Result<Vec<String>, Failure>> {
        Box::pin(self.environments.packages(spec, progress))
    }

    fn missing<'a>(
        &'a self,
        spec: &'a EnvironmentSpec,
        modules: &'a [String],
        path: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<String>, Failure>> {
        Box::pin(self.environments.missing(spec, modules, path))
    }

    fn execute(&self, job: Job) -> BoxFuture<'_, Result<Outcome, Failure>> {
        Box::pin(self.run(job))
    }

    fn adopt<'a>(&'a self, folder: &'a Path) -> BoxFuture<'a, Adoption> {
        Box::pin(async move { recover::adopt(&Folder::new(folder)).await })
    }

    fn clean<'a>(&'a self, folder: &'a Path, secrets: &'a Redactor) -> BoxFuture<'a, ()> {
        let (folder, secrets) = (Folder::new(folder), secrets.clone());
        Box::pin(async move {
            let cleaned = tokio::task::spawn_blocking(move || {
                let mut notes = Vec::new();
                clean::folder(&folder, &secrets, &mut notes);
                notes
            });
            for note in cleaned.await.unwrap_or_default() {
                tracing::warn!(%note, "a lost attempt was freed of secrets");
            }
        })
    }

    fn kill<'a>(&'a self, folder: &'a Path) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move { recover::kill(&Folder::new(folder)).await })
    }
}

/// The folder when a library has not filled it yet. What is there is read only: code of one attempt must not write what
/// another one reads.
fn unfilled(cache: PathBuf) -> Vec<PathBuf> {
    let mut entries = std::fs::read_dir(&cache).into_iter().flatten().flatten();
    let filled = entries.any(|entry| {
        entry
            .path()
            .extension()
            .is_some_and(|found| found == "json")
    });
    if filled { Vec::new() } else { vec![cache] }
}

fn folder_failure(folder: &Folder, error: &io::Error) -> Failure {
    let code = if is_full(error) {
        code::DISK_FULL
    } else {
        code::ATTEMPT_FOLDER
    };
    Failure::new(
        FailureKind::Infrastructure,
        code,
        format!(
            "the folder {} can't be used: {error}",
            folder.root().display()
        ),
    )
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

fn spawn_failure(error: &io::Error) -> Failure {
    Failure::new(
        FailureKind::Infrastructure,
        code::SPAWN_FAILED,
        format!("the supervisor could not be started: {error}"),
    )
}

/// The supervisor ended without an outcome: killed, or unable to write it. What is left of the attempt is ended.
async fn lost(folder: &Folder, status: &str) -> Failure {
    let said = read_at_most(&folder.internal("supervisor.log"), SAID_BYTES_MAX).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let code = if said.contains("os error 28") {
        code::DISK_FULL
    } else {
        code::SUPERVISOR_LOST
    };
    let mut message = format!("the supervisor of the attempt ended without an outcome ({status})");
    if !said.is_empty() {
        message = format!("{message}: {said}");
    }
    let started = match recover::adopt(folder).await {
        Adoption::Lost { started, evidence } => {
            message = format!("{message}; {evidence}");
            started
        }
        Adoption::Finished(_) => true,
    };
    Failure::new(FailureKind::Infrastructure, code, message).detail(json!({"started": started}))
}
