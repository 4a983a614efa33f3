//! Parallel: branches go on at the same time and end together.

use serde_json::Value;

use super::{block, leave};
use crate::id::StepPath;
use crate::plan::{ParallelStep, Step};
use crate::run::event::Event;
use crate::run::payload::{StepSucceeded, Values};
use crate::run::state::{RunState, StepState};

/// The end of a parallel whose branches have all come to theirs.
pub(super) fn running(
    state: &RunState,
    step: &Step,
    step_state: &StepState,
    parallel: &ParallelStep,
) -> Vec<Event> {
    let frame = step_state.node.frame;
    let all: Vec<StepPath> = parallel
        .branches
        .iter()
        .flat_map(|branch| branch.steps.iter().cloned())
        .collect();
    let Some(ended) = block::ended(state, frame, &all) else {
        return Vec::new();
    };
    if let Some(event) = leave::block(state, step, step_state, &ended) {
        return vec![event];
    }
    let outputs: Values = parallel
        .branches
        .iter()
        .map(|branch| {
            let inner = block::outputs_by_id(state, frame, &branch.steps);
            (branch.name.clone(), Value::Object(inner))
        })
        .collect();
    vec![Event::StepSucceeded(StepSucceeded {
        step: step_state.path.clone(),
        outputs,
    })]
}
