use serde_json::json;

use super::*;
use crate::run::payload::RunEnded;

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
        fields(&secrets.redactor, &body),
        json!({
            "step": "load",
            "results": {"***token***": ["a ***token***"], "step": "***token***"},
            "notes": ["***token***"],
        })
    );
}
