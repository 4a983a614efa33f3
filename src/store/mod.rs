//! Where histories live: the port, and its backends. A backend appends records at an expected place and reads
//! them back; it never looks into an event.

mod codec;
pub mod conformance;
mod error;
mod lease;
mod limit;
mod lock;
pub mod memory;
mod query;
pub mod share;
pub mod sled;
mod watch;

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

pub use error::{AppendError, Error, Fault};
pub use lease::Lease;
pub use limit::{
    ACTOR_BYTES_MAX, APPEND_BYTES_MAX, APPEND_RECORDS_MAX, BODY_BYTES_MAX, SUMMARY_BYTES_MAX,
};
pub use query::{Cursor, ListQuery, PAGE_MAX, Page, ParseCursorError};
pub use watch::Watch;

use crate::id::RunId;
use crate::run::{Epoch, NewRecord, Record, RunSummary, Seq};
use crate::time::BoxFuture;

/// Keeps the history of every run, and one row per run for lists. Writers may be many: the expected place of an append
/// decides between them.
pub trait EventStore: Send + Sync + Debug {
    /// The number of this writer. One more at each open, and durable before the first append.
    fn epoch(&self) -> Epoch;

    /// Appends records to one run and replaces its row, both or neither. Acknowledged only when it is durable.
    ///
    /// Dropping the future doesn't take the append back: it may happen or not, as after a crash.
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>>;

    /// The records of a run from `from` on (the first is 1), at most `limit` of them, with checksum, order and
    /// chain checked. Nothing when the run is unknown or has no such record yet.
    fn read(
        &self,
        run: RunId,
        from: Seq,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Record>, Error>>;

    /// The row of a run.
    fn summary(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunSummary>, Error>>;

    /// One page of rows, newest first.
    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, Error>>;

    /// The runs that a person's abbreviation may mean, newest first, at most `limit`: see [`RunId::matches`].
    /// `@last` is the newest run. An end of an id is looked for among the newest [`RESOLVE_SCAN_MAX`] runs.
    fn resolve<'a>(
        &'a self,
        abbreviation: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<RunId>, Error>>;

    /// Checks everything that is stored of one run, or of all.
    fn verify(&self, run: Option<RunId>) -> BoxFuture<'_, Result<Report, Error>>;

    /// Hears of every append to a run from now on, by whomever. An append that was durable before may be heard of too.
    fn watch(&self, run: RunId) -> BoxFuture<'_, Result<Watch, Error>>;

    /// The right to drive a run: nobody else gets it while it is held. [`Error::Driven`] names who has it.
    fn lease(&self, run: RunId) -> BoxFuture<'_, Result<Lease, Error>>;
}

/// How many runs an abbreviation by its end is compared with.
pub const RESOLVE_SCAN_MAX: usize = 100_000;

/// The word for the newest run.
pub const LAST: &str = "@last";

/// Records on their way into one history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// The run.
    pub run: RunId,
    /// The last record that the writer knows; 0 for a new run.
    pub expected: Seq,
    /// What follows it: at least one, at most [`APPEND_RECORDS_MAX`].
    pub records: Vec<NewRecord>,
    /// The row after these records.
    pub summary: RunSummary,
}

/// What was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The last record of the run now.
    pub last: Seq,
    /// The records with their place, writer and link.
    pub records: Vec<Record>,
}

/// What a verification saw.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// Runs looked at.
    pub runs: u64,
    /// Records looked at.
    pub records: u64,
    /// What is wrong, at most [`Report::FAULTS_MAX`] of it.
    pub faults: Vec<Fault>,
}

impl Report {
    /// How many faults a report keeps.
    pub const FAULTS_MAX: usize = 1_000;

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// Adds a fault, up to the bound.
    pub(crate) fn fault(&mut self, fault: Fault) {
        if self.faults.len() < Self::FAULTS_MAX {
            self.faults.push(fault);
        }
    }
}

/// Checks that `record` follows the record before it: its place, and its link to the hash `previous`.
pub(crate) fn check_link(
    record: &Record,
    seq: Seq,
    previous: crate::id::Digest,
) -> Result<(), Fault> {
    let fault = |what: &str| Fault::of_record(record.run, seq, what);
    if record.seq != seq {
        return Err(fault(&format!("record {} stands in its place", record.seq)));
    }
    if record.previous != previous {
        return Err(fault("its link does not fit the record before it"));
    }
    Ok(())
}

/// Gives new records their place, writer and link.
pub(crate) fn seal(
    append: &Append,
    epoch: Epoch,
    mut previous: crate::id::Digest,
) -> (Vec<Record>, crate::id::Digest) {
    let mut seq = append.expected;
    let records = append.records.iter().map(|content| {
        seq += 1;
        let record = Record {
            run: append.run,
            seq,
            epoch,
            previous,
            content: content.clone(),
        };
        previous = record.hash();
        record
    });
    let records = records.collect();
    (records, previous)
}
