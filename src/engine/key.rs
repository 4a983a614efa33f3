//! Names for the work that goes on for a run, so that none of it goes on twice.

use crate::id::{ApprovalId, StepPath};
use crate::run::Effect;
use crate::time::Timestamp;

/// A line of work that goes on at most once at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// Analysing or running one attempt of a step.
    Work(StepPath, u32),
    /// Looking for an earlier result.
    LookUp(StepPath),
    /// Telling a channel of a question on an occasion.
    Tell(ApprovalId, String, String),
    /// Stopping it.
    Kill(StepPath, u32),
    /// Starting or driving the run of a step.
    Child(StepPath),
    /// Waiting for news of it, when only people can move it on.
    News(StepPath),
    /// Cancelling it.
    CancelChild(StepPath),
    /// Waiting for places and locks.
    Acquire(Option<StepPath>),
    /// Sleeping until something is due.
    Sleep(StepPath, Timestamp),
    /// The same, when nobody need stay up for it.
    Doze(StepPath, Timestamp),
}

impl Key {
    /// Whether it only waits: it may be broken off as soon as nobody needs it.
    pub(super) fn only_waits(&self) -> bool {
        matches!(self, Self::Acquire(_) | Self::Sleep(..) | Self::Doze(..))
    }

    /// Whether nobody need stay up for it.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self, Self::Doze(..) | Self::News(_))
    }

    /// The work that must have ended before this begins, and is given up for it: an attempt is stopped when nobody
    /// here carries it out any more.
    pub(super) fn waits_for(&self) -> impl Iterator<Item = Self> + use<> {
        let before = match self {
            Self::Kill(step, attempt) => [Some(Self::Work(step.clone(), *attempt)), None],
            // Whoever cancels it takes over what its driver has under way.
            Self::CancelChild(step) => [
                Some(Self::Child(step.clone())),
                Some(Self::News(step.clone())),
            ],
            Self::Work(..)
            | Self::LookUp(_)
            | Self::Child(_)
            | Self::News(_)
            | Self::Acquire(_)
            | Self::Tell(..)
            | Self::Sleep(..)
            | Self::Doze(..) => [None, None],
        };
        before.into_iter().flatten()
    }

    /// The name of the work that an effect is.
    pub(super) fn of(effect: &Effect) -> Self {
        match effect {
            Effect::Analyse { step } => Self::Work(step.clone(), 0),
            Effect::LookUp { step } => Self::LookUp(step.clone()),
            Effect::Execute { step, attempt }
            | Effect::Act { step, attempt }
            | Effect::Attend { step, attempt } => Self::Work(step.clone(), *attempt),
            Effect::StartChild { step }
            | Effect::AttendChild { step, .. }
            | Effect::LookAtChild { step, .. } => Self::Child(step.clone()),
            Effect::CancelChild { step, .. } => Self::CancelChild(step.clone()),
            Effect::Acquire { step } => Self::Acquire(step.clone()),
            Effect::Tell {
                approval,
                occasion,
                channel,
            } => Self::Tell(approval.clone(), occasion.clone(), channel.clone()),
            Effect::Kill { step, attempt } => Self::Kill(step.clone(), *attempt),
            Effect::WakeAt {
                step,
                at,
                idle: false,
            } => Self::Sleep(step.clone(), *at),
            Effect::WakeAt {
                step,
                at,
                idle: true,
            } => Self::Doze(step.clone(), *at),
        }
    }
}
