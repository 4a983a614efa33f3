//! Switches: the arm that is taken, and how the switch ends with it.

use super::evaluate::{truth, values};
use super::{block, leave};
use crate::failure::Failure;
use crate::plan::{Arm, Step, SwitchStep};
use crate::run::event::Event;
use crate::run::payload::{ArmTried, BranchChosen, StepBlocked, StepSucceeded};
use crate::run::scope::RunScope;
use crate::run::state::{RunState, StepState};

/// Takes the first arm whose condition is true.
pub(super) fn choose(
    state: &RunState,
    step_state: &StepState,
    switch: &SwitchStep,
) -> Result<Vec<Event>, Failure> {
    let scope = RunScope::at(state, step_state.node.frame);
    let mut tried = Vec::new();
    for arm in &switch.arms {
        let taken = match &arm.when {
            Some(when) => truth(when, &scope, &format!("switch.{}.when", arm.name))?,
            None => true,
        };
        tried.push(ArmTried {
            arm: arm.name.clone(),
            value: taken,
        });
        if taken {
            let arm = arm.name.clone();
            return Ok(vec![Event::BranchChosen(BranchChosen {
                step: step_state.path.clone(),
                arm,
                tried,
            })]);
        }
    }
    let why = "no condition of the switch was true and it has no else".to_owned();
    Ok(vec![Event::StepSkipped(StepBlocked {
        step: step_state.path.clone(),
        why,
        only_skips: true,
    })])
}

/// A switch whose arm has come to its end settles like it.
pub(super) fn running(
    state: &RunState,
    step: &Step,
    step_state: &StepState,
    switch: &SwitchStep,
) -> Vec<Event> {
    let Some(branch) = &step_state.branch else {
        return Vec::new();
    };
    let Some(arm) = switch.arms.iter().find(|arm| arm.name == branch.arm) else {
        return Vec::new();
    };
    let frame = step_state.node.frame;
    let Some(ended) = block::ended(state, frame, &arm.steps) else {
        return Vec::new();
    };
    vec![match leave::block(state, step, step_state, &ended) {
        Some(event) => event,
        None => hand_out(state, step_state, arm),
    }]
}

fn hand_out(state: &RunState, step_state: &StepState, arm: &Arm) -> Event {
    let scope = RunScope::at(state, step_state.node.frame);
    match values(&arm.set, &scope, "set") {
        Ok(outputs) => Event::StepSucceeded(StepSucceeded {
            step: step_state.path.clone(),
            outputs,
        }),
        Err(failure) => leave::failed(step_state, failure),
    }
}
