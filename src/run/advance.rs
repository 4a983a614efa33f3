//! Bookkeeping that needs nothing from outside: steps become ready, are skipped, give their values; runs end.

mod evaluate;
mod finish;

use indexmap::IndexMap;

use evaluate::{evaluate, text, truth, values};
use finish::finish;

use super::decide::{next_approval, on_reject};
use super::event::{Event, StepNamed};
use super::payload::{
    ApprovalClosed, ApprovalRequested, ArmTried, BranchChosen, Closed, StepBlocked, StepFailed,
    StepReady, StepSucceeded, Subject, Values,
};
use super::scope::RunScope;
use super::state::{RunState, StepState, StepStatus};
use crate::canonical::canonical_json;
use crate::code;
use crate::expression::{Expression, Template};
use crate::failure::{Failure, FailureKind};
use crate::id::{Digest, StepPath};
use crate::plan::{
    ApprovalStep, Arm, Edge, EdgeKind, OnFailure, OnReject, Step, StepKind, SwitchStep,
};

/// One round of bookkeeping: what follows at once from the state. Empty when nothing does.
///
/// The events of a round concern different steps, so their order does not matter; what follows from
/// them is the next round's.
#[must_use]
pub fn advance(state: &RunState) -> Vec<Event> {
    if state.ending.is_some() || state.started_at.is_none() {
        return Vec::new();
    }
    if state.all_settled() {
        return vec![finish(state)];
    }
    state
        .frontier()
        .flat_map(|(step, step_state)| step_events(state, step, step_state))
        .collect()
}

fn step_events(state: &RunState, step: &Step, step_state: &StepState) -> Vec<Event> {
    let cancelled = || {
        Event::StepCancelled(StepNamed {
            step: step.path.clone(),
        })
    };
    match step_state.status {
        StepStatus::Pending | StepStatus::Ready
            if state.cancel.is_some() && step_state.open_attempt().is_none() =>
        {
            vec![cancelled()]
        }
        StepStatus::Waiting | StepStatus::Unknown if state.cancel.is_some() => {
            let mut events: Vec<Event> = step_state
                .approval
                .iter()
                .filter(|id| {
                    state
                        .approvals
                        .get(*id)
                        .is_some_and(|asked| asked.closed.is_none())
                })
                .map(|id| {
                    Event::ApprovalClosed(ApprovalClosed {
                        approval: id.clone(),
                        outcome: Closed::Superseded,
                        by: "engine".to_owned(),
                    })
                })
                .collect();
            events.push(cancelled());
            events
        }
        StepStatus::Pending => enter(state, step, step_state),
        StepStatus::Ready => work(state, step, step_state).unwrap_or_else(|failure| {
            vec![Event::StepFailed(StepFailed {
                step: step.path.clone(),
                failure,
            })]
        }),
        StepStatus::Running => leave_arm(state, step, step_state),
        StepStatus::Waiting
        | StepStatus::Unknown
        | StepStatus::Succeeded
        | StepStatus::Failed
        | StepStatus::Skipped
        | StepStatus::NotRun
        | StepStatus::Rejected
        | StepStatus::Cancelled => Vec::new(),
    }
}

/// A step whose edges are settled: not run, skipped, failed on its inputs, or ready and at work.
fn enter(state: &RunState, step: &Step, step_state: &StepState) -> Vec<Event> {
    let path = step.path.clone();
    let lifted = step
        .condition
        .as_ref()
        .is_some_and(Expression::uses_status_function);
    if !lifted && let Some((why, only_skips)) = blocked(state, &step.edges) {
        return vec![Event::StepNotRun(StepBlocked {
            step: path,
            why,
            only_skips,
        })];
    }
    match admit(state, step) {
        Ok(None) => {
            let source = step
                .condition
                .as_ref()
                .map(Expression::source)
                .unwrap_or_default();
            let why = format!("its condition was false: {source}");
            vec![Event::StepSkipped(StepBlocked {
                step: path,
                why,
                only_skips: true,
            })]
        }
        Ok(Some(ready)) => {
            let mut events = vec![Event::StepReady(ready)];
            events.extend(work(state, step, step_state).unwrap_or_else(|failure| {
                vec![Event::StepFailed(StepFailed {
                    step: path,
                    failure,
                })]
            }));
            events
        }
        Err(failure) => vec![Event::StepFailed(StepFailed {
            step: path,
            failure,
        })],
    }
}

/// Why a step can't run, and whether only skips are to blame. `None` = nothing stands in its way.
fn blocked(state: &RunState, edges: &[Edge]) -> Option<(String, bool)> {
    let mut found: Option<(String, bool)> = None;
    for edge in edges {
        let Some((from, from_state)) = state.step(&edge.from) else {
            continue;
        };
        let only_skips = match from_state.status {
            StepStatus::Succeeded => continue,
            StepStatus::Failed if from.on_failure == OnFailure::Continue => continue,
            StepStatus::Skipped => true,
            StepStatus::NotRun => from_state.only_skips,
            StepStatus::Pending
            | StepStatus::Ready
            | StepStatus::Running
            | StepStatus::Waiting
            | StepStatus::Failed
            | StepStatus::Rejected
            | StepStatus::Cancelled
            | StepStatus::Unknown => false,
        };
        let passes = match edge.kind {
            EdgeKind::After => true,
            EdgeKind::Previous => only_skips,
            EdgeKind::Needs | EdgeKind::Reference => false,
        };
        if !passes {
            let why = format!("step `{}` is {}", edge.from, from_state.status.as_str());
            // One real obstacle outweighs any number of skips.
            match &found {
                Some((_, false)) => {}
                Some((_, true)) | None => found = Some((why, only_skips)),
            }
        }
    }
    found
}

/// Evaluates condition, inputs and environment. `None` = the condition is false.
fn admit(state: &RunState, step: &Step) -> Result<Option<StepReady>, Failure> {
    let scope = RunScope::new(state);
    if let Some(condition) = &step.condition
        && !truth(condition, &scope, "if")?
    {
        return Ok(None);
    }
    let mut env = IndexMap::new();
    for (name, template) in &step.env {
        let value = evaluate(template, &scope, &format!("env.{name}"))?;
        env.insert(name.clone(), text(&value, &format!("env.{name}"))?);
    }
    Ok(Some(StepReady {
        step: step.path.clone(),
        inputs: values(&step.with, &scope, "with")?,
        env,
        condition: step
            .condition
            .as_ref()
            .map(|condition| condition.source().to_owned()),
    }))
}

/// What a ready step does by itself. Python waits for effects.
fn work(state: &RunState, step: &Step, step_state: &StepState) -> Result<Vec<Event>, Failure> {
    match &step.kind {
        StepKind::Python(_) => Ok(Vec::new()),
        StepKind::Set(set) => {
            let outputs = values(&set.values, &RunScope::new(state), "set")?;
            Ok(vec![Event::StepSucceeded(StepSucceeded {
                step: step.path.clone(),
                outputs,
            })])
        }
        StepKind::Switch(switch) => choose(state, step, switch),
        StepKind::Approval(approval) => ask(state, step, step_state, approval),
    }
}

fn choose(state: &RunState, step: &Step, switch: &SwitchStep) -> Result<Vec<Event>, Failure> {
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

fn ask(
    state: &RunState,
    step: &Step,
    step_state: &StepState,
    approval: &ApprovalStep,
) -> Result<Vec<Event>, Failure> {
    let scope = RunScope::new(state);
    let mut show = Values::new();
    for entry in &approval.show {
        // What is not there is shown as not there: the person decides what that means.
        let value = entry.value.evaluate(&scope).map_or_else(
            |error| serde_json::Value::from(format!("(not available: {})", error.message)),
            |value| value.to_json(),
        );
        show.insert(entry.text.clone(), value);
    }
    let title = text(
        &evaluate(&approval.title, &scope, "approval.title")?,
        "approval.title",
    )?;
    let reviewers = match &approval.reviewers {
        Some(template) => {
            let place = "approval.reviewers";
            Some(text(&evaluate(template, &scope, place)?, place)?)
        }
        None => None,
    };
    let mut form = approval.form.clone();
    for (name, field) in &mut form {
        if let Some(default) = &field.default {
            let value = evaluate(default, &scope, &format!("approval.form.{name}.default"))?;
            field.default = Some(Template::Literal(value.to_json()));
        }
    }
    let subject = canonical_json(&serde_json::json!({"title": title, "show": show, "form": form}));
    Ok(vec![Event::ApprovalRequested(ApprovalRequested {
        approval: next_approval(state, &step.path, step_state),
        step: step.path.clone(),
        subject: Subject::Step,
        subject_digest: Digest::of(&subject),
        title,
        reason: format!("step `{}` asks", step.path),
        reviewers,
        form,
        show,
        on_reject: approval.on_reject,
    })])
}

/// A switch whose arm has come to its end settles like it.
fn leave_arm(state: &RunState, step: &Step, step_state: &StepState) -> Vec<Event> {
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

fn internal(message: &str) -> Failure {
    Failure::new(FailureKind::Internal, code::INTERNAL, message)
}
