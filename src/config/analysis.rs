//! `analysis`: the rules that code is judged by.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::code;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::plan::Mode;
use crate::python::analysis::{
    Capability, OwnPattern, Pack, Rule, RuleSet, Setting, Severity, Target,
};
use crate::workflow::yaml::{self, Entry, Fields, Keys, Node, Report};

const ANALYSIS: Keys = Keys {
    what: "`analysis`",
    now: &[
        "allow_imports",
        "deny_imports",
        "allow_calls",
        "deny_calls",
        "rules",
        "modes",
        "operations",
        "packs",
        "patterns",
    ],
    later: &[],
};

const OPERATIONS: Keys = Keys {
    what: "`analysis.operations`",
    now: &["write", "read"],
    later: &[],
};

const SETTINGS: [(&str, Setting); 5] = [
    ("off", Setting::Off),
    ("info", Setting::Info),
    ("warning", Setting::Warning),
    ("error", Setting::Error),
    ("block", Setting::Block),
];

const PATTERN: Keys = Keys {
    what: "a pattern of `analysis.patterns`",
    now: &[
        "id",
        "call",
        "attribute",
        "method",
        "arguments",
        "severity",
        "capability",
        "message",
    ],
    later: &[],
};

const PACKS: Keys = Keys {
    what: "`analysis.packs`",
    now: &["epics", "tango", "doocs", "instruments", "generic"],
    later: &[],
};

const MODE: Keys = Keys {
    what: "a mode of `analysis.modes`",
    now: &["rules"],
    later: &[],
};

const SEVERITIES: [(&str, Severity); 4] = [
    ("info", Severity::Info),
    ("warning", Severity::Warning),
    ("error", Severity::Error),
    ("block", Severity::Block),
];

pub(super) fn read(report: &mut Report<'_>, node: &Node, rules: &mut RuleSet) {
    let Some(fields) = yaml::fields(report, node, &ANALYSIS) else {
        return;
    };
    rules.allow_imports = names(report, fields, "allow_imports", false);
    rules.deny_imports = names(report, fields, "deny_imports", false);
    rules.allow_calls = names(report, fields, "allow_calls", true);
    rules.deny_calls = names(report, fields, "deny_calls", true);
    rules.rules = severities(report, fields);
    let modes = fields.get("modes").and_then(|node| yaml::map(report, node));
    for entry in modes.unwrap_or_default() {
        mode(report, entry, rules);
    }
    if let Some(fields) = fields
        .get("operations")
        .and_then(|node| yaml::fields(report, node, &OPERATIONS))
    {
        rules.operations.write = names(report, fields, "write", true);
        rules.operations.read = names(report, fields, "read", true);
    }
    if let Some(fields) = fields
        .get("packs")
        .and_then(|node| yaml::fields(report, node, &PACKS))
    {
        for pack in Pack::ALL {
            let wanted = fields.get(pack.as_str());
            if wanted.and_then(|node| yaml::boolean(report, node)) == Some(false) {
                rules.packs_off.insert(pack);
            }
        }
    }
    let patterns = fields
        .get("patterns")
        .and_then(|node| yaml::list(report, node));
    for node in patterns.unwrap_or_default() {
        if let Some(pattern) = pattern(report, node, &rules.patterns) {
            rules.patterns.push(pattern);
        }
    }
}

fn severities(report: &mut Report<'_>, fields: Fields<'_>) -> BTreeMap<String, Setting> {
    let entries = fields.get("rules").and_then(|node| yaml::map(report, node));
    let mut settings = BTreeMap::new();
    for entry in entries.unwrap_or_default() {
        if let Some(setting) = setting(report, entry) {
            settings.insert(entry.key.clone(), setting);
        }
    }
    settings
}

fn mode(report: &mut Report<'_>, entry: &Entry, rules: &mut RuleSet) {
    let Some(mode) = Mode::parse(&entry.key) else {
        let fault = Diagnostic::error(
            code::UNKNOWN_KEY,
            format!("there is no mode `{}`", entry.key),
        );
        report.add(
            entry.key_span,
            fault.help("a mode is read_only or write_access"),
        );
        return;
    };
    if rules.modes.contains_key(mode.as_str()) {
        report.error(
            code::CONFLICTING_KEYS,
            entry.key_span,
            format!("the mode {mode} stands here twice"),
        );
    }
    if let Some(fields) = yaml::fields(report, &entry.node, &MODE) {
        let settings = severities(report, fields);
        rules.modes.insert(mode.as_str().to_owned(), settings);
    }
}

fn pattern(report: &mut Report<'_>, node: &Node, known: &[OwnPattern]) -> Option<OwnPattern> {
    let fields = yaml::fields(report, node, &PATTERN)?;
    let id = fields.required(report, &PATTERN, "id");
    let id = id.and_then(|node| Some((node, yaml::text(report, node)?.to_owned())));
    let message = fields.required(report, &PATTERN, "message");
    let message = message.and_then(|node| yaml::text(report, node));
    let target = target(report, fields);
    let severity = fields
        .get("severity")
        .map_or(Some(Severity::Warning), |node| {
            yaml::word(report, node, &SEVERITIES)
        });
    let words = Capability::ALL.map(|capability| (capability.as_str(), capability));
    let capability = fields
        .get("capability")
        .and_then(|node| yaml::word(report, node, &words));
    let arguments = fields
        .get("arguments")
        .and_then(|node| yaml::map(report, node));
    let mut wanted = BTreeMap::new();
    for entry in arguments.unwrap_or_default() {
        let text = match entry.node.to_json() {
            Value::Bool(flag) => flag.to_string(),
            Value::Null => "none".to_owned(),
            Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                yaml::text(report, &entry.node)?.to_owned()
            }
        };
        wanted.insert(entry.key.clone(), text);
    }
    let (place, id) = id?;
    let taken = Rule::find(&id).is_some() || known.iter().any(|pattern| pattern.id == id);
    if taken {
        let message = format!("there is a rule `{id}` already");
        report.error(code::CONFLICTING_KEYS, place.span, message);
    }
    Some(OwnPattern {
        id,
        target: target?,
        arguments: wanted,
        severity: severity?,
        capability,
        message: message?.to_owned(),
    })
}

/// What a pattern looks at: one of three keys.
fn target(report: &mut Report<'_>, fields: Fields<'_>) -> Option<Target> {
    let mut found = Vec::new();
    for key in ["call", "attribute", "method"] {
        if let Some(node) = fields.get(key) {
            found.push((key, yaml::text(report, node).map(str::to_owned)));
        }
    }
    if found.len() != 1 {
        report.error_with(
            code::MISSING_KEY,
            fields.node().span,
            "a pattern looks at one thing",
            "write one of `call`, `attribute`, `method`",
        );
        return None;
    }
    match found.pop()? {
        ("call", name) => name.map(Target::Call),
        ("attribute", name) => name.map(Target::Attribute),
        (_, name) => name.map(Target::Method),
    }
}

/// Names of modules or calls; one that could fit nothing is refused, since whoever wrote it relies on it.
fn names(
    report: &mut Report<'_>,
    fields: Fields<'_>,
    key: &str,
    with_rest: bool,
) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let Some(list) = fields.get(key) else {
        return names;
    };
    if yaml::texts(report, list).is_none() {
        return names;
    }
    for node in yaml::list(report, list).unwrap_or_default() {
        let Some(name) = node.text() else { continue };
        if is_name(name, with_rest) {
            names.insert(name.to_owned());
            continue;
        }
        let help = if with_rest {
            "write a qualified name, such as `time.sleep`; a `*` at its end stands for any rest"
        } else {
            "write the name of a module, such as `socket` or `urllib.request`; what is in a package is meant with it"
        };
        let message = format!("`{name}` in `{key}` is no name that could fit");
        report.error_with(code::BAD_VALUE, node.span, message, help);
    }
    names
}

/// Whether this is a dotted name, of which the end may be left open.
fn is_name(name: &str, with_rest: bool) -> bool {
    let whole = match name.strip_suffix('*') {
        Some("") => return with_rest,
        Some(begin) if with_rest => begin.strip_suffix('.').unwrap_or(begin),
        Some(_) => return false,
        None => name.strip_suffix('=').unwrap_or(name),
    };
    whole.split('.').all(|part| {
        let mut letters = part.chars();
        letters
            .next()
            .is_some_and(|first| first == '_' || first.is_alphabetic())
            && letters.all(|letter| letter == '_' || letter.is_alphanumeric())
    })
}

fn setting(report: &mut Report<'_>, entry: &Entry) -> Option<Setting> {
    let setting = yaml::word(report, &entry.node, &SETTINGS);
    let Some(rule) = Rule::find(&entry.key) else {
        let message = format!("there is no rule `{}`", entry.key);
        let mut fault = Diagnostic::error(code::UNKNOWN_KEY, message);
        if let Some(near) = did_you_mean(&entry.key, Rule::ALL.iter().map(|rule| rule.id())) {
            fault = fault.help(format!("did you mean `{near}`?"));
        }
        report.add(entry.key_span, fault);
        return None;
    };
    if rule.means_unreadable() && setting.is_some_and(|setting| setting != Setting::Block) {
        report.error_with(
            code::USELESS_KEY,
            entry.key_span,
            format!("the rule `{rule}` can't be relaxed"),
            "code that can't be read to its end never runs",
        );
    }
    setting
}
