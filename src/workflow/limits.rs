//! How many at once and for how long: groups, locks, deadlines, retention.

use indexmap::IndexMap;

use super::compiler::Compiler;
use super::draft::{Draft, Site};
use super::text::Uses;
use super::yaml::{self, Fields, Node};
use super::{keys, quantity};
use crate::code;
use crate::expression::Template;
use crate::plan::{Concurrency, WhenFull};

/// Largest `limit` of a group.
pub(super) const LIMIT_MAX: u32 = 10_000;

pub(super) const WHEN_FULL: [(&str, WhenFull); 3] = [
    ("queue", WhenFull::Queue),
    ("cancel_new", WhenFull::CancelNew),
    ("cancel_running", WhenFull::CancelRunning),
];

impl Compiler<'_, '_> {
    /// The keys that every kind of step has: how long it may take, beside whom, how long its files are kept.
    pub(super) fn limits(&mut self, fields: Fields<'_>, draft: &mut Draft) {
        let step = &mut draft.step;
        let uses = &mut Uses::new(Site::Step, &mut draft.uses);
        if let Some(node) = fields.get("labels") {
            step.labels = self.labels(node);
        }
        if let Some(node) = fields.get("locks") {
            step.locks = self.text_templates(node, "a lock", uses);
        }
        step.concurrency = fields
            .get("concurrency")
            .and_then(|node| self.concurrency(node, uses));
        let report = &mut self.report;
        step.deadline = fields
            .get("deadline")
            .and_then(|node| quantity::duration(report, node));
        step.retention = fields
            .get("retention")
            .and_then(|node| quantity::duration(report, node));
        let Some(entry) = fields.entry("release_on_wait") else {
            return;
        };
        step.release_on_wait = yaml::boolean(report, &entry.node).unwrap_or_default();
        if fields.get("locks").is_none() {
            report.error_with(
                code::USELESS_KEY,
                entry.key_span,
                "`release_on_wait` does nothing without `locks`",
                "name the locks: `locks: [machine_setpoints]`",
            );
        }
    }

    /// Reads `concurrency:` of the workflow or of a step.
    pub(super) fn concurrency(&mut self, node: &Node, uses: &mut Uses<'_>) -> Option<Concurrency> {
        let fields = yaml::fields(&mut self.report, node, &keys::CONCURRENCY)?;
        let group = fields
            .required(&mut self.report, &keys::CONCURRENCY, "group")
            .and_then(|node| self.group(node, uses));
        let report = &mut self.report;
        let limit = match fields.get("limit") {
            Some(node) => yaml::whole(report, node, 1, LIMIT_MAX),
            None => Some(1),
        };
        let when_full = match fields.get("when_full") {
            Some(node) => yaml::word(report, node, &WHEN_FULL),
            None => Some(WhenFull::default()),
        };
        let release_while_waiting = match fields.get("release_while_waiting") {
            Some(node) => yaml::boolean(report, node),
            None => Some(true),
        };
        Some(Concurrency {
            group: group?,
            limit: limit?,
            when_full: when_full?,
            release_while_waiting: release_while_waiting?,
        })
    }

    fn group(&mut self, node: &Node, uses: &mut Uses<'_>) -> Option<Template> {
        let group = self.text_template(node, uses)?;
        if node.text().is_some_and(|text| text.trim().is_empty()) {
            let message = "the name of the group is empty";
            self.report.error(code::BAD_VALUE, node.span, message);
        }
        Some(group)
    }

    /// Reads `labels:` of the workflow or of a step.
    pub(super) fn labels(&mut self, node: &Node) -> IndexMap<String, String> {
        let mut labels = IndexMap::new();
        for entry in yaml::map(&mut self.report, node).unwrap_or_default() {
            if let Some(label) = self.plain_text(&entry.node) {
                labels.insert(entry.key.clone(), label);
            }
        }
        labels
    }
}
