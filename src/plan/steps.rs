//! The steps of a plan, found by path or by id in constant time, and the bodies that run as one.

use std::collections::HashMap;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{HandlerKind, Handlers, Step, StepKind};
use crate::id::StepPath;

/// Steps that come to life together: those of the run, of one item or one round, of a handler.
/// The arms of a switch and the branches of a parallel belong to the body around them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Body {
    /// The run itself.
    Run,
    /// The steps inside the foreach or until at this position.
    Inside(usize),
    /// A handler.
    Handler(HandlerKind),
}

/// All steps of a plan in the order of the file, every one before the steps inside it.
#[derive(Debug, Clone, Default)]
pub struct Steps {
    list: Vec<Step>,
    by_path: HashMap<StepPath, usize>,
    by_id: HashMap<String, usize>,
    dependents: Vec<Vec<usize>>,
    /// Of each step: its body, and its place in there.
    homes: Vec<(Body, usize)>,
    members: HashMap<Body, Vec<usize>>,
}

impl Steps {
    /// The position of the step at `path`.
    #[must_use]
    pub fn position(&self, path: &StepPath) -> Option<usize> {
        self.by_path.get(path).copied()
    }

    /// The step at `path`.
    #[must_use]
    pub fn at(&self, path: &StepPath) -> Option<&Step> {
        self.position(path).and_then(|index| self.list.get(index))
    }

    /// The position of the step with this id; ids are unique in a file, nested ones too.
    #[must_use]
    pub fn position_of_id(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// The step with this id.
    #[must_use]
    pub fn with_id(&self, id: &str) -> Option<&Step> {
        self.list.get(self.position_of_id(id)?)
    }

    /// Positions of the steps that wait for the step at `index`, one entry per edge.
    #[must_use]
    pub fn dependents(&self, index: usize) -> &[usize] {
        self.dependents.get(index).map_or(&[], Vec::as_slice)
    }

    /// The body that the step at `index` belongs to, and its place in there.
    #[must_use]
    pub fn home(&self, index: usize) -> Option<(Body, usize)> {
        self.homes.get(index).copied()
    }

    /// Positions of the steps of a body, in the order of the file.
    #[must_use]
    pub fn members(&self, body: Body) -> &[usize] {
        self.members.get(&body).map_or(&[], Vec::as_slice)
    }
}

impl From<Vec<Step>> for Steps {
    fn from(list: Vec<Step>) -> Self {
        let places = || list.iter().enumerate();
        let by_path: HashMap<StepPath, usize> = places()
            .map(|(index, step)| (step.path.clone(), index))
            .collect();
        let by_id = places()
            .map(|(index, step)| (step.id.clone(), index))
            .collect();
        let mut dependents = vec![Vec::new(); list.len()];
        for (index, step) in places() {
            for edge in &step.edges {
                let from = by_path.get(&edge.from);
                if let Some(waiting) = from.and_then(|from| dependents.get_mut(*from)) {
                    waiting.push(index);
                }
            }
        }
        let mut homes: Vec<(Body, usize)> = Vec::with_capacity(list.len());
        let mut members: HashMap<Body, Vec<usize>> = HashMap::new();
        for (index, step) in places() {
            let body = body_of(step, &list, &by_path, &homes);
            let inside = members.entry(body).or_default();
            homes.push((body, inside.len()));
            inside.push(index);
        }
        Self {
            list,
            by_path,
            by_id,
            dependents,
            homes,
            members,
        }
    }
}

/// The body of a step; every step stands behind the one around it, so that one's body is known.
fn body_of(
    step: &Step,
    list: &[Step],
    by_path: &HashMap<StepPath, usize>,
    homes: &[(Body, usize)],
) -> Body {
    let Some(parent) = &step.parent else {
        return Body::Run;
    };
    if parent.step.as_str() == Handlers::PATH {
        return HandlerKind::parse(&parent.arm).map_or(Body::Run, Body::Handler);
    }
    let Some(around) = by_path.get(&parent.step).copied() else {
        return Body::Run;
    };
    let repeats = list
        .get(around)
        .is_some_and(|outer| matches!(outer.kind, StepKind::Foreach(_) | StepKind::Until(_)));
    if repeats {
        return Body::Inside(around);
    }
    homes.get(around).map_or(Body::Run, |(body, _)| *body)
}

impl Deref for Steps {
    type Target = [Step];

    fn deref(&self) -> &[Step] {
        &self.list
    }
}

impl PartialEq for Steps {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Serialize for Steps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.list.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Steps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Step>::deserialize(deserializer).map(Self::from)
    }
}
