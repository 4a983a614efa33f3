//! The composition root: the real store, blobs, executor, clock and network behind the engine's ports. The command
//! line and the library open a data folder here, so that a run is the same whoever drives it.

mod generators;
mod protect;

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::action::Actions;
use crate::artifact::{self, Blobs};
use crate::code::{self, Code};
use crate::config::{Config, Gateway, ModeSettings};
use crate::engine::{self, Engine, ModeEnvironment, Placement, Ports, Variables};
use crate::executor::Routed;
use crate::executor::jupyter::{self, Endpoint, JupyterExecutor, Shared, Token};
use crate::executor::local::{self, LocalExecutor};
use crate::id::RunId;
use crate::plan::Mode;
use crate::store::share::SharedStore;
use crate::store::sled::Options as StoreOptions;
use crate::store::{self, ListQuery};
use crate::time::SystemClock;
use crate::transport::Transport;
use crate::transport::network::NetworkTransport;

/// Rights of the data folder: its owner's alone, since results and code may be confidential.
const DATA_MODE: u32 = 0o700;
/// Folder of the blobs in the data folder.
const BLOBS: &str = "blobs";

/// Where everything is that an installation needs.
#[derive(Debug, Clone)]
pub struct Place {
    /// The data folder, absolute.
    pub data: PathBuf,
    /// The folder that paths in the configuration are relative to, absolute.
    pub config_folder: PathBuf,
    /// The `stepwell` program, or one that begins with [`local::helper`].
    pub program: PathBuf,
    /// The environment of the process.
    pub variables: BTreeMap<String, String>,
}

/// An open data folder.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The engine.
    pub engine: Engine,
    /// The blobs that the engine has.
    pub blobs: Arc<Blobs>,
    /// The store that the engine has.
    pub store: Arc<SharedStore>,
}

impl Opened {
    /// The newest runs of a workflow, newest first, at most `limit` and no more than a page of the store.
    pub(crate) async fn runs_of(
        &self,
        workflow: &str,
        limit: usize,
    ) -> Result<Vec<RunId>, engine::Error> {
        let query = ListQuery {
            workflow: Some(workflow.to_owned()),
            ..ListQuery::newest(limit)
        };
        let page = self.engine.list(query).await?;
        Ok(page.rows.into_iter().map(|row| row.run).collect())
    }
}

/// Why a data folder can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder can't be made.
    #[error("{} can't be written", .0.display())]
    Folder(PathBuf, #[source] io::Error),
    /// The store can't be opened.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The folder of the blobs can't be opened.
    #[error(transparent)]
    Blobs(#[from] artifact::Error),
}

impl Error {
    /// Its code in the error catalogue.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Folder(..) => code::FILE_UNWRITABLE,
            Self::Store(error) => error.code(),
            Self::Blobs(error) => error.code(),
        }
    }
}

impl Place {
    /// Opens the data folder and makes it when it is missing. When another process has it open, that one is asked.
    ///
    /// # Errors
    /// The folder can't be made, or the store can't be opened.
    pub async fn open(&self, config: &Config) -> Result<Opened, Error> {
        self.open_with(config, Actions::default()).await
    }

    /// The same, with what steps with `action` do.
    ///
    /// # Errors
    /// The folder can't be made, or the store can't be opened.
    pub async fn open_with(&self, config: &Config, actions: Actions) -> Result<Opened, Error> {
        make_private(&self.data).map_err(|error| Error::Folder(self.data.clone(), error))?;
        let store = Arc::new(SharedStore::open(&self.data, StoreOptions::default()).await?);
        let blobs = Arc::new(Blobs::open(&self.data.join(BLOBS))?);
        let transport: Arc<dyn Transport> = Arc::new(NetworkTransport::default());
        let ports = Ports {
            store: Arc::clone(&store) as _,
            blobs: Arc::clone(&blobs),
            executor: Arc::new(self.executor(config)),
            clock: Arc::new(SystemClock),
            transport: Arc::clone(&transport),
        };
        let options = engine::Options {
            generators: self.generators(config, &transport),
            actions,
            ..self.options(config)
        };
        Ok(Opened {
            engine: Engine::new(ports, options),
            blobs,
            store,
        })
    }

    /// Where Python runs: on this machine and in containers.
    #[must_use]
    pub fn executor(&self, config: &Config) -> Routed {
        Routed::new(
            Arc::new(
                self.local_executor()
                    .warm(config.execution.local.warm.clone()),
            ),
            Arc::new(self.container_executor(config)),
        )
    }

    /// Where Python runs in containers. Nothing is asked of them before it is needed.
    #[must_use]
    pub fn container_executor(&self, config: &Config) -> JupyterExecutor {
        let endpoint = |mode: Mode| {
            let settings = config.execution.modes.of(mode);
            let container = settings.container.or(&config.execution.container);
            let file = |path: &String| self.config_folder.join(path);
            let token = match (&container.token_env, &container.token_file) {
                (Some(name), _) => Token::Env(name.clone()),
                (None, Some(path)) => Token::File(file(path)),
                (None, None) => Token::None,
            };
            Endpoint {
                base: container.base(),
                kernel_name: settings.kernel_name(mode),
                token,
                authorities: container.ca_file.as_ref().map(file),
                shared: container.shared_folder.as_ref().map(|path| Shared {
                    kernel: PathBuf::from(path),
                }),
                transfer_bytes_max: container.transfer_bytes_max(),
                start_timeout: container.start_timeout(),
                patience: Endpoint::PATIENCE,
                kernel_env: container.kernel_env.clone().into_iter().collect(),
            }
        };
        JupyterExecutor::new(jupyter::Options {
            data: self.data.clone(),
            read_only: endpoint(Mode::ReadOnly),
            write_access: endpoint(Mode::WriteAccess),
            inherited: self.variables.clone(),
        })
    }

    /// Where Python runs on this machine.
    #[must_use]
    pub fn local_executor(&self) -> LocalExecutor {
        LocalExecutor::new(local::Options {
            stepwell_binary: self.program.clone(),
            data: self.data.clone(),
            inherited: self.variables.clone(),
        })
    }

    /// The interpreter or virtual environment of steps that name no packages; relative to the configuration file.
    #[must_use]
    pub fn python(&self, config: &Config) -> Option<PathBuf> {
        let written = config.execution.local.python_env_path.as_ref()?;
        Some(self.config_folder.join(written))
    }

    /// The engine's settings by this configuration.
    #[must_use]
    pub fn options(&self, config: &Config) -> engine::Options {
        let modes = &config.execution.modes;
        let variables = |mode: &ModeSettings| {
            mode.environment
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        };
        let gateway = |mode: &ModeSettings| {
            let variables = mode.gateway.iter().flat_map(Gateway::variables);
            variables
                .map(|(name, value)| (name.to_owned(), value))
                .collect()
        };
        let usual = engine::Options::new(self.data.clone());
        let steps_at_once = config
            .engine
            .steps_at_once
            .and_then(|steps| usize::try_from(steps).ok());
        engine::Options {
            policy: config.approval.clone(),
            rules: config.analysis.clone(),
            limits: config.limits,
            timeout: config.execution.local.execution_timeout,
            steps_at_once: steps_at_once.unwrap_or(usual.steps_at_once),
            python: self.python(config),
            placement: Placement {
                execution: config.execution.method,
                select: config.execution.select.clone(),
                container_timeout: config.execution.container_timeout,
            },
            protection: self.protections(config),
            gateways: ModeEnvironment {
                read_only: gateway(&modes.read_only),
                write_access: gateway(&modes.write_access),
            },
            mode_environment: ModeEnvironment {
                read_only: variables(&modes.read_only),
                write_access: variables(&modes.write_access),
            },
            variables: Variables::new(self.variables.clone()),
            channels: config.channels.clone(),
            roles: config.roles.clone(),
            allow_self: config.allow_self,
            base_url: config.base_url.clone(),
            worker: config.engine.worker.clone().unwrap_or_else(worker),
            ..usual
        }
    }
}

/// The name of this process among all that ever work here: its host and its number there.
fn worker() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "localhost",
        name => name,
    };
    format!("{host}:{}", std::process::id())
}

/// Makes a folder that only its owner can enter; one that is there is left as it is.
///
/// # Errors
/// The disk refuses.
pub fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(DATA_MODE)
        .create(folder)
}
