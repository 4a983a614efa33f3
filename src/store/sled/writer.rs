//! The one thread that changes the database: it takes what has queued up, applies it as one batch, makes it durable,
//! and only then answers.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::open::{self, Disk, Options, Shared};
use super::{Change, key};
use crate::artifact::disk::{DiskError, Named};
use crate::id::{Digest, RunId};
use crate::run::{Record, RunSummary, Seq};
use crate::store::{Append, AppendError, Appended, Error, Fault, codec, seal};

/// Appends that may wait for the writer; then callers wait.
pub(super) const QUEUE_MAX: usize = 1_024;
/// Most appends in one batch.
const BATCH_APPENDS_MAX: usize = 1_024;
/// A batch takes no further append when it has so many bytes: 1 MiB.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// Runs whose end is remembered. Beyond it all are forgotten, and read again when they are needed.
const HEADS_MAX: usize = 100_000;

type Answer = Result<Appended, AppendError>;

/// An append on its way to the writer.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) append: Append,
    /// For each record the file of its body, when it has one. It is durable already.
    pub(super) files: Vec<Option<Digest>>,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// The end of a run's history.
#[derive(Debug, Clone)]
struct Head {
    last: Seq,
    /// What the next record must carry.
    hash: Digest,
    /// Its index keys; none before its first record.
    index: Option<[Vec<u8>; 2]>,
}

/// The thread's own state.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    disk: Disk,
    options: Options,
    heads: HashMap<RunId, Head>,
    /// Why nothing is written any more.
    stopped: Option<AppendError>,
}

/// A batch on its way: what changes, and who waits for it.
#[derive(Default)]
struct Batch {
    changes: Vec<Change>,
    bytes: usize,
    runs: u64,
    waiting: Vec<(oneshot::Sender<Answer>, Answer)>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, disk: Disk, options: Options) -> Self {
        Self {
            shared,
            disk,
            options,
            heads: HashMap::new(),
            stopped: None,
        }
    }

    /// Serves appends until nobody can send any more.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.blocking_recv() {
            let refusal = self.refusal();
            let mut batch = Batch {
                runs: self.disk.runs,
                ..Batch::default()
            };
            self.take(&mut batch, first, refusal.as_ref());
            while batch.waiting.len() < BATCH_APPENDS_MAX && batch.bytes < BATCH_BYTES_MAX {
                let Ok(next) = requests.try_recv() else { break };
                self.take(&mut batch, next, refusal.as_ref());
            }
            self.finish(batch);
        }
    }

    /// Why this batch is refused as a whole.
    fn refusal(&self) -> Option<AppendError> {
        let later = open::number(&self.shared.database, open::EPOCH);
        match (&self.stopped, later) {
            (Some(error), _) => Some(error.clone()),
            (None, Err(error)) => Some(error.into()),
            (None, Ok(epoch)) if epoch != self.shared.epoch => Some(AppendError::Fenced { epoch }),
            (None, Ok(_)) => self.no_room(),
        }
    }

    fn no_room(&self) -> Option<AppendError> {
        let data = &self.shared.data;
        let free = nix::sys::statvfs::statvfs(data).ok().map(|disk| {
            let (blocks, size) = (disk.blocks_available(), disk.fragment_size());
            blocks.saturating_mul(size)
        })?;
        (free < self.options.free_bytes_min).then(|| {
            let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
            AppendError::Io(Error::Disk(DiskError::new("write to", data, source)))
        })
    }

    fn take(&mut self, batch: &mut Batch, request: Request, refusal: Option<&AppendError>) {
        let answer = match refusal {
            Some(error) => Err(error.clone()),
            None => self.admit(batch, &request.append, &request.files),
        };
        batch.waiting.push((request.answer, answer));
    }

    /// Adds an append to the batch, if it fits the history of its run as it is with the batch so far.
    fn admit(&mut self, batch: &mut Batch, append: &Append, files: &[Option<Digest>]) -> Answer {
        let head = self.head(append.run)?;
        if head.last != append.expected {
            return Err(AppendError::Conflict { actual: head.last });
        }
        let (records, hash) = seal(append, self.shared.epoch, head.hash);
        let run = append.run;
        let unfit = |error: codec::Error| Error::from(Fault::of_run(run, error.to_string()));
        let mut changes = Vec::with_capacity(records.len() + 5);
        for (record, file) in records.iter().zip(files) {
            let value = codec::encode_event(record, *file).map_err(unfit)?;
            changes.push((key::event(run, record.seq), Some(value)));
        }
        let row = codec::encode_row(&append.summary).map_err(unfit)?;
        changes.push((key::row(run), Some(row)));
        let index = key::index_keys(&append.summary);
        let new = head.index.is_none();
        if head.index.as_ref() != Some(&index) {
            changes.extend(head.index.into_iter().flatten().map(|key| (key, None)));
            changes.extend(index.iter().map(|key| (key.clone(), Some(Vec::new()))));
        }
        batch.bytes += changes
            .iter()
            .map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len))
            .sum::<usize>();
        batch.changes.extend(changes);
        batch.runs += u64::from(new);
        let last = append.summary.last_seq;
        let head = Head {
            last,
            hash,
            index: Some(index),
        };
        self.heads.insert(run, head);
        Ok(Appended { last, records })
    }

    /// The end of that run: remembered, or read and checked.
    fn head(&mut self, run: RunId) -> Result<Head, Error> {
        if let Some(head) = self.heads.get(&run) {
            return Ok(head.clone());
        }
        if self.heads.len() >= HEADS_MAX {
            self.heads.clear();
        }
        let row = self.shared.row(run)?;
        let last = row.as_ref().map_or(0, |row| row.last_seq);
        let hash = match last {
            0 => Record::CHAIN_START,
            _ => self.shared.record(run, last)?.hash(),
        };
        let next = key::event(run, last + 1);
        if self.shared.database.get(&next)?.is_some() {
            return Err(Fault::of_record(run, last + 1, "its row does not know it").into());
        }
        Ok(Head {
            last,
            hash,
            index: row.as_ref().map(|row: &RunSummary| key::index_keys(row)),
        })
    }

    /// Makes the batch durable and answers everybody.
    fn finish(&mut self, batch: Batch) {
        let durable = if batch.changes.is_empty() {
            Ok(())
        } else {
            self.commit(batch.changes, batch.runs)
        };
        if let Err(error) = &durable {
            tracing::error!(%error, "the store takes no more appends until it is opened again");
            self.stopped = Some(error.clone().into());
            self.heads.clear();
        }
        for (waiting, answer) in batch.waiting {
            let answer = match &durable {
                Ok(()) => answer,
                Err(error) => Err(error.clone().into()),
            };
            if let Ok(appended) = &answer
                && let Some(record) = appended.records.last()
            {
                self.shared.watches.tell(record.run, appended.last);
            }
            // Whoever asked may be gone.
            let _ = waiting.send(answer);
        }
    }

    fn commit(&mut self, mut changes: Vec<Change>, runs: u64) -> Result<(), Error> {
        let commits = self.disk.commits + 1;
        changes.push(open::set_number(open::COMMITS, commits)?);
        if runs != self.disk.runs {
            changes.push(open::set_number(open::RUNS, runs)?);
        }
        {
            let view = &self.shared.view;
            let _changing = view.write().unwrap_or_else(PoisonError::into_inner);
            self.shared.database.apply(changes)?;
        }
        self.shared.database.flush()?;
        (self.options.sync)(&self.disk.file).named("sync", &self.shared.data.join("store/db"))?;
        self.disk.commits = commits;
        self.disk.runs = runs;
        self.disk.mark.set(commits);
        Ok(())
    }
}
