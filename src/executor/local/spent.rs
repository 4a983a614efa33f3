//! What an attempt has taken: time, processors, memory. A supervisor may have had others before it.

use std::time::{Duration, Instant};

use nix::sys::resource::{Usage as ResourceUsage, UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use crate::executor::Usage;

/// Runs from the beginning of an attempt.
pub(super) struct Clock {
    begun: Instant,
    /// What the children of this process had used before.
    before: Usage,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            begun: Instant::now(),
            before: used(),
        }
    }

    pub(super) fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// What the processes of the attempt have used, all of them gone. The system knows the greatest memory of all children
    /// that this process ever had: when an earlier one had more, that of the attempt is what it says itself. One
    /// that says nothing had no more than that.
    pub(super) fn usage(&self, said_kib: Option<u64>) -> Usage {
        let (before, now) = (&self.before, used());
        let mut max_rss_bytes = now.max_rss_bytes;
        if max_rss_bytes == before.max_rss_bytes {
            let said = said_kib.map(|kib| kib.saturating_mul(1024));
            max_rss_bytes = said.map_or(max_rss_bytes, |said| said.min(max_rss_bytes));
        }
        Usage {
            max_rss_bytes,
            user_seconds: now.user_seconds - before.user_seconds,
            system_seconds: now.system_seconds - before.system_seconds,
        }
    }
}

fn used() -> Usage {
    let used: Option<ResourceUsage> = getrusage(UsageWho::RUSAGE_CHILDREN).ok();
    used.map_or_else(Usage::default, |used| Usage {
        max_rss_bytes: u64::try_from(used.max_rss()).unwrap_or(0) * 1024,
        user_seconds: seconds(used.user_time().num_microseconds()),
        system_seconds: seconds(used.system_time().num_microseconds()),
    })
}

fn seconds(micros: i64) -> f64 {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0)).as_secs_f64()
}
