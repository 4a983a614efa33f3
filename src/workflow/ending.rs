//! `notebook`, `fail` and `succeed`: what a workflow ends with.

use super::compiler::Compiler;
use super::draft::{Draft, Site};
use super::keys;
use super::text::Uses;
use super::yaml::{self, Kind, Node};
use crate::code;
use crate::plan::{FailStep, NotebookStep, SucceedStep};

impl Compiler<'_, '_> {
    /// Reads `notebook:`. What is merged is looked up later.
    pub(super) fn notebook(&mut self, node: &Node, draft: &mut Draft) -> Option<NotebookStep> {
        let fields = yaml::fields(&mut self.report, node, &keys::NOTEBOOK)?;
        if let Some(node) = fields.required(&mut self.report, &keys::NOTEBOOK, "merge") {
            draft.merge = self.named(node);
            if matches!(&node.kind, Kind::List(items) if items.is_empty()) {
                self.report.error_with(
                    code::BAD_VALUE,
                    node.span,
                    "the list holds no step",
                    "name the steps whose notebooks are put together: `merge: [load, analyse]`",
                );
            }
        }
        let uses = &mut Uses::new(Site::Step, &mut draft.uses);
        let title = fields
            .get("title")
            .and_then(|node| self.text_template(node, uses));
        Some(NotebookStep {
            merge: Vec::new(),
            title,
        })
    }

    /// Reads `fail:`: why.
    pub(super) fn fail(&mut self, node: &Node, uses: &mut Uses<'_>) -> Option<FailStep> {
        let node = match &node.kind {
            Kind::Map(_) => yaml::fields(&mut self.report, node, &keys::FAIL)?.required(
                &mut self.report,
                &keys::FAIL,
                "message",
            )?,
            Kind::Null
            | Kind::Bool(_)
            | Kind::Int(_)
            | Kind::Float(_)
            | Kind::Text { .. }
            | Kind::List(_) => node,
        };
        if matches!(node.kind, Kind::Null | Kind::Bool(_)) {
            self.report.error_with(
                code::WRONG_TYPE,
                node.span,
                "`fail` does not say why",
                "write `fail: the reason, for people`",
            );
            return None;
        }
        let message = self.text_template(node, uses)?;
        Some(FailStep { message })
    }

    /// Reads `succeed:`: why, or nothing.
    pub(super) fn succeed(&mut self, node: &Node, uses: &mut Uses<'_>) -> Option<SucceedStep> {
        let message = match &node.kind {
            Kind::Null | Kind::Bool(true) => None,
            Kind::Map(_) => {
                let fields = yaml::fields(&mut self.report, node, &keys::SUCCEED)?;
                match fields.get("message") {
                    Some(node) => Some(self.text_template(node, uses)?),
                    None => None,
                }
            }
            Kind::Bool(false) => {
                self.report.error_with(
                    code::BAD_VALUE,
                    node.span,
                    "`succeed: false` means nothing",
                    "write `succeed: true`, or a condition: `if: ${{ … }}`",
                );
                return None;
            }
            Kind::Int(_) | Kind::Float(_) | Kind::Text { .. } | Kind::List(_) => {
                Some(self.text_template(node, uses)?)
            }
        };
        Some(SucceedStep { message })
    }
}
