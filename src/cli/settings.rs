//! Where things are: the data folder and config.yml, from options, then from the environment, then by habit.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::arguments::Global;
use super::view::text::quoted;

/// The data folder when nobody names one.
const DATA: &str = "data";
/// The configuration file when nobody names one and it is there.
const CONFIG: &str = "config.yml";

/// Where things are.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// The data folder, absolute.
    pub(super) data: PathBuf,
    /// The configuration file, when one is in force.
    pub(super) config: Option<PathBuf>,
    /// What to log, as in `RUST_LOG`.
    pub(super) log: String,
    /// Whether `NO_COLOR` is set.
    pub(super) no_color: bool,
    /// The options that a command printed for people must repeat.
    repeat: Vec<OsString>,
    here: PathBuf,
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// There is no current folder.
    pub(super) fn read(global: &Global) -> io::Result<Self> {
        let here = std::env::current_dir()?;
        let data = global
            .data
            .clone()
            .or_else(|| variable("STEPWELL_DATA").map(PathBuf::from));
        let named = global
            .config
            .clone()
            .or_else(|| variable("STEPWELL_CONFIG").map(PathBuf::from));
        let config =
            named.or_else(|| Some(PathBuf::from(CONFIG)).filter(|path| here.join(path).is_file()));
        let mut repeat = Vec::new();
        for (option, value) in [("--data", &global.data), ("--config", &global.config)] {
            if let Some(value) = value {
                repeat.extend([OsString::from(option), value.clone().into_os_string()]);
            }
        }
        Ok(Self {
            data: here.join(data.unwrap_or_else(|| PathBuf::from(DATA))),
            config,
            log: variable("STEPWELL_LOG")
                .and_then(|filter| filter.into_string().ok())
                .unwrap_or_else(|| filter(global.verbose).to_owned()),
            no_color: variable("NO_COLOR").is_some(),
            repeat,
            here,
        })
    }

    /// A path as a person here would write it.
    pub(super) fn shown(&self, path: &Path) -> String {
        let short = path.strip_prefix(&self.here).unwrap_or(path);
        short.display().to_string()
    }

    /// Makes a path absolute as seen from here.
    pub(super) fn absolute(&self, path: &Path) -> PathBuf {
        self.here.join(path)
    }

    /// A command line that means the same data folder as this one.
    pub(super) fn command(&self, rest: &str) -> String {
        let mut text = "stepwell".to_owned();
        for word in &self.repeat {
            text.push(' ');
            text.push_str(&quoted(&word.to_string_lossy()));
        }
        format!("{text} {rest}")
    }
}

fn filter(verbose: u8) -> &'static str {
    match verbose {
        0 => "warn",
        1 => "warn,stepwell=info",
        2 => "info,stepwell=debug",
        3.. => "debug,stepwell=trace",
    }
}

/// A variable of the environment; an empty one counts as not set.
pub(super) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// A variable of the environment, when it is text.
pub(super) fn text_variable(name: &str) -> Option<String> {
    std::env::var_os(name).and_then(|value| value.into_string().ok())
}

/// The whole environment, as far as it is text.
pub(super) fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
