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

    // The second was rejected: the third is compared with the first, which it equals.
    place.json(0, &["reject", "@last", "--comment", "too far"]);
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

/// What the analysis does not see, or is told not to look for, meets the guard at the call; what a mode may write
/// meets the limits of its channels.
#[test]
fn what_a_guard_and_a_limit_refused_is_listed_with_its_attempt() {
    let place = Place::new();
    if std::env::var_os("STEPWELL_TEST_PYTHON").is_none() && std::env::var_os("CI").is_none() {
        eprintln!("passed over: there is no Python for tests");
        return;
    }
    // A stand-in for the library, which would write.
    let library = "def caget(pvname, **_): return 1.0\ndef caput(pvname, value, **_): open('written', 'w').write(pvname)\n";
    place.write("libraries/epics/__init__.py", library);
    place.write(
        "config.yml",
        "approval: {global_mode: disabled}\n\
         execution: {modes: {write_access: {requires_approval: false}}}\n\
         analysis: {rules: {control_write: off}}\n\
         control_system: {write_limits: {channels: {\"X:A\": {min: 0, max: 5}}}}\n",
    );
    let libraries = place.path("libraries").display().to_string();
    let step = |name: &str, mode: &str, retry: &str, code: &str| {
        let text = format!(
            "version: 1\nname: {name}\nsteps:\n  - id: put\n{retry}    env: {{PYTHONPATH: \"{libraries}\"}}\n    \
             python:\n      mode: {mode}\n      code: |\n        import epics, os\n        {code}\n"
        );
        place.write(&format!("{name}.yml"), &text);
    };
    // The second attempt writes, and no later one is made.
    step(
        "guarded",
        "read_only",
        "    retry: {max_attempts: 5, delay: 1ms, kinds: [code]}\n",
        "if os.environ['STEPWELL_ATTEMPT'] == '1': raise ValueError('again')\n        epics.caput('X:A', 1)",
    );
    step("limited", "write_access", "", "epics.caput('X:A', 9)");
    step("unlisted", "write_access", "", "epics.caput('X:B', 1)");
    for name in ["guarded", "limited", "unlisted"] {
        place.json(1, &["run", &format!("{name}.yml")]);
    }
    let refusals = place.json(0, &["refusals"])["refusals"].clone();
    let row = |one: &Value| {
        assert!(one["at"].is_string() && one["run_id"].is_string(), "{one}");
        json!([
            one["workflow"],
            one["step"],
            one["attempt"],
            one["layer"],
            one["code"]
        ])
    };
    let seen: Vec<Value> = refusals.as_array().unwrap().iter().map(row).collect();
    assert_eq!(
        seen,
        [
            json!(["unlisted", "put", 1, "limits", "channel_not_listed"]),
            json!(["limited", "put", 1, "limits", "channel_limit"]),
            json!(["guarded", "put", 2, "guard", "write_refused"]),
        ]
    );
    let shown = place.text(0, &["refusals"]);
    let words = |layer: &str| {
        let line = shown.lines().find(|line| line.contains(layer)).unwrap();
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(words("guard")[1..3], ["put", "2"], "{shown}");
    assert_eq!(words("limits")[1..3], ["put", "1"], "{shown}");
    assert!(
        shown.contains("X:A") && shown.contains("ATTEMPT"),
        "{shown}"
    );
    let one = place.json(0, &["refusals", "@last"])["refusals"].clone();
    assert_eq!(one[0]["code"], "channel_not_listed");
    assert_eq!(one.as_array().unwrap().len(), 1);
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

#[test]
fn a_notebook_is_analysed_with_findings_in_its_cells() {
    let place = Place::new();
    let cell = |text: &str| json!({"cell_type": "code", "metadata": {}, "source": text, "outputs": [], "execution_count": null});
    let notebook = |cells: Vec<Value>| {
        json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).to_string()
    };
    let title = json!({"cell_type": "markdown", "metadata": {}, "source": "# Ramp\n\nand more"});
    let ramp = cell("n = 1\n\nepics.caput(\n    'X', n)\n");
    place.write(
        "ramp.ipynb",
        &notebook(vec![title, cell("import epics\n"), ramp]),
    );
    let seen = place.json(0, &["analyze", "ramp.ipynb"]);
    assert_eq!(seen["verdict"], "block");
    let findings = seen["findings"].as_array().unwrap();
    let put = findings
        .iter()
        .find(|one| one["rule"] == "control_write")
        .unwrap();
    let at = json!([put["cell"], put["line"], put["column"], put["end_line"]]);
    assert_eq!(at, json!([2, 3, 1, 4]), "{put}");
    let reason = text(&seen["policy"]["reason"]);
    assert!(reason.starts_with("Cell 2, line 3: "), "{reason}");
    let shown = place.text(0, &["analyze", "ramp.ipynb"]);
    assert!(
        shown.contains("\ncell 2, line 3:1: ") && shown.contains("| epics.caput("),
        "{shown}"
    );
    let shell = |text: &str| notebook(vec![cell("x = 1"), cell(text)]);
    place.write("shell.ipynb", &shell("%%bash\nls"));
    let refused = place.json(2, &["analyze", "shell.ipynb"]);
    assert_eq!(refused["error"]["code"], "bad_file", "{refused}");
    assert!(refused.to_string().contains("cell 2, line 1"), "{refused}");
    place.write("shell.ipynb", &shell("y = 2\n!ls"));
    let unreadable = place.json(0, &["analyze", "shell.ipynb"])["findings"][0].clone();
    let at = json!([unreadable["rule"], unreadable["cell"], unreadable["line"]]);
    assert_eq!(at, json!(["syntax", 2, 2]), "{unreadable}");
    place.write("half.ipynb", "{");
    assert_eq!(
        place.json(2, &["analyze", "half.ipynb"])["error"]["code"],
        "bad_file"
    );
}
