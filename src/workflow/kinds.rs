//! Which kind a step is.

use super::compiler::Compiler;
use super::draft::{Draft, Site};
use super::keys;
use super::text::Uses;
use super::yaml::{Fields, Node};
use crate::code;
use crate::plan::{SetStep, StepKind};

impl Compiler<'_, '_> {
    /// What the step at `index` does. References go to the draft.
    pub(super) fn kind(
        &mut self,
        fields: Fields<'_>,
        index: usize,
        draft: &mut Draft,
    ) -> Option<StepKind> {
        let mut written = keys::KINDS.iter().filter_map(|key| fields.entry(key));
        let Some(first) = written.next() else {
            self.refuse_kindless(fields);
            return None;
        };
        if let Some(second) = written.next() {
            self.report.error_with(
                code::STEP_KIND,
                second.key_span,
                format!("the step is `{}` and `{}` at once", first.key, second.key),
                "a step does one thing: make two steps",
            );
        }
        let node = &first.node;
        let id = draft.step.id.clone();
        let uses = &mut Uses::new(Site::Step, &mut draft.uses);
        match first.key.as_str() {
            "python" => {
                let given = fields.get("with").and_then(Node::entries);
                let given = given.into_iter().flatten().map(|entry| entry.key.as_str());
                let given: Vec<&str> = given.collect();
                self.python(node, (&id, &given), uses).map(StepKind::Python)
            }
            "set" => Some(StepKind::Set(SetStep {
                values: self.output_values(node, uses),
            })),
            "switch" => self.switch(node, index, uses.list).map(StepKind::Switch),
            "approval" => self.approval(node, uses).map(StepKind::Approval),
            "foreach" => self.foreach(node, index, draft).map(StepKind::Foreach),
            "until" => self.until(node, index, draft).map(StepKind::Until),
            "parallel" => self.parallel(node, index).map(StepKind::Parallel),
            "workflow" => self.child(node, fields).map(StepKind::Workflow),
            "wait" => self.wait(node, uses).map(StepKind::Wait),
            "http" => self.http(node, uses).map(StepKind::Http),
            "notify" => self.notify(node, fields, uses).map(StepKind::Notify),
            "notebook" => self.notebook(node, draft).map(StepKind::Notebook),
            "action" => self.action(node).map(StepKind::Action),
            "fail" => self.fail(node, uses).map(StepKind::Fail),
            "succeed" => self.succeed(node, uses).map(StepKind::Succeed),
            _ => None,
        }
    }

    fn refuse_kindless(&mut self, fields: Fields<'_>) {
        let slip = keys::KINDS
            .iter()
            .any(|key| fields.has_slip_of(&keys::STEP, key));
        if !slip {
            self.report.error_with(
                code::STEP_KIND,
                fields.node().span,
                "the step does not say what it does",
                format!("give it one of: {}", keys::KINDS.join(", ")),
            );
        }
    }
}
