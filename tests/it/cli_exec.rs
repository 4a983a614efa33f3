//! `stepwell exec` with real Python: one request from the command line, found again under its name.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use crate::cli_rig::{Place, Ran, text};

#[test]
fn code_from_a_file_runs_with_its_context() {
    let place = Place::new();
    place.write("sum.py", "print('hello')\nresults = {'sum': sum(context.values) + context.more.x, 'word': context.word}\n");
    place.write("more.json", "{\"more\": {\"x\": 4}}");
    place.write("word.txt", "3 ways");
    let answer = place.json(
        0,
        &[
            "exec",
            "--code",
            "sum.py",
            "--context",
            "values=[1, 2]",
            "--context",
            "@more.json",
            "--context",
            "word=@word.txt",
        ],
    );
    assert_eq!(answer["outcome"], "completed");
    assert_eq!(
        answer["execution_result"]["results"],
        json!({"sum": 7, "word": "3 ways"})
    );
    assert_eq!(answer["PYTHON_RESULTS"]["output"], "hello\n");
    let said = place.run(&["exec", "--code", "sum.py", "--context", "values=[1]"]);
    assert_eq!(
        said.code,
        Some(1),
        "a missing context is the code's failure: {said:?}"
    );
    assert!(said.out.contains("more"), "{said:?}");
}

#[test]
fn code_from_standard_input_runs() {
    let place = Place::new();
    let mut child = place
        .command(&["exec", "--code", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"results = 42\n")
        .unwrap();
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let answer: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(answer["PYTHON_RESULTS"]["results"], 42);
}

#[test]
fn a_write_waits_is_answered_elsewhere_and_is_found_by_its_name() {
    let place = Place::new();
    place.write(
        "write.py",
        "open('../../../../../ledger', 'a').write('x')\nresults = 1\n",
    );
    let args = [
        "exec",
        "--code",
        "write.py",
        "--mode",
        "readwrite",
        "--thread",
        "w-1",
    ];
    let answer = place.json(3, &args);
    assert_eq!(answer["outcome"], "waiting");
    assert_eq!(answer["error"], serde_json::Value::Null);
    let approval = text(&answer["approvals"][0]["approval_id"]).to_owned();
    let again = place.json(3, &args);
    assert_eq!(
        again["run_id"], answer["run_id"],
        "the same name finds the same run"
    );
    place.json(0, &["approve", &approval]);
    let done = place.json(0, &args);
    assert_eq!(
        (&done["outcome"], &done["run_id"]),
        (&json!("completed"), &answer["run_id"])
    );
    assert_eq!(place.json(0, &args), done, "and nothing runs again");
    assert_eq!(
        std::fs::read_to_string(place.path("data/ledger")).unwrap(),
        "x"
    );
    place.write("write.py", "results = 2\n");
    let other = place.json(1, &args);
    assert_eq!(other["error"]["code"], "thread_taken");
    assert_eq!(place.json(0, &["show", "@last"])["thread_id"], "w-1");
}

#[test]
fn wrong_words_are_refused_before_anything_is_made() {
    let place = Place::new();
    place.write("x.py", "results = 1\n");
    for (args, code) in [
        (
            vec!["exec", "--code", "x.py", "--mode", "READONLY"],
            "bad_value",
        ),
        (
            vec!["exec", "--code", "x.py", "--execution", "podman"],
            "bad_value",
        ),
        (
            vec!["exec", "--code", "x.py", "--context", "novalue"],
            "inputs_unreadable",
        ),
        (vec!["exec", "--code", "missing.py"], "file_unreadable"),
        (vec!["exec"], "missing_key"),
        (vec!["exec", "--task", "add"], "no_generator"),
    ] {
        let answer = place.json(2, &args);
        assert_eq!(answer["error"]["code"], code, "{args:?}: {answer}");
    }
    assert_eq!(place.json(0, &["list"])["runs"], json!([]));
}
