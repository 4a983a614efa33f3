//! The composition root: the real store, blobs, executor and clock behind the engine's ports.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::Error;
use super::view::panel::You;
use super::{Context, Exit};
use super::{person, settings};
use crate::artifact::Blobs;
use crate::code;
use crate::config::{self, Config, ModeSettings};
use crate::engine::{self, Engine, ModeEnvironment, Ports, Variables};
use crate::executor::local::{self, LocalExecutor};
use crate::store::share::SharedStore;
use crate::store::sled::Options as StoreOptions;
use crate::time::SystemClock;
use crate::transport::network::NetworkTransport;

/// Rights of the data folder: its owner's alone, since results and code may be confidential.
const DATA_MODE: u32 = 0o700;
/// Folder of the blobs in the data folder.
const BLOBS: &str = "blobs";

/// An open data folder.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) engine: Engine,
    pub(super) blobs: Arc<Blobs>,
    /// The same store that the engine has.
    pub(super) store: Arc<SharedStore>,
}

impl Opened {
    /// Whoever sits at the keyboard, with the roles that the configuration gives.
    pub(super) fn you(&self) -> You {
        let name = person::name();
        let roles = self.engine.roles_of(&name);
        You { name, roles }
    }
}

impl Context {
    /// Opens the data folder and makes it when it is missing. When another process has it open, that one is asked.
    ///
    /// # Errors
    /// The configuration is invalid, or the store can't be opened.
    pub(super) async fn open(&self) -> Result<Opened, Error> {
        let config = self.config()?;
        let data = &self.settings.data;
        make_private(data)?;
        let store = Arc::new(SharedStore::open(data, StoreOptions::default()).await?);
        let blobs = Arc::new(Blobs::open(&data.join(BLOBS))?);
        let executor = self.executor()?;
        let ports = Ports {
            store: Arc::clone(&store) as _,
            blobs: Arc::clone(&blobs),
            executor: Arc::new(executor),
            clock: Arc::new(SystemClock),
            transport: Arc::new(NetworkTransport::default()),
        };
        Ok(Opened {
            engine: Engine::new(ports, self.options(&config)),
            blobs,
            store,
        })
    }

    /// Opens the data folder when there is one. Looking never makes one.
    ///
    /// # Errors
    /// As [`Context::open`].
    pub(super) async fn open_existing(&self) -> Result<Option<Opened>, Error> {
        if self.settings.data.is_dir() {
            self.open().await.map(Some)
        } else {
            Ok(None)
        }
    }

    /// Opens the data folder for a command about a run, which must be there.
    ///
    /// # Errors
    /// As [`Context::open`]; or there is no data folder.
    pub(super) async fn open_for_run(&self) -> Result<Opened, Error> {
        self.open_existing().await?.ok_or_else(|| {
            let folder = self.settings.shown(&self.settings.data);
            Error::usage(
                code::UNKNOWN_RUN,
                format!("there are no runs: there is no data folder `{folder}`"),
            )
            .help("--data DIR or STEPWELL_DATA names another one")
        })
    }

    /// Where Python runs.
    ///
    /// # Errors
    /// The program can't find itself.
    pub(super) fn executor(&self) -> Result<LocalExecutor, Error> {
        let stepwell_binary = std::env::current_exe().map_err(|error| {
            Error::new(
                Exit::Internal,
                code::INTERNAL,
                format!("the program can't find itself: {error}"),
            )
        })?;
        Ok(LocalExecutor::new(local::Options {
            stepwell_binary,
            data: self.settings.data.clone(),
            inherited: settings::environment(),
        }))
    }

    /// The configuration in force; without a file, the defaults.
    ///
    /// # Errors
    /// The file can't be read or has faults.
    pub(super) fn config(&self) -> Result<Config, Error> {
        let Some(path) = &self.settings.config else {
            return Ok(Config::default());
        };
        let absolute = self.settings.absolute(path);
        let bytes = std::fs::read(&absolute).map_err(|error| Error::unreadable(path, &error))?;
        config::load(
            &path.display().to_string(),
            &bytes,
            &settings::text_variable,
        )
        .map_err(Error::document)
    }

    /// The interpreter or virtual environment of steps that name no packages; relative to the configuration file.
    pub(super) fn python(&self, config: &Config) -> Option<PathBuf> {
        let written = config.execution.local.python_env_path.as_ref()?;
        let file = self.settings.config.as_deref().unwrap_or(Path::new(""));
        Some(
            self.settings
                .absolute(file)
                .parent()
                .unwrap_or(Path::new(""))
                .join(written),
        )
    }

    fn options(&self, config: &Config) -> engine::Options {
        let modes = &config.execution.modes;
        let variables = |mode: &ModeSettings| {
            mode.environment
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        };
        let usual = engine::Options::new(self.settings.data.clone());
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
            mode_environment: ModeEnvironment {
                read_only: variables(&modes.read_only),
                write_access: variables(&modes.write_access),
            },
            variables: Variables::new(settings::environment()),
            channels: config.channels.clone(),
            roles: config.roles.clone(),
            allow_self: config.allow_self,
            base_url: config.base_url.clone(),
            ..usual
        }
    }
}

/// Makes a folder that only its owner can enter; one that is there is left as it is.
///
/// # Errors
/// The disk refuses.
pub(super) fn make_private(folder: &Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(DATA_MODE)
        .create(folder)
        .map_err(|error| Error::unwritable(folder, &error))
}
