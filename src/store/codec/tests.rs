use std::path::PathBuf;

use super::*;
use crate::id::ApprovalId;
use crate::run::{OpenQuestion, RunStatus};

fn record() -> Record {
    Record {
        run: RunId::from_bytes(*b"\x01\x9a\xaa\xbb\xcc\xdd\x70\x01\x81steps!!"),
        seq: 7,
        epoch: 3,
        previous: Digest::of(b"the record before"),
        content: NewRecord {
            time: Timestamp::from_micros(1_795_348_800_000_001),
            kind: 21,
            version: 1,
            actor: Actor::User("m.beam".to_owned()),
            body: br#"{"type":"approval_closed","comment":"ok"}"#.to_vec(),
        },
    }
}

fn unicode() -> Record {
    let mut record = record();
    record.content.actor = Actor::Api("束流 Ω".to_owned());
    record.content.body = r#"{"note":"µm ✓"}"#.into();
    record
}

fn row() -> RunSummary {
    RunSummary {
        run: record().run,
        workflow: "orbit-Ω".to_owned(),
        plan: Digest::of(b"plan"),
        status: RunStatus::Waiting,
        created_at: Timestamp::from_micros(1_795_348_800_000_000),
        updated_at: Timestamp::from_micros(1_795_348_800_000_001),
        last_seq: 7,
        questions: vec![OpenQuestion {
            approval: ApprovalId::derive(record().run, &"apply".into(), 1),
            step: "apply".into(),
            title: "Write 3 setpoints?".to_owned(),
        }],
        steps_done: 2,
        steps_total: 3,
        holds: false,
    }
}

/// What the fixtures of format 1 hold.
fn values() -> Vec<(&'static str, Vec<u8>)> {
    let file = Some(Digest::of(&record().content.body));
    vec![
        ("event_inline", encode_event(&record(), None).unwrap()),
        ("event_in_file", encode_event(&record(), file).unwrap()),
        ("event_unicode", encode_event(&unicode(), None).unwrap()),
        ("row", encode_row(&row()).unwrap()),
        ("number", encode_number(0x0102_0304_0506_0708).unwrap()),
    ]
}

fn fixture(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/format/v1");
    PathBuf::from(folder).join(format!("{name}.bin"))
}

/// Set this variable once to write the fixtures of a new format. Those of a released format never change.
const WRITE: &str = "STEPWELL_WRITE_FORMAT_FIXTURES";

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "asked for by hand, once per format"
)]
fn the_bytes_are_those_of_the_released_format() {
    for (name, bytes) in values() {
        if std::env::var(WRITE).is_ok() {
            std::fs::write(fixture(name), &bytes).unwrap();
        }
        assert!(bytes.len() <= VALUE_BYTES_MAX);
        assert_eq!(std::fs::read(fixture(name)).unwrap(), bytes, "{name}");
    }
}

#[test]
fn fixtures_keep_their_meaning() {
    let read = |name| std::fs::read(fixture(name)).unwrap();
    let inline = Body::Inline(record().content.body);
    assert_eq!(
        decode_event(&read("event_inline")).unwrap(),
        (record(), inline)
    );
    let (mut from_file, body) = decode_event(&read("event_in_file")).unwrap();
    let digest = Digest::of(&record().content.body);
    assert_eq!(body, Body::InFile { digest, length: 41 });
    from_file.content.body = record().content.body;
    assert_eq!(from_file, record());
    assert_eq!(decode_event(&read("event_unicode")).unwrap().0, unicode());
    assert_eq!(decode_row(&read("row")).unwrap(), row());
    assert_eq!(
        decode_number(&read("number")).unwrap(),
        0x0102_0304_0506_0708
    );
}

/// Decodes a value as what its name says; only whether it works is of interest.
fn decodes(name: &str, bytes: &[u8]) -> bool {
    match name {
        "row" => decode_row(bytes).is_ok(),
        "number" => decode_number(bytes).is_ok(),
        _ => decode_event(bytes).is_ok(),
    }
}

#[test]
fn every_flipped_bit_every_cut_and_every_extra_byte_is_seen() {
    for (name, bytes) in values() {
        assert!(decodes(name, &bytes));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!decodes(name, &flipped), "bit {bit} of {name}");
        }
        for end in 0..bytes.len() {
            assert!(!decodes(name, &bytes[..end]), "{name} cut at {end}");
        }
        assert!(!decodes(name, &[&bytes[..], &[0]].concat()));
    }
}

#[test]
fn an_unknown_format_says_its_number() {
    let mut bytes = encode_event(&record(), None).unwrap();
    bytes[0] = 2;
    assert_eq!(decode_event(&bytes).unwrap_err(), Error::Format(2));
}

#[test]
fn a_value_without_a_file_never_exceeds_its_bound() {
    for name in ["", "m.beam", "束流"] {
        let mut record = record();
        record.content.actor = Actor::User(name.to_owned());
        let mut longest = 0;
        for size in 3_900..4_100 {
            record.content.body = vec![b'x'; size];
            let bytes = encode_event(&record, None).unwrap();
            assert_eq!(needs_file(&record.content), bytes.len() > VALUE_BYTES_MAX);
            if !needs_file(&record.content) {
                longest = bytes.len();
            }
        }
        assert_eq!(
            longest, VALUE_BYTES_MAX,
            "the bound is used to the last byte"
        );
    }
}
