//! The steps of a plan, found by path or by id in constant time.

use std::collections::HashMap;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Step;
use crate::id::StepPath;

/// All steps of a plan in the order of the file, a switch before the steps of its arms.
#[derive(Debug, Clone, Default)]
pub struct Steps {
    list: Vec<Step>,
    by_path: HashMap<StepPath, usize>,
    by_id: HashMap<String, usize>,
    dependents: Vec<Vec<usize>>,
}

impl Steps {
    /// The place of the step at `path`.
    #[must_use]
    pub fn position(&self, path: &StepPath) -> Option<usize> {
        self.by_path.get(path).copied()
    }

    /// The step at `path`.
    #[must_use]
    pub fn at(&self, path: &StepPath) -> Option<&Step> {
        self.position(path).and_then(|index| self.list.get(index))
    }

    /// The step with this id; ids are unique in a file, nested ones too.
    #[must_use]
    pub fn with_id(&self, id: &str) -> Option<&Step> {
        self.by_id.get(id).and_then(|index| self.list.get(*index))
    }

    /// Places of the steps that wait for the step at `index`, one entry per edge.
    #[must_use]
    pub fn dependents(&self, index: usize) -> &[usize] {
        self.dependents.get(index).map_or(&[], Vec::as_slice)
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
        Self {
            list,
            by_path,
            by_id,
            dependents,
        }
    }
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
