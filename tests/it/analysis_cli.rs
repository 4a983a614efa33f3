//! What people see of the analysis: its verdict, what is different in code that they are asked about, refusals.

use serde_json::{Value, json};

use crate::cli_rig::{Place, text};

/// The open question of the newest run.
fn asked(place: &Place) -> Value {
    place.json(0, &["approvals", "@last"])["approvals"][0].clone()
}

#[test]
fn a_question_shows_the_change_since_the_last_approval() {
    let place = Place::new();
    place.python("ramp", "", "step = 1\nresults = {'n': step}");
    place.json(3, &["run", "ramp.yml", "--mode", "write_access"]);
    let first = asked(&place);
    assert!(first["requester"].is_string(), "{first:#}");
    assert_eq!(first["approved_before"], Value::Null);
    let shown = place.text(0, &["approvals"]);
    assert!(
        shown.contains("no code of this step was approved before"),
        "{shown}"
    );
    assert!(shown.contains("requester"), "{shown}");
    place.json(0, &["approve", "@last"]);

    place.python("ramp", "", "step = 2\nresults = {'n': step}");
    place.json(3, &["run", "ramp.yml", "--mode", "write_access"]);
    let second = asked(&place);
    let before = &second["approved_before"];
    let diff = text(&before["diff"]);
    assert!(
        diff.contains("-step = 1\n+step = 2\n results = {'n': step}\n"),
        "{diff}"
    );
    assert!(
        diff.starts_with("--- approved/work.py\n+++ asked/work.py\n"),
        "{diff}"
    );
    assert_ne!(before["run_id"], second["run_id"]);
    let shown = place.text(0, &["approvals", "@last"]);
    assert!(
        shown.contains("\n    -step = 1\n    +step = 2\n"),
        "{shown}"
    );
    assert!(
        shown.contains("from the code that was approved by "),
        "{shown}"
    );

    // The second was never approved: the third is compared with the first, which it equals.
    place.python("ramp", "", "step = 1\nresults = {'n': step}");
    place.json(3, &["run", "ramp.yml", "--mode", "write_access"]);
    let third = asked(&place);
    assert_eq!(third["approved_before"]["run_id"], before["run_id"]);
    assert_eq!(third["approved_before"]["diff"], Value::Null);
    let shown = place.text(0, &["approvals", "@last"]);
    assert!(
        shown.contains("none: the same code was approved by "),
        "{shown}"
    );
}

#[test]
fn what_was_refused_is_listed_with_the_layer_that_refused_it() {
    let place = Place::new();
    assert_eq!(place.text(0, &["refusals"]), "nothing was refused\n");
    place.python(
        "writes",
        "",
        "import epics\nepics.caput('X', 1)\nresults = {'n': 1}",
    );
    place.json(1, &["run", "writes.yml"]);
    place.python("ramp", "", "results = {'n': 1}");
    place.json(3, &["run", "ramp.yml", "--mode", "write_access"]);
    place.json(
        1,
        &["reject", "@last", "--comment", "not today", "--resume"],
    );
    place.json(0, &["run", "plain.yml"]);
    let refusals = place.json(0, &["refusals"])["refusals"].clone();
    let seen: Vec<Value> = refusals
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            json!([
                one["workflow"],
                one["step"],
                one["layer"],
                one["code"],
                one["line"]
            ])
        })
        .collect();
    assert_eq!(
        seen,
        [
            json!(["ramp", "work", "person", "rejected", null]),
            json!(["writes", "work", "analysis", "write_in_read_only", 2]),
        ]
    );
    assert_eq!(
        refusals[1]["rule"],
        "execution.modes.read_only.allows_writes = false"
    );
    let shown = place.text(0, &["refusals"]);
    assert!(
        shown.contains("not today") && shown.contains("writes to the control system"),
        "{shown}"
    );
    assert_eq!(
        place.text(0, &["refusals", "@last"]),
        "nothing was refused\n"
    );
}

#[test]
fn analyze_uses_the_severities_of_the_mode_and_refuses_other_words_first() {
    let place = Place::new();
    place.write("net.py", "import requests\nrequests.get('http://x')\n");
    place.write(
        "config.yml",
        "analysis:\n  modes:\n    readonly: {rules: {network: block}}\n",
    );
    let with = |mode: &str| place.json(0, &["analyze", "net.py", "--mode", mode]);
    assert_eq!(with("readonly")["verdict"], "block");
    assert_eq!(
        with("read_only")["policy"]["rule"],
        "analysis.rules.network"
    );
    assert_eq!(with("readwrite")["verdict"], "ask");
    for word in ["write", "READ_ONLY", "", "admin"] {
        let ran = place.run(&["analyze", "no_such_file.py", "--mode", word]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains("mode"), "{}", ran.err);
        assert!(!ran.err.contains("no_such_file"), "{}", ran.err);
    }
}
