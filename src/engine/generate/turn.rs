//! Whose turn it is to call a generator that has a budget: what a call costs is known when it has ended, and two that
//! begin together would both find the budget unspent.

use std::fs::{File, TryLockError};
use std::time::Duration;

use tokio::sync::MutexGuard;

use super::{Place, ledger};
use crate::code;
use crate::engine::execute::note;
use crate::executor::make_dir;
use crate::failure::{Failure, FailureKind};
use crate::generator::set::Entry;

/// Between two looks at the lock that another process holds.
const PAUSE: Duration = Duration::from_millis(50);

/// The turn, until it is dropped. The system takes it back from a process that dies.
#[derive(Default)]
pub(super) struct Turn<'a> {
    /// Among the steps of this process.
    _here: Option<MutexGuard<'a, ()>>,
    /// Among all processes of the data folder, for the sum of a month; a run is driven by one process.
    _everywhere: Option<File>,
}

/// Waits for the turn to call this generator, and none for one without a budget.
pub(super) async fn wait<'a>(
    place: &Place<'a>,
    name: &str,
    entry: &Entry,
) -> Result<Turn<'a>, Failure> {
    if entry.budget.is_none() {
        return Ok(Turn::default());
    }
    let here = place.shared.paying.lock().await;
    let everywhere = match entry.budget.per_month {
        Some(_) => Some(lock(place, name).await?),
        None => None,
    };
    Ok(Turn {
        _here: Some(here),
        _everywhere: everywhere,
    })
}

async fn lock(place: &Place<'_>, name: &str) -> Result<File, Failure> {
    let folder = ledger::folder(place.shared);
    let path = folder.join(format!("{name}.lock"));
    let fault = |error: std::io::Error| {
        let message = format!("{} can't be locked: {error}", path.display());
        let failure = Failure::new(FailureKind::Infrastructure, code::FILE_UNWRITABLE, message);
        failure.hint("check rights and space of the data folder; nothing was asked")
    };
    make_dir(&folder).map_err(fault)?;
    let file = File::create(&path).map_err(fault)?;
    let clock = &place.shared.ports.clock;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                if !told {
                    let text = format!(
                        "waits for its turn: another process calls `{name}`, which has a budget"
                    );
                    note(place.shared, place.state, place.step_state, &text);
                    told = true;
                }
                clock.sleep_until(clock.now().plus(PAUSE)).await;
            }
            Err(TryLockError::Error(error)) => return Err(fault(error)),
        }
    }
}
