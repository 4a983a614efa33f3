//! Driving with the lease of the run, and following a run that somebody else drives.

use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument as _;

use super::history::History;
use super::{Error, Shared, drive, notebook, orphan};
use crate::id::RunId;
use crate::run::{RunState, RunStatus};
use crate::store;
use crate::time::BoxFuture;

/// How long after the last news it is tried whether the run is still driven: a driver that died says nothing.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Whether the run that made a run inside it is known to own it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// It is the one that drives it.
    Known,
    /// It is to be asked before anything of the run begins.
    Asked,
}

/// Drives a run until it has ended or only people can move it on. [`store::Error::Driven`] when somebody else does.
/// A run inside another that has not begun is driven only when that one owns it.
pub(super) async fn drive(
    shared: Arc<Shared>,
    run: RunId,
    owner: Owner,
) -> Result<RunState, Error> {
    let store = &shared.ports.store;
    loop {
        let lease = store.lease(run).await?;
        // Before the history is read, so that no append falls between.
        let foreign = store.watch(run).await?;
        let mut history = History::load(Arc::clone(&shared), run).await?;
        if owner == Owner::Asked
            && history.state().started_at.is_none()
            && !orphan::is_driven(&shared, &mut history).await?
        {
            return Ok(history.into_state());
        }
        // Whatever is logged meanwhile, in whichever room, names the run.
        let span = tracing::error_span!(target: "stepwell::run", "drive", %run);
        let state = drive::drive(history, foreign).instrument(span).await?;
        drop(lease);
        // Whoever appended while the lease was held counts on us.
        let last = store.summary(run).await?.map_or(0, |row| row.last_seq);
        if last <= state.seq || state.ending.is_some() {
            notebook::write_run(&shared, &state).await;
            return Ok(state);
        }
    }
}

/// As [`drive`], but follows the run while somebody else drives it. Its type is spelled out, since a run may hold runs
/// that hold runs.
pub(super) fn settle(
    shared: Arc<Shared>,
    run: RunId,
    owner: Owner,
) -> BoxFuture<'static, Result<RunState, Error>> {
    Box::pin(async move {
        loop {
            match drive(Arc::clone(&shared), run, owner).await {
                Err(Error::Store(store::Error::Driven { .. })) => {
                    if let Some(state) = follow(&shared, run).await? {
                        return Ok(state);
                    }
                }
                driven => return driven,
            }
        }
    })
}

/// Waits until the run has ended or only people can move it on; nothing when there was no news for a while.
async fn follow(shared: &Arc<Shared>, run: RunId) -> Result<Option<RunState>, Error> {
    let mut news = shared.ports.store.watch(run).await?;
    let mut history = History::load(Arc::clone(shared), run).await?;
    let clock = &shared.ports.clock;
    loop {
        match history.state().status() {
            RunStatus::Pending | RunStatus::Running => {}
            RunStatus::Waiting
            | RunStatus::Paused
            | RunStatus::Succeeded
            | RunStatus::Failed
            | RunStatus::Rejected
            | RunStatus::Cancelled => return Ok(Some(history.into_state())),
        }
        tokio::select! {
            changed = news.changed() => {
                if changed.is_err() {
                    return Ok(None);
                }
                history.refresh().await?;
            }
            () = clock.sleep_until(clock.now().plus(TRY_AGAIN)) => return Ok(None),
        }
    }
}
