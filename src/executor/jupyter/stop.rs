//! Ends an attempt whose time is over or that nobody wants any more: interrupt, then a new start, then removal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::server::Server;
use crate::executor::Job;
use crate::executor::local::folder::Folder;
use crate::executor::verdict::Stop;

/// Between two looks at the wish to cancel.
const LOOK: Duration = Duration::from_millis(50);
/// How long the kernel may take to end the code after its grace, and to say what it left.
const END_GRACE: Duration = Duration::from_secs(6);
/// How much later than the kernel itself the engine ends an attempt.
const LATE: Duration = Duration::from_secs(10);

/// Watches over one attempt from outside of the kernel.
pub(super) struct Stopper {
    pub(super) server: Server,
    pub(super) kernel: String,
    pub(super) folder: Folder,
    /// Whether the kernel was taken away from the code.
    pub(super) forced: Arc<AtomicBool>,
}

impl Stopper {
    /// Returns only when the kernel had to be taken away.
    pub(super) async fn watch(&self, job: &Job, why: &std::sync::Mutex<Option<Stop>>) {
        let grace = job.limits.stop_grace;
        let late = grace.saturating_add(LATE);
        // A time-out beyond the clock is none.
        let until = Instant::now().checked_add(job.timeout.saturating_add(late));
        let stop = loop {
            if self.folder.is_to_cancel() {
                break Stop::Cancel;
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                break Stop::Timeout;
            }
            tokio::time::sleep(LOOK).await;
        };
        *why.lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(stop);
        self.told("interrupt", self.server.interrupt(&self.kernel).await);
        tokio::time::sleep(grace.saturating_add(END_GRACE)).await;
        self.forced.store(true, Ordering::SeqCst);
        self.told("restart", self.server.restart(&self.kernel).await);
        self.told("delete", self.server.delete(&self.kernel).await);
    }

    fn told(&self, what: &str, done: Result<(), crate::failure::Failure>) {
        if let Err(failure) = done {
            tracing::warn!(kernel = %self.kernel, %what, %failure.message, "a kernel did not obey");
        }
    }
}
