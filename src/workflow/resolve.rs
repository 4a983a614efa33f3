//! Names to steps: every reference is looked up, and the edges of each step follow from them.

use super::compiler::Compiler;
use super::draft::{Around, Named, Site, Use};
use super::scope;
use super::top::Head;
use crate::code;
use crate::diagnostic::{Diagnostic, Span, did_you_mean};
use crate::expression::Reference;
use crate::plan::{Edge, EdgeKind};

/// Parts of a step that are there even when it did not succeed: reading them waits for its end, not for success.
const TOLD_IN_ANY_CASE: [&str; 3] = ["status", "attempts", "failure"];

/// From where names are seen: a step, the inside of an arm, or the end of the run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Viewpoint<'a> {
    /// The expressions of the step at this position.
    Step(usize),
    /// The `set` of this arm.
    Arm(&'a Around),
    /// The outputs of the run.
    End,
}

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
    }

    fn edges_of(&mut self, head: &Head, index: usize) -> Vec<Edge> {
        let Some(draft) = self.drafts.get_mut(index) else {
            return Vec::new();
        };
        let uses = std::mem::take(&mut draft.uses);
        let (needs, after, previous) = (draft.needs.take(), draft.after.take(), draft.previous);
        let mut found: Vec<(usize, EdgeKind)> = Vec::new();
        for named in needs.iter().flatten() {
            found.extend(
                self.named_step(index, named)
                    .map(|at| (at, EdgeKind::Needs)),
            );
        }
        for used in &uses {
            let around = match used.site {
                Site::ArmSet { arm } => self.arm_of(index, arm),
                Site::Step
                | Site::ApproveCode
                | Site::InputDefault
                | Site::RunStart
                | Site::RunOutput => None,
            };
            let from = around
                .as_ref()
                .map_or(Viewpoint::Step(index), Viewpoint::Arm);
            if let Some((at, kind)) = self.resolve_use(head, used, from)
                && !self.is_inside(at, index)
            {
                found.push((at, kind));
            }
        }
        if needs.is_none() && after.is_none() {
            found.extend(previous.map(|at| (at, EdgeKind::Previous)));
        }
        for named in after.iter().flatten() {
            found.extend(
                self.named_step(index, named)
                    .map(|at| (at, EdgeKind::After)),
            );
        }
        self.strongest(found)
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
                if !scope::knows(used.site, root) {
                    let meant = self.meant(head, used.site, root);
                    scope::unknown_root(&mut self.report, used, root, meant);
                    return None;
                }
                if root != "steps" {
                    scope::check(&mut self.report, &head.inputs, used, root, path);
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
                scope::check_step(&mut self.report, &draft.step, used.span, path);
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
    fn meant(&self, head: &Head, site: Site, root: &str) -> Option<String> {
        if head.inputs.contains_key(root) && scope::knows(site, "inputs") {
            return Some(format!("inputs.{root}"));
        }
        let step = self.by_id.contains_key(root) && scope::knows(site, "steps");
        step.then(|| format!("steps.{root}"))
    }

    fn named_step(&mut self, index: usize, named: &Named) -> Option<usize> {
        self.visible_step(&named.id, named.span, Viewpoint::Step(index))
    }

    /// The step with this id, when it exists and can be seen from there.
    fn visible_step(&mut self, id: &str, span: Span, from: Viewpoint<'_>) -> Option<usize> {
        let Some(at) = self.by_id.get(id).copied() else {
            self.unknown_step(id, span, from);
            return None;
        };
        if self.waits_for_itself(at, from) {
            let message = match from {
                Viewpoint::Step(index) if index == at => {
                    format!("the step `{id}` waits for itself")
                }
                Viewpoint::Step(_) | Viewpoint::Arm(_) | Viewpoint::End => {
                    format!("a part of the switch `{id}` waits for the end of that switch")
                }
            };
            self.report.error(code::SELF_REFERENCE, span, message);
            return None;
        }
        let around = self.drafts.get(at)?.around.clone();
        if around.is_none_or(|around| self.sees_into(from, &around)) {
            return Some(at);
        }
        self.out_of_reach(at, span);
        None
    }

    fn unknown_step(&mut self, id: &str, span: Span, from: Viewpoint<'_>) {
        let mut known: Vec<&str> = Vec::new();
        let candidates = self.drafts.iter().filter(|_| self.report.has_room());
        for draft in candidates {
            let reachable = match &draft.around {
                None => true,
                Some(around) => self.sees_into(from, around),
            };
            if reachable && !draft.step.id.is_empty() {
                known.push(&draft.step.id);
            }
        }
        let mut fault = Diagnostic::error(code::UNKNOWN_STEP, format!("there is no step `{id}`"));
        if let Some(near) = did_you_mean(id, known.iter().copied()) {
            fault = fault.help(format!("did you mean `{near}`?"));
        }
        self.report.add(span, fault);
    }

    /// Whether the step at `at` is the viewpoint itself or a switch around it.
    fn waits_for_itself(&self, at: usize, from: Viewpoint<'_>) -> bool {
        match from {
            Viewpoint::Step(index) => at == index || self.is_inside(index, at),
            Viewpoint::Arm(around) => at == around.switch || self.is_inside(around.switch, at),
            Viewpoint::End => false,
        }
    }

    /// Whether the step at `inner` stands, at any depth, in an arm of the switch at `outer`.
    fn is_inside(&self, inner: usize, outer: usize) -> bool {
        self.arms_around(inner).any(|around| around.switch == outer)
    }

    /// The arms around a step, the nearest first.
    fn arms_around(&self, index: usize) -> impl Iterator<Item = &Around> {
        let around = |index: usize| self.drafts.get(index)?.around.as_ref();
        std::iter::successors(around(index), move |inner| around(inner.switch))
    }

    fn sees_into(&self, from: Viewpoint<'_>, arm: &Around) -> bool {
        match from {
            Viewpoint::Step(index) => self.arms_around(index).any(|around| around == arm),
            Viewpoint::Arm(own) => {
                own == arm || self.arms_around(own.switch).any(|around| around == arm)
            }
            Viewpoint::End => false,
        }
    }

    fn arm_of(&self, switch: usize, arm: usize) -> Option<Around> {
        self.drafts
            .iter()
            .filter_map(|draft| draft.around.as_ref())
            .find(|around| around.switch == switch && around.arm == arm)
            .cloned()
    }

    fn out_of_reach(&mut self, at: usize, span: Span) {
        let Some((id, around)) = self
            .drafts
            .get(at)
            .and_then(|draft| Some((draft.step.id.clone(), draft.around.clone()?)))
        else {
            return;
        };
        let switch = self.drafts.get(around.switch).map(|draft| &draft.step);
        let switch_id = switch.map(|step| step.id.clone()).unwrap_or_default();
        let outputs = switch.and_then(scope::known_outputs).unwrap_or_default();
        let help = if outputs.is_empty() {
            format!("let the arms of `{switch_id}` hand it out with `set`")
        } else {
            format!("`{switch_id}` hands out: {}", outputs.join(", "))
        };
        self.report.error_with(
            code::STEP_OUT_OF_REACH,
            span,
            format!(
                "`{id}` stands in the arm `{}` of `{switch_id}` and can't be seen from here",
                around.name
            ),
            help,
        );
    }
}
