//! How far code is kept apart from the machine: `execution.local.isolation`, and what the modes say of it.

use crate::code;
use crate::plan::{IsolationLevel, Network};
use crate::workflow::yaml::{self, Fields, Keys, Kind, Node, Report};

/// Files and folders of a person that no analysis needs; below their home.
const HIDDEN: [&str; 12] = [
    "~/.ssh",
    "~/.gnupg",
    "~/.aws",
    "~/.azure",
    "~/.config/gcloud",
    "~/.kube",
    "~/.docker",
    "~/.netrc",
    "~/.pgpass",
    "~/.git-credentials",
    "~/.local/share/keyrings",
    "/etc/shadow",
];

/// What `execution.local` says of isolation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Isolation {
    /// `isolation`: what happens when the system can't give a layer.
    pub level: IsolationLevel,
    /// `hide`: what code can't read.
    pub hidden: Vec<String>,
}

impl Default for Isolation {
    fn default() -> Self {
        Self {
            level: IsolationLevel::default(),
            hidden: HIDDEN.map(str::to_owned).to_vec(),
        }
    }
}

/// Where code of a mode may write outside its own folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writable {
    /// Wherever this user may.
    Everywhere,
    /// In these folders.
    Folders(Vec<String>),
}

/// The way to the control system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// Its address.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// Whether it is a name server, reached by TCP alone.
    pub use_name_server: bool,
}

impl Gateway {
    /// The variables by which EPICS libraries find it, and nothing else.
    #[must_use]
    pub fn variables(&self) -> [(&'static str, String); 4] {
        let (list, servers) = if self.use_name_server {
            (String::new(), format!("{}:{}", self.address, self.port))
        } else {
            (self.address.clone(), String::new())
        };
        [
            ("EPICS_CA_ADDR_LIST", list),
            ("EPICS_CA_NAME_SERVERS", servers),
            ("EPICS_CA_SERVER_PORT", self.port.to_string()),
            ("EPICS_CA_AUTO_ADDR_LIST", "NO".to_owned()),
        ]
    }
}

/// The port of a channel access server when nothing is said.
const CA_PORT: u16 = 5064;

const GATEWAY: Keys = Keys {
    what: "a gateway",
    now: &["address", "port", "use_name_server"],
    later: &[],
};

pub(super) fn gateway(report: &mut Report<'_>, node: &Node) -> Option<Gateway> {
    let fields = yaml::fields(report, node, &GATEWAY)?;
    let address = fields.required(report, &GATEWAY, "address")?;
    let address = yaml::text(report, address)?.to_owned();
    let port = match fields.get("port") {
        Some(node) => yaml::whole(report, node, 1, u16::MAX.into())?,
        None => CA_PORT.into(),
    };
    let use_name_server = match fields.get("use_name_server") {
        Some(node) => yaml::boolean(report, node)?,
        None => false,
    };
    if address.trim().is_empty() {
        report.error(
            code::BAD_VALUE,
            node.span,
            "the address of the gateway is empty",
        );
    }
    Some(Gateway {
        address,
        port: u16::try_from(port).ok()?,
        use_name_server,
    })
}

pub(super) fn network(report: &mut Report<'_>, fields: Fields<'_>) -> Option<Network> {
    let node = fields.get("network")?;
    yaml::word(report, node, &Network::WORDS)
}

/// `everywhere`, or a list of folders.
pub(super) fn writable(report: &mut Report<'_>, fields: Fields<'_>) -> Option<Writable> {
    let node = fields.get("writable")?;
    if node.text() == Some("everywhere") {
        return Some(Writable::Everywhere);
    }
    yaml::texts(report, node).map(Writable::Folders)
}

pub(super) fn isolation(report: &mut Report<'_>, fields: Fields<'_>, isolation: &mut Isolation) {
    if let Some(node) = fields.get("isolation") {
        // In some YAML a bare `off` is the switch.
        let level = if node.kind == Kind::Bool(false) {
            Some(IsolationLevel::Off)
        } else {
            yaml::word(report, node, &IsolationLevel::WORDS)
        };
        isolation.level = level.unwrap_or_default();
    }
    if let Some(node) = fields.get("hide") {
        isolation.hidden = yaml::texts(report, node).unwrap_or_default();
    }
}
