//! The bounds of what is stored, the same for every backend.

use super::{Append, AppendError};
use crate::run::RunSummary;

/// Most records in one append.
pub const APPEND_RECORDS_MAX: usize = 1_000;
/// Most bytes of bodies in one append: 64 MiB.
pub const APPEND_BYTES_MAX: usize = 64 << 20;
/// Longest body of one event: 16 MiB.
pub const BODY_BYTES_MAX: usize = 16 << 20;
/// Longest name of an actor, with its prefix, in bytes.
pub const ACTOR_BYTES_MAX: usize = 512;
/// Most runs that one process listens to at the store of another.
pub(crate) const WATCHES_MAX: usize = 4_096;
/// Longest row of a run, as JSON in bytes.
pub const SUMMARY_BYTES_MAX: usize = 3_800;
/// Lengths to which titles are cut, one after the other, until the row fits; in characters.
const TITLE_CUTS: [usize; 3] = [120, 60, 24];

/// Refuses an append that is over a bound or contradicts itself.
pub(crate) fn check(append: &Append) -> Result<(), AppendError> {
    if append.records.is_empty() {
        return Err(AppendError::Invalid("it has no records"));
    }
    if append.summary.run != append.run {
        return Err(AppendError::Invalid("the row is of another run"));
    }
    let last = append.expected.checked_add(append.records.len() as u64);
    if last != Some(append.summary.last_seq) {
        return Err(AppendError::Invalid(
            "the row does not stand at the last record",
        ));
    }
    at_most(
        "an append, in events,",
        append.records.len(),
        APPEND_RECORDS_MAX,
    )?;
    let mut total = 0usize;
    for record in &append.records {
        let body = record.body.len();
        at_most("the body of an event, in bytes,", body, BODY_BYTES_MAX)?;
        let actor = record.actor.to_string().len();
        at_most("the name of an actor, in bytes,", actor, ACTOR_BYTES_MAX)?;
        total = total.saturating_add(body);
    }
    at_most("an append, in bytes,", total, APPEND_BYTES_MAX)
}

fn at_most(what: &'static str, size: usize, limit: usize) -> Result<(), AppendError> {
    if size <= limit {
        return Ok(());
    }
    Err(AppendError::TooLarge {
        what,
        size: size as u64,
        limit: limit as u64,
    })
}

/// The row as it is kept: titles are cut and questions left out from the end until it fits. The history has all.
pub(crate) fn bounded(mut row: RunSummary) -> Result<RunSummary, AppendError> {
    row.questions.truncate(RunSummary::QUESTIONS_MAX);
    for cut in TITLE_CUTS {
        if json_len(&row) <= SUMMARY_BYTES_MAX {
            return Ok(row);
        }
        for question in &mut row.questions {
            cut_text(&mut question.title, cut);
        }
    }
    while json_len(&row) > SUMMARY_BYTES_MAX && row.questions.pop().is_some() {}
    at_most(
        "the row of a run, in bytes,",
        json_len(&row),
        SUMMARY_BYTES_MAX,
    )?;
    Ok(row)
}

fn json_len(row: &RunSummary) -> usize {
    serde_json::to_vec(row).map_or(usize::MAX, |bytes| bytes.len())
}

fn cut_text(text: &mut String, chars: usize) {
    if let Some((end, _)) = text.char_indices().nth(chars) {
        text.truncate(end);
        text.push('…');
    }
}
