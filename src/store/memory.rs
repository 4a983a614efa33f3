//! A store in memory: for tests, and the plain model that every other backend is compared with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::watch::Watches;
use super::{
    Append, AppendError, Appended, Cursor, Error, EventStore, Fault, LAST, Lease, ListQuery, Page,
    Report, Watch, check_link, limit, seal,
};
use crate::artifact::DiskError;
use crate::id::RunId;
use crate::run::{Epoch, Record, RunSummary, Seq};
use crate::time::BoxFuture;

/// How a store in memory breaks, for tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// The append with this number (from 1, refusals not counted) fails and nothing of it is stored.
    Before(u64),
    /// It is stored, but its acknowledgement is lost: the writer hears of an error.
    After(u64),
}

/// Keeps histories in memory. Clones share what is stored and the writer's number.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    shared: Arc<Mutex<Shared>>,
    watches: Arc<Watches>,
    epoch: Epoch,
    breaks: Option<Break>,
}

#[derive(Debug, Clone, Default)]
struct Shared {
    epoch: Epoch,
    runs: BTreeMap<RunId, Run>,
    /// Every append in order: what a crash cuts.
    appends: Vec<(Vec<Record>, RunSummary)>,
    broken: bool,
}

#[derive(Debug, Clone)]
struct Run {
    records: Vec<Record>,
    summary: RunSummary,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::over(Shared::default())
    }

    /// An empty store that breaks so, and takes no append after that, as the contract says.
    #[must_use]
    pub fn breaking(breaks: Break) -> Self {
        Self {
            breaks: Some(breaks),
            ..Self::new()
        }
    }

    /// The same histories under a new writer, as after a restart. The writer before is fenced.
    #[must_use]
    pub fn reopen(&self) -> Self {
        let epoch = self.locked(|shared| {
            shared.epoch += 1;
            shared.broken = false;
            shared.epoch
        });
        Self {
            shared: Arc::clone(&self.shared),
            watches: Arc::clone(&self.watches),
            epoch,
            breaks: None,
        }
    }

    /// What a crash leaves when only the first `records` records (of all runs, in order of their append) reached the
    /// disk, under a new writer. An append is atomic: one that the cut falls into is lost as a whole. This store
    /// stays as it is.
    #[must_use]
    pub fn crash_after(&self, records: usize) -> Self {
        let mut left = Shared::default();
        self.locked(|shared| {
            left.epoch = shared.epoch;
            let mut kept = 0;
            for (added, summary) in &shared.appends {
                kept += added.len();
                if kept > records {
                    break;
                }
                left.keep(added.clone(), summary.clone());
            }
        });
        Self::over(left)
    }

    /// How many records were appended, over all runs.
    #[must_use]
    pub fn appended(&self) -> usize {
        self.locked(|shared| {
            shared
                .appends
                .iter()
                .map(|(records, _)| records.len())
                .sum()
        })
    }

    fn over(mut shared: Shared) -> Self {
        shared.epoch += 1;
        Self {
            epoch: shared.epoch,
            shared: Arc::new(Mutex::new(shared)),
            watches: Arc::default(),
            breaks: None,
        }
    }

    fn locked<T>(&self, look: impl FnOnce(&mut Shared) -> T) -> T {
        look(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn append_now(&self, append: Append) -> Result<Appended, AppendError> {
        limit::check(&append)?;
        self.locked(|shared| {
            if shared.epoch != self.epoch {
                return Err(AppendError::Fenced {
                    epoch: shared.epoch,
                });
            }
            if shared.broken {
                return Err(broken());
            }
            let run = shared.runs.get(&append.run);
            let last = run.and_then(|run| run.records.last());
            let actual = last.map_or(0, |last| last.seq);
            if actual != append.expected {
                return Err(AppendError::Conflict { actual });
            }
            let previous = last.map_or(Record::CHAIN_START, Record::hash);
            let (records, _) = seal(&append, self.epoch, previous);
            let summary = limit::bounded(append.summary)?;
            let number = shared.appends.len() as u64 + 1;
            shared.broken = match self.breaks {
                Some(Break::Before(broken) | Break::After(broken)) => broken == number,
                None => false,
            };
            if self.breaks == Some(Break::Before(number)) {
                return Err(broken());
            }
            shared.keep(records.clone(), summary);
            self.watches.tell(append.run, actual + records.len() as u64);
            if shared.broken {
                return Err(broken());
            }
            Ok(Appended {
                last: actual + records.len() as u64,
                records,
            })
        })
    }

    fn read_now(&self, run: RunId, from: Seq, limit: usize) -> Vec<Record> {
        let skip = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        self.locked(|shared| {
            let records = shared.runs.get(&run).map(|run| run.records.iter());
            let records = records.into_iter().flatten().skip(skip).take(limit);
            records.cloned().collect()
        })
    }

    fn list_now(&self, query: &ListQuery) -> Page {
        let mut rows: Vec<RunSummary> = self.locked(|shared| {
            let rows = shared.runs.values().map(|run| &run.summary);
            rows.filter(|row| query.admits(row)).cloned().collect()
        });
        rows.sort_by_key(|row| std::cmp::Reverse(Cursor::of(row)));
        let more = rows.len() > query.page_len();
        rows.truncate(query.page_len());
        let next = rows.last().filter(|_| more).map(Cursor::of);
        Page {
            rows,
            next,
            faults: Vec::new(),
        }
    }

    fn resolve_now(&self, abbreviation: &str, limit: usize) -> Vec<RunId> {
        self.locked(|shared| {
            let newest_first = shared.runs.keys().rev();
            if abbreviation == LAST {
                return newest_first.take(limit.min(1)).copied().collect();
            }
            let matching = newest_first.filter(|run| run.matches(abbreviation));
            matching.take(limit).copied().collect()
        })
    }

    fn verify_now(&self, only: Option<RunId>) -> Report {
        let mut report = Report::default();
        self.locked(|shared| {
            for (id, run) in &shared.runs {
                if only.is_none_or(|only| only == *id) {
                    report.runs += 1;
                    report.records += run.records.len() as u64;
                    if let Err(fault) = check_run(*id, run) {
                        report.fault(fault);
                    }
                }
            }
        });
        report
    }
}

impl Shared {
    fn keep(&mut self, records: Vec<Record>, summary: RunSummary) {
        let Some(run) = records.first().map(|record| record.run) else {
            return;
        };
        self.appends.push((records.clone(), summary.clone()));
        let kept = self.runs.entry(run).or_insert_with(|| Run {
            records: Vec::new(),
            summary: summary.clone(),
        });
        kept.records.extend(records);
        kept.summary = summary;
    }
}

fn check_run(id: RunId, run: &Run) -> Result<(), Fault> {
    let mut previous = Record::CHAIN_START;
    let mut last = 0;
    for record in &run.records {
        check_link(record, last + 1, previous)?;
        previous = record.hash();
        last = record.seq;
    }
    if run.summary.last_seq == last {
        Ok(())
    } else {
        Err(Fault::of_run(
            id,
            "its row does not stand at its last record",
        ))
    }
}

fn broken() -> AppendError {
    let source = std::io::Error::other("broken on purpose");
    AppendError::Io(Error::Disk(DiskError::new(
        "sync",
        "memory".as_ref(),
        source,
    )))
}

impl EventStore for MemoryStore {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move { self.append_now(append) })
    }

    fn read(
        &self,
        run: RunId,
        from: Seq,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Record>, Error>> {
        Box::pin(async move { Ok(self.read_now(run, from, limit)) })
    }

    fn summary(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunSummary>, Error>> {
        Box::pin(async move {
            Ok(self.locked(|shared| shared.runs.get(&run).map(|run| run.summary.clone())))
        })
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, Error>> {
        Box::pin(async move { Ok(self.list_now(&query)) })
    }

    fn resolve<'a>(
        &'a self,
        abbreviation: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<RunId>, Error>> {
        Box::pin(async move { Ok(self.resolve_now(abbreviation, limit)) })
    }

    fn verify(&self, run: Option<RunId>) -> BoxFuture<'_, Result<Report, Error>> {
        Box::pin(async move { Ok(self.verify_now(run)) })
    }

    fn watch(&self, run: RunId) -> BoxFuture<'_, Result<Watch, Error>> {
        Box::pin(async move { Ok(self.watches.watch(run)) })
    }

    fn lease(&self, _run: RunId) -> BoxFuture<'_, Result<Lease, Error>> {
        Box::pin(async { Ok(Lease::unshared()) })
    }
}

#[cfg(test)]
mod tests;
