//! What a clock brings about: deadlines of steps, the time limit of the run.

use super::block;
use crate::code;
use crate::expression::format_duration;
use crate::failure::{Failure, FailureKind};
use crate::id::StepPath;
use crate::plan::Step;
use crate::run::event::{Empty, Event};
use crate::run::frame::Stop;
use crate::run::payload::DeadlinePassed;
use crate::run::retry::Moment;
use crate::run::state::{RunState, StepState, StepStatus};
use crate::time::Timestamp;

/// The run's time is over.
pub(super) fn run_is_over(state: &RunState, moment: Moment) -> Option<Event> {
    let limit = state.plan.timeout?;
    let stopped = state.frame(0).is_some_and(|frame| frame.stop.is_some());
    let over = !stopped && state.clock.at(moment.now) >= limit;
    over.then_some(Event::RunTimedOut(Empty {}))
}

/// The step's deadline has passed.
pub(super) fn is_past_deadline(
    step: &Step,
    step_state: &StepState,
    moment: Moment,
) -> Option<Event> {
    let due = deadline(step, step_state)?;
    (due <= moment.now && step_state.stop.is_none()).then(|| {
        Event::DeadlinePassed(DeadlinePassed {
            step: step_state.path.clone(),
        })
    })
}

/// When the deadline of a step that has not ended passes.
pub(in crate::run) fn deadline(step: &Step, step_state: &StepState) -> Option<Timestamp> {
    let ready_at = step_state
        .ready_at
        .filter(|_| !step_state.status.is_settled())?;
    Some(ready_at.plus(step.deadline?))
}

/// Why a run failed whose time was over, and the step that it stopped.
pub(super) fn timed_out(state: &RunState) -> Option<(StepPath, Failure)> {
    let stop = state.frame(0)?.stop.as_ref()?;
    let limit = state.plan.timeout.filter(|_| *stop == Stop::Timeout)?;
    let mut steps = state
        .own_steps()
        .filter(|(_, step)| step.status == StepStatus::Cancelled);
    let step = steps
        .next()
        .map(|(_, step_state)| block::origin(state, step_state.node));
    let message = format!("the run took longer than {}", format_duration(limit));
    let failure = Failure::new(FailureKind::Timeout, code::RUN_TIMEOUT, message).hint(
        "raise `timeout` of the workflow; time in which only people were waited for is not counted",
    );
    Some((step.unwrap_or_else(|| StepPath::new("")), failure))
}
