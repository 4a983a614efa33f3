//! Events on their way into the store, cut into commits that it takes.

use super::Error;
use crate::id::Digest;
use crate::run::{Event, NewRecord, Recorded, RunSummary, instead, unrecorded};
use crate::store::BODY_BYTES_MAX;

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
    /// Code that events of it speak against.
    pub(super) withdrawn: Vec<Digest>,
    /// The size of results that were too large to be recorded just now: their attempt did not succeed.
    lost: Option<usize>,
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
            withdrawn: Vec::new(),
            lost: None,
        }
    }

    /// So many of the first events belong together.
    pub(super) fn keep_whole(&mut self, own: usize) {
        self.whole = own;
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

    /// The event as it can be recorded: one that is too large is a failure.
    ///
    /// # Errors
    /// It can't be written as a record.
    pub(super) fn fit(&mut self, mut recorded: Recorded) -> Result<(Recorded, NewRecord), Error> {
        if let Event::AttemptSucceeded(ended) = &recorded.event
            && let Some(bytes) = self.lost.take()
        {
            recorded.event = unrecorded(ended, bytes, BODY_BYTES_MAX);
        }
        let record = |recorded: &Recorded| {
            recorded
                .event
                .to_record(recorded.time, recorded.actor.clone())
        };
        let mut made = record(&recorded)?;
        let bytes = made.body.len();
        if bytes > BODY_BYTES_MAX
            && let Some(event) = instead(&recorded.event, bytes, BODY_BYTES_MAX)
        {
            tracing::warn!(
                event = event.name(),
                bytes,
                "an event is too large to be recorded"
            );
            let results = matches!(event, Event::ResultRecorded(_));
            self.lost = results.then_some(bytes);
            recorded.event = event;
            made = record(&recorded)?;
        }
        Ok((recorded, made))
    }

    /// Adds an event.
    ///
    /// # Errors
    /// It can't be written as a record.
    pub(super) fn push(&mut self, recorded: Recorded) -> Result<(), Error> {
        let record = recorded
            .event
            .to_record(recorded.time, recorded.actor.clone())?;
        self.add(recorded, record);
        Ok(())
    }

    /// Adds an event with its record.
    pub(super) fn add(&mut self, recorded: Recorded, record: NewRecord) {
        self.bytes += record.body.len();
        self.records.push(record);
        self.events.push(recorded);
    }
}
