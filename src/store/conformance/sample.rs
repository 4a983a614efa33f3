//! Made-up runs, the same each time.

use crate::id::{Digest, RunId};
use crate::run::{Actor, NewRecord, RunStatus, RunSummary, Seq};
use crate::store::Append;
use crate::time::Timestamp;

/// 2026-11-22 12:00 UTC, in microseconds: when run 0 was created.
const NOON: i64 = 1_795_348_800_000_000;
/// Time between two runs.
const SECOND: i64 = 1_000_000;

/// The run of that number; later numbers are newer.
#[must_use]
pub fn run(number: u32) -> RunId {
    let millis = u64::try_from(created_at(number).as_millis()).unwrap_or(0);
    // The layout of UUID version 7: 48 bits of milliseconds, then version, variant and what is random elsewhere.
    let bits = (u128::from(millis) << 80)
        | (7 << 76)
        | (2 << 62)
        | u128::from(number.wrapping_mul(2_654_435_761));
    RunId::from_bytes(bits.to_be_bytes())
}

/// When the run of that number was created.
#[must_use]
pub fn created_at(number: u32) -> Timestamp {
    Timestamp::from_micros(NOON + i64::from(number) * SECOND)
}

/// An event with that body.
#[must_use]
pub fn record(body: impl Into<Vec<u8>>) -> NewRecord {
    NewRecord {
        time: Timestamp::from_micros(NOON),
        kind: 1,
        version: 1,
        actor: Actor::Engine,
        body: body.into(),
    }
}

/// A row of that run at that record. Runs alternate between two workflows.
#[must_use]
pub fn row(number: u32, last_seq: Seq) -> RunSummary {
    RunSummary {
        run: run(number),
        workflow: if number.is_multiple_of(2) {
            "orbit"
        } else {
            "tune"
        }
        .to_owned(),
        plan: Digest::of(b"plan"),
        status: RunStatus::Running,
        created_at: created_at(number),
        updated_at: created_at(number),
        last_seq,
        questions: Vec::new(),
        steps_done: 0,
        steps_total: 3,
        holds: false,
    }
}

/// An append of `count` small events after record `expected`.
#[must_use]
pub fn append(number: u32, expected: Seq, count: usize) -> Append {
    let last = expected + count as u64;
    let body = |seq| format!(r#"{{"type":"sample","seq":{seq}}}"#);
    Append {
        run: run(number),
        expected,
        records: (expected + 1..=last).map(|seq| record(body(seq))).collect(),
        summary: row(number, last),
    }
}

/// An append of these events after record `expected`.
#[must_use]
pub fn append_of(number: u32, expected: Seq, records: Vec<NewRecord>) -> Append {
    Append {
        run: run(number),
        expected,
        summary: row(number, expected + records.len() as u64),
        records,
    }
}
