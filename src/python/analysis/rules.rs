//! The built-in rules and how a deployment changes them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::report::{Capability, Severity};
use crate::canonical::canonical_json;
use crate::id::Digest;

/// Version of the built-in rules. It grows whenever a rule finds more, or less, than before.
pub const RULE_SET_VERSION: u32 = 1;

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
    Process = "process", Error, Some(Capability::Process),
        "The start of another program", "subprocess.run(['ls'])";
    DynamicCode = "dynamic_code", Error, Some(Capability::DynamicCode),
        "Code that is not in the text", "eval(text)";
    DynamicImport = "dynamic_import", Error, Some(Capability::DynamicCode),
        "An import whose name is not in the text", "importlib.import_module(name)";
    DynamicAccess = "dynamic_access", Warning, Some(Capability::DynamicAccess),
        "A module reached by a name that is not in the text", "getattr(os, name)";
    Introspection = "introspection", Error, Some(Capability::Introspection),
        "A walk through the interpreter's own objects", "object.__subclasses__()";
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
    Threads = "threads", Info, Some(Capability::Threads),
        "Threads or worker processes", "threading.Thread(target=work)";
    ImportDenied = "import_denied", Block, None,
        "A module that config.yml denies or does not list", "import socket";
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

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// What a deployment makes of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// No findings of this rule, and no capability from it.
    Off,
    /// Only worth knowing.
    Info,
    /// Worth a second look.
    Warning,
    /// Serious.
    Error,
    /// Refused in every mode.
    Block,
}

/// Qualified names that a deployment adds to the control operations: `magnets.ramp`, or
/// `magnets.Supply.current=` for a store to an attribute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Operations {
    /// Writes.
    pub write: BTreeSet<String>,
    /// Reads.
    pub read: BTreeSet<String>,
}

/// The built-in rules as a deployment wants them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleSet {
    /// When not empty, the only modules that may be imported (`numpy` covers `numpy.linalg`).
    pub allow_imports: BTreeSet<String>,
    /// Modules that may not be imported.
    pub deny_imports: BTreeSet<String>,
    /// Other severities, by rule id.
    pub rules: BTreeMap<String, Setting>,
    /// More control operations.
    pub operations: Operations,
}

impl RuleSet {
    /// The severity of a rule here; none when it is off. Unreadable code stays an error at least.
    #[must_use]
    pub fn severity(&self, rule: Rule) -> Option<Severity> {
        let severity = match self.rules.get(rule.id()) {
            None => Some(rule.severity()),
            Some(Setting::Off) => None,
            Some(Setting::Info) => Some(Severity::Info),
            Some(Setting::Warning) => Some(Severity::Warning),
            Some(Setting::Error) => Some(Severity::Error),
            Some(Setting::Block) => Some(Severity::Block),
        };
        if rule.means_unreadable() {
            return severity.max(Some(Severity::Error));
        }
        severity
    }

    /// Ids in `rules` that no rule has: a slip of the pen that must not pass for a setting.
    pub fn unknown_rules(&self) -> impl Iterator<Item = &str> {
        self.rules
            .keys()
            .map(String::as_str)
            .filter(|id| Rule::find(id).is_none())
    }

    /// Digest over the built-in version and every setting. An approval is bound to it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&canonical_json(&json!({
            "version": RULE_SET_VERSION,
            "allow_imports": self.allow_imports,
            "deny_imports": self.deny_imports,
            "rules": self.rules,
            "operations": {"write": self.operations.write, "read": self.operations.read},
        })))
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
    fn unreadable_code_cannot_be_switched_off() {
        let mut rules = RuleSet::default();
        for rule in Rule::ALL {
            rules.rules.insert(rule.id().to_owned(), Setting::Off);
        }
        assert_eq!(rules.severity(Rule::Syntax), Some(Severity::Error));
        assert_eq!(rules.severity(Rule::Network), None);
    }

    #[test]
    fn the_digest_follows_every_setting() {
        let plain = RuleSet::default();
        let mut stricter = plain.clone();
        stricter.rules.insert("network".to_owned(), Setting::Block);
        let mut wider = plain.clone();
        wider.operations.write.insert("magnets.ramp".to_owned());
        assert_ne!(plain.digest(), stricter.digest());
        assert_ne!(plain.digest(), wider.digest());
        assert_ne!(stricter.digest(), wider.digest());
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
