//! Where a service keeps its things, and by which configuration it works.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::PythonExecutorError;
use crate::action::{Action, Actions};
use crate::code;
use crate::config::{self, Config};
use crate::executor::local;
use crate::open::Place;

/// How a service is opened.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    data: PathBuf,
    config: Source,
    program: Option<PathBuf>,
    person: Option<String>,
    variables: Option<BTreeMap<String, String>>,
    actions: Vec<Arc<dyn Action>>,
}

/// Where the configuration comes from.
#[derive(Debug, Clone, Default)]
enum Source {
    /// What holds without a file.
    #[default]
    Defaults,
    /// A file.
    File(PathBuf),
    /// The text of a file.
    Text(String),
}

impl OpenOptions {
    /// Everything is kept in that folder, which is made when it is missing.
    #[must_use]
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            ..Self::default()
        }
    }

    /// Works by this `config.yml`.
    #[must_use]
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.config = Source::File(path.into());
        self
    }

    /// Works by this text of a `config.yml`.
    #[must_use]
    pub fn config_text(mut self, text: impl Into<String>) -> Self {
        self.config = Source::Text(text.into());
        self
    }

    /// The `stepwell` program, which watches over the processes of steps. Not needed by a program whose `main`
    /// begins with [`crate::executor::local::helper`], nor where `stepwell` is in the search path.
    #[must_use]
    pub fn program(mut self, path: impl Into<PathBuf>) -> Self {
        self.program = Some(path.into());
        self
    }

    /// Who starts runs and answers questions when a call names nobody.
    #[must_use]
    pub fn person(mut self, name: impl Into<String>) -> Self {
        self.person = Some(name.into());
        self
    }

    /// The environment: where `${NAME}` of the configuration and secrets are looked up. The process's own otherwise.
    #[must_use]
    pub fn variables(mut self, variables: BTreeMap<String, String>) -> Self {
        self.variables = Some(variables);
        self
    }

    /// Has this action for the steps of workflows that name it. A name that can't be one, or that two have, is refused
    /// when the service is opened.
    #[must_use]
    pub fn action(mut self, action: Arc<dyn Action>) -> Self {
        self.actions.push(action);
        self
    }

    /// Everything settled: files read, paths absolute.
    pub(super) fn settle(self) -> Result<Settled, PythonExecutorError> {
        let here = std::env::current_dir().map_err(|error| {
            let message = format!("there is no current folder: {error}");
            PythonExecutorError::request(code::FILE_UNREADABLE, message)
        })?;
        let data = here.join(&self.data);
        let actions = Actions::of(self.actions)?;
        let variables = self.variables.unwrap_or_else(environment);
        let (name, bytes, config_folder) = match self.config {
            Source::Defaults => (String::new(), None, here),
            Source::Text(text) => ("config.yml".to_owned(), Some(text.into_bytes()), here),
            Source::File(path) => {
                let absolute = here.join(&path);
                let bytes = std::fs::read(&absolute).map_err(|error| unreadable(&path, &error))?;
                let folder = absolute.parent().unwrap_or(Path::new("")).to_owned();
                (path.display().to_string(), Some(bytes), folder)
            }
        };
        let config = match bytes {
            None => Config::default(),
            Some(bytes) => config::load(&name, &bytes, &|name| variables.get(name).cloned())
                .map_err(|faults| PythonExecutorError::of_diagnostics(&faults))?,
        };
        let program = match self.program {
            Some(program) => program,
            None => program(&variables)?,
        };
        Ok(Settled {
            place: Place {
                data,
                config_folder,
                program,
                variables,
            },
            config,
            actions,
            person: self.person.unwrap_or_else(user),
        })
    }
}

/// Options of which nothing is open.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) place: Place,
    pub(super) config: Config,
    pub(super) actions: Actions,
    pub(super) person: String,
}

/// The whole environment, as far as it is text.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The program that watches over the processes of steps. Never this one unless it has said that it can: it would
/// start itself again and again.
fn program(variables: &BTreeMap<String, String>) -> Result<PathBuf, PythonExecutorError> {
    let own = std::env::current_exe().ok();
    if let Some(own) = own.clone().filter(|_| local::can_help()) {
        return Ok(own);
    }
    let beside = own.and_then(|own| Some(own.parent()?.join("stepwell")));
    let path = variables
        .get("PATH")
        .map(String::as_str)
        .unwrap_or_default();
    let in_path = std::env::split_paths(path).map(|folder| folder.join("stepwell"));
    let mut found = beside
        .into_iter()
        .chain(in_path)
        .filter(|path| path.is_file());
    found.next().ok_or_else(|| {
        let message = "the program `stepwell` is not found; it watches over the processes of steps";
        PythonExecutorError::request(code::PROGRAM_MISSING, message).hint(
            "name it with OpenOptions::program, put it into the search path, or begin `main` with \
             stepwell::executor::local::helper",
        )
    })
}

/// The user of the operating system, by name; by number when it has none.
pub(crate) fn user() -> String {
    let uid = nix::unistd::Uid::effective();
    match nix::unistd::User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        Ok(None) | Err(_) => format!("uid-{uid}"),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> PythonExecutorError {
    let message = format!("{} can't be read: {error}", path.display());
    PythonExecutorError::request(code::FILE_UNREADABLE, message)
}
