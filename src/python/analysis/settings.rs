//! How a deployment changes the rules.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::report::{Capability, Severity};
use super::rules::{Pack, RULE_SET_VERSION, Rule};
use crate::canonical::canonical_json;
use crate::id::Digest;
use crate::plan::Mode;

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

/// What a pattern of a deployment looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A call of this qualified name; `*` at its end stands for any rest.
    Call(String),
    /// A store to an attribute of this qualified name; `*` likewise.
    Attribute(String),
    /// A method of this name, called on anything that the code does not define itself.
    Method(String),
}

/// A rule of the deployment's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnPattern {
    /// Its id in findings. Never that of a built-in rule.
    pub id: String,
    /// What it looks at.
    pub target: Target,
    /// Arguments that must fit, by position from 0 or by name. `*` at an end stands for anything; a value that the
    /// text does not tell fits.
    #[serde(default)]
    pub arguments: BTreeMap<String, String>,
    /// How much it matters.
    pub severity: Severity,
    /// What code with such a finding can do.
    #[serde(default)]
    pub capability: Option<Capability>,
    /// What people read.
    pub message: String,
}

/// The built-in rules as a deployment wants them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleSet {
    /// When not empty, the only modules that may be imported (`numpy` covers `numpy.linalg`).
    pub allow_imports: BTreeSet<String>,
    /// Modules that may not be imported.
    pub deny_imports: BTreeSet<String>,
    /// Names that give no findings.
    pub allow_calls: BTreeSet<String>,
    /// Names that may not be called.
    pub deny_calls: BTreeSet<String>,
    /// Other severities, by rule id.
    pub rules: BTreeMap<String, Setting>,
    /// Other severities in one mode, by the mode's word and rule id.
    pub modes: BTreeMap<String, BTreeMap<String, Setting>>,
    /// More control operations.
    pub operations: Operations,
    /// Packs that are switched off.
    pub packs_off: BTreeSet<Pack>,
    /// The deployment's own rules.
    pub patterns: Vec<OwnPattern>,
}

impl RuleSet {
    /// The rules for code that runs in `mode`.
    #[must_use]
    pub fn in_mode(&self, mode: Mode) -> Self {
        let mut rules = self.clone();
        if let Some(here) = rules.modes.remove(mode.as_str()) {
            rules.rules.extend(here);
        }
        rules
    }

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
        self.modes
            .values()
            .flat_map(BTreeMap::keys)
            .chain(self.rules.keys())
            .map(String::as_str)
            .filter(|id| Rule::find(id).is_none())
    }

    /// Whether findings about this name are not wanted.
    pub(super) fn allows(&self, name: &str) -> bool {
        !self.allow_calls.is_empty() && self.allow_calls.iter().any(|known| fits(known, name))
    }

    /// Whether a pack is in force.
    pub(super) fn has(&self, pack: Option<Pack>) -> bool {
        pack.is_none_or(|pack| !self.packs_off.contains(&pack))
    }

    /// Digest over the built-in version and every setting. An approval is bound to it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&canonical_json(&json!({
            "version": RULE_SET_VERSION,
            "settings": self,
        })))
    }
}

/// Whether a name is the one of a pattern, of which a `*` at the end stands for any rest.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(begin) => name.starts_with(begin),
        None => name == pattern,
    }
}

/// The same with a `*` at either end.
pub(super) fn fits_loosely(pattern: &str, text: &str) -> bool {
    let (from, to) = (pattern.strip_prefix('*'), pattern.strip_suffix('*'));
    match (from, to) {
        (Some(""), _) => true,
        (Some(_), Some(_)) => text.contains(pattern.trim_matches('*')),
        (Some(end), None) => text.ends_with(end),
        (None, Some(begin)) => text.starts_with(begin),
        (None, None) => text == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut by_mode = plain.clone();
        let network = BTreeMap::from([("network".to_owned(), Setting::Block)]);
        by_mode.modes.insert("read_only".to_owned(), network);
        let mut smaller = plain.clone();
        smaller.packs_off.insert(Pack::Tango);
        let mut calm = plain.clone();
        calm.allow_calls.insert("requests.get".to_owned());
        let mut denied = plain.clone();
        denied.deny_calls.insert("requests.get".to_owned());
        let mut own = plain.clone();
        own.patterns.push(OwnPattern {
            id: "slow".to_owned(),
            target: Target::Call("time.sleep".to_owned()),
            arguments: BTreeMap::new(),
            severity: Severity::Warning,
            capability: None,
            message: "Sleeps.".to_owned(),
        });
        let all = [plain, stricter, wider, by_mode, smaller, calm, denied, own];
        let digests: BTreeSet<Digest> = all.iter().map(RuleSet::digest).collect();
        assert_eq!(digests.len(), all.len());
    }

    #[test]
    fn a_mode_has_severities_of_its_own() {
        let mut rules = RuleSet::default();
        let here = BTreeMap::from([("network".to_owned(), Setting::Block)]);
        rules.modes.insert("read_only".to_owned(), here);
        rules.rules.insert("network".to_owned(), Setting::Info);
        let severity = |mode| rules.in_mode(mode).severity(Rule::Network);
        assert_eq!(severity(Mode::ReadOnly), Some(Severity::Block));
        assert_eq!(severity(Mode::WriteAccess), Some(Severity::Info));
    }

    #[test]
    fn stars_stand_for_what_they_replace() {
        assert!(fits("a.*", "a.b.c") && fits("a.b", "a.b") && !fits("a.b", "a.bc"));
        for (pattern, text, fitting) in [
            ("SR:*", "SR:Q1", true),
            ("*:SP", "SR:Q1:SP", true),
            ("*Q*", "SR:Q1", true),
            ("*", "", true),
            ("SR:Q1", "SR:Q12", false),
            ("SR:*", "BR:SR:", false),
        ] {
            assert_eq!(fits_loosely(pattern, text), fitting, "{pattern} {text}");
        }
    }
}
