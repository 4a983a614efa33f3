//! Looking on while a run goes on, whoever drives it.

use super::Exit;
use super::error::Error;
use super::interrupt::Interrupts;
use super::open::Opened;
use crate::code;
use crate::id::RunId;
use crate::store::Watch;

/// Hears of a run's events until somebody has seen enough.
pub(super) struct Follower {
    watch: Watch,
    interrupts: Interrupts,
}

impl Follower {
    /// Listens from now on. What was appended before is read by the caller, after this.
    pub(super) async fn of(opened: &Opened, run: RunId) -> Result<Self, Error> {
        let interrupts = Interrupts::listen().map_err(|error| {
            Error::new(
                Exit::Internal,
                code::INTERNAL,
                format!("the signals can't be heard: {error}"),
            )
        })?;
        Ok(Self {
            watch: opened.engine.watch(run).await?,
            interrupts,
        })
    }

    /// Waits until something is appended. False: nothing more is to be heard, or somebody pressed Ctrl-C.
    pub(super) async fn news(&mut self) -> bool {
        tokio::select! {
            heard = self.watch.changed() => heard.is_ok(),
            () = self.interrupts.next() => false,
        }
    }
}
