//! What becomes of a step's results and of interrupted work: files, cache, sensitive outputs, repetitions.

use super::compiler::Compiler;
use super::draft::{Draft, Site};
use super::text::Uses;
use super::yaml::{self, Fields, Kind, Node};
use super::{keys, parts, quantity};
use crate::code;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::expression::Template;
use crate::plan::{Cache, Mode, OnUnknown, Step, StepKind};

pub(super) const ON_UNKNOWN: [(&str, OnUnknown); 3] = [
    ("ask", OnUnknown::Ask),
    ("retry", OnUnknown::Retry),
    ("fail", OnUnknown::Fail),
];

impl Compiler<'_, '_> {
    /// Reads the keys. The kind of the step is known.
    pub(super) fn keeping(&mut self, fields: Fields<'_>, draft: &mut Draft) {
        let Some(kind) = keys::KINDS.iter().find(|key| fields.get(key).is_some()) else {
            return;
        };
        let step = &mut draft.step;
        if let Some(node) = fields.get("artifacts") {
            step.artifacts = self.artifacts(node);
        }
        if let Some(node) = fields.get("cache") {
            step.cache = self.cache(node, &step.kind);
        }
        if let Some(node) = fields.get("on_unknown") {
            step.on_unknown = yaml::word(&mut self.report, node, &ON_UNKNOWN);
        }
        if let Some(node) = fields.get("idempotency_key") {
            let uses = &mut Uses::new(Site::Step, &mut draft.uses);
            step.idempotency_key = self.idempotency_key(node, uses);
        }
        if let Some(node) = fields.get("sensitive") {
            // A kind that could not be read has told so; what its outputs are is not known.
            let read = step.kind.as_str() == *kind;
            step.sensitive = self.sensitive(node, step, read);
        }
    }

    /// Patterns of files below the folder of the attempt.
    fn artifacts(&mut self, node: &Node) -> Vec<String> {
        let patterns = yaml::texts(&mut self.report, node).unwrap_or_default();
        let items = match &node.kind {
            Kind::List(items) => items.as_slice(),
            Kind::Null
            | Kind::Bool(_)
            | Kind::Int(_)
            | Kind::Float(_)
            | Kind::Text { .. }
            | Kind::Map(_) => &[],
        };
        for item in items {
            let Some((pattern, why)) = item
                .text()
                .and_then(|pattern| Some((pattern, bad_pattern(pattern)?)))
            else {
                continue;
            };
            self.report.error_with(
                code::BAD_VALUE,
                item.span,
                format!("`{pattern}` can't be a pattern of files: {why}"),
                "patterns are relative to the folder that the code runs in: `plots/*.png`",
            );
        }
        patterns
    }

    fn cache(&mut self, node: &Node, kind: &StepKind) -> Option<Cache> {
        let cache = if let Kind::Bool(wanted) = node.kind {
            wanted.then(Cache::default)
        } else {
            let fields = yaml::fields(&mut self.report, node, &keys::CACHE)?;
            let ttl = fields
                .get("ttl")
                .and_then(|node| quantity::duration(&mut self.report, node));
            Some(Cache { ttl })
        };
        let writes = kind
            .as_python()
            .is_some_and(|python| python.mode == Mode::WriteAccess);
        if cache.is_some() && writes {
            self.report.error_with(
                code::CONFLICTING_KEYS,
                node.span,
                "a step with mode `write_access` can't be cached: its work is the write, not the result",
                "leave `cache` out, or compute in a step with mode `read_only` and write in another",
            );
        }
        cache
    }

    fn idempotency_key(&mut self, node: &Node, uses: &mut Uses<'_>) -> Option<Template> {
        let key = self.text_template(node, uses)?;
        if node.text().is_some_and(|text| text.trim().is_empty()) {
            self.report
                .error(code::BAD_VALUE, node.span, "the key is empty");
        }
        Some(key)
    }

    fn sensitive(&mut self, node: &Node, step: &Step, read: bool) -> Vec<String> {
        let names = yaml::texts(&mut self.report, node).unwrap_or_default();
        let Some(outputs) = parts::known_outputs(step).filter(|_| read) else {
            return names;
        };
        for name in &names {
            if outputs.contains(&name.as_str()) {
                continue;
            }
            let message = format!("`{}` has no output `{name}`", step.id);
            let mut fault = Diagnostic::error(code::UNKNOWN_OUTPUT, message);
            if let Some(near) = did_you_mean(name, outputs.iter().copied()) {
                fault = fault.help(format!("did you mean `{near}`?"));
            } else if !outputs.is_empty() {
                fault = fault.help(format!("there is: {}", outputs.join(", ")));
            }
            self.report.add(node.span, fault);
        }
        names
    }
}

/// Why something is no pattern of files below a folder.
fn bad_pattern(pattern: &str) -> Option<&'static str> {
    let unclosed = |pattern: &str| {
        let mut rest = pattern;
        while let Some((_, after)) = rest.split_once('[') {
            // The first character of a class may be the bracket itself.
            let class = after.strip_prefix(['!', '^']).unwrap_or(after);
            let class = class.strip_prefix(']').unwrap_or(class);
            match class.split_once(']') {
                Some((_, after)) => rest = after,
                None => return true,
            }
        }
        false
    };
    if pattern.trim().is_empty() {
        Some("it is empty")
    } else if pattern.starts_with(['/', '~']) {
        Some("it is not relative")
    } else if pattern.contains('\\') {
        Some("parts of a path are separated by /")
    } else if pattern.contains("${{") {
        Some("it holds an expression")
    } else if pattern.split('/').any(|part| part == "..") {
        Some("it leaves the folder with `..`")
    } else if unclosed(pattern) {
        Some("a `[` is never closed")
    } else {
        None
    }
}
