//! Switches: the arm that is taken, and how the switch ends with it.

use super::evaluate::{truth, values};
use super::internal;
use crate::failure::Failure;
use crate::id::StepPath;
use crate::plan::{Arm, OnFailure, OnReject, Step, StepKind, SwitchStep};
use crate::run::decide::on_reject;
use crate::run::event::{Event, StepNamed};
use crate::run::payload::{ArmTried, BranchChosen, StepBlocked, StepFailed, StepSucceeded};
use crate::run::scope::RunScope;
use crate::run::state::{RunState, StepState, StepStatus};

/// Takes the first arm whose condition is true.
pub(super) fn choose(
    state: &RunState,
    step: &Step,
    switch: &SwitchStep,
) -> Result<Vec<Event>, Failure> {
    let scope = RunScope::new(state);
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
                step: step.path.clone(),
                arm,
                tried,
            })]);
        }
    }
    let why = "no condition of the switch was true and it has no else".to_owned();
    Ok(vec![Event::StepSkipped(StepBlocked {
        step: step.path.clone(),
        why,
        only_skips: true,
    })])
}

/// A switch whose arm has come to its end settles like it.
pub(super) fn leave_arm(state: &RunState, step: &Step, step_state: &StepState) -> Vec<Event> {
    let (StepKind::Switch(switch), Some(branch)) = (&step.kind, &step_state.branch) else {
        return Vec::new();
    };
    let Some(arm) = switch.arms.iter().find(|arm| arm.name == branch.arm) else {
        return Vec::new();
    };
    let inner: Vec<(&Step, &StepState)> = arm
        .steps
        .iter()
        .filter_map(|path| state.step(path))
        .collect();
    if inner.iter().any(|(_, inner)| !inner.status.is_settled()) {
        return Vec::new();
    }
    let path = step.path.clone();
    if state.cancel.is_some() {
        return vec![Event::StepCancelled(StepNamed { step: path })];
    }
    for (inner, inner_state) in inner {
        match inner_state.status {
            StepStatus::Failed if inner.on_failure == OnFailure::Fail => {
                let failure = inner_state
                    .failure
                    .clone()
                    .unwrap_or_else(|| internal("no failure"));
                return vec![Event::StepFailed(StepFailed {
                    step: path,
                    failure,
                })];
            }
            StepStatus::Rejected if on_reject(inner) != OnReject::Skip => {
                let why = inner_state.why.clone().unwrap_or_default();
                return vec![Event::StepRejected(StepBlocked {
                    step: path,
                    why,
                    only_skips: false,
                })];
            }
            StepStatus::Pending
            | StepStatus::Ready
            | StepStatus::Running
            | StepStatus::Waiting
            | StepStatus::Unknown
            | StepStatus::Succeeded
            | StepStatus::Failed
            | StepStatus::Skipped
            | StepStatus::NotRun
            | StepStatus::Rejected
            | StepStatus::Cancelled => {}
        }
    }
    vec![hand_out(state, path, arm)]
}

fn hand_out(state: &RunState, step: StepPath, arm: &Arm) -> Event {
    match values(&arm.set, &RunScope::new(state), "set") {
        Ok(outputs) => Event::StepSucceeded(StepSucceeded { step, outputs }),
        Err(failure) => Event::StepFailed(StepFailed { step, failure }),
    }
}
