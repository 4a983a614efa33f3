//! `approval`: the question, what the person sees, what she fills in.

use super::compiler::Compiler;
use super::field::FieldRole;
use super::keys;
use super::text::Uses;
use super::yaml::{self, Kind, Node};
use crate::code;
use crate::expression::{Expression, Reference, Template};
use crate::plan::{ApprovalStep, AskRules, OnReject, Reviewers, Show};

pub(super) const ON_REJECT: [(&str, OnReject); 3] = [
    ("reject", OnReject::Reject),
    ("skip", OnReject::Skip),
    ("fail", OnReject::Fail),
];

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
        let reviewers = fields
            .get("reviewers")
            .and_then(|node| self.reviewers(node, uses));
        let form = match fields.get("form") {
            Some(node) => self.fields(node, "the name of an entry", FieldRole::Given, uses),
            None => indexmap::IndexMap::new(),
        };
        let on_reject = match fields.get("on_reject") {
            Some(node) => yaml::word(&mut self.report, node, &ON_REJECT)?,
            None => OnReject::default(),
        };
        Some(ApprovalStep {
            title: title?,
            show,
            rules: AskRules {
                reviewers: reviewers.map(Reviewers::Text),
                ..AskRules::default()
            },
            form,
            on_reject,
            on_changes: None,
            max_changes: ApprovalStep::MAX_CHANGES,
        })
    }

    /// Who should answer: text for people. Roles and users come later.
    pub(super) fn reviewers(&mut self, node: &Node, uses: &mut Uses<'_>) -> Option<Template> {
        if matches!(node.kind, Kind::Map(_) | Kind::List(_)) {
            self.report.error_with(
                code::NOT_SUPPORTED_YET,
                node.span,
                "reviewers as roles and users are not supported yet",
                "write who should answer as text: \"the shift lead\"",
            );
            return None;
        }
        self.text_template(node, uses)
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
