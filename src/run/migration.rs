//! Whether a run can go on with another version of its plan, and what is different in it.

use super::state::{RunState, StepStatus};
use crate::plan::{Body, Plan, Step};

/// Two versions of a plan in the eyes of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// What is different, one line each; empty = nothing that matters.
    pub changes: Vec<String>,
    /// What speaks against going on with the new one, one line each.
    pub obstacles: Vec<String>,
}

/// Compares the plan of a run with a new one.
#[must_use]
pub fn compare_plans(state: &RunState, new: &Plan) -> Comparison {
    let old = state.plan.as_ref();
    let mut found = Comparison::default();
    steps(old, new, &mut found.changes);
    rest(old, new, &mut found.changes);
    if old.name != new.name {
        found.obstacles.push(format!(
            "it is another workflow: `{}`, not `{}`",
            new.name, old.name
        ));
    }
    for name in new
        .inputs
        .keys()
        .filter(|name| !old.inputs.contains_key(*name))
    {
        found.obstacles.push(format!(
            "it has a new input `{name}`; the inputs of a run are fixed when it is created"
        ));
    }
    for (_, frame) in state.frames() {
        if let Body::Inside(index) = frame.body
            && let Some(around) = old.steps.get(index)
            && !frame.all_settled()
            && body_differs(old, new, around)
        {
            let why = format!(
                "the steps inside `{}` are under way and differ",
                around.path
            );
            if !found.obstacles.contains(&why) {
                found.obstacles.push(why);
            }
        }
    }
    for (step, step_state) in state.steps() {
        if step_state.status == StepStatus::Pending {
            continue;
        }
        let told = step_state.status.told();
        match new.steps.at(&step.path) {
            None => found
                .obstacles
                .push(format!("step `{}` {told} and is gone", step_state.path)),
            Some(other) => {
                for part in differences(step, other) {
                    found.obstacles.push(format!(
                        "step `{}` {told} and its {part} differs",
                        step_state.path
                    ));
                }
            }
        }
        if let Some(open) = step_state.open_attempt() {
            found.obstacles.push(format!(
                "attempt {} of step `{}` is under way: let it end first",
                open.number, step_state.path
            ));
        }
    }
    found
}

fn steps(old: &Plan, new: &Plan, changes: &mut Vec<String>) {
    for step in old.steps.iter() {
        match new.steps.at(&step.path) {
            None => changes.push(format!("step `{}` is gone", step.path)),
            Some(other) => {
                let mut parts = differences(step, other);
                if step.edges != other.edges {
                    parts.push("place among the others".to_owned());
                }
                if !parts.is_empty() {
                    changes.push(format!("step `{}`: {}", step.path, parts.join(", ")));
                }
            }
        }
    }
    let added = new.steps.iter();
    for step in added.filter(|step| old.steps.at(&step.path).is_none()) {
        changes.push(format!("step `{}` is new", step.path));
    }
}

/// What is different beside the steps.
fn rest(old: &Plan, new: &Plan, changes: &mut Vec<String>) {
    let without = |plan: &Plan| {
        let mut json = serde_json::to_value(plan).unwrap_or_default();
        if let Some(map) = json.as_object_mut() {
            for key in ["steps", "source", "description", "labels", "name"] {
                map.remove(key);
            }
        }
        json
    };
    for key in keys_that_differ(&without(old), &without(new)) {
        changes.push(format!("`{key}` of the workflow differs"));
    }
}

/// The parts of a step that differ, but for texts for people and what it waits for.
fn differences(old: &Step, new: &Step) -> Vec<String> {
    let without = |step: &Step| {
        let plain = Step {
            name: None,
            description: None,
            edges: Vec::new(),
            labels: indexmap::IndexMap::new(),
            ..step.clone()
        };
        serde_json::to_value(plain).unwrap_or_default()
    };
    keys_that_differ(&without(old), &without(new))
}

fn keys_that_differ(old: &serde_json::Value, new: &serde_json::Value) -> Vec<String> {
    let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else {
        return Vec::new();
    };
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    let differing = keys
        .into_iter()
        .filter(|key| old.get(*key) != new.get(*key));
    differing.cloned().collect()
}

/// Whether the steps inside a foreach or an until are not the same ones, in the same order.
fn body_differs(old: &Plan, new: &Plan, around: &Step) -> bool {
    let inside = |plan: &Plan| -> Vec<Step> {
        let start = format!("{}.", around.path);
        let steps = plan.steps.iter();
        let inner = steps.filter(|step| step.path.as_str().starts_with(&start));
        inner.cloned().collect()
    };
    let (before, after) = (inside(old), inside(new));
    before.len() != after.len()
        || before.iter().zip(&after).any(|(old, new)| {
            old.path != new.path || old.edges != new.edges || !differences(old, new).is_empty()
        })
}
