//! Reading a map by a table of its keys: known ones, ones to come, and slips.

use serde_json::Value;

use super::habit;
use super::node::{Entry, Kind, Node};
use super::report::Report;
use crate::code;
use crate::diagnostic::{Diagnostic, did_you_mean};

/// Stands in a table for all keys that begin with `x-`, which belong to the author.
pub const PRIVATE_KEYS: &str = "x-*";

/// The keys that a map may have.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    /// What the map is, for messages: "a step".
    pub what: &'static str,
    /// Keys that work.
    pub now: &'static [&'static str],
    /// Keys of the language that this version refuses.
    pub later: &'static [&'static str],
}

impl Keys {
    fn all(&self) -> impl Iterator<Item = &'static str> {
        self.now.iter().chain(self.later).copied()
    }
}

/// A map whose keys were checked.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'n> {
    node: &'n Node,
}

impl<'n> Fields<'n> {
    /// The map itself.
    #[must_use]
    pub fn node(self) -> &'n Node {
        self.node
    }

    /// The entry of a key.
    #[must_use]
    pub fn entry(self, key: &str) -> Option<&'n Entry> {
        self.node.entry(key)
    }

    /// The value of a key.
    #[must_use]
    pub fn get(self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// Whether an unknown key looks like this one, misspelt: saying that it is missing would be noise.
    #[must_use]
    pub fn has_slip_of(self, keys: &Keys, key: &str) -> bool {
        self.node.entries().unwrap_or_default().iter().any(|entry| {
            !keys.all().any(|known| known == entry.key)
                && did_you_mean(&entry.key, keys.all()) == Some(key)
        })
    }

    /// The value of a key that must be there.
    pub fn required(self, report: &mut Report<'_>, keys: &Keys, key: &str) -> Option<&'n Node> {
        let found = self.get(key);
        if found.is_none() && !self.has_slip_of(keys, key) {
            report.error(
                code::MISSING_KEY,
                self.node.span,
                format!("{} needs the key `{key}`", keys.what),
            );
        }
        found
    }
}

/// Checks that the node is a map of these keys. Faulty keys are reported; the good ones can still be read.
pub fn fields<'n>(report: &mut Report<'_>, node: &'n Node, keys: &Keys) -> Option<Fields<'n>> {
    let Some(entries) = node.entries() else {
        let expected = format!("{} as a map", keys.what);
        wrong_type_with(report, node, &expected, habit::shape(keys.what));
        return None;
    };
    for entry in entries {
        check_key(report, entry, keys);
    }
    Some(Fields { node })
}

fn check_key(report: &mut Report<'_>, entry: &Entry, keys: &Keys) {
    let key = entry.key.as_str();
    let private = key.starts_with("x-") && keys.now.contains(&PRIVATE_KEYS);
    if private || keys.now.contains(&key) {
        return;
    }
    if keys.later.contains(&key) {
        not_supported(report, entry, &format!("`{key}` in {}", keys.what));
        return;
    }
    let mut fault = Diagnostic::error(
        code::UNKNOWN_KEY,
        format!("{} has no key `{key}`", keys.what),
    );
    let habit = habit::instead_of_key(keys.what, key).map(str::to_owned);
    let advice = habit
        .or_else(|| did_you_mean(key, keys.all()).map(|near| format!("did you mean `{near}`?")));
    fault = match advice {
        Some(advice) => fault.help(advice),
        None => fault.help(format!("its keys are: {}", keys.now.join(", "))),
    };
    report.add(entry.key_span, fault);
}

/// Refuses something that the language knows and this version does not act on.
pub fn not_supported(report: &mut Report<'_>, entry: &Entry, what: &str) {
    report.error(
        code::NOT_SUPPORTED_YET,
        entry.key_span,
        format!("{what} is not supported yet"),
    );
}

/// Says that something else was expected here.
pub fn wrong_type(report: &mut Report<'_>, node: &Node, expected: &str) {
    wrong_type_with(report, node, expected, None);
}

/// Says that something else was expected here, and how it is written.
pub fn wrong_type_with(report: &mut Report<'_>, node: &Node, expected: &str, help: Option<&str>) {
    let message = format!("expected {expected}, found {}", node.what());
    let mut fault = Diagnostic::error(code::WRONG_TYPE, message);
    fault.help.extend(help.map(str::to_owned));
    report.add(node.span, fault);
}

/// Reads text.
pub fn text<'n>(report: &mut Report<'_>, node: &'n Node) -> Option<&'n str> {
    if let Some(text) = node.text() {
        return Some(text);
    }
    let mut fault = Diagnostic::error(
        code::WRONG_TYPE,
        format!("expected text, found {}", node.what()),
    );
    if matches!(node.kind, Kind::Bool(_) | Kind::Int(_) | Kind::Float(_)) {
        let raw = report.text().get(node.span.start..node.span.end);
        fault = fault.help(format!("put quotes around it: \"{}\"", raw.unwrap_or("…")));
    }
    report.add(node.span, fault);
    None
}

/// Reads true or false.
pub fn boolean(report: &mut Report<'_>, node: &Node) -> Option<bool> {
    if let Kind::Bool(value) = node.kind {
        return Some(value);
    }
    let mut fault = Diagnostic::error(
        code::WRONG_TYPE,
        format!("expected true or false, found {}", node.what()),
    );
    if let Some(meant) = node.text().and_then(old_boolean) {
        fault = fault.help(format!(
            "YAML 1.2 reads yes, no, on and off as text: write {meant}"
        ));
    }
    report.add(node.span, fault);
    None
}

/// What YAML 1.1 would have made of a word.
#[must_use]
pub fn old_boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "on" | "true" => Some(true),
        "no" | "off" | "false" => Some(false),
        _ => None,
    }
}

/// Reads a whole number between two bounds.
pub fn whole(report: &mut Report<'_>, node: &Node, min: u32, max: u32) -> Option<u32> {
    let Kind::Int(value) = node.kind else {
        wrong_type(report, node, "a whole number");
        return None;
    };
    let found = u32::try_from(value)
        .ok()
        .filter(|value| (min..=max).contains(value));
    if found.is_none() {
        report.error(
            code::BAD_VALUE,
            node.span,
            format!("{value} is not between {min} and {max}"),
        );
    }
    found
}

/// Reads a number.
pub fn number(report: &mut Report<'_>, node: &Node) -> Option<f64> {
    let value = node.to_json();
    let found = value.as_f64().filter(|_| matches!(value, Value::Number(_)));
    if found.is_none() {
        wrong_type(report, node, "a number");
    }
    found
}

/// Reads a list.
pub fn list<'n>(report: &mut Report<'_>, node: &'n Node) -> Option<&'n [Node]> {
    if let Kind::List(items) = &node.kind {
        return Some(items);
    }
    wrong_type(report, node, "a list");
    None
}

/// Reads a map with free keys.
pub fn map<'n>(report: &mut Report<'_>, node: &'n Node) -> Option<&'n [Entry]> {
    let entries = node.entries();
    if entries.is_none() {
        wrong_type(report, node, "a map");
    }
    entries
}

/// Reads a list of texts.
pub fn texts(report: &mut Report<'_>, node: &Node) -> Option<Vec<String>> {
    if let (Some(one), Kind::Text { .. }) = (node.text(), &node.kind) {
        let help = format!("write it in brackets: [{one}]");
        wrong_type_with(report, node, "a list", Some(&help));
        return None;
    }
    let items = list(report, node)?;
    Some(
        items
            .iter()
            .filter_map(|item| text(report, item).map(str::to_owned))
            .collect(),
    )
}

/// Reads one of some words, each of which stands for a value.
pub fn word<T: Copy>(report: &mut Report<'_>, node: &Node, words: &[(&str, T)]) -> Option<T> {
    let found = text(report, node)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == found) {
        return Some(*value);
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    unknown_word(report, node, found, &known);
    None
}

/// Says that a word is none of the known ones.
pub fn unknown_word(report: &mut Report<'_>, node: &Node, found: &str, known: &[&str]) {
    let mut fault = Diagnostic::error(
        code::BAD_VALUE,
        format!("`{found}` is none of: {}", known.join(", ")),
    );
    if let Some(near) = did_you_mean(found, known.iter().copied()) {
        fault = fault.help(format!("did you mean `{near}`?"));
    }
    report.add(node.span, fault);
}
