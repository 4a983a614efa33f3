//! The keys: one tag byte, then numbers big-endian, so that order of keys is order of meaning.
//!
//! | tag | rest | value |
//! |---|---|---|
//! | `e` | run, seq | event |
//! | `r` | run | row of the run |
//! | `s` | number of the status, place | empty |
//! | `w` | first 8 bytes of the hash of the workflow's name, place | empty |
//! | `m` | a word | number |
//!
//! A place is the time of creation and the run, both inverted: newest first.

use crate::id::{Digest, RunId};
use crate::run::{RunStatus, RunSummary, Seq};
use crate::store::Cursor;
use crate::time::Timestamp;

const EVENT: u8 = b'e';
const ROW: u8 = b'r';
const STATUS: u8 = b's';
const WORKFLOW: u8 = b'w';
const META: u8 = b'm';

/// Length of a place in bytes.
pub(super) const PLACE: usize = 24;

pub(super) fn event(run: RunId, seq: Seq) -> Vec<u8> {
    [&[EVENT], &run.as_bytes()[..], &seq.to_be_bytes()].concat()
}

/// The run and the place that the key of an event names.
pub(super) fn parse_event(key: &[u8]) -> Option<(RunId, Seq)> {
    let rest = key.strip_prefix(&[EVENT])?;
    let (run, seq) = rest.split_first_chunk::<16>()?;
    Some((
        RunId::from_bytes(*run),
        Seq::from_be_bytes(seq.try_into().ok()?),
    ))
}

pub(super) fn row(run: RunId) -> Vec<u8> {
    [&[ROW], &run.as_bytes()[..]].concat()
}

/// The run that the key of a row names.
pub(super) fn parse_row(key: &[u8]) -> Option<RunId> {
    let run = key.strip_prefix(&[ROW])?.try_into().ok()?;
    Some(RunId::from_bytes(run))
}

/// All keys of one sort: from the first to before the second.
pub(super) fn all_events() -> (Vec<u8>, Vec<u8>) {
    (vec![EVENT], vec![EVENT + 1])
}

/// See [`all_events`].
pub(super) fn all_rows() -> (Vec<u8>, Vec<u8>) {
    (vec![ROW], vec![ROW + 1])
}

/// See [`all_events`].
pub(super) fn all_index_keys() -> [(Vec<u8>, Vec<u8>); 2] {
    [STATUS, WORKFLOW].map(|tag| (vec![tag], vec![tag + 1]))
}

pub(super) fn meta(word: &str) -> Vec<u8> {
    [&[META], word.as_bytes()].concat()
}

/// How the keys of all runs of that status begin.
pub(super) fn status_prefix(status: RunStatus) -> Vec<u8> {
    vec![STATUS, status.number()]
}

/// How the keys of all runs of that workflow begin. Names may share it: the row decides.
pub(super) fn workflow_prefix(name: &str) -> Vec<u8> {
    let hash = Digest::of(name.as_bytes());
    let head = hash.as_bytes().first_chunk::<8>().copied();
    [&[WORKFLOW], &head.unwrap_or_default()[..]].concat()
}

/// The two index keys of a run whose row is this.
pub(super) fn index_keys(row: &RunSummary) -> [Vec<u8>; 2] {
    let place = place(Cursor::of(row));
    [
        [&status_prefix(row.status)[..], &place].concat(),
        [&workflow_prefix(&row.workflow)[..], &place].concat(),
    ]
}

/// The place of a run in an index.
pub(super) fn place(cursor: Cursor) -> [u8; PLACE] {
    let run = !u128::from_be_bytes(*cursor.run.as_bytes());
    let mut place = [0; PLACE];
    let bytes = inverted(cursor.created_at)
        .into_iter()
        .chain(run.to_be_bytes());
    for (slot, byte) in place.iter_mut().zip(bytes) {
        *slot = byte;
    }
    place
}

/// The run and its time of creation at the end of an index key.
pub(super) fn parse_place(key: &[u8]) -> Option<Cursor> {
    let (time, run) = key.last_chunk::<PLACE>()?.split_first_chunk::<8>()?;
    let micros = (!u64::from_be_bytes(*time) ^ (1 << 63)).cast_signed();
    let run = !u128::from_be_bytes(run.try_into().ok()?);
    Some(Cursor {
        created_at: Timestamp::from_micros(micros),
        run: RunId::from_bytes(run.to_be_bytes()),
    })
}

/// The time at the head of a place: later is smaller, and times before 1970 sort too.
pub(super) fn inverted(time: Timestamp) -> [u8; 8] {
    let ordered = time.as_micros().cast_unsigned() ^ (1 << 63);
    (!ordered).to_be_bytes()
}

/// The smallest key after `key`.
pub(super) fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// The end of all keys that begin with `prefix`.
pub(super) fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_keys_is_order_of_meaning() {
        let run = |byte| RunId::from_bytes([byte; 16]);
        assert!(event(run(1), 255) < event(run(1), 256));
        assert!(event(run(1), u64::MAX) < event(run(2), 1));
        assert_eq!(parse_event(&event(run(7), 9)), Some((run(7), 9)));
        assert_eq!(parse_row(&row(run(7))), Some(run(7)));
        let places = [(99, 1), (10, 2), (10, 1), (0, 9), (-1, 9), (i64::MIN, 9)];
        let places = places.map(|(time, byte)| {
            let created_at = Timestamp::from_micros(time);
            let cursor = Cursor {
                created_at,
                run: run(byte),
            };
            assert_eq!(parse_place(&place(cursor)), Some(cursor));
            place(cursor)
        });
        assert!(places.is_sorted(), "newest first");
    }

    #[test]
    fn the_end_of_a_prefix_is_behind_all_its_keys() {
        assert_eq!(end_of(b"s\x01"), b"s\x02");
        assert_eq!(end_of(b"w\x01\xff\xff"), b"w\x02");
    }
}
