//! How long a run has been running: time in which only people could move it on, or in which it was paused,
//! is not counted.

use std::time::Duration;

use super::state::RunState;
use super::summary::RunStatus;
use crate::time::Timestamp;

/// The running time of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunClock {
    /// What was counted up to the last time that it stood still.
    counted: Duration,
    /// Since when it goes, if it does.
    since: Option<Timestamp>,
}

impl RunClock {
    /// The running time at `now`.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Duration {
        let going = self.since.map(|since| now.since(since));
        self.counted.saturating_add(going.unwrap_or_default())
    }

    /// When the running time will be `limit`, if the clock goes.
    #[must_use]
    pub fn reaches(&self, limit: Duration) -> Option<Timestamp> {
        let since = self.since?;
        Some(since.plus(limit.saturating_sub(self.counted)))
    }
}

impl RunState {
    /// Winds the clock after an event at `at`. Only runs with a time limit have one: it costs a look at the run.
    pub(super) fn wind(&mut self, at: Timestamp) {
        if self.plan.timeout.is_none() {
            return;
        }
        let counted = self.clock.at(at);
        let goes = self.status() == RunStatus::Running;
        self.clock = RunClock {
            counted,
            since: goes.then_some(at),
        };
    }
}
