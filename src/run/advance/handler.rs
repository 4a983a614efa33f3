//! Handlers: they are started, run out of time, end; and the end of a run that has some.

use super::{block, finish};
use crate::code;
use crate::expression::format_duration;
use crate::failure::{Failure, FailureKind};
use crate::plan::{HandlerKind, OnFailure};
use crate::run::event::Event;
use crate::run::handler::{HandlerState, specific};
use crate::run::payload::{BlockStatus, HandlerEnded, HandlerNamed};
use crate::run::retry::Moment;
use crate::run::state::{RunState, StepStatus};
use crate::run::summary::RunStatus;

/// What handlers do that are under way, and those that an open question calls for.
pub(super) fn follow(state: &RunState, moment: Moment) -> Vec<Event> {
    let mut events: Vec<Event> = state
        .open_handlers()
        .filter_map(|handler| under_way(state, handler, moment))
        .collect();
    if state.plan.handlers.of(HandlerKind::Waiting).is_empty() {
        return events;
    }
    let known = |named: &HandlerNamed| {
        let mut handlers = state.handlers.iter();
        handlers.any(|handler| handler.named == *named)
    };
    let wanted = state.open_approvals().map(|asked| HandlerNamed {
        kind: HandlerKind::Waiting,
        about: Some(asked.request.approval.clone()),
    });
    let new = wanted.filter(|named| !known(named));
    events.extend(new.map(Event::HandlerStarted));
    events
}

fn under_way(state: &RunState, handler: &HandlerState, moment: Moment) -> Option<Event> {
    let steps = state.plan.handlers.of(handler.named.kind);
    if let Some(ended) = block::ended(state, handler.frame, steps) {
        let failure = if handler.timed_out {
            Some(too_long(state))
        } else {
            failure_of(&ended)
        };
        return Some(Event::HandlerEnded(HandlerEnded {
            handler: handler.named.clone(),
            failure,
        }));
    }
    let due = handler.started_at.plus(state.handler_timeout());
    (due <= moment.now && !handler.timed_out).then(|| Event::HandlerTimedOut(handler.named.clone()))
}

fn too_long(state: &RunState) -> Failure {
    let limit = format_duration(state.handler_timeout());
    let message = format!("the handler took longer than {limit}");
    Failure::new(FailureKind::Timeout, code::HANDLER_TIMED_OUT, message)
        .hint("`handlers.timeout` sets the time of each handler")
}

fn failure_of(ended: &block::Ended) -> Option<Failure> {
    match ended.status {
        BlockStatus::Succeeded | BlockStatus::Cancelled => None,
        BlockStatus::Failed => ended.failure.clone(),
        BlockStatus::Rejected => {
            let why = ended.why.clone().unwrap_or_default();
            Some(Failure::new(FailureKind::Policy, code::REJECTED, why))
        }
    }
}

/// What follows when the run's own steps have settled: the decision, its handlers one after the other, the end.
pub(super) fn conclude(state: &RunState) -> Vec<Event> {
    let Some(decided) = &state.decided else {
        let decided = finish::decided(state);
        let none_open = state.open_handlers().next().is_none();
        return vec![if none_open && closing(state, decided.status).is_empty() {
            finish::terminal(&decided, warnings(state))
        } else {
            Event::RunDecided(decided)
        }];
    };
    for kind in closing(state, decided.status) {
        let mut handlers = state.handlers.iter();
        match handlers.find(|handler| handler.named.kind == kind) {
            Some(handler) if handler.ended.is_none() => return Vec::new(),
            Some(_) => {}
            None => {
                return vec![Event::HandlerStarted(HandlerNamed { kind, about: None })];
            }
        }
    }
    if state.open_handlers().next().is_some() {
        return Vec::new();
    }
    vec![finish::terminal(decided, warnings(state))]
}

/// The handlers of a run that ends so, in their order.
fn closing(state: &RunState, status: RunStatus) -> Vec<HandlerKind> {
    let kinds = specific(status).into_iter().chain([HandlerKind::Finish]);
    kinds
        .filter(|kind| !state.plan.handlers.of(*kind).is_empty())
        .collect()
}

/// What went wrong in handlers. It never changes the result, and is shown.
fn warnings(state: &RunState) -> Vec<String> {
    let mut warnings = Vec::new();
    for handler in &state.handlers {
        if let Some((_, Some(failure))) = &handler.ended {
            warnings.push(format!("`{}` failed: {}", handler.path(), failure.message));
        }
        for (step, step_state) in state.steps_under(handler.frame) {
            let tolerated = step.failure_means() != OnFailure::Fail;
            if step_state.status == StepStatus::Failed && tolerated {
                let failure = step_state.failure.as_ref();
                let message = failure.map_or("", |failure| failure.message.as_str());
                warnings.push(format!("step `{}` failed: {message}", step_state.path));
            }
        }
    }
    warnings
}
