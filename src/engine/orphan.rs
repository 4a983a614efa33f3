//! Runs inside runs that nobody owns: the step that made one was stopped, or began anew, before it was recorded as its
//! own. Such a run never begins; it is cancelled by whoever finds it.

use std::sync::Arc;

use super::history::{self, History};
use super::{Error, Shared};
use crate::id::{RunId, StepPath};
use crate::run::payload::Trigger;
use crate::run::{Actor, Command, RunState, Seq, StepStatus};

/// How a run that was made for a step stands to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It is recorded as the run of the step.
    Owned,
    /// The step will find it and take it as its own: then it is driven from there.
    Awaited,
    /// Nobody will.
    Orphan,
}

/// Whether a run that has not begun is to be driven: it is no run inside another, or owned. An orphan is cancelled; it
/// is driven only when handlers are left that its author wants at such an end.
pub(super) async fn is_driven(shared: &Arc<Shared>, history: &mut History) -> Result<bool, Error> {
    match standing(shared, history.state()).await? {
        Standing::Owned => Ok(true),
        Standing::Awaited => Ok(false),
        Standing::Orphan => {
            let reason = match &history.state().created.trigger {
                Trigger::Parent { run, step } => Some(format!(
                    "step `{step}` of {run} was stopped before this run was its own"
                )),
                Trigger::Manual | Trigger::Fork { .. } => None,
            };
            history
                .submit(Command::Cancel { reason }, Actor::Engine)
                .await?;
            // A run that was cancelled before it began begins only to end: none of its steps does.
            history.submit(Command::Start, Actor::Engine).await?;
            history.advance().await?;
            Ok(history.state().ending.is_none())
        }
    }
}

/// The run that a step has just made, when this is how it says so.
pub(super) fn made_by(command: &Command) -> Option<RunId> {
    if let Command::Since(_, command) = command {
        return made_by(command);
    }
    if let Command::ChildStarted(started) = command {
        return Some(started.run);
    }
    None
}

/// Cancels a run that its step did not take, if nobody will. What can't be done now is done when it is found.
pub(super) async fn put_down(shared: &Arc<Shared>, run: RunId) {
    let looked = async {
        let mut history = History::load(Arc::clone(shared), run).await?;
        if history.state().started_at.is_none() && history.state().ending.is_none() {
            is_driven(shared, &mut history).await?;
        }
        Ok::<(), Error>(())
    };
    if let Err(error) = looked.await {
        tracing::warn!(%run, %error, "a run that nobody owns could not be cancelled");
    }
}

async fn standing(shared: &Shared, state: &RunState) -> Result<Standing, Error> {
    let Trigger::Parent { run, step } = &state.created.trigger else {
        return Ok(Standing::Owned);
    };
    if state.ending.is_some() {
        return Ok(Standing::Owned);
    }
    match history::replay(shared, *run, Seq::MAX).await {
        Ok(parent) => Ok(stands(&parent, step, state.run)),
        Err(Error::NoRun(_)) => Ok(Standing::Orphan),
        Err(error) => Err(error),
    }
}

fn stands(parent: &RunState, path: &StepPath, run: RunId) -> Standing {
    let Some((_, step)) = parent.step(path) else {
        return Standing::Orphan;
    };
    if step.children.iter().any(|child| child.run == run) {
        return Standing::Owned;
    }
    let stopped = parent.ending.is_some() || parent.stop_of(step.node).is_some();
    if !stopped && step.status == StepStatus::Ready && super::child::next_run(parent, step) == run {
        return Standing::Awaited;
    }
    Standing::Orphan
}
