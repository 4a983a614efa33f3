//! Where the kernels are, and how they are spoken to.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::plan::Mode;
use crate::transport::address;

/// What a container executor needs to know of the world.
#[derive(Clone)]
pub struct Options {
    /// The data folder.
    pub data: PathBuf,
    /// Where steps of the mode `read_only` run.
    pub read_only: Endpoint,
    /// Where steps of the mode `write_access` run.
    pub write_access: Endpoint,
    /// The environment of the engine's process: tokens are looked for there.
    pub inherited: BTreeMap<String, String>,
}

impl Options {
    /// Where steps of this mode run.
    #[must_use]
    pub fn of(&self, mode: Mode) -> &Endpoint {
        match mode {
            Mode::ReadOnly => &self.read_only,
            Mode::WriteAccess => &self.write_access,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("read_only", &self.read_only)
            .field("write_access", &self.write_access)
            .finish_non_exhaustive()
    }
}

/// One Jupyter server and the kernel that it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address up to `/api`, without `/` at the end.
    pub base: String,
    /// The kernelspec.
    pub kernel_name: String,
    /// Where its token is.
    pub token: Token,
    /// A file of authorities to trust beside those of the machine, in PEM.
    pub authorities: Option<PathBuf>,
    /// The data folder as the kernel sees it, when both share one.
    pub shared: Option<Shared>,
    /// Most bytes of figures, artifacts and other files that are fetched through the websocket.
    pub transfer_bytes_max: u64,
    /// How long a kernel may take to start.
    pub start_timeout: Duration,
    /// How long a connection that broke while the code runs is tried again; [`Endpoint::PATIENCE`] unless told.
    pub patience: Duration,
    /// Variables that the server is asked to give to the kernel, such as `KERNEL_USERNAME`.
    pub kernel_env: BTreeMap<String, String>,
}

impl Endpoint {
    /// How long a broken connection is tried again.
    pub const PATIENCE: Duration = Duration::from_secs(60);
}

/// A data folder that engine and kernel share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Its path as the kernel sees it.
    pub kernel: PathBuf,
}

/// Where a token is. The token itself is in no event, no file of ours and no message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Token {
    /// The server wants none.
    #[default]
    None,
    /// In this variable.
    Env(String),
    /// In this file, read anew each time.
    File(PathBuf),
}

impl Token {
    /// The token.
    pub(super) fn read(
        &self,
        variables: &BTreeMap<String, String>,
    ) -> Result<Option<String>, Failure> {
        let found = match self {
            Self::None => return Ok(None),
            Self::Env(name) => variables
                .get(name)
                .cloned()
                .ok_or_else(|| format!("the variable {name} is not set")),
            Self::File(path) => std::fs::read_to_string(path)
                .map_err(|error| format!("the file {} can't be read: {error}", path.display())),
        };
        let token = found.map(|text| text.trim().to_owned());
        match token {
            Ok(token) if address::check_header("Authorization", &token).is_err() => Err(refused(
                "the token of the Jupyter server has characters that can't be sent",
            )),
            Ok(token) => Ok((!token.is_empty()).then_some(token)),
            Err(message) => Err(refused(format!(
                "there is no token for the Jupyter server: {message}"
            ))),
        }
    }
}

fn refused(message: impl Into<String>) -> Failure {
    Failure::new(
        FailureKind::Configuration,
        code::JUPYTER_UNAUTHORIZED,
        message,
    )
    .hint("`token_env` or `token_file` of `execution.container` says where the token is")
}
