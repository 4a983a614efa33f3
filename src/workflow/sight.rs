//! Who sees whom: containers hide the steps inside them, the inside sees the outside.

use super::compiler::Compiler;
use super::draft::{Around, Block};
use super::parts;
use crate::code;
use crate::diagnostic::{Diagnostic, Span, did_you_mean};
use crate::plan::HandlerKind;

/// From where names are seen: a step, the inside of a container, or the end of the run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Viewpoint<'a> {
    /// The expressions of the step at this position.
    Step(usize),
    /// What is evaluated after these steps: the `set` of an arm, the `collect` and `condition` of a loop.
    Block(&'a Around),
    /// The `key` of a foreach, evaluated before these steps.
    Key(&'a Around),
    /// The outputs of the run.
    End,
}

impl Compiler<'_, '_> {
    /// What stands around the step at `index`.
    pub(super) fn around(&self, index: usize) -> Option<&Around> {
        self.drafts.get(index)?.around.as_ref()
    }

    /// That block and the ones around it, the nearest first.
    pub(super) fn blocks_from<'s>(
        &'s self,
        block: Option<&'s Around>,
    ) -> impl Iterator<Item = &'s Around> {
        std::iter::successors(block, |inner| self.around(inner.outer?))
    }

    /// The blocks whose names are in scope, the nearest first.
    fn blocks_of<'s>(&'s self, from: Viewpoint<'s>) -> impl Iterator<Item = &'s Around> {
        self.blocks_from(match from {
            Viewpoint::Step(index) => self.around(index),
            Viewpoint::Block(around) | Viewpoint::Key(around) => Some(around),
            Viewpoint::End => None,
        })
    }

    /// The loop whose item or round has this name there.
    pub(super) fn loop_called<'s>(&'s self, name: &str, from: Viewpoint<'s>) -> Option<&'s Around> {
        self.blocks_of(from)
            .find(|around| around.block.loop_name() == Some(name))
    }

    /// The names of the items and rounds in scope there.
    pub(super) fn loop_names(&self, from: Viewpoint<'_>) -> Vec<String> {
        self.blocks_of(from)
            .filter_map(|around| around.block.loop_name())
            .map(str::to_owned)
            .collect()
    }

    /// The handler that it is part of.
    pub(super) fn handler_of(&self, from: Viewpoint<'_>) -> Option<HandlerKind> {
        self.blocks_of(from).find_map(|around| match around.block {
            Block::Handler(kind) => Some(kind),
            Block::Arm(_) | Block::Branch(_) | Block::Item(_) | Block::Round(_) => None,
        })
    }

    /// The block of the container at `index` with that position, when a step is in it.
    pub(super) fn block_of(&self, index: usize, part: usize) -> Option<Around> {
        self.drafts
            .iter()
            .filter_map(|draft| draft.around.as_ref())
            .find(|around| around.outer == Some(index) && around.part == part)
            .cloned()
    }

    /// Whether the step at `inner` stands, at any depth, in the container at `outer`.
    pub(super) fn is_inside(&self, inner: usize, outer: usize) -> bool {
        self.blocks_from(self.around(inner))
            .any(|around| around.outer == Some(outer))
    }

    /// The step with this id, when it exists and can be seen from there.
    pub(super) fn visible_step(
        &mut self,
        id: &str,
        span: Span,
        from: Viewpoint<'_>,
    ) -> Option<usize> {
        let found = self.by_id.get(id).copied();
        let named = found.filter(|at| self.drafts.get(*at).is_some_and(|draft| !draft.unnamed));
        let Some(at) = named else {
            self.unknown_step(id, span, from);
            return None;
        };
        if self.waits_for_itself(at, from) {
            self.refuse_self(at, span, from);
            return None;
        }
        if self
            .around(at)
            .is_none_or(|around| self.sees_into(from, around))
        {
            return Some(at);
        }
        self.out_of_reach(at, span, from);
        None
    }

    fn refuse_self(&mut self, at: usize, span: Span, from: Viewpoint<'_>) {
        let Some(step) = self.drafts.get(at).map(|draft| &draft.step) else {
            return;
        };
        let (id, kind) = (&step.id, step.kind.as_str());
        let message = match from {
            Viewpoint::Step(index) if index == at => {
                format!("the step `{id}` waits for itself")
            }
            Viewpoint::Step(_) | Viewpoint::Block(_) | Viewpoint::Key(_) | Viewpoint::End => {
                format!("a part of the {kind} `{id}` waits for the end of that {kind}")
            }
        };
        let mut fault = Diagnostic::error(code::SELF_REFERENCE, message);
        let round = self
            .blocks_of(from)
            .find(|around| around.outer == Some(at))
            .map(|around| &around.block);
        if let Some(Block::Round(name)) = round {
            fault = fault.help(format!(
                "the round before is `{name}.previous`: the outputs of each step inside"
            ));
        }
        self.report.add(span, fault);
    }

    fn unknown_step(&mut self, id: &str, span: Span, from: Viewpoint<'_>) {
        let mut known: Vec<&str> = Vec::new();
        let candidates = self.drafts.iter().filter(|_| self.report.has_room());
        for draft in candidates {
            let reachable = match &draft.around {
                None => true,
                Some(around) => self.sees_into(from, around),
            };
            if reachable && !draft.step.id.is_empty() && !draft.unnamed {
                known.push(&draft.step.id);
            }
        }
        let mut fault = Diagnostic::error(code::UNKNOWN_STEP, format!("there is no step `{id}`"));
        if let Some(near) = did_you_mean(id, known.iter().copied()) {
            fault = fault.help(format!("did you mean `{near}`?"));
        }
        self.report.add(span, fault);
    }

    /// Whether the step at `at` is the viewpoint itself or a container around it.
    fn waits_for_itself(&self, at: usize, from: Viewpoint<'_>) -> bool {
        match from {
            Viewpoint::Step(index) => at == index || self.is_inside(index, at),
            Viewpoint::Block(around) | Viewpoint::Key(around) => self
                .blocks_from(Some(around))
                .any(|around| around.outer == Some(at)),
            Viewpoint::End => false,
        }
    }

    /// Whether steps in `block` are seen from there.
    fn sees_into(&self, from: Viewpoint<'_>, block: &Around) -> bool {
        let mut blocks = self.blocks_of(from);
        if let Viewpoint::Key(_) = from {
            // A key is evaluated before the steps inside run.
            blocks.next();
        }
        blocks.any(|around| around == block)
    }

    fn out_of_reach(&mut self, at: usize, span: Span, from: Viewpoint<'_>) {
        let Some((id, around)) = self
            .drafts
            .get(at)
            .and_then(|draft| Some((draft.step.id.clone(), draft.around.clone()?)))
        else {
            return;
        };
        let outer = around.outer.and_then(|outer| self.drafts.get(outer));
        let outer = outer.map(|draft| &draft.step);
        let outer_id = outer.map(|step| step.id.clone()).unwrap_or_default();
        if let Viewpoint::Key(own) = from
            && *own == around
        {
            self.report.error_with(
                code::STEP_OUT_OF_REACH,
                span,
                format!("the key is made before `{id}` runs"),
                "read the item in it, and nothing of the steps inside",
            );
            return;
        }
        let place = match &around.block {
            Block::Arm(name) => format!("in the arm `{name}` of `{outer_id}`"),
            Block::Branch(name) => format!("in the branch `{name}` of `{outer_id}`"),
            Block::Item(_) => format!("inside the foreach `{outer_id}`"),
            Block::Round(_) => format!("inside the until `{outer_id}`"),
            Block::Handler(kind) => format!("in the handler `{}`", kind.as_str()),
        };
        let outputs = outer.and_then(parts::known_outputs).unwrap_or_default();
        let help = match &around.block {
            Block::Arm(_) if outputs.is_empty() => {
                format!("let the arms of `{outer_id}` hand it out with `set`")
            }
            Block::Arm(_) => format!("`{outer_id}` hands out: {}", outputs.join(", ")),
            Block::Branch(name) => {
                format!("read it as `steps.{outer_id}.outputs.{name}.{id}`")
            }
            Block::Item(_) | Block::Round(_) => format!(
                "let `{outer_id}` hand it out with `collect`; now it hands out: {}",
                outputs.join(", ")
            ),
            Block::Handler(_) => "what a handler does is seen in that handler only".to_owned(),
        };
        self.report.error_with(
            code::STEP_OUT_OF_REACH,
            span,
            format!("`{id}` stands {place} and can't be seen from here"),
            help,
        );
    }
}
