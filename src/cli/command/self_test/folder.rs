//! A data folder for the tests alone, which is gone afterwards.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::error::Error;
use crate::cli::open::make_private;
use crate::config::{Config, Container, Generator, GeneratorKind, GeneratorSettings};
use crate::generator::Budget;
use crate::id::RunId;
use crate::open::Place;
use crate::time::{Clock as _, SystemClock};

/// The file of the generator's answers.
const ANSWERS: &str = "answers.md";
/// The name of the generator.
const GENERATOR: &str = "self_test";

/// The folder. What it holds goes when it is dropped, unless it is kept.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    keep: bool,
    /// The data folder of the installation, when it was made for this one.
    made: Option<PathBuf>,
}

impl Folder {
    /// Among temporary files; below the data folder when kernels see that one, so that the shared folder is tried too.
    pub(super) fn make(place: &Place, config: &Config, keep: bool) -> Result<Self, Error> {
        let id = RunId::generate(SystemClock.now());
        let name = format!("stepwell-self-test-{}", id.short());
        let is_shared = containers(config).any(|one| one.shared_folder.is_some());
        let above = if is_shared {
            place.data.clone()
        } else {
            std::env::temp_dir()
        };
        let made = (is_shared && !above.exists()).then(|| above.clone());
        let path = above.join(name);
        make_private(&path)?;
        Ok(Self { path, keep, made })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The configuration of the installation in this folder: its generator gives recorded answers, and whoever runs
    /// the tests may answer their questions.
    pub(super) fn adapted(&self, mut config: Config) -> Config {
        let file = self.path.join(ANSWERS).display().to_string();
        let generator = Generator {
            kind: GeneratorKind::Scripted(file),
            price: None,
            budget: Budget::default(),
        };
        config.generators = GeneratorSettings {
            by_name: BTreeMap::from([(GENERATOR.to_owned(), generator)]),
            default: Some(GENERATOR.to_owned()),
        };
        config.allow_self = true;
        let name = self.path.file_name().unwrap_or_default();
        for container in containers_mut(&mut config) {
            if let Some(shared) = &mut container.shared_folder {
                *shared = Path::new(shared).join(name).display().to_string();
            }
        }
        config
    }

    /// Has the generator answer with this code from now on.
    ///
    /// # Errors
    /// The disk refuses.
    pub(super) fn answer(&self, code: &str) -> io::Result<()> {
        let text = format!("## python\n\n```python\n{code}```\n");
        std::fs::write(self.path.join(ANSWERS), text)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        let _stays = std::fs::remove_dir_all(&self.path);
        if let Some(above) = &self.made {
            let _in_use = std::fs::remove_dir(above);
        }
    }
}

fn containers(config: &Config) -> impl Iterator<Item = &Container> {
    let execution = &config.execution;
    let modes = &execution.modes;
    [
        &execution.container,
        &modes.read_only.container,
        &modes.write_access.container,
    ]
    .into_iter()
}

fn containers_mut(config: &mut Config) -> impl Iterator<Item = &mut Container> {
    let execution = &mut config.execution;
    let modes = &mut execution.modes;
    [
        &mut execution.container,
        &mut modes.read_only.container,
        &mut modes.write_access.container,
    ]
    .into_iter()
}
