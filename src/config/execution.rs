//! `framework.execution`: modes, and where code runs.

use std::time::Duration;

use indexmap::IndexMap;

use super::container::Container;
use super::protection::{self, Gateway, Isolation, Writable};
use super::{Config, container, place, select, warm};
use crate::approval::ModePolicy;
use crate::code;
use crate::executor::local::WarmOptions;
use crate::plan::{Execution as Method, Mode, Network, SelectRule};
use crate::workflow::quantity;
use crate::workflow::yaml::{self, Keys, Kind, Node, Report};

/// Longest time of an attempt when neither step nor configuration says anything.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(600);

/// Where and how code runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// `execution_method`: where steps run that say nothing.
    pub method: Method,
    /// `select`: what `auto` means.
    pub select: Vec<SelectRule>,
    /// `container`: the Jupyter server of every mode, as far as the mode says nothing.
    pub container: Container,
    /// `container.execution_timeout`: longest time of an attempt in a container whose step says nothing.
    pub container_timeout: Duration,
    /// `modes`: what holds for the steps of each mode.
    pub modes: Modes,
    /// `local`: code as processes of this machine.
    pub local: Local,
}

impl Default for Execution {
    fn default() -> Self {
        Self {
            method: Method::Local,
            select: SelectRule::usual(),
            container: Container::default(),
            container_timeout: container::TIMEOUT,
            modes: Modes::default(),
            local: Local::default(),
        }
    }
}

impl Execution {
    /// The same with everything said: what each mode takes from `container`, and what holds where nobody says anything.
    #[must_use]
    pub fn resolved(&self) -> Self {
        let mut all = self.clone();
        all.container = self.container.resolved();
        let modes = &mut all.modes;
        for (mode, settings) in [
            (Mode::ReadOnly, &mut modes.read_only),
            (Mode::WriteAccess, &mut modes.write_access),
        ] {
            settings.kernel_name = Some(settings.kernel_name(mode));
            settings.container = settings.container.or(&self.container).resolved();
            let usual = match mode {
                Mode::ReadOnly => Writable::Folders(Vec::new()),
                Mode::WriteAccess => Writable::Everywhere,
            };
            settings.writable.get_or_insert(usual);
        }
        all
    }
}

/// Settings by mode. What a mode may do, and whether it asks, is in the approval policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Modes {
    /// `read_only`.
    pub read_only: ModeSettings,
    /// `write_access`.
    pub write_access: ModeSettings,
}

impl Modes {
    /// The settings of this mode.
    #[must_use]
    pub fn of(&self, mode: Mode) -> &ModeSettings {
        match mode {
            Mode::ReadOnly => &self.read_only,
            Mode::WriteAccess => &self.write_access,
        }
    }
}

/// What holds for the steps of one mode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModeSettings {
    /// `description`: for people.
    pub description: String,
    /// `environment`: variables of the processes; those of a step go before.
    pub environment: IndexMap<String, String>,
    /// `network`: whether the code reaches it.
    pub network: Network,
    /// `writable`: where it may write outside its own folder; none = as usual for the mode.
    pub writable: Option<Writable>,
    /// `gateway`: the way to the control system.
    pub gateway: Option<Gateway>,
    /// `kernel_name`: the kernelspec of its steps in containers.
    pub kernel_name: Option<String>,
    /// `container`: its own Jupyter server.
    pub container: Container,
}

impl ModeSettings {
    /// The kernelspec of the steps of this mode in containers.
    #[must_use]
    pub fn kernel_name(&self, mode: Mode) -> String {
        let usual = match mode {
            Mode::ReadOnly => "python3-epics-readonly",
            Mode::WriteAccess => "python3-epics-write",
        };
        self.kernel_name.clone().unwrap_or_else(|| usual.to_owned())
    }
}

/// Code as processes of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// `python_env_path`: a virtual environment or an interpreter; none = `python3` of the search path.
    pub python_env_path: Option<String>,
    /// `execution_timeout`: longest time of an attempt whose step says nothing.
    pub execution_timeout: Duration,
    /// `isolation`, `hide`: how far code is kept apart.
    pub isolation: Isolation,
    /// `warm`: interpreters that have imported the libraries already.
    pub warm: WarmOptions,
}

impl Default for Local {
    fn default() -> Self {
        Self {
            python_env_path: None,
            execution_timeout: TIMEOUT_DEFAULT,
            isolation: Isolation::default(),
            warm: WarmOptions::default(),
        }
    }
}

const EXECUTION: Keys = Keys {
    what: "`execution`",
    now: &[
        "execution_method",
        "modes",
        "local",
        "container",
        "select",
        "epics",
    ],
    later: &["code_generator", "generators"],
};

const MODES: Keys = Keys {
    what: "`modes`",
    now: &Mode::SPELLINGS,
    later: &[],
};

const MODE: Keys = Keys {
    what: "a mode",
    now: &[
        "allows_writes",
        "requires_approval",
        "description",
        "environment",
        "network",
        "writable",
        "kernel_name",
        "gateway",
        "container",
    ],
    later: &[],
};

const EPICS: Keys = Keys {
    what: "`epics`",
    now: &["gateways"],
    later: &[],
};

const LOCAL: Keys = Keys {
    what: "`local`",
    now: &[
        "python_env_path",
        "execution_timeout",
        "isolation",
        "hide",
        "warm",
    ],
    later: &[],
};

pub(super) fn read(report: &mut Report<'_>, node: &Node, config: &mut Config) {
    let Some(fields) = yaml::fields(report, node, &EXECUTION) else {
        return;
    };
    let method = fields.get("execution_method");
    if let Some(method) = method.and_then(|node| yaml::word(report, node, &Method::WORDS)) {
        config.execution.method = method;
    }
    if let Some(node) = fields.get("container") {
        let (read, timeout) = container::read(report, node);
        config.execution.container = read;
        config.execution.container_timeout = timeout.unwrap_or(container::TIMEOUT);
    }
    if let Some(node) = fields.get("select") {
        config.execution.select = select::read(report, node);
    }
    if let Some(modes) = fields
        .get("modes")
        .and_then(|node| yaml::fields(report, node, &MODES))
    {
        let (first, second) = (modes.entry("read_only"), modes.entry("readonly"));
        if let Some(entry) = place::one_of(report, first, second) {
            let (settings, policy) = (
                &mut config.execution.modes.read_only,
                &mut config.approval.read_only,
            );
            read_mode(report, &entry.node, settings, policy);
        }
        let (first, second) = (modes.entry("write_access"), modes.entry("readwrite"));
        if let Some(entry) = place::one_of(report, first, second) {
            let (settings, policy) = (
                &mut config.execution.modes.write_access,
                &mut config.approval.write_access,
            );
            read_mode(report, &entry.node, settings, policy);
        }
    }
    if let Some(node) = fields.get("epics") {
        read_epics(report, node, &mut config.execution.modes);
    }
    if let Some(node) = fields.get("local") {
        read_local(report, node, &mut config.execution.local);
    }
}

fn read_mode(
    report: &mut Report<'_>,
    node: &Node,
    settings: &mut ModeSettings,
    policy: &mut ModePolicy,
) {
    let Some(fields) = yaml::fields(report, node, &MODE) else {
        return;
    };
    let allows = fields.get("allows_writes");
    if let Some(value) = allows.and_then(|node| yaml::boolean(report, node)) {
        policy.allows_writes = value;
    }
    let requires = fields.get("requires_approval");
    if let Some(value) = requires.and_then(|node| yaml::boolean(report, node)) {
        policy.requires_approval = value;
    }
    let description = fields.get("description");
    if let Some(text) = description.and_then(|node| yaml::text(report, node)) {
        text.clone_into(&mut settings.description);
    }
    settings.network = protection::network(report, fields).unwrap_or_default();
    settings.writable = protection::writable(report, fields);
    let gateway = fields.get("gateway");
    settings.gateway = gateway.and_then(|node| protection::gateway(report, node));
    let kernel = fields.get("kernel_name");
    settings.kernel_name = kernel
        .and_then(|node| yaml::text(report, node))
        .filter(|name| !name.is_empty())
        .map(str::to_owned);
    if let Some(node) = fields.get("container") {
        settings.container = container::read_of_mode(report, node);
    }
    let entries = fields
        .get("environment")
        .and_then(|node| yaml::map(report, node));
    for entry in entries.unwrap_or_default() {
        if entry.key.is_empty() || entry.key.contains('=') {
            report.error(
                code::BAD_VALUE,
                entry.key_span,
                format!("`{}` can't be the name of a variable", entry.key),
            );
        }
        if let Some(value) = yaml::text(report, &entry.node) {
            settings
                .environment
                .insert(entry.key.clone(), value.to_owned());
        }
    }
}

/// `epics.gateways`: the same as `gateway` of the modes.
fn read_epics(report: &mut Report<'_>, node: &Node, modes: &mut Modes) {
    let gateways = yaml::fields(report, node, &EPICS)
        .and_then(|fields| fields.get("gateways"))
        .and_then(|node| yaml::fields(report, node, &MODES));
    let Some(gateways) = gateways else {
        return;
    };
    for (names, settings) in [
        (["read_only", "readonly"], &mut modes.read_only),
        (["write_access", "readwrite"], &mut modes.write_access),
    ] {
        let [first, second] = names.map(|name| gateways.entry(name));
        let Some(entry) = place::one_of(report, first, second) else {
            continue;
        };
        if settings.gateway.is_some() {
            let message = "the mode has a `gateway` already";
            report.error(code::CONFLICTING_KEYS, entry.key_span, message);
        }
        settings.gateway = protection::gateway(report, &entry.node);
    }
}

fn read_local(report: &mut Report<'_>, node: &Node, local: &mut Local) {
    let Some(fields) = yaml::fields(report, node, &LOCAL) else {
        return;
    };
    // `${LOCAL_PYTHON_VENV:-}` of an unset variable leaves nothing behind, which means: not set.
    let path = fields
        .get("python_env_path")
        .filter(|node| node.kind != Kind::Null);
    local.python_env_path = path
        .and_then(|node| yaml::text(report, node))
        .filter(|path| !path.is_empty())
        .map(str::to_owned);
    protection::isolation(report, fields, &mut local.isolation);
    if let Some(node) = fields.get("warm") {
        local.warm = warm::read(report, node);
    }
    let timeout = fields.get("execution_timeout");
    if let Some(timeout) = timeout.and_then(|node| seconds(report, node)) {
        local.execution_timeout = timeout;
    }
}

/// A number of seconds, or a duration with its unit.
pub(super) fn seconds(report: &mut Report<'_>, node: &Node) -> Option<Duration> {
    if matches!(node.kind, Kind::Int(_)) {
        const YEAR_SECONDS: u32 = 366 * 24 * 3600;
        return yaml::whole(report, node, 1, YEAR_SECONDS)
            .map(|seconds| Duration::from_secs(seconds.into()));
    }
    quantity::duration(report, node)
}
