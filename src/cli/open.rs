//! The data folder as the command line opens it: by the options and the environment, for whoever sits at the keyboard.

use std::path::{Path, PathBuf};

use super::error::Error;
use super::view::panel::You;
use super::{Context, Exit};
use super::{person, settings};
use crate::code;
use crate::config::{self, Config};
pub(super) use crate::open::Opened;
use crate::open::{self, Place};

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
        Ok(self.place()?.open(&config).await?)
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

    /// Where everything is.
    ///
    /// # Errors
    /// The program can't find itself.
    pub(super) fn place(&self) -> Result<Place, Error> {
        let program = std::env::current_exe().map_err(|error| {
            Error::new(
                Exit::Internal,
                code::INTERNAL,
                format!("the program can't find itself: {error}"),
            )
        })?;
        let file = self.settings.config.as_deref().unwrap_or(Path::new(""));
        let config_folder = self.settings.absolute(file);
        Ok(Place {
            data: self.settings.data.clone(),
            config_folder: config_folder.parent().unwrap_or(Path::new("")).to_owned(),
            program,
            variables: settings::environment(),
        })
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
        self.place().ok()?.python(config)
    }
}

/// Makes a folder that only its owner can enter; one that is there is left as it is.
///
/// # Errors
/// The disk refuses.
pub(super) fn make_private(folder: &Path) -> Result<(), Error> {
    open::make_private(folder).map_err(|error| Error::unwritable(folder, &error))
}
