//! `analysis`: the rules that code is judged by.

use std::collections::BTreeSet;

use crate::code;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::python::analysis::{Rule, RuleSet, Setting};
use crate::workflow::yaml::{self, Entry, Fields, Keys, Node, Report};

const ANALYSIS: Keys = Keys {
    what: "`analysis`",
    now: &["allow_imports", "deny_imports", "rules", "operations"],
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

pub(super) fn read(report: &mut Report<'_>, node: &Node, rules: &mut RuleSet) {
    let Some(fields) = yaml::fields(report, node, &ANALYSIS) else {
        return;
    };
    rules.allow_imports = names(report, fields, "allow_imports");
    rules.deny_imports = names(report, fields, "deny_imports");
    let entries = fields.get("rules").and_then(|node| yaml::map(report, node));
    for entry in entries.unwrap_or_default() {
        if let Some(setting) = setting(report, entry) {
            rules.rules.insert(entry.key.clone(), setting);
        }
    }
    if let Some(fields) = fields
        .get("operations")
        .and_then(|node| yaml::fields(report, node, &OPERATIONS))
    {
        rules.operations.write = names(report, fields, "write");
        rules.operations.read = names(report, fields, "read");
    }
}

fn names(report: &mut Report<'_>, fields: Fields<'_>, key: &str) -> BTreeSet<String> {
    fields
        .get(key)
        .and_then(|node| yaml::texts(report, node))
        .unwrap_or_default()
        .into_iter()
        .collect()
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
