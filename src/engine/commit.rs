//! Events on their way into the store, cut into commits that it takes.

use super::Error;
use crate::run::{NewRecord, Recorded, RunSummary};

/// Events of one durable write.
const COMMIT_RECORDS_MAX: usize = 512;
/// Bytes of event bodies after which a durable write takes no further event: 8 MiB.
const COMMIT_BYTES_MAX: usize = 8 << 20;

/// Events that were folded and are to be appended, in order.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) commits: Vec<Commit>,
    events: Vec<Recorded>,
    records: Vec<NewRecord>,
    bytes: usize,
    /// How many of the first events must not be torn apart: what a command itself means.
    whole: usize,
}

/// One durable write.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) events: Vec<Recorded>,
    pub(super) records: Vec<NewRecord>,
    /// The row of the run after exactly these events: it is never ahead of what is durable.
    pub(super) row: RunSummary,
}

impl Batch {
    /// A batch whose first `own` events are what a command means.
    pub(super) fn of_command(own: usize) -> Self {
        Self {
            commits: Vec::new(),
            events: Vec::new(),
            records: Vec::new(),
            bytes: 0,
            whole: own,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.commits.is_empty() && self.records.is_empty()
    }

    /// Whether the next event belongs into a commit of its own.
    pub(super) fn is_full(&self) -> bool {
        let full = self.records.len() >= COMMIT_RECORDS_MAX || self.bytes >= COMMIT_BYTES_MAX;
        full && (!self.commits.is_empty() || self.records.len() >= self.whole)
    }

    /// Ends the commit; `row` is that of the run after the last event that was pushed.
    pub(super) fn cut(&mut self, row: RunSummary) {
        if self.records.is_empty() {
            return;
        }
        self.bytes = 0;
        self.commits.push(Commit {
            events: std::mem::take(&mut self.events),
            records: std::mem::take(&mut self.records),
            row,
        });
    }

    /// Adds an event.
    ///
    /// # Errors
    /// It can't be written as a record.
    pub(super) fn push(&mut self, recorded: Recorded) -> Result<(), Error> {
        let record = recorded
            .event
            .to_record(recorded.time, recorded.actor.clone())?;
        self.bytes += record.body.len();
        self.records.push(record);
        self.events.push(recorded);
        Ok(())
    }
}
