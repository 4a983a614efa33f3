//! `on_changes`: the step that runs again when a person asks for changes.

use std::collections::{BTreeSet, HashMap};

use super::compiler::Compiler;
use super::draft::Named;
use super::yaml::{self, Fields};
use crate::code;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::id::StepPath;
use crate::plan::StepKind;

impl Compiler<'_, '_> {
    /// Notes where the approval at `index` goes back to. Whether it can is known when all edges are.
    pub(super) fn note_rewind(&mut self, fields: Fields<'_>, index: usize) {
        let Some(node) = fields
            .get("approval")
            .and_then(|approval| approval.entry("on_changes"))
            .map(|entry| &entry.node)
        else {
            return;
        };
        if let Some(id) = yaml::text(&mut self.report, node) {
            let named = Named {
                id: id.to_owned(),
                span: node.span,
            };
            self.rewinds.push((index, named));
        }
    }

    /// Writes the targets of `on_changes` into the approvals. Comes after the edges.
    pub(super) fn resolve_rewinds(&mut self) {
        for (index, named) in std::mem::take(&mut self.rewinds) {
            let target = self.rewind_target(index, &named);
            if let Some(draft) = self.drafts.get_mut(index)
                && let StepKind::Approval(approval) = &mut draft.step.kind
            {
                approval.on_changes = target;
            }
        }
    }

    fn rewind_target(&mut self, index: usize, named: &Named) -> Option<StepPath> {
        let upstream = self.upstream(index);
        let near: Vec<&str> = upstream
            .iter()
            .filter(|at| self.in_same_list(index, **at))
            .filter_map(|at| self.drafts.get(*at).map(|draft| draft.step.id.as_str()))
            .collect();
        let found = self.by_id.get(&named.id).copied();
        let (code, message) = match found {
            Some(at) if upstream.contains(&at) && self.in_same_list(index, at) => {
                return self.drafts.get(at).map(|draft| draft.step.path.clone());
            }
            None => (
                code::UNKNOWN_STEP,
                format!("there is no step `{}`", named.id),
            ),
            Some(at) if at == index => (
                code::REWIND_TARGET,
                "an approval can't go back to itself".to_owned(),
            ),
            Some(at) if !self.in_same_list(index, at) => (
                code::REWIND_TARGET,
                format!("`{}` does not stand in the same list of steps", named.id),
            ),
            Some(_) => (
                code::REWIND_TARGET,
                format!("the approval does not wait for `{}`", named.id),
            ),
        };
        let mut fault = Diagnostic::error(code, message);
        fault = match did_you_mean(&named.id, near.iter().copied()) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None if near.is_empty() => fault.help("the approval waits for no step of its list"),
            None => fault.help(format!("it can go back to: {}", near.join(", "))),
        };
        self.report.add(named.span, fault);
        None
    }

    fn in_same_list(&self, left: usize, right: usize) -> bool {
        let around = |index: usize| self.drafts.get(index).map(|draft| &draft.around);
        around(left) == around(right)
    }

    /// All steps that the step waits for, directly, through others, or through steps inside of others.
    fn upstream(&self, index: usize) -> BTreeSet<usize> {
        let mut positions: HashMap<&StepPath, usize> = HashMap::new();
        let mut inside: HashMap<&StepPath, Vec<usize>> = HashMap::new();
        for (at, draft) in self.drafts.iter().enumerate() {
            positions.insert(&draft.step.path, at);
            if let Some(parent) = &draft.step.parent {
                inside.entry(&parent.step).or_default().push(at);
            }
        }
        let mut found = BTreeSet::new();
        let mut open = vec![index];
        while let Some(at) = open.pop() {
            let Some(draft) = self.drafts.get(at) else {
                continue;
            };
            let waited = draft
                .step
                .edges
                .iter()
                .filter_map(|edge| positions.get(&edge.from).copied());
            let nested = inside.get(&draft.step.path).into_iter().flatten().copied();
            for next in waited.chain(nested) {
                if found.insert(next) {
                    open.push(next);
                }
            }
        }
        found
    }
}
