//! `approval`: the question, what the person sees, what she fills in.

use super::compiler::Compiler;
use super::field::FieldRole;
use super::keys;
use super::text::Uses;
use super::yaml::{self, Fields, Node};
use crate::code;
use crate::expression::{Expression, Reference};
use crate::plan::{ApprovalStep, OnReject, Show};

pub(super) const ON_REJECT: [(&str, OnReject); 3] = [
    ("reject", OnReject::Reject),
    ("skip", OnReject::Skip),
    ("fail", OnReject::Fail),
];

/// Largest `max_changes`.
pub(super) const CHANGES_MAX: u32 = 1_000;

/// Parts of a step that `show` may name.
const SHOWN: [&str; 6] = [
    "outputs", "results", "figures", "notebook", "failure", "status",
];

impl Compiler<'_, '_> {
    /// Reads `approval:`.
    pub(super) fn approval(&mut self, node: &Node, uses: &mut Uses<'_>) -> Option<ApprovalStep> {
        let fields = yaml::fields(&mut self.report, node, &keys::APPROVAL)?;
        let title = fields
            .required(&mut self.report, &keys::APPROVAL, "title")
            .and_then(|node| self.text_template(node, uses));
        let show = match fields.get("show") {
            Some(node) => self.show(node, uses),
            None => Vec::new(),
        };
        let rules = self.ask_rules(fields, uses);
        let form = match fields.get("form") {
            Some(node) => self.fields(node, "the name of an entry", FieldRole::Form, uses),
            None => indexmap::IndexMap::new(),
        };
        let on_reject = match fields.get("on_reject") {
            Some(node) => yaml::word(&mut self.report, node, &ON_REJECT)?,
            None => OnReject::default(),
        };
        let max_changes = self.max_changes(fields)?;
        Some(ApprovalStep {
            title: title?,
            show,
            rules,
            form,
            on_reject,
            // Known when all edges are: see `rewind`.
            on_changes: None,
            max_changes,
        })
    }

    /// How often changes may be asked for.
    fn max_changes(&mut self, fields: Fields<'_>) -> Option<u32> {
        let Some(entry) = fields.entry("max_changes") else {
            return Some(ApprovalStep::MAX_CHANGES);
        };
        if fields.get("on_changes").is_none() {
            self.report.error_with(
                code::USELESS_KEY,
                entry.key_span,
                "`max_changes` does nothing without `on_changes`",
                "name the step that runs again when somebody asks for changes: `on_changes: analyse`",
            );
        }
        yaml::whole(&mut self.report, &entry.node, 1, CHANGES_MAX)
    }

    fn show(&mut self, node: &Node, uses: &mut Uses<'_>) -> Vec<Show> {
        let items = yaml::list(&mut self.report, node).unwrap_or_default();
        items
            .iter()
            .filter_map(|item| self.shown(item, uses))
            .collect()
    }

    /// `analyse.figures`, `analyse.outputs.rms`: a path below `steps`.
    fn shown(&mut self, node: &Node, uses: &mut Uses<'_>) -> Option<Show> {
        let text = yaml::text(&mut self.report, node)?;
        let expression = Expression::parse(&format!("steps.{text}")).ok();
        let named = expression.filter(|expression| names_a_part(expression, text));
        let Some(value) = named else {
            self.report.error_with(
                code::BAD_VALUE,
                node.span,
                format!("`{text}` names nothing that can be shown"),
                format!(
                    "write the id of a step and one of: {}; for example `analyse.figures`",
                    SHOWN.join(", ")
                ),
            );
            return None;
        };
        for reference in value.references() {
            uses.add(reference, node.span);
        }
        Some(Show {
            text: text.to_owned(),
            value,
        })
    }
}

/// Whether the expression is nothing but a path to a part of a step.
fn names_a_part(expression: &Expression, text: &str) -> bool {
    let plain = text
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '[' | ']' | '"' | '\''));
    match expression.references() {
        [Reference::Path { path, .. }] => {
            plain
                && path
                    .get(1)
                    .is_some_and(|part| SHOWN.contains(&part.as_str()))
        }
        _ => false,
    }
}
