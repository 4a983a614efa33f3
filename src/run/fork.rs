//! What a fork takes over from the run that it is made from, and what it does itself.

use std::collections::BTreeSet;

use serde_json::Value;

use super::payload::{CopiedItems, StepCopied, Values};
use super::record::Seq;
use super::state::{RunState, StepState, StepStatus};
use crate::id::StepPath;
use crate::plan::{Plan, Step, StepKind};

/// What a fork copies and what it does itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Forking {
    /// Steps that are copied, what stands inside before what stands around it.
    pub copied: Vec<StepCopied>,
    /// Steps of the run itself that the fork runs, in reading order.
    pub runs: Vec<StepPath>,
    /// Of those, the ones that ended well in the other run and that a change affects.
    pub affected: Vec<StepPath>,
    /// Of those, the ones that may write, or run another workflow.
    pub writes: Vec<StepPath>,
}

/// Chooses: `state` is the run as it was at the point of the fork, `plan` the plan of the fork, `inputs` its inputs;
/// `ended` says with which event a step of the run ended.
#[must_use]
pub fn forking(
    state: &RunState,
    plan: &Plan,
    inputs: &Values,
    ended: &dyn Fn(&StepPath) -> Option<Seq>,
) -> Forking {
    let affected = affected(state, plan, inputs);
    let mut forking = Forking::default();
    let mut taken = BTreeSet::new();
    for (step, step_state) in state.steps_of(0) {
        if step.parent.is_none() && is_done(step_state) && !affected.contains(&step.path) {
            take(state, step, &mut taken);
        }
    }
    // Containers stand before what is inside them; copies go the other way round.
    let mut own: Vec<(&Step, &StepState)> = state.steps_of(0).collect();
    own.reverse();
    for (step, step_state) in own {
        if taken.contains(&step.path) {
            // A step that went with the one around it has no event of its own.
            let around = step.parent.as_ref().map(|parent| &parent.step);
            let seq = ended(&step_state.path).or_else(|| ended(around?));
            let seq = seq.unwrap_or(state.seq);
            forking.copied.push(copy(state, step, step_state, seq));
        }
    }
    let copied: BTreeSet<&StepPath> = forking.copied.iter().map(|copy| &copy.step).collect();
    for (step, step_state) in state.steps_of(0) {
        if copied.contains(&step.path) {
            continue;
        }
        forking.runs.push(step.path.clone());
        if is_done(step_state) && step_state.status == StepStatus::Succeeded {
            forking.affected.push(step.path.clone());
        }
        if writes(plan, step) {
            forking.writes.push(step.path.clone());
        }
    }
    forking
}

fn is_done(state: &StepState) -> bool {
    matches!(state.status, StepStatus::Succeeded | StepStatus::Skipped)
}

/// The step and everything that stands in it, in the frame of the run.
fn take(state: &RunState, step: &Step, taken: &mut BTreeSet<StepPath>) {
    taken.insert(step.path.clone());
    for inner in step.kind.children() {
        if let Some(inner) = state.plan.steps.at(inner) {
            take(state, inner, taken);
        }
    }
}

fn copy(state: &RunState, step: &Step, from: &StepState, seq: Seq) -> StepCopied {
    let source = from.copied_from;
    let well = from.status == StepStatus::Succeeded;
    let status = match from.status {
        StepStatus::Succeeded | StepStatus::Skipped => from.status,
        // Inside a container that ended well, what failed was tolerated; it has no outputs either way.
        StepStatus::Pending
        | StepStatus::Ready
        | StepStatus::Running
        | StepStatus::Waiting
        | StepStatus::Failed
        | StepStatus::NotRun
        | StepStatus::Rejected
        | StepStatus::Cancelled
        | StepStatus::Unknown => StepStatus::NotRun,
    };
    let items = from.map.as_ref().filter(|_| well);
    StepCopied {
        step: step.path.clone(),
        run: state.run,
        seq: source
            .filter(|(run, _)| *run == state.run)
            .map_or(seq, |(_, seq)| seq),
        status,
        inputs: from.inputs.clone(),
        outputs: from.outputs.clone().filter(|_| well),
        result: from.result.as_deref().filter(|_| well).cloned(),
        branch: from.branch.as_deref().filter(|_| well).cloned(),
        items: items.map(|map| CopiedItems {
            items: map.items.to_vec(),
            keys: map.keys.to_vec(),
            closed: map
                .closed
                .iter()
                .map(|closed| closed.as_deref().cloned())
                .collect(),
        }),
        why: from.why.clone(),
        only_skips: from.only_skips,
    }
}

/// Steps of the run itself that a change reaches: by what they read, or by a step that they depend on.
fn affected(state: &RunState, plan: &Plan, inputs: &Values) -> BTreeSet<StepPath> {
    let before = &state.created.inputs;
    let names = before.keys().chain(inputs.keys());
    let changed: BTreeSet<&str> = names
        .filter(|name| before.get(*name) != inputs.get(*name))
        .map(String::as_str)
        .collect();
    let mut reached = BTreeSet::new();
    for step in plan.steps.iter() {
        let same = state.plan.steps.at(&step.path) == Some(step);
        if !same || (!changed.is_empty() && reads(step, &changed)) {
            reach(plan, step, &mut reached);
        }
    }
    reached
}

/// The step, what stands around it and everything that waits for one of these.
fn reach(plan: &Plan, step: &Step, reached: &mut BTreeSet<StepPath>) {
    if !reached.insert(step.path.clone()) {
        return;
    }
    let around = step.parent.as_ref();
    if let Some(around) = around.and_then(|parent| plan.steps.at(&parent.step)) {
        reach(plan, around, reached);
    }
    let index = plan.steps.position(&step.path);
    let dependents = index.map_or(&[][..], |index| plan.steps.dependents(index));
    for dependent in dependents.iter().filter_map(|index| plan.steps.get(*index)) {
        reach(plan, dependent, reached);
    }
}

/// Whether anything of the step reads one of these inputs. It looks at the text of the whole step, so that no
/// field is forgotten; when in doubt it says yes.
fn reads(step: &Step, changed: &BTreeSet<&str>) -> bool {
    let step = serde_json::to_value(step).unwrap_or_default();
    any_text(&step, &|text| mentions(text, changed))
}

fn any_text(value: &Value, test: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => test(text),
        Value::Array(items) => items.iter().any(|item| any_text(item, test)),
        Value::Object(map) => map.values().any(|value| any_text(value, test)),
    }
}

fn mentions(text: &str, changed: &BTreeSet<&str>) -> bool {
    const WORD: &str = "inputs";
    text.match_indices(WORD).any(|(at, _)| {
        let rest = text.get(at + WORD.len()..).unwrap_or_default();
        let Some(name) = rest.strip_prefix('.') else {
            // A subscript, the whole map, or just a word of a text.
            return true;
        };
        let end = name.find(|c: char| !c.is_alphanumeric() && c != '_');
        let (name, after) = name.split_at(end.unwrap_or(name.len()));
        changed.contains(name) || after.starts_with('(')
    })
}

/// Whether running the step may change something outside.
fn writes(plan: &Plan, step: &Step) -> bool {
    let own = |step: &Step| step.kind.writes() || matches!(step.kind, StepKind::Workflow(_));
    let start = format!("{}.", step.path);
    let mut inside = plan.steps.iter();
    own(step) || inside.any(|inner| inner.path.as_str().starts_with(&start) && own(inner))
}
