//! Names to steps: every reference is looked up, and the edges of each step follow from them.

use std::collections::HashMap;

use super::compiler::Compiler;
use super::draft::{Around, Block, Named, Site, Use};
use super::parts;
use super::scope::{self, Here};
use super::sight::Viewpoint;
use super::top::Head;
use crate::code;
use crate::diagnostic::Span;
use crate::expression::Reference;
use crate::id::StepPath;
use crate::plan::{Edge, EdgeKind, StepKind};

/// Parts of a step that are there even when it did not succeed: reading them waits for its end, not for success.
const TOLD_IN_ANY_CASE: [&str; 3] = ["status", "attempts", "failure"];

impl Compiler<'_, '_> {
    /// Resolves everything and writes the edges into the steps.
    pub(super) fn resolve(&mut self, head: &Head) {
        for used in &head.uses {
            self.resolve_use(head, used, Viewpoint::End);
        }
        for index in 0..self.drafts.len() {
            let edges = self.edges_of(head, index);
            if let Some(draft) = self.drafts.get_mut(index) {
                draft.step.edges = edges;
            }
        }
        self.hoist();
    }

    fn edges_of(&mut self, head: &Head, index: usize) -> Vec<Edge> {
        let Some(draft) = self.drafts.get_mut(index) else {
            return Vec::new();
        };
        let uses = std::mem::take(&mut draft.uses);
        let merge = std::mem::take(&mut draft.merge);
        let (needs, after, previous) = (draft.needs.take(), draft.after.take(), draft.previous);
        let mut found: Vec<(usize, EdgeKind)> = Vec::new();
        for named in needs.iter().flatten() {
            found.extend(
                self.awaited_step(index, named)
                    .map(|at| (at, EdgeKind::Needs)),
            );
        }
        for used in &uses {
            if let Some((at, kind)) = self.resolve_step_use(head, index, used)
                && !self.is_inside(at, index)
            {
                found.push((at, kind));
            }
        }
        for named in &merge {
            found.extend(
                self.merged_step(index, named)
                    .map(|at| (at, EdgeKind::After)),
            );
        }
        if needs.is_none() && after.is_none() {
            found.extend(previous.map(|at| (at, EdgeKind::Previous)));
        }
        for named in after.iter().flatten() {
            found.extend(
                self.awaited_step(index, named)
                    .map(|at| (at, EdgeKind::After)),
            );
        }
        // A handler begins when it is called for, not when some step has ended.
        if let Some(handler) = self.handler_of(Viewpoint::Step(index)) {
            found.retain(|(at, _)| self.handler_of(Viewpoint::Step(*at)) == Some(handler));
        }
        self.strongest(found)
    }

    fn resolve_step_use(
        &mut self,
        head: &Head,
        index: usize,
        used: &Use,
    ) -> Option<(usize, EdgeKind)> {
        let block = match used.site {
            Site::ArmSet { arm } => self.block_of(index, arm),
            Site::LoopBody | Site::ItemKey => self.block_of(index, 0),
            Site::Step
            | Site::ApproveCode
            | Site::InputDefault
            | Site::RunStart
            | Site::RunOutput => None,
        };
        let from = match (&block, used.site) {
            (Some(block), Site::ItemKey) => Viewpoint::Key(block),
            (Some(block), _) => Viewpoint::Block(block),
            // A loop without a step was refused; what its expressions may name can't be said.
            (None, Site::LoopBody | Site::ItemKey) => return None,
            (None, _) => Viewpoint::Step(index),
        };
        self.resolve_use(head, used, from)
    }

    /// A step in `needs` or `after`.
    fn awaited_step(&mut self, index: usize, named: &Named) -> Option<usize> {
        let from = Viewpoint::Step(index);
        let at = self.visible_step(&named.id, named.span, from)?;
        let handler = self.handler_of(from);
        if handler.is_some() && handler != self.handler_of(Viewpoint::Step(at)) {
            self.report.error_with(
                code::STEP_OUT_OF_REACH,
                named.span,
                format!("a handler does not wait for `{}`", named.id),
                "its steps wait only for each other; ask with `if`, for example ${{ failed('load') }}",
            );
            return None;
        }
        Some(at)
    }

    /// A step in `notebook.merge`; its path goes into the step.
    fn merged_step(&mut self, index: usize, named: &Named) -> Option<usize> {
        let at = self.visible_step(&named.id, named.span, Viewpoint::Step(index))?;
        let merged = &self.drafts.get(at)?.step;
        if !parts::has_notebook(&merged.kind) {
            let kind = merged.kind.as_str();
            self.report.error_with(
                code::NO_NOTEBOOK,
                named.span,
                format!("`{}`, a step of kind {kind}, leaves no notebook", named.id),
                "steps that run Python code leave one",
            );
            return None;
        }
        let path = merged.path.clone();
        let draft = self.drafts.get_mut(index)?;
        if let StepKind::Notebook(notebook) = &mut draft.step.kind {
            if notebook.merge.contains(&path) {
                let message = format!("`{}` is merged twice", named.id);
                self.report.error(code::BAD_VALUE, named.span, message);
                return None;
            }
            notebook.merge.push(path);
        }
        Some(at)
    }

    /// Everything outside that the inside of a loop waits for must have ended before the loop begins.
    fn hoist(&mut self) {
        let positions: HashMap<StepPath, usize> = self
            .drafts
            .iter()
            .enumerate()
            .map(|(index, draft)| (draft.step.path.clone(), index))
            .collect();
        for index in 0..self.drafts.len() {
            let outer_loops: Vec<usize> = self
                .blocks_from(self.around(index))
                .filter(|around| around.block.loop_name().is_some())
                .filter_map(|around| around.outer)
                .collect();
            let edges = self.drafts.get(index).map(|draft| &draft.step.edges);
            let awaited: Vec<StepPath> = edges
                .into_iter()
                .flatten()
                .map(|edge| edge.from.clone())
                .collect();
            for from in awaited {
                for outer in &outer_loops {
                    let at = positions.get(&from).copied();
                    if at.is_none_or(|at| at == *outer || self.is_inside(at, *outer)) {
                        continue;
                    }
                    self.add_hoisted(*outer, &from);
                }
            }
        }
    }

    fn add_hoisted(&mut self, outer: usize, from: &StepPath) {
        if let Some(draft) = self.drafts.get_mut(outer)
            && draft.step.edges.iter().all(|edge| edge.from != *from)
        {
            draft.step.edges.push(Edge {
                from: from.clone(),
                kind: EdgeKind::After,
            });
        }
    }

    /// One edge for each step waited for: the one that asks most of it.
    fn strongest(&self, found: Vec<(usize, EdgeKind)>) -> Vec<Edge> {
        let rank = |kind: EdgeKind| match kind {
            EdgeKind::Needs => 0,
            EdgeKind::Reference => 1,
            EdgeKind::Previous => 2,
            EdgeKind::After => 3,
        };
        let mut kept: Vec<(usize, EdgeKind)> = Vec::new();
        for (at, kind) in found {
            match kept.iter_mut().find(|(known, _)| *known == at) {
                Some((_, known)) if rank(kind) < rank(*known) => *known = kind,
                Some(_) => {}
                None => kept.push((at, kind)),
            }
        }
        kept.into_iter()
            .filter_map(|(at, kind)| {
                let from = self.drafts.get(at)?.step.path.clone();
                Some(Edge { from, kind })
            })
            .collect()
    }

    /// Looks one reference up; gives the step and the edge that it means.
    fn resolve_use(
        &mut self,
        head: &Head,
        used: &Use,
        from: Viewpoint<'_>,
    ) -> Option<(usize, EdgeKind)> {
        match &used.reference {
            Reference::Status { step, .. } => {
                let id = step.as_ref()?;
                let at = self.visible_step(id, used.span, from)?;
                Some((at, EdgeKind::After))
            }
            Reference::Path {
                root,
                path,
                guarded,
                ..
            } => {
                if let Some(around) = self.loop_called(root, from).cloned() {
                    self.check_loop(used.span, &around, path);
                    return None;
                }
                let here = Here {
                    site: used.site,
                    handler: self.handler_of(from),
                };
                if !here.knows(root) {
                    let meant = self.meant(head, here, root);
                    let loops = self.loop_names(from);
                    here.unknown_root(&mut self.report, used.span, root, (meant, loops));
                    return None;
                }
                if root != "steps" {
                    here.check(&mut self.report, &head.inputs, used.span, (root, path));
                    return None;
                }
                let Some(id) = path.first() else {
                    self.report.error_with(
                        code::UNKNOWN_NAME,
                        used.span,
                        "`steps` alone has no value",
                        "name a step: `steps.<id>.outputs.<name>`",
                    );
                    return None;
                };
                let at = self.visible_step(id, used.span, from)?;
                let draft = self.drafts.get(at)?;
                parts::check_step(&mut self.report, &draft.step, used.span, path);
                let told = path
                    .get(1)
                    .is_some_and(|part| TOLD_IN_ANY_CASE.contains(&part.as_str()));
                if *guarded || told {
                    Some((at, EdgeKind::After))
                } else {
                    Some((at, EdgeKind::Reference))
                }
            }
        }
    }

    /// What somebody had in mind who wrote the bare name of an input or a step.
    fn meant(&self, head: &Head, here: Here, root: &str) -> Option<String> {
        if head.inputs.contains_key(root) && here.knows("inputs") {
            return Some(format!("inputs.{root}"));
        }
        let step = self.by_id.contains_key(root) && here.knows("steps");
        step.then(|| format!("steps.{root}"))
    }

    /// Checks what is read of an item or a round: `path` is what stands behind the name.
    fn check_loop(&mut self, span: Span, around: &Around, path: &[String]) {
        let Block::Round(name) = &around.block else {
            return;
        };
        let Some(part) = path.first() else {
            return;
        };
        if !scope::ROUND.contains(&part.as_str()) {
            let what = format!("`{name}` has no");
            let known = scope::ROUND;
            let of = (code::UNKNOWN_FIELD, what.as_str());
            scope::unknown_part(&mut self.report, span, of, (part, &known));
            return;
        }
        let (true, Some(id)) = (part == "previous", path.get(1)) else {
            return;
        };
        let inner: Vec<&str> = self
            .drafts
            .iter()
            .filter(|draft| draft.around.as_ref() == Some(around))
            .map(|draft| draft.step.id.as_str())
            .collect();
        if !inner.contains(&id.as_str()) {
            let what = "the round has no step";
            let of = (code::UNKNOWN_STEP, what);
            scope::unknown_part(&mut self.report, span, of, (id, &inner));
        }
    }
}
