//! Work that a run owes now: derived from its state, never queued beside it, so a crash can't lose it.

use super::advance::deadline;
use super::cache;
use super::question::ApprovalState;
use super::state::{RunState, Slots, StepState, StepStatus};
use super::summary::RunStatus;
use crate::approval::Verdict;
use crate::id::{ApprovalId, RunId, StepPath};
use crate::plan::{Step, StepKind};
use crate::time::Timestamp;

/// Something that the engine must do for a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Analyse the code of a step and ask the policy.
    Analyse {
        /// The step.
        step: StepPath,
    },
    /// Look for an earlier result of the step's code.
    LookUp {
        /// The step.
        step: StepPath,
    },
    /// Begin an attempt: check that what would run is what was analysed, then run it.
    Execute {
        /// The step.
        step: StepPath,
        /// Number of the attempt.
        attempt: u32,
    },
    /// Begin an attempt of a step that is one act on the outside: a request, a message, a notebook.
    Act {
        /// The step.
        step: StepPath,
        /// Number of the attempt.
        attempt: u32,
    },
    /// See an attempt to its end: by whoever began it, or, after a crash, by finding out what became of it.
    Attend {
        /// The step.
        step: StepPath,
        /// Number of the attempt.
        attempt: u32,
    },
    /// Stop an attempt of a cancelled run and make sure that no process of it is alive.
    Kill {
        /// The step.
        step: StepPath,
        /// Number of the attempt.
        attempt: u32,
    },
    /// Start the run of a step.
    StartChild {
        /// The step.
        step: StepPath,
    },
    /// Drive the run of a step.
    AttendChild {
        /// The step.
        step: StepPath,
        /// Its run.
        run: RunId,
    },
    /// See whether people have moved the run of a step on, which must not be driven before there is a place for it.
    LookAtChild {
        /// The step.
        step: StepPath,
        /// Its run.
        run: RunId,
    },
    /// Cancel the run of a step, and see that nothing of it lives on.
    CancelChild {
        /// The step.
        step: StepPath,
        /// Its run.
        run: RunId,
    },
    /// Wait for places in groups and for locks, and take them.
    Acquire {
        /// The step; none = the run itself.
        step: Option<StepPath>,
    },
    /// Tell a channel of a question.
    Tell {
        /// The question.
        approval: ApprovalId,
        /// What for, for example `asked`.
        occasion: String,
        /// The channel of config.yml.
        channel: String,
    },
    /// Look again at this time.
    WakeAt {
        /// When.
        at: Timestamp,
        /// The step that waits for it.
        step: StepPath,
        /// Whether it is only a limit on what people do: nobody need stay up for it.
        idle: bool,
    },
}

impl Effect {
    /// The step that it is work for.
    #[must_use]
    pub fn step(&self) -> Option<&StepPath> {
        match self {
            Self::Analyse { step }
            | Self::LookUp { step }
            | Self::Execute { step, .. }
            | Self::Act { step, .. }
            | Self::Attend { step, .. }
            | Self::Kill { step, .. }
            | Self::StartChild { step }
            | Self::AttendChild { step, .. }
            | Self::LookAtChild { step, .. }
            | Self::CancelChild { step, .. } => Some(step),
            Self::Acquire { step } => step.as_ref(),
            Self::Tell { .. } | Self::WakeAt { .. } => None,
        }
    }
}

/// What the run owes at `now`.
#[must_use]
pub fn effects(state: &RunState, now: Timestamp) -> Vec<Effect> {
    if state.ending.is_some() || state.started_at.is_none() {
        return Vec::new();
    }
    // While only people can move the run on, nobody need stay up for the limits on what they do.
    let idle = state.status() == RunStatus::Waiting;
    let wake =
        |at: Timestamp, step: StepPath| (at > now).then_some(Effect::WakeAt { at, step, idle });
    let limit = state
        .plan
        .timeout
        .and_then(|limit| state.clock.reaches(limit));
    let mut owed: Vec<Effect> = limit
        .and_then(|at| wake(at, StepPath::new("")))
        .into_iter()
        .collect();
    let waits = |slots: &Option<Slots>| slots.as_ref().is_some_and(|slots| !slots.admitted);
    if waits(&state.slots) && !idle && state.cancel.is_none() && state.paused.is_none() {
        owed.push(Effect::Acquire { step: None });
    }
    for (step, step_state) in state.frontier() {
        let node = step_state.node;
        if waits(&step_state.slots) && state.stop_of(node).is_none() && !state.is_held_back(node) {
            // While people are waited for, what was given up for them is not taken back.
            owed.extend(if idle {
                look(step_state)
            } else {
                let step = Some(step_state.path.clone());
                Some(Effect::Acquire { step })
            });
            continue;
        }
        owed.extend(owed_by(state, step, step_state, now));
        if state.stop_of(step_state.node).is_none() {
            let due = deadline(step, step_state);
            owed.extend(due.and_then(|at| wake(at, step_state.path.clone())));
        }
    }
    for asked in state.open_approvals() {
        owed.extend(to_tell(asked));
    }
    let handlers = state.open_handlers().filter(|handler| !handler.timed_out);
    // A handler that has work under way keeps the engine up by that.
    owed.extend(handlers.map(|handler| Effect::WakeAt {
        at: handler.started_at.plus(state.handler_timeout()),
        step: handler.path(),
        idle: true,
    }));
    owed
}

/// The channels that have yet to hear of an open question.
fn to_tell(asked: &ApprovalState) -> Vec<Effect> {
    let occasion = asked.occasion();
    let new = asked.request.rules.notify.iter().filter_map(|channel| {
        let key = (occasion.clone(), channel.clone());
        (!asked.told.contains(&key)).then(|| Effect::Tell {
            approval: asked.request.approval.clone(),
            occasion: key.0,
            channel: key.1,
        })
    });
    new.collect()
}

fn owed_by(
    state: &RunState,
    step: &Step,
    step_state: &StepState,
    now: Timestamp,
) -> Option<Effect> {
    let path = step_state.path.clone();
    let stopped = state.stop_of(step_state.node).is_some();
    if let Some(open) = step_state.open_attempt() {
        let (step, attempt) = (path, open.number);
        return Some(if stopped {
            Effect::Kill { step, attempt }
        } else {
            Effect::Attend { step, attempt }
        });
    }
    if let Some(effect) = child(step_state, stopped) {
        // The run inside goes on under the places that this one holds, never without them.
        let waits = |slots: &Slots| !slots.admitted;
        let held =
            state.is_held_back(step_state.node) || step_state.slots.as_ref().is_some_and(waits);
        if stopped || !held {
            return Some(effect);
        }
        return look(step_state).filter(|_| state.paused.is_none());
    }
    if stopped {
        return None;
    }
    if let Some((at, idle)) = sleeps_until(state, step, step_state) {
        let step = path;
        return (at > now).then_some(Effect::WakeAt { at, step, idle });
    }
    if state.is_held_back(step_state.node) || step_state.status != StepStatus::Ready {
        return None;
    }
    if cache::is_owed(step, step_state) && cache::refused(state, step_state).is_none() {
        return Some(Effect::LookUp { step: path });
    }
    if step_state.look.reused.is_some() {
        return None;
    }
    if step.wants_places() && step_state.slots.is_none() && step_state.analysis.is_some() {
        // The bookkeeping queues it first.
        return None;
    }
    if matches!(step.kind, StepKind::Workflow(_)) {
        return Some(Effect::StartChild { step: path });
    }
    if step.kind.is_action() {
        return Some(attempt(step_state, now, true));
    }
    step.kind.as_python()?;
    code(step_state, now)
}

/// What is owed to the run that a step started.
fn child(step_state: &StepState, stopped: bool) -> Option<Effect> {
    let child = step_state.children.last()?;
    if child.closed.is_some() || step_state.status != StepStatus::Running {
        return None;
    }
    let (step, run) = (step_state.path.clone(), child.run);
    Some(if stopped {
        Effect::CancelChild { step, run }
    } else {
        Effect::AttendChild { step, run }
    })
}

/// What is owed to the run of a step that waited for people when its places were given up.
fn look(step_state: &StepState) -> Option<Effect> {
    step_state.waiting_child()?;
    let (step, run) = (step_state.path.clone(), step_state.children.last()?.run);
    Some(Effect::LookAtChild { step, run })
}

/// When a step that waits goes on, and whether that is only a limit on what others do.
fn sleeps_until(
    state: &RunState,
    step: &Step,
    step_state: &StepState,
) -> Option<(Timestamp, bool)> {
    if let Some(at) = limit_on_people(state, step_state) {
        return Some((at, true));
    }
    if let StepKind::Wait(wait) = &step.kind {
        let waits = step_state.status == StepStatus::Waiting;
        let at = step_state.wakes_at().filter(|_| waits)?;
        return Some((at, wait.signal().is_some()));
    }
    step_state.next_round().map(|at| (at, false))
}

/// What is owed to the code of a ready step.
fn code(step_state: &StepState, now: Timestamp) -> Option<Effect> {
    let step = step_state.path.clone();
    let Some(analysis) = &step_state.analysis else {
        return Some(Effect::Analyse { step });
    };
    if analysis.decision.verdict != Verdict::Pass && !step_state.code_approved {
        return None;
    }
    Some(attempt(step_state, now, false))
}

/// The next attempt of a ready step, or the time until it; an act or code.
fn attempt(step_state: &StepState, now: Timestamp, act: bool) -> Effect {
    let step = step_state.path.clone();
    let attempt = u32::try_from(step_state.attempts.len())
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    match &step_state.retry {
        Some(retry) if retry.at > now => Effect::WakeAt {
            at: retry.at,
            step,
            idle: false,
        },
        Some(_) | None if act => Effect::Act { step, attempt },
        Some(_) | None => Effect::Execute { step, attempt },
    }
}

/// When people are reminded of the step's question, or its time is over.
fn limit_on_people(state: &RunState, step_state: &StepState) -> Option<Timestamp> {
    state.approvals.get(step_state.approval.as_ref()?)?.due_at()
}
