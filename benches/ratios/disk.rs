//! What the disk itself can do: the limit of every durable step.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::rig;
use crate::samples::Samples;
use crate::table::Table;

/// Bytes of one small record.
pub(crate) const RECORD: usize = 300;
/// Syncs of one round.
pub(crate) const SYNCS: usize = 200;
const ROUNDS: usize = 5;
/// A preallocated file has room for so many records.
const PREALLOCATED: usize = 4 << 20;

pub(crate) fn measure(table: &mut Table) {
    let folder = rig::folder();
    let mut growing = Growing::new(folder.path());
    let mut prealloc = Preallocated::new(folder.path());
    let (mut grown, mut filled, mut ratios) = Default::default();
    for _ in 0..ROUNDS {
        let (one, other) = (growing.syncs(SYNCS), prealloc.syncs(SYNCS));
        push_ratio(&mut ratios, one.median(), other.median());
        Samples::extend(&mut grown, &one);
        Samples::extend(&mut filled, &other);
    }
    for (what, share) in [("p50", 0.5), ("p99", 0.99)] {
        let figure = |samples: &Samples| one(samples.quantile(share));
        table.ratio(
            &format!("append {RECORD} B + fdatasync, growing file beside preallocated, {what}"),
            (&figure(&grown), &figure(&filled), "µs"),
            &one(grown.quantile(share) / filled.quantile(share)),
            None,
        );
    }
}

fn push_ratio(ratios: &mut Samples, ours: f64, limit: f64) {
    ratios.push(ours / limit);
}

/// A sample of one value.
pub(crate) fn one(value: f64) -> Samples {
    let mut samples = Samples::default();
    samples.push(value);
    samples
}

/// A file that grows with each record, so that each sync must also write its new length.
pub(crate) struct Growing(File);

impl Growing {
    pub(crate) fn new(folder: &Path) -> Self {
        Self(File::create(folder.join("growing")).unwrap())
    }

    /// Microseconds of so many appends, each with its sync.
    pub(crate) fn syncs(&mut self, count: usize) -> Samples {
        let mut samples = Samples::default();
        for _ in 0..count {
            let begun = Instant::now();
            self.append(RECORD);
            samples.push_micros(begun.elapsed());
        }
        samples
    }

    fn append(&mut self, bytes: usize) {
        self.0.write_all(&vec![b'x'; bytes]).unwrap();
        self.0.sync_data().unwrap();
    }
}

/// A file that was filled with zeros before: the least that a durable record can cost here.
pub(crate) struct Preallocated {
    file: File,
    offset: u64,
}

impl Preallocated {
    pub(crate) fn new(folder: &Path) -> Self {
        let mut file = File::create(folder.join("preallocated")).unwrap();
        file.write_all(&vec![0; PREALLOCATED]).unwrap();
        file.sync_all().unwrap();
        Self { file, offset: 0 }
    }

    /// Microseconds of so many records, each with its sync.
    pub(crate) fn syncs(&mut self, count: usize) -> Samples {
        let mut samples = Samples::default();
        for _ in 0..count {
            let begun = Instant::now();
            self.append(&[b'x'; RECORD]);
            samples.push_micros(begun.elapsed());
        }
        samples
    }

    fn append(&mut self, bytes: &[u8]) {
        if self.offset + bytes.len() as u64 > PREALLOCATED as u64 {
            self.offset = 0;
        }
        self.file.write_all_at(bytes, self.offset).unwrap();
        self.file.sync_data().unwrap();
        self.offset += bytes.len() as u64;
    }
}

/// Time of `writers` threads that each append `appends` records of `bytes` one after another, each waiting for its
/// own: one more thread takes what has queued up, writes it and syncs once. The raw limit of group commit.
pub(crate) fn group_commit(
    folder: &Path,
    writers: usize,
    appends: usize,
    bytes: usize,
) -> Duration {
    let mut file = Growing::new(folder);
    let (queue, requests) = mpsc::sync_channel::<mpsc::SyncSender<()>>(writers);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..writers {
            let queue = queue.clone();
            scope.spawn(move || {
                let (answer, answered) = mpsc::sync_channel(1);
                for _ in 0..appends {
                    queue.send(answer.clone()).unwrap();
                    answered.recv().unwrap();
                }
            });
        }
        drop(queue);
        while let Ok(first) = requests.recv() {
            let batch: Vec<_> = std::iter::once(first).chain(requests.try_iter()).collect();
            file.append(bytes * batch.len());
            for answer in batch {
                answer.send(()).unwrap();
            }
        }
    });
    begun.elapsed()
}
