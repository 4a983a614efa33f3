//! Bookkeeping: what follows from the state alone. Steps become ready, ask, are skipped, end; runs end.
//!
//! Every consequence is derived here and none is only ever written beside its cause, so a history that was
//! cut off at any event goes on from there.

mod action;
mod approval;
mod attempts;
mod block;
mod child;
mod enter;
mod evaluate;
mod finish;
mod handler;
mod leave;
mod map;
mod parallel;
mod python;
mod question;
mod queue;
mod rules;
mod switch;
mod time;
mod until;
mod wait;

pub use map::{ITEMS_MAX, KEY_CHARS_MAX};
pub use python::blocked;
pub use rules::ask_rules;
pub(super) use time::deadline;

use super::event::Event;
use super::frame::Stop;
use super::payload::{StepSucceeded, Values};
use super::retry::Moment;
use super::rewind;
use super::scope::RunScope;
use super::state::{RunState, StepState, StepStatus};
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::plan::{Step, StepKind};
use evaluate::{evaluate, text, values};

/// One round of bookkeeping: what follows at once from the state. Empty when nothing does.
///
/// The events of a round concern different steps, so their order does not matter; what follows from
/// them is the next round's.
#[must_use]
pub fn advance(state: &RunState, moment: Moment) -> Vec<Event> {
    if state.ending.is_some() || state.started_at.is_none() {
        return Vec::new();
    }
    let settled = state.all_settled();
    if !settled && let Some(event) = time::run_is_over(state, moment) {
        return vec![event];
    }
    if !settled && let Some(events) = gate(state) {
        return events;
    }
    // Alone in its round: it concerns many steps.
    if let Some(rewound) = rewind::next(state) {
        return vec![rewound];
    }
    let mut events: Vec<Event> = state
        .frontier()
        .flat_map(|(step, step_state)| follow(state, step, step_state, moment))
        .collect();
    events.extend(handler::follow(state, moment));
    if settled {
        events.extend(handler::conclude(state));
    }
    events
}

/// What the place of the run in its group brings about before anything else may begin.
fn gate(state: &RunState) -> Option<Vec<Event>> {
    let failure = match queue::run(state) {
        Ok(event) => return event.map(|event| vec![event]),
        Err(failure) => failure,
    };
    // Without a group nothing may begin: every step that would fails with the reason.
    let due = state.frontier().filter(|(_, step)| step.node.frame == 0);
    let due = due.filter(|(_, step)| state.stop_of(step.node).is_none());
    let failed: Vec<Event> = due
        .map(|(_, step)| leave::failed(step, failure.clone()))
        .collect();
    (!failed.is_empty()).then_some(failed)
}

fn follow(state: &RunState, step: &Step, step_state: &StepState, moment: Moment) -> Vec<Event> {
    if state.stop_of(step_state.node).is_some() {
        return stopped(state, step, step_state, moment);
    }
    if let Some(event) = time::is_past_deadline(step, step_state, moment) {
        return vec![event];
    }
    match step_state.status {
        // A paused run begins nothing new; what is under way comes to its end.
        StepStatus::Pending | StepStatus::Ready if state.is_held_back(step_state.node) => {
            Vec::new()
        }
        StepStatus::Pending => enter::enter(state, step, step_state, moment),
        StepStatus::Ready => ready(state, step, step_state, moment)
            .unwrap_or_else(|failure| vec![leave::failed(step_state, failure)]),
        StepStatus::Running => running(state, step, step_state, moment),
        StepStatus::Waiting => {
            if let StepKind::Wait(wait) = &step.kind {
                wait::waiting(state, step_state, wait, moment)
            } else {
                question::tend(state, step_state, moment.now)
            }
        }
        StepStatus::Unknown => attempts::unknown(state, step, step_state, moment.now),
        StepStatus::Succeeded
        | StepStatus::Failed
        | StepStatus::Skipped
        | StepStatus::NotRun
        | StepStatus::Rejected
        | StepStatus::Cancelled => Vec::new(),
    }
}

/// What becomes of a step that is not to run on. An open attempt is stopped first, by an effect; what stands
/// inside a container is put down before it.
fn stopped(state: &RunState, step: &Step, step_state: &StepState, moment: Moment) -> Vec<Event> {
    if step_state.open_attempt().is_some() {
        return Vec::new();
    }
    if matches!(state.stop_of(step_state.node), Some(Stop::Rewound { .. })) {
        return held_back(state, step, step_state, moment);
    }
    if step_state.status == StepStatus::Running {
        running(state, step, step_state, moment)
    } else {
        leave::put_down(state, step, step_state)
    }
}

/// What still happens to a step that is about to begin anew: its question is closed. It does not end. What
/// became of an interrupted write must be known first.
fn held_back(state: &RunState, step: &Step, step_state: &StepState, moment: Moment) -> Vec<Event> {
    if step_state.status == StepStatus::Unknown {
        return attempts::unknown(state, step, step_state, moment.now);
    }
    question::supersede(state, step_state)
}

fn ready(
    state: &RunState,
    step: &Step,
    step_state: &StepState,
    moment: Moment,
) -> Result<Vec<Event>, Failure> {
    let scope = RunScope::at(state, step_state.node.frame);
    if let StepKind::Python(_) = &step.kind {
        let events = python::ready(state, step, step_state, moment);
        // Code queues when nothing else stands in its way, so that nobody waits for people with a lock in hand.
        let queued = if events.is_empty() && python::may_begin(step, step_state) {
            queue::step(state, step, step_state)?
        } else {
            None
        };
        return Ok(events.into_iter().chain(queued).collect());
    }
    if let Some(event) = queue::step(state, step, step_state)? {
        return Ok(vec![event]);
    }
    if step_state
        .slots
        .as_ref()
        .is_some_and(|slots| !slots.admitted)
    {
        return Ok(Vec::new());
    }
    match &step.kind {
        // Above.
        StepKind::Python(_) => Ok(Vec::new()),
        StepKind::Set(set) => {
            let outputs = values(&set.values, &scope, "set")?;
            Ok(vec![succeeded(step_state, outputs)])
        }
        StepKind::Switch(switch) => switch::choose(state, step_state, switch),
        StepKind::Approval(approval) => approval::work(state, step_state, approval, moment.now),
        StepKind::Foreach(foreach) => map::expand(state, step_state, foreach),
        StepKind::Until(until) => Ok(until::running(state, step, step_state, until, moment)),
        StepKind::Parallel(parallel) => Ok(parallel::running(state, step, step_state, parallel)),
        StepKind::Fail(fail) => {
            let message = text(
                &evaluate(&fail.message, &scope, "fail.message")?,
                "fail.message",
            )?;
            Err(Failure::new(FailureKind::Code, code::DECLARED, message))
        }
        StepKind::Succeed(_) => Ok(vec![succeeded(step_state, Values::new())]),
        // A wait has begun with its readiness; the run of a workflow step is started by an effect.
        StepKind::Wait(_) | StepKind::Workflow(_) => Ok(Vec::new()),
        StepKind::Http(_) | StepKind::Notify(_) | StepKind::Notebook(_) | StepKind::Action(_) => {
            Ok(attempts::follow(step, step_state, moment)
                .into_iter()
                .collect())
        }
    }
}

/// What a step that is under way does without help: it ends, or what stands inside it goes on.
fn running(state: &RunState, step: &Step, step_state: &StepState, moment: Moment) -> Vec<Event> {
    if let Some(event) = queue::rest(state, step, step_state) {
        return vec![event];
    }
    match &step.kind {
        StepKind::Switch(switch) => switch::running(state, step, step_state, switch),
        StepKind::Foreach(foreach) => map::running(state, step, step_state, foreach),
        StepKind::Until(until) => until::running(state, step, step_state, until, moment),
        StepKind::Parallel(parallel) => parallel::running(state, step, step_state, parallel),
        StepKind::Workflow(workflow) => child::running(state, step, step_state, workflow),
        StepKind::Python(_)
        | StepKind::Set(_)
        | StepKind::Approval(_)
        | StepKind::Wait(_)
        | StepKind::Http(_)
        | StepKind::Notify(_)
        | StepKind::Notebook(_)
        | StepKind::Action(_)
        | StepKind::Fail(_)
        | StepKind::Succeed(_) => attempts::running(step, step_state),
    }
}

fn succeeded(step_state: &StepState, outputs: Values) -> Event {
    Event::StepSucceeded(StepSucceeded {
        step: step_state.path.clone(),
        outputs,
    })
}

fn internal(message: &str) -> Failure {
    Failure::new(FailureKind::Internal, code::INTERNAL, message)
}
