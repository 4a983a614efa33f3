//! The built-in rules.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::report::{Capability, Severity};

/// Version of the built-in rules. It grows whenever a rule finds more, or less, than before.
pub const RULE_SET_VERSION: u32 = 3;

macro_rules! rules {
    ($($rule:ident = $id:literal, $severity:ident, $capability:expr, $finds:literal, $example:literal;)*) => {
        /// A built-in rule.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Rule {
            $(#[doc = $finds] $rule),*
        }

        impl Rule {
            /// Every rule, in the order of `docs/rules.md`.
            pub const ALL: &[Self] = &[$(Self::$rule),*];

            /// Its id, as in findings and in config.yml.
            #[must_use]
            pub fn id(self) -> &'static str {
                match self { $(Self::$rule => $id),* }
            }

            /// Its severity unless a deployment says otherwise.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$rule => Severity::$severity),* }
            }

            /// The capability that a finding of this rule adds.
            #[must_use]
            pub fn capability(self) -> Option<Capability> {
                match self { $(Self::$rule => $capability),* }
            }

            /// What it finds, in a few words.
            #[must_use]
            pub fn finds(self) -> &'static str {
                match self { $(Self::$rule => $finds),* }
            }

            /// A line of Python with such a finding.
            #[must_use]
            pub fn example(self) -> &'static str {
                match self { $(Self::$rule => $example),* }
            }
        }
    };
}

rules! {
    Syntax = "syntax", Error, None, "Code that Python can't parse", "x = (1";
    TooDeep = "too_deep", Error, None, "Nesting beyond what the analysis follows", "((((…))))";
    TooLarge = "too_large", Error, None, "Code of more than 1 MiB", "…";
    TooComplex = "too_complex", Warning, Some(Capability::DynamicAccess),
        "Values that flow in more ways than the analysis follows", "…";
    ControlWrite = "control_write", Error, Some(Capability::ControlWrite),
        "A write to the control system", "epics.caput('BPM:01:X', 1)";
    ControlRead = "control_read", Info, Some(Capability::ControlRead),
        "A read from the control system", "epics.caget('BPM:01:X')";
    ControlDynamic = "control_dynamic", Error, Some(Capability::DynamicAccess),
        "A control library reached by a name that is not in the text", "getattr(epics, name)(1)";
    ControlSuspect = "control_suspect", Warning, Some(Capability::DynamicAccess),
        "What looks like a write, of an object that the text does not tell", "context.pv.put(1)";
    Process = "process", Error, Some(Capability::Process),
        "Other programs started, stopped or given other rights", "subprocess.run(['ls'])";
    DynamicCode = "dynamic_code", Error, Some(Capability::DynamicCode),
        "Code that is not in the text", "eval(text)";
    DynamicImport = "dynamic_import", Error, Some(Capability::DynamicCode),
        "An import whose name is not in the text", "importlib.import_module(name)";
    DynamicAccess = "dynamic_access", Warning, Some(Capability::DynamicAccess),
        "A module reached by a name that is not in the text", "getattr(os, name)";
    Introspection = "introspection", Error, Some(Capability::Introspection),
        "A walk through the interpreter's own objects", "object.__subclasses__()";
    Tampering = "tampering", Error, Some(Capability::Tampering),
        "A part of Python or of a library replaced", "os.system = print";
    ImportPath = "import_path", Warning, Some(Capability::DynamicCode),
        "Another folder that modules are imported from", "sys.path.insert(0, folder)";
    Native = "native", Error, Some(Capability::Native),
        "Native libraries and raw memory", "ctypes.CDLL('libc.so.6')";
    FsOutside = "fs_outside", Error, Some(Capability::FsOutside),
        "Files written or removed outside the run folder", "open('/etc/hosts', 'w')";
    FsWrite = "fs_write", Info, Some(Capability::FsWrite),
        "Files written or removed at a path that is not in the text", "open(path, 'w')";
    Network = "network", Warning, Some(Capability::Network),
        "A network connection", "requests.get(url)";
    Deserialize = "deserialize", Warning, Some(Capability::Deserialize),
        "Objects built from bytes that can run code", "pickle.load(file)";
    EnvRead = "env_read", Info, Some(Capability::EnvRead),
        "A look into the process environment", "os.environ['HOME']";
    SecretRead = "secret_read", Warning, Some(Capability::SecretRead),
        "A look for passwords, tokens or keys", "os.environ['API_TOKEN']";
    Hooks = "hooks", Warning, Some(Capability::Hooks),
        "Work that is left for signals, for the end or for nobody to stop", "atexit.register(work)";
    Threads = "threads", Info, Some(Capability::Threads),
        "Threads or worker processes", "threading.Thread(target=work)";
    ImportDenied = "import_denied", Block, None,
        "A module that config.yml denies or does not list", "import socket";
    CallDenied = "call_denied", Block, None,
        "A call that config.yml denies", "time.sleep(60)";
}

impl Rule {
    /// Finds a rule by its id.
    #[must_use]
    pub fn find(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|rule| rule.id() == id)
    }

    /// Whether its finding means that the code was not read to its end. Such a rule can't be switched off.
    #[must_use]
    pub fn means_unreadable(self) -> bool {
        matches!(self, Self::Syntax | Self::TooDeep | Self::TooLarge)
    }
}

/// Rules about one kind of control system, which a deployment can switch off together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pack {
    /// pyepics, p4p, caproto, pvaccess, aioca, cothread, ophyd, bluesky.
    Epics,
    /// Tango.
    Tango,
    /// DOOCS, TINE, JAPC.
    Doocs,
    /// VISA, serial lines, Modbus, OPC UA, PLCs, data acquisition.
    Instruments,
    /// Methods such as `write_channel`, whatever they are called on.
    Generic,
}

impl Pack {
    /// Every pack.
    pub const ALL: [Self; 5] = [
        Self::Epics,
        Self::Tango,
        Self::Doocs,
        Self::Instruments,
        Self::Generic,
    ];

    /// Its name in config.yml.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Epics => "epics",
            Self::Tango => "tango",
            Self::Doocs => "doocs",
            Self::Instruments => "instruments",
            Self::Generic => "generic",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_found_again() {
        for rule in Rule::ALL {
            assert_eq!(Rule::find(rule.id()), Some(*rule));
        }
    }

    #[test]
    fn the_page_of_rules_lists_them_all() {
        let page = include_str!("../../../docs/rules.md");
        for rule in Rule::ALL {
            let severity = serde_json::to_value(rule.severity()).unwrap();
            let row = format!(
                "| `{}` | {} | {} | `{}` |",
                rule.id(),
                severity.as_str().unwrap(),
                rule.finds(),
                rule.example()
            );
            assert!(page.contains(&row), "docs/rules.md has no row\n{row}");
        }
    }
}
