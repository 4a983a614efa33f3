//! Work that a run owes now: derived from its state, never queued beside it, so a crash can't lose it.

use super::advance::deadline;
use super::state::{RunState, StepState, StepStatus};
use super::summary::RunStatus;
use crate::approval::Verdict;
use crate::id::{RunId, StepPath};
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
    /// Begin an attempt: check that what would run is what was analysed, then run it.
    Execute {
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
    /// Cancel the run of a step, and see that nothing of it lives on.
    CancelChild {
        /// The step.
        step: StepPath,
        /// Its run.
        run: RunId,
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
    for (step, step_state) in state.frontier() {
        owed.extend(owed_by(state, step, step_state, now));
        if state.stop_of(step_state.node).is_none() {
            let due = deadline(step, step_state);
            owed.extend(due.and_then(|at| wake(at, step_state.path.clone())));
        }
    }
    owed
}

fn owed_by(
    state: &RunState,
    step: &Step,
    step_state: &StepState,
    now: Timestamp,
) -> Option<Effect> {
    let path = step_state.path.clone();
    if let Some(open) = step_state.open_attempt() {
        let attempt = open.number;
        return Some(if state.stop_of(step_state.node).is_some() {
            Effect::Kill {
                step: path,
                attempt,
            }
        } else {
            Effect::Attend {
                step: path,
                attempt,
            }
        });
    }
    let stopped = state.stop_of(step_state.node).is_some();
    let child = step_state
        .children
        .last()
        .filter(|child| child.closed.is_none());
    if let Some(run) = child
        .filter(|_| step_state.status == StepStatus::Running)
        .map(|child| child.run)
    {
        return Some(if stopped {
            Effect::CancelChild { step: path, run }
        } else {
            Effect::AttendChild { step: path, run }
        });
    }
    if stopped {
        return None;
    }
    if let Some(at) = next_round(step_state).filter(|at| *at > now) {
        return Some(Effect::WakeAt {
            at,
            step: path,
            idle: false,
        });
    }
    if let StepKind::Wait(wait) = &step.kind {
        let waits = step_state.status == StepStatus::Waiting;
        let at = step_state.wakes_at().filter(|at| waits && *at > now)?;
        let idle = wait.signal().is_some();
        return Some(Effect::WakeAt {
            at,
            step: path,
            idle,
        });
    }
    if state.paused.is_some() {
        return None;
    }
    if matches!(step.kind, StepKind::Workflow(_)) && step_state.status == StepStatus::Ready {
        return Some(Effect::StartChild { step: path });
    }
    let python = matches!(step.kind, StepKind::Python(_));
    if !python || step_state.status != StepStatus::Ready {
        return None;
    }
    let Some(analysis) = &step_state.analysis else {
        return Some(Effect::Analyse { step: path });
    };
    if analysis.decision.verdict != Verdict::Pass && !step_state.code_approved {
        return None;
    }
    let attempt = u32::try_from(step_state.attempts.len())
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    match &step_state.retry {
        Some(retry) if retry.at > now => Some(Effect::WakeAt {
            at: retry.at,
            step: path,
            idle: false,
        }),
        Some(_) | None => Some(Effect::Execute {
            step: path,
            attempt,
        }),
    }
}

/// When the next round of an until begins.
fn next_round(step_state: &StepState) -> Option<Timestamp> {
    let rounds = step_state.rounds.as_ref()?;
    let last = rounds.closed.last()?;
    (rounds.closed.len() == rounds.frames.len()).then_some(last.next_at)?
}
