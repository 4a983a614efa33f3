//! Keys of providers: only where they are is ever written down.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::code;
use crate::failure::{Failure, FailureKind};

/// Where a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// In a variable of the environment.
    Env(String),
    /// In a file.
    File(PathBuf),
}

/// The environment in which keys are looked for. What is printed of it has no values.
#[derive(Clone, Default, PartialEq)]
pub struct Environment(pub BTreeMap<String, String>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({})", self.0.len())
    }
}

/// Largest file of a key, in bytes.
const KEY_BYTES_MAX: u64 = 64 << 10;

/// A key. What is printed of it is not the key.
pub struct Key(String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// The key itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The text without the key: providers repeat it in their errors.
    #[must_use]
    pub fn clean(&self, text: &str) -> String {
        if self.0.len() < 4 {
            return text.to_owned();
        }
        text.replace(&self.0, "[api key]")
    }
}

impl KeySource {
    /// Looks the key up.
    ///
    /// # Errors
    /// It is not there, or can't be a key.
    pub async fn find(&self, environment: &Environment) -> Result<Key, Failure> {
        let (place, found) = match self {
            Self::Env(name) => {
                let found = environment.0.get(name).cloned();
                let found = found.filter(|value| !value.is_empty());
                let why = || "it is not set".to_owned();
                (
                    format!("the environment variable {name}"),
                    found.ok_or_else(why),
                )
            }
            Self::File(path) => (
                format!("the file {}", path.display()),
                read(path.clone()).await,
            ),
        };
        let value =
            found.map_err(|why| missing(&format!("it was looked for in {place}: {why}")))?;
        let value = value.trim();
        if value.is_empty() || value.chars().any(char::is_control) {
            return Err(missing(&format!("what stands in {place} can't be a key")));
        }
        Ok(Key(value.to_owned()))
    }
}

async fn read(path: PathBuf) -> Result<String, String> {
    let read = tokio::task::spawn_blocking(move || {
        let about = std::fs::metadata(&path)?;
        if !about.is_file() || about.len() > KEY_BYTES_MAX {
            return Err(std::io::Error::other("not a small plain file"));
        }
        std::fs::read_to_string(&path)
    });
    match read.await {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

fn missing(why: &str) -> Failure {
    let message = format!("the generator's key is missing: {why}");
    Failure::new(
        FailureKind::Configuration,
        code::GENERATOR_KEY_MISSING,
        message,
    )
    .hint("`api_key` of the generator in config.yml says where the key is: `{env: NAME}` or `{file: PATH}`")
}
