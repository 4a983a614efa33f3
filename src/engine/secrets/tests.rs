use serde_json::json;

use super::*;
use crate::id::RunId;
use crate::run::payload::RunEnded;
use crate::run::{NewRecord, Record, Recorded};

fn secrets(values: &[(&str, &str)]) -> Secrets {
    let found = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Found::Value((*value).to_owned())))
        .collect();
    let redactor = keeping(&found, &BTreeMap::new());
    Secrets { found, redactor }
}

#[test]
fn only_allowed_names_are_filled_and_values_are_never_filled_again() {
    let secrets = secrets(&[("a", "value ${{ secrets.b }}"), ("b", "other value")]);
    let text = "1 ${{ secrets.a }} 2 ${{ secrets.b }} 3 ${{ secrets.a }}";
    assert_eq!(
        secrets.fill(text, &["a"]).unwrap(),
        "1 value ${{ secrets.b }} 2 ${{ secrets.b }} 3 value ${{ secrets.b }}"
    );
    assert_eq!(
        secrets
            .fill("${{ secrets.b }}${{ secrets.a }}", &["a", "b"])
            .unwrap(),
        "other valuevalue ${{ secrets.b }}"
    );
    assert_eq!(secrets.fill("plain", &["a"]).unwrap(), "plain");
    assert_eq!(
        secrets.fill("${{ secrets.c }}", &["c"]).unwrap_err().code,
        "secret_missing"
    );
}

#[test]
fn a_file_loses_one_line_end_and_what_can_t_be_used_is_told_without_the_value() {
    let folder = tempfile::tempdir().unwrap();
    let file = |bytes: &[u8]| {
        fs::write(folder.path().join("token"), bytes).unwrap();
        let source = SecretSource::File("token".to_owned());
        judge("t", &source, read_file(Some(folder.path()), "token"))
    };
    for (bytes, value) in [
        ("abcd\n", "abcd"),
        ("abcd\r\n", "abcd"),
        ("abcd\n\n", "abcd\n"),
    ] {
        let Found::Value(found) = file(bytes.as_bytes()) else {
            panic!("{bytes:?}");
        };
        assert_eq!(found, value);
    }
    let most = "x".repeat(SECRET_BYTES_MAX);
    assert!(matches!(
        file(format!("{most}\r\n").as_bytes()),
        Found::Value(_)
    ));
    for (bytes, word) in [
        ("xyz\n".to_owned().into_bytes(), "fewer than 4"),
        (format!("{most}y").into_bytes(), "larger than 64 KiB"),
        (b"ab\0cd".to_vec(), "NUL"),
        (b"abcd\xff".to_vec(), "not UTF-8"),
    ] {
        let Found::Not(failure) = file(&bytes) else {
            panic!("{word}");
        };
        assert_eq!(
            (failure.kind, failure.code.as_str()),
            (FailureKind::Configuration, "secret_invalid")
        );
        assert!(failure.message.contains(word), "{}", failure.message);
        assert!(!failure.message.contains("xyz"), "{}", failure.message);
    }
    let source = SecretSource::File("none".to_owned());
    let Found::Not(failure) = judge("t", &source, read_file(Some(folder.path()), "none")) else {
        panic!("it was found");
    };
    assert_eq!(failure.code, "secret_missing");
    assert!(failure.message.contains("`t`") && failure.message.contains("the file none"));
}

#[test]
fn events_lose_secrets_in_what_is_said_and_keep_their_names() {
    let secrets = secrets(&[("token", "load")]);
    let said = Event::RunCancelled(RunEnded {
        reason: Some("load it later".to_owned()),
        ..RunEnded::default()
    });
    let shown = without(&secrets.redactor, said).unwrap().to_json();
    assert_eq!(shown["reason"], json!("***token*** it later"));
    let body =
        json!({"step": "load", "results": {"load": ["a load"], "step": "load"}, "notes": ["load"]});
    assert_eq!(
        fields(&secrets.redactor, &body, false),
        json!({
            "step": "load",
            "results": {"***token***": ["a ***token***"], "step": "***token***"},
            "notes": ["***token***"],
        })
    );
}

/// Every text of an event, by its place.
fn texts(place: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => found.push((place.to_owned(), text.clone())),
        Value::Array(items) => items.iter().for_each(|item| texts(place, item, found)),
        Value::Object(map) => map
            .iter()
            .for_each(|(key, value)| texts(&format!("{place}.{key}"), value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A golden history.
fn history(file: &Path) -> (std::sync::Arc<Plan>, Vec<Recorded>) {
    let whole: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let plan: Plan = serde_json::from_value(whole["plan"].clone()).unwrap();
    let recorded = |record: &Value| {
        let number = |name: &str| record[name].as_u64().unwrap();
        let content = NewRecord {
            time: serde_json::from_value(record["time"].clone()).unwrap(),
            kind: u16::try_from(number("kind")).unwrap(),
            version: u8::try_from(number("version")).unwrap(),
            actor: serde_json::from_value(record["actor"].clone()).unwrap(),
            body: record["body"].to_string().into_bytes(),
        };
        let record = Record {
            run: RunId::from_bytes([7; 16]),
            seq: number("seq"),
            epoch: number("epoch"),
            previous: Record::CHAIN_START,
            content,
        };
        Recorded::from_record(&record).unwrap()
    };
    let records = whole["records"].as_array().unwrap().iter();
    (std::sync::Arc::new(plan), records.map(recorded).collect())
}

#[test]
fn a_secret_that_is_part_of_any_text_of_any_event_stops_nothing() {
    // The golden histories have every kind of event. Whatever piece of an id, a digest, a date, a kind or a name the
    // secret is, the history without it folds to a run in the same state.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/histories/v1");
    let mut folded = 0;
    for file in fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        let (plan, all) = history(&file);
        if all
            .iter()
            .any(|at| matches!(at.event, Event::PlanMigrated(_)))
        {
            continue;
        }
        let run = RunId::from_bytes([7; 16]);
        let replay = |all: &[Recorded]| RunState::replay(run, std::sync::Arc::clone(&plan), all);
        let Ok(Some(whole)) = replay(&all) else {
            continue;
        };
        let mut found = Vec::new();
        for at in &all {
            texts("", &at.event.to_json(), &mut found);
        }
        let keys: Vec<&String> = found
            .iter()
            .filter(|(place, _)| place == ".keys")
            .map(|(_, text)| text)
            .collect();
        let pieces: std::collections::BTreeSet<String> = found
            .iter()
            .map(|(_, text)| text.chars().rev().take(4).collect::<Vec<_>>())
            .filter(|piece| piece.len() == 4)
            .map(|piece| piece.into_iter().rev().collect::<String>())
            // Paths are made of the keys as they were recorded: free of secrets already, when there are secrets.
            .filter(|piece| !keys.iter().any(|key| key.contains(piece)))
            .collect();
        for secret in pieces {
            let redactor = Redactor::new([("pin", secret.as_str())]).unwrap();
            let shown = all.iter().map(|at| Recorded {
                event: without(&redactor, at.event.clone()).unwrap(),
                ..at.clone()
            });
            let shown: Vec<Recorded> = shown.collect();
            let state = replay(&shown).unwrap_or_else(|error| panic!("{secret}: {error}"));
            assert_eq!(state.unwrap().status(), whole.status(), "{secret}");
            folded += 1;
        }
    }
    assert!(folded > 100, "{folded}");
}

#[test]
fn keys_of_items_lose_secrets_and_stay_apart() {
    let secrets = secrets(&[("one", "aaaa"), ("two", "bbbb")]);
    let redactor = Redactor::new([("pin", "aaaa"), ("pin", "bbbb")]).unwrap();
    let body = json!({"step": "per", "items": ["aaaa", "bbbb"], "keys": ["aaaa", "bbbb"]});
    assert_eq!(
        fields(&redactor, &body, false),
        json!({"step": "per", "items": ["***pin***", "***pin***"], "keys": ["***pin***", "***pin*** 2"]})
    );
    assert_eq!(
        fields(
            &secrets.redactor,
            &json!({"changes": "aaaa", "to": "aaaa"}),
            true
        ),
        json!({"changes": "aaaa", "to": "aaaa"})
    );
    let form = json!({"form": {"aaaa": {"type": "aaaa", "description": "aaaa"}}});
    assert_eq!(
        fields(&secrets.redactor, &form, true),
        json!({"form": {"aaaa": {"type": "aaaa", "description": "***one***"}}})
    );
}
