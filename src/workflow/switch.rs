//! `switch`: arms, of which the first true one is taken.

use std::collections::BTreeSet;

use super::compiler::Compiler;
use super::draft::{Around, Block, Site, Use};
use super::text::Uses;
use super::yaml::{self, Fields, Kind, Node};
use super::{keys, name};
use crate::code;
use crate::diagnostic::{Diagnostic, Span};
use crate::plan::{Arm, SwitchStep};

impl Compiler<'_, '_> {
    /// Reads `switch:` of the step at `index`.
    pub(super) fn switch(
        &mut self,
        node: &Node,
        index: usize,
        uses: &mut Vec<Use>,
    ) -> Option<SwitchStep> {
        let items = yaml::list(&mut self.report, node)?;
        if items.is_empty() {
            self.report
                .error(code::SWITCH_ARM, node.span, "the switch has no arm");
        }
        let mut arms = Vec::new();
        let mut names = BTreeSet::new();
        for (position, item) in items.iter().enumerate() {
            let Some(fields) = yaml::fields(&mut self.report, item, &keys::ARM) else {
                continue;
            };
            let name = self.arm_name(fields, &mut names);
            let when = self.arm_condition(fields, position + 1 == items.len(), uses);
            let around = Around {
                outer: Some(index),
                part: position,
                block: Block::Arm(name.clone()),
            };
            let steps = match fields.get("steps") {
                Some(node) => self.steps(node, Some(&around)),
                None => Vec::new(),
            };
            let site = Site::ArmSet { arm: position };
            let set = match fields.get("set") {
                Some(node) => self.output_values(node, &mut Uses::new(site, uses)),
                None => indexmap::IndexMap::new(),
            };
            arms.push((
                item.span,
                Arm {
                    name,
                    when,
                    set,
                    steps,
                },
            ));
        }
        self.warn_of_gaps(node.span, &arms);
        Some(SwitchStep {
            arms: arms.into_iter().map(|(_, arm)| arm).collect(),
        })
    }

    fn arm_name(&mut self, fields: Fields<'_>, names: &mut BTreeSet<String>) -> String {
        let node = fields.required(&mut self.report, &keys::ARM, "name");
        let Some((node, found)) =
            node.and_then(|node| Some((node, yaml::text(&mut self.report, node)?)))
        else {
            return String::new();
        };
        name::check(&mut self.report, "the name of an arm", found, node.span);
        if !names.insert(found.to_owned()) {
            self.report.error(
                code::SWITCH_ARM,
                node.span,
                format!("two arms have the name `{found}`"),
            );
        }
        found.to_owned()
    }

    fn arm_condition(
        &mut self,
        fields: Fields<'_>,
        last: bool,
        uses: &mut Vec<Use>,
    ) -> Option<crate::expression::Expression> {
        let otherwise = fields.entry("else");
        if let Some(entry) = otherwise {
            if entry.node.kind != Kind::Bool(true) {
                let message = "`else` is written `else: true`";
                self.report
                    .error(code::SWITCH_ARM, entry.node.span, message);
            }
            if !last {
                self.report.error_with(
                    code::SWITCH_ARM,
                    entry.key_span,
                    "an `else` that is not the last arm",
                    "the arms behind it could never be taken: move it to the end",
                );
            }
        }
        match (fields.entry("when"), otherwise) {
            (Some(_), Some(entry)) => {
                let message = "an arm has `when` or `else`, not both";
                self.report.error(code::SWITCH_ARM, entry.key_span, message);
                None
            }
            (Some(when), None) => self.condition(&when.node, &mut Uses::new(Site::Step, uses)),
            (None, None) => {
                self.report.error_with(
                    code::SWITCH_ARM,
                    fields.node().span,
                    "the arm has neither `when` nor `else`",
                    "write `when: ${{ … }}`, or `else: true` in the last arm",
                );
                None
            }
            (None, Some(_)) => None,
        }
    }

    /// Things that are allowed and often a slip.
    fn warn_of_gaps(&mut self, switch: Span, arms: &[(Span, Arm)]) {
        if self.report.has_errors() {
            return;
        }
        if arms.iter().all(|(_, arm)| arm.when.is_some()) {
            let message = "no arm has `else`: when no condition is true, the switch is skipped";
            let warning = Diagnostic::warning(code::SWITCH_WITHOUT_ELSE, message)
                .help("add a last arm with `else: true`");
            self.report.add(switch, warning);
        }
        let all: Vec<&String> = arms.iter().flat_map(|(_, arm)| arm.set.keys()).collect();
        for (span, arm) in arms {
            let missing: BTreeSet<String> = all
                .iter()
                .filter(|name| !arm.set.contains_key(**name))
                .map(|name| format!("`{name}`"))
                .collect();
            if missing.is_empty() {
                continue;
            }
            let missing: Vec<String> = missing.into_iter().collect();
            let message = format!(
                "the arm `{}` does not set {}, which other arms set",
                arm.name,
                missing.join(", ")
            );
            let warning = Diagnostic::warning(code::SWITCH_OUTPUT_GAP, message)
                .help("set it in every arm, or read it with default(…, fallback)");
            self.report.add(*span, warning);
        }
    }
}
