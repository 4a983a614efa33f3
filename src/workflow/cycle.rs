//! Circles: steps that wait for each other, also by way of a container.

use std::collections::HashMap;

use super::compiler::Compiler;
use crate::code;
use crate::diagnostic::{Diagnostic, Span};
use crate::id::StepPath;

/// Most lines of help that explain a circle.
const EXPLAINED_MAX: usize = 12;

/// What a step waits for, as positions of moments. A step has two: its start and its end. The end of a container
/// waits for the ends of the steps in it, and those wait for its start.
struct Moments {
    waits: Vec<Vec<usize>>,
}

fn start(step: usize) -> usize {
    step * 2
}

fn end(step: usize) -> usize {
    step * 2 + 1
}

impl Compiler<'_, '_> {
    /// Reports the first circle, with the way round.
    pub(super) fn refuse_cycle(&mut self) {
        // Steps that share an id share a path, so their edges would be mixed up.
        let named = self.drafts.iter().filter(|draft| !draft.step.id.is_empty());
        if named.count() != self.by_id.len() {
            return;
        }
        let Some(moments) = self.moments().circle() else {
            return;
        };
        let mut steps: Vec<usize> = moments.iter().map(|moment| moment / 2).collect();
        steps.dedup();
        if steps.len() > 1 && steps.first() == steps.last() {
            steps.pop();
        }
        let named: Vec<(String, Span)> = steps
            .iter()
            .filter_map(|step| self.drafts.get(*step))
            .map(|draft| (draft.step.id.clone(), draft.id_span))
            .collect();
        let Some((first, span)) = named.first().cloned() else {
            return;
        };
        let way: Vec<&str> = named
            .iter()
            .map(|(id, _)| id.as_str())
            .chain([first.as_str()])
            .collect();
        let mut fault = Diagnostic::error(
            code::CYCLE,
            format!("steps wait for each other: {}", way.join(" → ")),
        );
        for pair in way.windows(2).take(EXPLAINED_MAX) {
            if let [waiting, awaited] = pair {
                fault = fault.help(format!("`{waiting}` waits for `{awaited}`"));
            }
        }
        self.report.add(span, fault);
    }

    fn moments(&self) -> Moments {
        let positions: HashMap<&StepPath, usize> = self
            .drafts
            .iter()
            .enumerate()
            .map(|(index, draft)| (&draft.step.path, index))
            .collect();
        let mut waits = vec![Vec::new(); self.drafts.len() * 2];
        let mut wait = |moment: usize, awaited: usize| {
            if let Some(list) = waits.get_mut(moment) {
                list.push(awaited);
            }
        };
        for (index, draft) in self.drafts.iter().enumerate() {
            wait(end(index), start(index));
            for edge in &draft.step.edges {
                if let Some(from) = positions.get(&edge.from) {
                    wait(start(index), end(*from));
                }
            }
            if let Some(outer) = draft.around.as_ref().and_then(|around| around.outer) {
                wait(start(index), start(outer));
                wait(end(outer), end(index));
            }
        }
        Moments { waits }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Unseen,
    OnTheWay,
    Done,
}

impl Moments {
    /// The moments of a circle, in the order of waiting. Without recursion: a chain may be long.
    fn circle(&self) -> Option<Vec<usize>> {
        let mut marks = vec![Mark::Unseen; self.waits.len()];
        for root in 0..self.waits.len() {
            if marks.get(root) == Some(&Mark::Unseen)
                && let Some(circle) = self.walk(root, &mut marks)
            {
                return Some(circle);
            }
        }
        None
    }

    fn walk(&self, root: usize, marks: &mut [Mark]) -> Option<Vec<usize>> {
        let mut way: Vec<(usize, usize)> = Vec::new();
        let mut next = Some(root);
        loop {
            if let Some(moment) = next.take() {
                set(marks, moment, Mark::OnTheWay);
                way.push((moment, 0));
            }
            let (moment, tried) = way.last_mut()?;
            let awaited = self.waits.get(*moment).and_then(|list| list.get(*tried));
            *tried += 1;
            let Some(awaited) = awaited.copied() else {
                set(marks, *moment, Mark::Done);
                way.pop();
                continue;
            };
            match marks.get(awaited) {
                Some(Mark::Unseen) => next = Some(awaited),
                Some(Mark::OnTheWay) => {
                    return Some(
                        way.iter()
                            .map(|(moment, _)| *moment)
                            .skip_while(|moment| *moment != awaited)
                            .collect(),
                    );
                }
                Some(Mark::Done) | None => {}
            }
        }
    }
}

fn set(marks: &mut [Mark], moment: usize, mark: Mark) {
    if let Some(slot) = marks.get_mut(moment) {
        *slot = mark;
    }
}
