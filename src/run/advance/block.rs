//! Steps that belong together, an arm, a branch, an item, a round: how they ended as one.

use super::internal;
use crate::failure::{Failure, FailureKind};
use crate::id::StepPath;
use crate::plan::{OnFailure, OnReject, Step};
use crate::run::decide::on_reject;
use crate::run::frame::{NodeId, Stop};
use crate::run::payload::{BlockStatus, Values};
use crate::run::state::{RunState, StepState, StepStatus};
use crate::{code, plan};

/// How steps that belong together ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ended {
    pub(super) status: BlockStatus,
    pub(super) failure: Option<Failure>,
    pub(super) why: Option<String>,
}

impl Ended {
    fn plain(status: BlockStatus) -> Self {
        Self {
            status,
            failure: None,
            why: None,
        }
    }
}

/// The steps of a container in one frame.
pub(super) fn inside<'a>(
    state: &'a RunState,
    frame: usize,
    paths: &'a [StepPath],
) -> impl Iterator<Item = (&'a Step, &'a StepState)> {
    paths.iter().filter_map(move |path| {
        let steps: &plan::Steps = &state.plan.steps;
        let (body, place) = steps.home(steps.position(path)?)?;
        let here = state.frame(frame).filter(|frame| frame.body == body);
        here.and_then(|_| state.node(NodeId { frame, place }))
    })
}

/// How these steps ended as one; `None` as long as one of them has not settled.
pub(super) fn ended(state: &RunState, frame: usize, paths: &[StepPath]) -> Option<Ended> {
    let mut first: Option<(&StepState, Ended)> = None;
    let mut cancelled = false;
    for (step, inner) in inside(state, frame, paths) {
        if !inner.status.is_settled() {
            return None;
        }
        cancelled |= inner.status == StepStatus::Cancelled;
        let Some(bad) = broken(step, inner) else {
            continue;
        };
        // The first in time is what went wrong.
        if first
            .as_ref()
            .is_none_or(|(known, _)| inner.ended_at < known.ended_at)
        {
            first = Some((inner, bad));
        }
    }
    if let Some((_, bad)) = first {
        return Some(bad);
    }
    let ended_well = matches!(
        state.frame(frame).and_then(|frame| frame.stop.as_ref()),
        Some(Stop::Succeeded { .. })
    );
    let stopped = cancelled && !ended_well;
    Some(Ended::plain(if stopped {
        BlockStatus::Cancelled
    } else {
        BlockStatus::Succeeded
    }))
}

/// What a step that ended badly does to the steps around it; `None` when it is tolerated.
pub(super) fn broken(step: &Step, state: &StepState) -> Option<Ended> {
    if state.status == StepStatus::Failed && step.failure_means() == OnFailure::Fail {
        let failure = state
            .failure
            .as_deref()
            .map_or_else(|| internal("no failure"), Failure::clone);
        return Some(Ended {
            failure: Some(failure),
            ..Ended::plain(BlockStatus::Failed)
        });
    }
    if state.status != StepStatus::Rejected {
        return None;
    }
    let why = state.why.clone().unwrap_or_default();
    match on_reject(step) {
        OnReject::Skip => None,
        OnReject::Reject => Some(Ended {
            why: Some(why),
            ..Ended::plain(BlockStatus::Rejected)
        }),
        OnReject::Fail => Some(Ended {
            failure: Some(Failure::new(FailureKind::Policy, code::REJECTED, why)),
            ..Ended::plain(BlockStatus::Failed)
        }),
    }
}

/// The outputs of each step inside by its id; steps without outputs are left out.
pub(super) fn outputs_by_id(state: &RunState, frame: usize, paths: &[StepPath]) -> Values {
    inside(state, frame, paths)
        .filter_map(|(step, inner)| {
            let outputs = inner.outputs.clone()?;
            Some((step.id.clone(), serde_json::Value::Object(outputs)))
        })
        .collect()
}

/// The innermost step that a failure came from.
pub(super) fn origin(state: &RunState, node: NodeId) -> StepPath {
    let Some((step, step_state)) = state.node(node) else {
        return StepPath::new("");
    };
    let inner = step_state
        .inner_frames()
        .last()
        .filter(|_| step_state.map.is_none());
    let item = step_state.map.as_ref().and_then(|map| {
        let closed = map.closed.iter().position(|closed| {
            closed
                .as_ref()
                .is_some_and(|closed| closed.failure.is_some())
        });
        map.frames.get(closed?).copied().flatten()
    });
    let paths = step.kind.body();
    let frame = item.or(inner).unwrap_or(node.frame);
    let mut bad: Vec<&StepState> = inside(state, frame, paths.as_slice())
        .filter(|(step, inner)| broken(step, inner).is_some_and(|ended| ended.failure.is_some()))
        .map(|(_, inner)| inner)
        .collect();
    bad.sort_by_key(|inner| inner.ended_at);
    match bad.first() {
        Some(inner) => origin(state, inner.node),
        None => step_state.path.clone(),
    }
}
