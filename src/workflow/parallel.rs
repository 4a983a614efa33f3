//! `parallel`: branches that run at the same time.

use std::collections::BTreeSet;

use super::compiler::Compiler;
use super::draft::{Around, Block};
use super::yaml::{self, Kind, Node};
use super::{keys, name};
use crate::code;
use crate::plan::{Branch, ParallelStep};

impl Compiler<'_, '_> {
    /// Reads `parallel:` of the step at `index`.
    pub(super) fn parallel(&mut self, node: &Node, index: usize) -> Option<ParallelStep> {
        let Kind::List(items) = &node.kind else {
            let help = "every branch begins with `- name: …` and has `steps:`";
            yaml::wrong_type_with(&mut self.report, node, "a list", Some(help));
            return None;
        };
        if items.is_empty() {
            self.report
                .error(code::BAD_VALUE, node.span, "`parallel` has no branch");
        }
        let mut names = BTreeSet::new();
        let mut branches = Vec::new();
        for (position, item) in items.iter().enumerate() {
            let Some(fields) = yaml::fields(&mut self.report, item, &keys::BRANCH) else {
                continue;
            };
            let name = fields
                .required(&mut self.report, &keys::BRANCH, "name")
                .and_then(|node| self.branch_name(node, &mut names))
                .unwrap_or_default();
            let around = Around {
                outer: Some(index),
                part: position,
                block: Block::Branch(name.clone()),
            };
            let steps = fields
                .required(&mut self.report, &keys::BRANCH, "steps")
                .map(|node| self.steps(node, Some(&around)));
            branches.push(Branch {
                name,
                steps: steps.unwrap_or_default(),
            });
        }
        Some(ParallelStep { branches })
    }

    fn branch_name(&mut self, node: &Node, names: &mut BTreeSet<String>) -> Option<String> {
        let found = yaml::text(&mut self.report, node)?;
        name::check(&mut self.report, "the name of a branch", found, node.span);
        if !names.insert(found.to_owned()) {
            self.report.error(
                code::DUPLICATE_ID,
                node.span,
                format!("two branches have the name `{found}`"),
            );
        }
        Some(found.to_owned())
    }
}
