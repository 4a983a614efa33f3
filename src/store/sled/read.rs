//! Reading records and rows, with every check.

use std::sync::{PoisonError, RwLockReadGuard};

use super::key;
use super::open::Shared;
use crate::id::{Digest, RunId};
use crate::run::{Record, RunSummary, Seq};
use crate::store::codec::{self, Body};
use crate::store::{Error, Fault, check_link};

impl Shared {
    /// Keeps the writer from changing anything while it is held.
    pub(super) fn steady(&self) -> RwLockReadGuard<'_, ()> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The row of a run.
    pub(super) fn row(&self, run: RunId) -> Result<Option<RunSummary>, Error> {
        let Some(value) = self.database.get(&key::row(run))? else {
            return Ok(None);
        };
        let row = codec::decode_row(&value)
            .map_err(|error| Fault::of_run(run, format!("its row: {error}")))?;
        if row.run == run {
            Ok(Some(row))
        } else {
            Err(Fault::of_run(run, "the row of another run stands in its place").into())
        }
    }

    /// The records of a run; see the port. The row tells where they must end, so a lost tail is seen too.
    pub(super) fn records(
        &self,
        run: RunId,
        from: Seq,
        limit: usize,
    ) -> Result<Vec<Record>, Error> {
        let _steady = self.steady();
        let from = from.max(1);
        let last = self.row(run)?.map_or(0, |row| row.last_seq);
        let end = last.min(from.saturating_add(limit as u64).saturating_sub(1));
        let previous = match from {
            1 => Record::CHAIN_START,
            _ if from > end => Record::CHAIN_START,
            _ => self.record(run, from - 1)?.hash(),
        };
        let (records, _) = self.linked(run, from, end, previous)?;
        if end == last && self.database.get(&key::event(run, last + 1))?.is_some() {
            return Err(Fault::of_record(run, last + 1, "its row does not know it").into());
        }
        Ok(records)
    }

    /// The records from `from` to `end`, all of them, linked to `previous`; and the hash of the last.
    pub(super) fn linked(
        &self,
        run: RunId,
        from: Seq,
        end: Seq,
        mut previous: Digest,
    ) -> Result<(Vec<Record>, Digest), Error> {
        let mut records = Vec::new();
        if from > end {
            return Ok((records, previous));
        }
        let count = usize::try_from(end - from + 1).unwrap_or(usize::MAX);
        let bounds = (key::event(run, from), key::after(&key::event(run, end)));
        let mut pairs = self
            .database
            .range(&bounds.0, &bounds.1, count)?
            .into_iter();
        for seq in from..=end {
            let (key, value) = pairs
                .next()
                .ok_or_else(|| Fault::of_record(run, seq, "it is missing"))?;
            if key != key::event(run, seq) {
                return Err(Fault::of_record(run, seq, "it is missing").into());
            }
            let record = self.decode(run, seq, &value)?;
            check_link(&record, seq, previous)?;
            previous = record.hash();
            records.push(record);
        }
        Ok((records, previous))
    }

    /// One record that must be there. Its link is not looked at.
    pub(super) fn record(&self, run: RunId, seq: Seq) -> Result<Record, Error> {
        match self.database.get(&key::event(run, seq))? {
            Some(value) => self.decode(run, seq, &value),
            None => Err(Fault::of_record(run, seq, "it is missing").into()),
        }
    }

    fn decode(&self, run: RunId, seq: Seq, value: &[u8]) -> Result<Record, Error> {
        let fault = |what: String| Fault::of_record(run, seq, what);
        let (mut record, body) =
            codec::decode_event(value).map_err(|error| fault(error.to_string()))?;
        if record.run != run || record.seq != seq {
            return Err(fault(format!(
                "record {} of {} stands in its place",
                record.seq, record.run
            ))
            .into());
        }
        if let Body::InFile { digest, length } = body {
            record.content.body = self.blobs.get(&digest)?;
            if record.content.body.len() as u64 != length {
                return Err(fault("the file of its body has another length".to_owned()).into());
            }
        }
        Ok(record)
    }
}
