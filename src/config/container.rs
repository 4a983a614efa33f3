//! `execution.container`: the Jupyter servers whose kernels run code, one for all modes or one for each.

use std::time::Duration;

use indexmap::IndexMap;

use super::execution::seconds;
use crate::code;
use crate::transport::address;
use crate::workflow::quantity;
use crate::workflow::yaml::{self, Keys, Node, Report};

/// Where a server is, when nothing is said.
const HOST: &str = "localhost";
const PORT: u16 = 8888;
/// Longest time of an attempt whose step says nothing.
pub(super) const TIMEOUT: Duration = Duration::from_secs(300);
/// How long a kernel may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Most bytes that are fetched through the websocket.
const TRANSFER_BYTES_MAX: u64 = 256 * 1024 * 1024;
const PORT_MAX: u32 = 65_535;

/// What is said of a server; what is not said comes from elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// `jupyter_host`.
    pub host: Option<String>,
    /// `jupyter_port`.
    pub port: Option<u16>,
    /// `use_https`.
    pub use_https: Option<bool>,
    /// `base_url`: the path before `/api`.
    pub base_url: Option<String>,
    /// `token_env`: the variable that has the token.
    pub token_env: Option<String>,
    /// `token_file`: the file that has the token.
    pub token_file: Option<String>,
    /// `ca_file`: authorities to trust beside those of the machine.
    pub ca_file: Option<String>,
    /// `shared_folder`: the data folder as the kernels see it.
    pub shared_folder: Option<String>,
    /// `transfer`: most bytes of files that are fetched through the websocket.
    pub transfer_bytes_max: Option<u64>,
    /// `start_timeout`.
    pub start_timeout: Option<Duration>,
    /// `kernel_env`: variables that the server is asked to give to its kernels.
    pub kernel_env: IndexMap<String, String>,
}

impl Container {
    /// This, and where it says nothing the other one.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let text =
            |mine: &Option<String>, other: &Option<String>| mine.clone().or_else(|| other.clone());
        // A token belongs to its server: one way to it replaces the other.
        let own_token = self.token_env.is_some() || self.token_file.is_some();
        let token = if own_token { self } else { other };
        let mut kernel_env = other.kernel_env.clone();
        kernel_env.extend(self.kernel_env.clone());
        Self {
            host: text(&self.host, &other.host),
            port: self.port.or(other.port),
            use_https: self.use_https.or(other.use_https),
            base_url: text(&self.base_url, &other.base_url),
            token_env: token.token_env.clone(),
            token_file: token.token_file.clone(),
            ca_file: text(&self.ca_file, &other.ca_file),
            shared_folder: text(&self.shared_folder, &other.shared_folder),
            transfer_bytes_max: self.transfer_bytes_max.or(other.transfer_bytes_max),
            start_timeout: self.start_timeout.or(other.start_timeout),
            kernel_env,
        }
    }

    /// The same with what holds where nothing is said.
    #[must_use]
    pub fn resolved(&self) -> Self {
        Self {
            host: Some(self.host.clone().unwrap_or_else(|| HOST.to_owned())),
            port: Some(self.port.unwrap_or(PORT)),
            use_https: Some(self.use_https.unwrap_or(false)),
            transfer_bytes_max: Some(self.transfer_bytes_max()),
            start_timeout: Some(self.start_timeout()),
            ..self.clone()
        }
    }

    /// The address up to `/api`.
    #[must_use]
    pub fn base(&self) -> String {
        let scheme = if self.use_https.unwrap_or(false) {
            "https"
        } else {
            "http"
        };
        let host = self.host.as_deref().unwrap_or(HOST);
        let host = if host.contains(':') && !host.starts_with('[') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        let path = self.base_url.as_deref().unwrap_or_default();
        let path = path.trim_matches('/');
        let slash = if path.is_empty() { "" } else { "/" };
        format!(
            "{scheme}://{host}:{}{slash}{path}",
            self.port.unwrap_or(PORT)
        )
    }

    /// How long a kernel may take to start.
    #[must_use]
    pub fn start_timeout(&self) -> Duration {
        self.start_timeout.unwrap_or(START_TIMEOUT)
    }

    /// Most bytes of files that are fetched through the websocket.
    #[must_use]
    pub fn transfer_bytes_max(&self) -> u64 {
        self.transfer_bytes_max.unwrap_or(TRANSFER_BYTES_MAX)
    }
}

pub(super) const CONTAINER: Keys = Keys {
    what: "`container`",
    now: &[
        "jupyter_host",
        "jupyter_port",
        "execution_timeout",
        "use_https",
        "base_url",
        "token_env",
        "token_file",
        "ca_file",
        "shared_folder",
        "transfer",
        "start_timeout",
        "kernel_env",
    ],
    later: &[],
};

const OF_A_MODE: Keys = Keys {
    what: "`container` of a mode",
    now: &[
        "jupyter_host",
        "jupyter_port",
        "use_https",
        "base_url",
        "token_env",
        "token_file",
        "ca_file",
        "shared_folder",
        "transfer",
        "start_timeout",
        "kernel_env",
    ],
    later: &[],
};

/// What holds for all modes, and the time of an attempt whose step says nothing.
pub(super) fn read(report: &mut Report<'_>, node: &Node) -> (Container, Option<Duration>) {
    let container = read_keys(report, node, &CONTAINER);
    let timeout = node.entry("execution_timeout");
    let timeout = timeout.and_then(|entry| seconds(report, &entry.node));
    (container, timeout)
}

/// What holds for one mode.
pub(super) fn read_of_mode(report: &mut Report<'_>, node: &Node) -> Container {
    read_keys(report, node, &OF_A_MODE)
}

fn read_keys(report: &mut Report<'_>, node: &Node, keys: &Keys) -> Container {
    let Some(fields) = yaml::fields(report, node, keys) else {
        return Container::default();
    };
    let mut text = |key: &str| {
        let node = fields.get(key)?;
        let text = yaml::text(report, node)?;
        // `${NAME:-}` of an unset variable leaves nothing behind, which means: not said.
        (!text.is_empty()).then(|| text.to_owned())
    };
    let mut container = Container {
        host: text("jupyter_host"),
        base_url: text("base_url"),
        token_env: text("token_env"),
        token_file: text("token_file"),
        ca_file: text("ca_file"),
        shared_folder: text("shared_folder"),
        ..Container::default()
    };
    let port = fields.get("jupyter_port");
    let port = port.and_then(|node| yaml::whole(report, node, 1, PORT_MAX));
    container.port = port.and_then(|port| u16::try_from(port).ok());
    let https = fields.get("use_https");
    container.use_https = https.and_then(|node| yaml::boolean(report, node));
    let transfer = fields.get("transfer");
    container.transfer_bytes_max = transfer.and_then(|node| quantity::size(report, node));
    let start = fields.get("start_timeout");
    container.start_timeout = start.and_then(|node| seconds(report, node));
    let variables = fields
        .get("kernel_env")
        .and_then(|node| yaml::map(report, node));
    for entry in variables.unwrap_or_default() {
        if let Some(value) = yaml::text(report, &entry.node) {
            container
                .kernel_env
                .insert(entry.key.clone(), value.to_owned());
        }
    }
    check(report, node, &container);
    container
}

fn check(report: &mut Report<'_>, node: &Node, container: &Container) {
    if let Some(entry) = node
        .entry("token_file")
        .filter(|_| container.token_env.is_some())
    {
        report.error_with(
            code::CONFLICTING_KEYS,
            entry.key_span,
            "`token_env` and `token_file` exclude each other",
            "keep one of them",
        );
    }
    if let Err(message) = address::check(&container.base()) {
        report.error(
            code::BAD_VALUE,
            node.span,
            format!("this is no address: {message}"),
        );
    }
    let shared = container.shared_folder.as_deref();
    if let Some(entry) = node.entry("shared_folder")
        && shared.is_some_and(|path| !path.starts_with('/'))
    {
        report.error_with(
            code::BAD_VALUE,
            entry.node.span,
            "the path must be absolute",
            "it is the data folder as the kernels see it, for example `/stepwell/data`",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_put_together() {
        let table = [
            (Container::default(), "http://localhost:8888"),
            (
                Container {
                    host: Some("jupyter.lab.example".to_owned()),
                    port: Some(443),
                    use_https: Some(true),
                    base_url: Some("/user/ada/".to_owned()),
                    ..Container::default()
                },
                "https://jupyter.lab.example:443/user/ada",
            ),
            (
                Container {
                    host: Some("::1".to_owned()),
                    ..Container::default()
                },
                "http://[::1]:8888",
            ),
        ];
        for (container, expected) in table {
            assert_eq!(container.base(), expected);
        }
    }

    #[test]
    fn a_mode_goes_before_the_rest_and_brings_its_own_token() {
        let all = Container {
            host: Some("a".to_owned()),
            port: Some(1),
            token_env: Some("A".to_owned()),
            ..Container::default()
        };
        let mode = Container {
            port: Some(2),
            token_file: Some("f".to_owned()),
            ..Container::default()
        };
        let both = mode.or(&all);
        assert_eq!(both.base(), "http://a:2");
        assert_eq!(
            (both.token_env, both.token_file.as_deref()),
            (None, Some("f"))
        );
        assert_eq!(
            Container::default().or(&all).token_env.as_deref(),
            Some("A")
        );
    }
}
