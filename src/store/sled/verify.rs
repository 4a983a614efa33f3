//! Checks everything: checksums, order, chain, rows and index keys against the events, and the files of large bodies.

use super::key;
use super::open::{self, Shared};
use crate::id::RunId;
use crate::run::{Record, RunSummary, Seq};
use crate::store::{Error, Fault, Report};

/// Records that are read at a time.
const CHUNK: u64 = 512;
/// Keys that are read at a time.
const KEYS: usize = 512;

impl Shared {
    /// Checks one run, or all of them.
    pub(super) fn verify(&self, run: Option<RunId>) -> Result<Report, Error> {
        let mut report = Report::default();
        if let Some(run) = run {
            let known = self.database.get(&key::row(run))?.is_some()
                || self.database.get(&key::event(run, 1))?.is_some();
            if known {
                self.check_run(run, &mut report)?;
            }
            return Ok(report);
        }
        let runs = open::number(&self.database, open::RUNS)?;
        self.each_key(
            key::all_rows(),
            |key, report| match key::parse_row(key) {
                Some(run) => self.check_run(run, report),
                None => stray(key, report),
            },
            &mut report,
        )?;
        if report.runs < runs {
            let what = format!("{} of {runs} runs are missing", runs - report.runs);
            report.fault(Fault::of_store(what));
        }
        for keys in key::all_index_keys() {
            self.each_key(
                keys,
                |key, report| self.check_index_key(key, report),
                &mut report,
            )?;
        }
        self.check_orphans(&mut report)?;
        Ok(report)
    }

    /// Calls `check` for each key between two, a chunk at a time, so that the writer can go on meanwhile.
    fn each_key(
        &self,
        (mut from, end): (Vec<u8>, Vec<u8>),
        check: impl Fn(&[u8], &mut Report) -> Result<(), Error>,
        report: &mut Report,
    ) -> Result<(), Error> {
        loop {
            let pairs = self.database.range(&from, &end, KEYS)?;
            let Some((last, _)) = pairs.last() else {
                return Ok(());
            };
            from = key::after(last);
            for (key, _) in pairs {
                check(&key, report)?;
            }
        }
    }

    fn check_run(&self, run: RunId, report: &mut Report) -> Result<(), Error> {
        report.runs += 1;
        match self.check_history(run, &mut report.records) {
            Ok(()) => {}
            Err(Error::Corrupt(fault)) => report.fault(fault),
            Err(Error::Body(error)) => report.fault(Fault::of_run(run, error.to_string())),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn check_history(&self, run: RunId, records: &mut u64) -> Result<(), Error> {
        let (mut last, mut hash) = (0, Record::CHAIN_START);
        // Most of it without holding up the writer, the end and the row in one steady view.
        while self
            .row(run)?
            .is_some_and(|row| row.last_seq > last + CHUNK)
        {
            let (part, next) = self.linked(run, last + 1, last + CHUNK, hash)?;
            *records += part.len() as u64;
            (last, hash) = (last + CHUNK, next);
        }
        let _steady = self.steady();
        let Some(row) = self.row(run)? else {
            return Err(Fault::of_run(run, "it has events, but no row").into());
        };
        let (part, _) = self.linked(run, last + 1, row.last_seq, hash)?;
        *records += part.len() as u64;
        let next = row.last_seq + 1;
        let later = self
            .database
            .range(&key::event(run, next), &key::event(run, Seq::MAX), 1)?;
        if !later.is_empty() {
            return Err(Fault::of_record(run, next, "its row does not know it").into());
        }
        self.check_indexed(&row)
    }

    fn check_indexed(&self, row: &RunSummary) -> Result<(), Error> {
        for key in key::index_keys(row) {
            if self.database.get(&key)?.is_none() {
                return Err(Fault::of_run(row.run, "an index does not know it").into());
            }
        }
        Ok(())
    }

    fn check_index_key(&self, key: &[u8], report: &mut Report) -> Result<(), Error> {
        let _steady = self.steady();
        if self.database.get(key)?.is_none() {
            // The run went on since the key was listed.
            return Ok(());
        }
        let Some(run) = key::parse_place(key).map(|place| place.run) else {
            return stray(key, report);
        };
        let fits = match self.row(run) {
            Ok(row) => row.is_some_and(|row| key::index_keys(&row).iter().any(|it| it == key)),
            // Reported with the run.
            Err(Error::Corrupt(_)) => true,
            Err(error) => return Err(error),
        };
        if !fits {
            report.fault(Fault::of_run(run, "an index names it under what it is not"));
        }
        Ok(())
    }

    /// Looks for events of runs that have no row, one key per run.
    fn check_orphans(&self, report: &mut Report) -> Result<(), Error> {
        let (mut from, end) = key::all_events();
        loop {
            let _steady = self.steady();
            let Some((key, _)) = self.database.range(&from, &end, 1)?.pop() else {
                return Ok(());
            };
            let Some((run, _)) = key::parse_event(&key) else {
                stray(&key, report)?;
                from = key::after(&key);
                continue;
            };
            if self.database.get(&key::row(run))?.is_none() {
                report.fault(Fault::of_run(run, "it has events, but no row"));
            }
            from = key::after(&key::event(run, Seq::MAX));
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it stands where a check stands")]
fn stray(key: &[u8], report: &mut Report) -> Result<(), Error> {
    let key = key.escape_ascii();
    report.fault(Fault::of_store(format!("the key `{key}` means nothing")));
    Ok(())
}
