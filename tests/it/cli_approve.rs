//! Questions and answers, each from a process of its own.

use serde_json::json;

use crate::cli_rig::{Place, text};

#[test]
fn a_run_that_waits_says_what_is_asked_and_what_to_type() {
    let place = Place::new();
    insta::assert_snapshot!("cli_waiting", place.text(3, &["run", "asks.yml"]));
    let one = place.text(0, &["approvals"]);
    assert_eq!(place.text(0, &["approvals", "@last"]), one);
    let shown = place.text(3, &["resume", "@last"]);
    assert!(
        shown.contains(&one),
        "resume shows the same question:\n{shown}"
    );
    let document = place.json(0, &["approvals"]);
    let asked = &document["approvals"][0];
    assert_eq!(asked["title"], "Go flat with Grüße, 光?");
    assert_eq!(asked["show"], json!({"choose.outputs.word": "flat"}));
    assert_eq!(asked["form"]["scale"]["type"], "float");
}

#[test]
fn the_printed_command_answers_from_another_process() {
    let place = Place::new();
    let waiting = place.json(3, &["run", "asks.yml", "-i", "depth=5"]);
    let id = text(&waiting["waiting"][0]["approval_id"]).to_owned();
    let yes = [
        "approve",
        &id,
        "--form",
        "scale=0.5",
        "--form",
        "pvs=[\"A\"]",
        "--resume",
    ];
    let document = place.json(0, &yes);
    assert_eq!(document["outputs"], json!({"scale": 0.5, "arm": "deep"}));
    assert_eq!(document["steps"]["choose.dig"]["status"], "succeeded");
    let again = place.run(&["approve", &id]);
    assert_eq!(
        again.code,
        Some(0),
        "the same answer again is no error: {again:?}"
    );
    let other = place.run(&["reject", &id, "--comment", "no"]);
    assert_eq!(other.code, Some(1));
    assert!(
        other
            .err
            .starts_with("error[already_decided]: already decided: approved by "),
        "{}",
        other.err
    );
}

#[test]
fn an_answer_is_recorded_with_both_names_and_nothing_is_promised() {
    let place = Place::new();
    place.json(3, &["run", "asks.yml"]);
    let ran = place.run(&["approve", "@last", "--as", "m.beam", "--comment", "fine"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.out.contains("(ask) as m.beam, typed by "),
        "{}",
        ran.out
    );
    let events = place.json(0, &["events", "@last"]);
    let voted = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .find(|event| event["name"] == "ApprovalVoted")
        .unwrap();
    assert_eq!(voted["body"]["person"], "m.beam");
    assert_eq!(voted["body"]["comment"], "fine");
    assert_eq!(
        format!("user:{}", text(&voted["body"]["typed_by"])),
        text(&voted["actor"])
    );
}

#[test]
fn a_rejection_needs_a_reason_and_ends_the_run_with_1() {
    let place = Place::new();
    place.json(3, &["run", "asks.yml"]);
    let bare = place.run(&["reject", "@last"]);
    assert_eq!(bare.code, Some(2));
    assert!(
        bare.err.starts_with("error[comment_missing]"),
        "{}",
        bare.err
    );
    let ran = place.run(&["reject", "@last", "--comment", "not today", "--resume"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.out.contains("asks was rejected") && ran.out.contains("not today"),
        "{}",
        ran.out
    );
    let late = place.run(&["approve", "@last"]);
    assert_eq!(late.code, Some(2));
    assert!(
        late.err.starts_with("error[no_open_approval]"),
        "{}",
        late.err
    );
}

#[test]
fn wrong_form_values_are_refused_and_named() {
    let place = Place::new();
    place.json(3, &["run", "asks.yml"]);
    let cases = [
        ("scal=1", "did you mean `scale`?"),
        ("scale=three", "write a number"),
        ("scale=5", "scale"),
        ("pvs=A", "write it as JSON"),
        ("scale", "write --form NAME=VALUE"),
    ];
    for (form, part) in cases {
        let ran = place.run(&["approve", "@last", "--form", form]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains(part), "{form}: {}", ran.err);
    }
    assert_eq!(
        place.json(0, &["show", "@last"])["status"],
        "waiting",
        "nothing was recorded"
    );
}

#[test]
fn several_open_questions_want_an_id() {
    let place = Place::new();
    place.write(
        "two.yml",
        "version: 1\nname: two\nsteps:\n  - id: a\n    needs: []\n    approval: {title: A}\n  - id: b\n    needs: []\n    \
         approval: {title: B}\n",
    );
    let document = place.json(3, &["run", "two.yml"]);
    let ran = place.run(&["approve", "@last"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.starts_with("error[ambiguous_approval]"),
        "{}",
        ran.err
    );
    let ids: Vec<&str> = document["waiting"]
        .as_array()
        .unwrap()
        .iter()
        .map(|asked| text(&asked["approval_id"]))
        .collect();
    assert!(ids.iter().all(|id| ran.err.contains(id)), "{}", ran.err);
    // The beginning of an id is enough when it is the only one.
    let first = place.run(&["approve", &ids[0][..14]]);
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(
        first.out.contains(&format!("stepwell approve {}", ids[1])),
        "{}",
        first.out
    );
    assert_eq!(place.run(&["approve", "@last", "--resume"]).code, Some(0));
    let unknown = place.run(&["approve", "apr_0000000000000000"]);
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown.err.starts_with("error[unknown_approval]"),
        "{}",
        unknown.err
    );
}

#[test]
fn code_that_asks_is_shown_with_its_findings_and_nothing_hidden() {
    let place = Place::new();
    place.python(
        "writes",
        "",
        "import subprocess\nx = 1  # \u{202e}hidden\nsubprocess.run(['true'])\nresults = {'n': 1}",
    );
    let ran = place.run(&["run", "writes.yml"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(
        ran.out.contains("3 | subprocess.run(['true'])"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("| ^ "),
        "a finding stands under its line: {}",
        ran.out
    );
    assert!(
        ran.out.contains("\\u{202e}hidden") && !ran.out.contains('\u{202e}'),
        "{}",
        ran.out
    );
    for part in [
        "digest",
        "sha256:",
        "policy",
        "environment  python 3",
        "waiting.ipynb",
        "risk         high",
    ] {
        assert!(ran.out.contains(part), "`{part}` in {}", ran.out);
    }
    let document = place.json(0, &["approve", "@last", "--resume"]);
    assert_eq!(document["outputs"], json!({"n": 1}));
}
