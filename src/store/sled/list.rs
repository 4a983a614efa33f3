//! Lists through the index keys, and abbreviations through the keys of the rows.

use super::key::{self, PLACE};
use super::open::Shared;
use crate::id::RunId;
use crate::run::RunStatus;
use crate::store::{Cursor, Error, Fault, LAST, ListQuery, Page, RESOLVE_SCAN_MAX};

/// How many rows one page may look at before it ends early, with a cursor to go on.
const ROWS_SCAN_MAX: usize = 4_000;
/// Keys that are fetched at a time.
const CHUNK: usize = 1_000;

impl Shared {
    /// One page of a list.
    pub(super) fn page(&self, query: &ListQuery) -> Result<Page, Error> {
        let _steady = self.steady();
        let page_len = query.page_len();
        let scan = match query.workflow {
            Some(_) => ROWS_SCAN_MAX,
            None => page_len,
        };
        // One more than is needed tells whether there is a next page.
        let places = self.indexed(query, scan + 1)?;
        let mut page = Page::default();
        for (number, place) in places.iter().enumerate() {
            if page.rows.len() == page_len || number == scan {
                page.next = number.checked_sub(1).and_then(|it| places.get(it).copied());
                break;
            }
            match self.row(place.run) {
                Ok(Some(row)) if query.admits(&row) => page.rows.push(row),
                Ok(Some(_)) => {}
                Ok(None) => page.faults.push(Fault::of_run(
                    place.run,
                    "an index names it, but it has no row",
                )),
                Err(Error::Corrupt(fault)) => page.faults.push(fault),
                Err(error) => return Err(error),
            }
        }
        Ok(page)
    }

    /// The first runs that the indexes give for that query, newest first.
    fn indexed(&self, query: &ListQuery, limit: usize) -> Result<Vec<Cursor>, Error> {
        let mut places = Vec::new();
        for prefix in prefixes(query) {
            let after = query
                .after
                .map(|cursor| key::after(&[&prefix[..], &key::place(cursor)].concat()));
            // Behind every run of that very instant.
            let before = query
                .created_before
                .map(|time| key::end_of(&[&prefix[..], &key::inverted(time)].concat()));
            let from = after.max(before).unwrap_or_else(|| prefix.clone());
            let end = match query.created_from {
                Some(first) => key::end_of(&[&prefix[..], &key::inverted(first)].concat()),
                None => key::end_of(&prefix),
            };
            for (key, _) in self.database.range(&from, &end, limit)? {
                places.extend(key.last_chunk::<PLACE>().copied());
            }
        }
        places.sort_unstable();
        places.dedup();
        places.truncate(limit);
        Ok(places
            .iter()
            .filter_map(|place| key::parse_place(place))
            .collect())
    }

    /// The runs that an abbreviation may mean; see the port.
    pub(super) fn resolve(&self, abbreviation: &str, limit: usize) -> Result<Vec<RunId>, Error> {
        let (first, end) = key::all_rows();
        if abbreviation == LAST {
            let newest = self.database.range_back(&first, &end, limit.min(1))?;
            return Ok(newest
                .iter()
                .filter_map(|(key, _)| key::parse_row(key))
                .collect());
        }
        let mut found = Vec::new();
        if let Some((low, high)) = span(abbreviation) {
            if low == high {
                let known = self.database.get(&key::row(low))?;
                return Ok(known.map(|_| low).into_iter().take(limit).collect());
            }
            self.scan_back(&key::row(low), &key::after(&key::row(high)), |run| {
                if run.matches(abbreviation) {
                    found.push(run);
                }
                found.len() < limit
            })?;
        }
        let mut scanned = 0;
        self.scan_back(&first, &end, |run| {
            scanned += 1;
            if run.matches(abbreviation) && !found.contains(&run) {
                found.push(run);
            }
            found.len() < limit.saturating_mul(2) && scanned < RESOLVE_SCAN_MAX
        })?;
        found.sort_unstable();
        found.reverse();
        found.truncate(limit);
        Ok(found)
    }

    /// Visits the runs between two row keys, newest first, until `visit` says no.
    fn scan_back(
        &self,
        first: &[u8],
        end: &[u8],
        mut visit: impl FnMut(RunId) -> bool,
    ) -> Result<(), Error> {
        let mut end = end.to_vec();
        loop {
            let pairs = self.database.range_back(first, &end, CHUNK)?;
            let full = pairs.len() == CHUNK;
            for (key, _) in pairs {
                if key::parse_row(&key).is_some_and(|run| !visit(run)) {
                    return Ok(());
                }
                end = key;
            }
            if !full {
                return Ok(());
            }
        }
    }
}

fn prefixes(query: &ListQuery) -> Vec<Vec<u8>> {
    match &query.workflow {
        Some(name) => vec![key::workflow_prefix(name)],
        None => RunStatus::ALL
            .into_iter()
            .filter(|status| query.statuses.is_empty() || query.statuses.contains(status))
            .map(key::status_prefix)
            .collect(),
    }
}

/// The smallest and the greatest id that begin so; none when no id does.
fn span(abbreviation: &str) -> Option<(RunId, RunId)> {
    let word = abbreviation.strip_prefix("run_").unwrap_or(abbreviation);
    let word = word.to_ascii_lowercase();
    if word.is_empty() {
        return None;
    }
    let missing = RunId::TEXT_LEN.checked_sub(word.len())?;
    let padded = |with: &str| format!("run_{word}{}", with.repeat(missing)).parse().ok();
    padded("0").zip(padded("z"))
}
