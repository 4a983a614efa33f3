//! `handlers`: what reacts to waiting and to the end of the run.

use super::compiler::Compiler;
use super::draft::{Around, Block};
use super::yaml::{self, Node};
use super::{keys, quantity};
use crate::code;
use crate::plan::{HandlerKind, Handlers, StepKind};

impl Compiler<'_, '_> {
    /// Reads `handlers:`; their steps go to the end of the drafts, in the order in which handlers run.
    pub(super) fn handlers(&mut self, node: &Node) -> Handlers {
        let mut handlers = Handlers::default();
        let Some(fields) = yaml::fields(&mut self.report, node, &keys::HANDLERS) else {
            return handlers;
        };
        handlers.timeout = fields
            .get("timeout")
            .and_then(|node| quantity::duration(&mut self.report, node));
        for (part, kind) in HandlerKind::ALL.into_iter().enumerate() {
            let Some(node) = fields.get(kind.as_str()) else {
                continue;
            };
            let around = Around {
                outer: None,
                part,
                block: Block::Handler(kind),
            };
            let first = self.drafts.len();
            let paths = self.steps(node, Some(&around));
            handlers.steps.insert(kind, paths);
            if kind == HandlerKind::Waiting {
                self.refuse_questions(first);
            }
        }
        let words = HandlerKind::ALL.map(HandlerKind::as_str);
        let entries = node.entries().unwrap_or_default();
        if entries.iter().all(|entry| entry.key == "timeout") {
            self.report.error_with(
                code::BAD_VALUE,
                node.span,
                "`handlers` holds no handler",
                format!("name at least one of: {}", words.join(", ")),
            );
        }
        handlers
    }

    /// A question in the handler of questions would call that handler again.
    fn refuse_questions(&mut self, first: usize) {
        for draft in self.drafts.iter().skip(first) {
            let asks = match &draft.step.kind {
                StepKind::Approval(_) => "approval",
                StepKind::Python(python) if python.approve_code.is_some() => "approve_code",
                StepKind::Python(_)
                | StepKind::Set(_)
                | StepKind::Switch(_)
                | StepKind::Foreach(_)
                | StepKind::Until(_)
                | StepKind::Parallel(_)
                | StepKind::Workflow(_)
                | StepKind::Wait(_)
                | StepKind::Http(_)
                | StepKind::Notify(_)
                | StepKind::Notebook(_)
                | StepKind::Action(_)
                | StepKind::Fail(_)
                | StepKind::Succeed(_) => continue,
            };
            self.report.error_with(
                code::HANDLER_ASKS,
                draft.id_span,
                format!("a step of the handler `waiting` has `{asks}`"),
                "this handler runs when a question waits; a question of its own would call it again",
            );
        }
    }
}
