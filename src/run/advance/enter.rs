//! Steps whose edges are settled: not run, skipped, failed on their inputs, or ready.

use indexmap::IndexMap;

use super::evaluate::{evaluate, text, truth};
use super::{action, wait};
use crate::expression::{Expression, Template};
use crate::failure::Failure;
use crate::plan::{Edge, EdgeKind, OnFailure, PythonStep, Step, StepKind};
use crate::run::event::Event;
use crate::run::payload::{StepBlocked, StepFailed, StepReady, TaskText};
use crate::run::retry::Moment;
use crate::run::scope::RunScope;
use crate::run::state::{RunState, StepState, StepStatus};

/// A step whose edges are settled: what becomes of it.
pub(super) fn enter(
    state: &RunState,
    step: &Step,
    step_state: &StepState,
    moment: Moment,
) -> Vec<Event> {
    let path = step_state.path.clone();
    let lifted = step
        .condition
        .as_ref()
        .is_some_and(Expression::uses_status_function);
    if !lifted && let Some((why, only_skips)) = blocked(state, step_state.node.frame, &step.edges) {
        return vec![Event::StepNotRun(StepBlocked {
            step: path,
            why,
            only_skips,
        })];
    }
    match admit(state, step, step_state, moment) {
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
        Ok(Some(ready)) => vec![Event::StepReady(ready)],
        Err(failure) => vec![Event::StepFailed(StepFailed {
            step: path,
            failure,
        })],
    }
}

/// Why a step can't run, and whether only skips are to blame. `None` = nothing stands in its way.
fn blocked(state: &RunState, frame: usize, edges: &[Edge]) -> Option<(String, bool)> {
    let mut found: Option<(String, bool)> = None;
    for edge in edges {
        let index = state.plan.steps.position(&edge.from);
        let node = index.and_then(|index| state.seen_from(frame, index));
        let Some((from, from_state)) = node.and_then(|node| state.node(node)) else {
            continue;
        };
        // A handler runs whatever became of the steps that it speaks of.
        if from_state.node.frame == 0 && state.handler_around(frame).is_some() {
            continue;
        }
        let only_skips = match from_state.status {
            StepStatus::Succeeded => continue,
            StepStatus::Failed if from.failure_means() == OnFailure::Continue => continue,
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
            let why = format!("step `{}` {}", from_state.path, from_state.status.told());
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
fn admit(
    state: &RunState,
    step: &Step,
    step_state: &StepState,
    moment: Moment,
) -> Result<Option<StepReady>, Failure> {
    let scope = RunScope::at(state, step_state.node.frame);
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
        step: step_state.path.clone(),
        inputs: if let StepKind::Wait(wait) = &step.kind {
            wait::inputs(wait, &scope, moment)?
        } else {
            action::inputs(step, &scope)?
        },
        env,
        idempotency_key: idempotency_key(step, &scope)?,
        task: task(step, &scope)?,
        condition: step
            .condition
            .as_ref()
            .map(|condition| condition.source().to_owned()),
    }))
}

/// Of a step that runs code; the others have it among their inputs.
fn idempotency_key(step: &Step, scope: &RunScope<'_>) -> Result<Option<String>, Failure> {
    let place = "idempotency_key";
    let template = step.idempotency_key.as_ref();
    template
        .filter(|_| step.kind.as_python().is_some())
        .map(|template| text(&evaluate(template, scope, place)?, place))
        .transpose()
}

/// What the code of the step shall be written for.
fn task(step: &Step, scope: &RunScope<'_>) -> Result<Option<TaskText>, Failure> {
    let Some(task) = step.kind.as_python().and_then(PythonStep::task) else {
        return Ok(None);
    };
    let told = |template: &Template, place: &str| text(&evaluate(template, scope, place)?, place);
    let maybe = |template: &Option<Template>, place: &str| {
        template
            .as_ref()
            .map(|template| told(template, place))
            .transpose()
    };
    let expects = task.expects.as_ref();
    let requirements = task.requirements.iter();
    Ok(Some(TaskText {
        task: told(&task.task, "python.task")?,
        expects: expects
            .map(|expects| evaluate(expects, scope, "python.expects").map(|value| value.to_json()))
            .transpose()?,
        requirements: requirements
            .map(|template| told(template, "python.requirements"))
            .collect::<Result<_, _>>()?,
        user_query: maybe(&task.user_query, "python.user_query")?,
        context: maybe(&task.context, "python.context")?,
    }))
}
