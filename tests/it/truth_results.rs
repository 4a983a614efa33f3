//! What steps may leave, and what they do to themselves: each is a failure with its own code, in a sound history.

use serde_json::{Value, json};

use crate::cli_rig::Place;

/// Runs one step with this code, which must fail the run; its document.
fn failed(place: &Place, name: &str, code: &str) -> Value {
    place.python(name, "", code);
    let ran = place.run(&["run", &format!("{name}.yml"), "--json"]);
    assert_eq!(ran.code, Some(1), "{name}: {ran:?}");
    assert!(!ran.err.contains("panicked at"), "{name}: {}", ran.err);
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{name}: {error}: {ran:?}"))
}

fn sound(place: &Place) {
    assert_eq!(place.json(0, &["verify"])["sound"], true);
}

#[test]
fn a_step_may_say_that_what_is_no_number_becomes_null() {
    let place = Place::new();
    let code = "n: int = 1\nresults = {'n': n, 'bad': [float('nan'), float('inf'), 2.5]}";
    let step = |name: &str, nan: &str| {
        place.python(name, "", code);
        let file = format!("{name}.yml");
        let text = std::fs::read_to_string(place.path(&file)).unwrap();
        place.write(
            &file,
            &text.replace("    python:\n", &format!("    python:\n      nan: {nan}\n")),
        );
    };
    for (name, word) in [("plain", "null"), ("quoted", "\"null\"")] {
        step(name, word);
        let run = place.json(0, &["run", &format!("{name}.yml")]);
        assert_eq!(run["outputs"]["n"], 1);
        let notes = run["steps"]["work"]["notes"].to_string();
        assert!(
            notes.contains("nan became null") && notes.contains("inf became null"),
            "{notes}"
        );
        let results = place.json(0, &["results", "@last"]).to_string();
        assert!(results.contains("[null,null,2.5]"), "{results}");
    }
    step("refused", "refuse");
    let run = place.json(1, &["run", "refused.yml"]);
    assert_eq!(run["failure"]["failure"]["code"], "results_not_finite");
    step("unknown", "nul");
    let refused = place.json(2, &["run", "unknown.yml"]).to_string();
    assert!(refused.contains("did you mean `null`?"), "{refused}");
}

#[test]
fn each_wrong_result_has_its_code() {
    let cases = [
        (
            "nan",
            "results = {'n': float('nan')}",
            "code",
            "results_not_finite",
        ),
        (
            "infinite",
            "results = {'n': [1.0, -1e400]}",
            "code",
            "results_not_finite",
        ),
        (
            "huge_int",
            "results = {'n': 2 ** 63}",
            "code",
            "results_int_range",
        ),
        (
            "huge",
            // One large value would become a file; of small ones there are too many for that.
            "results = {f'name {i}': 'x' * 30 for i in range(60_000)}",
            "code",
            "results_too_large",
        ),
        (
            "cyclic",
            "results = {'n': 1}\nresults['me'] = results",
            "code",
            "results_cycle",
        ),
        (
            "deep",
            "results = []\nfor _ in range(5000):\n    results = [results]",
            "code",
            "results_too_deep",
        ),
        (
            "object",
            "results = {'n': object()}",
            "code",
            "results_unsupported",
        ),
        ("keys", "results = {1: 2}", "code", "results_key"),
        (
            "raises",
            "results = {'n': 1}\nraise ValueError('no beam')",
            "code",
            "python_exception",
        ),
        ("dies", "import sys\nsys.exit(3)", "code", "exit_status"),
        ("leaves", "import os\nos._exit(0)", "code", "exited_early"),
        (
            "crashes",
            "import ctypes\nctypes.string_at(0)",
            "code",
            "crashed",
        ),
        (
            "lacks",
            "import stepwell_has_no_such_module",
            "code",
            "module_missing",
        ),
        (
            "recurses",
            "def f():\n    return f()\nf()",
            "code",
            "python_exception",
        ),
    ];
    let place = Place::new();
    // Native code would be asked about first.
    place.write("config.yml", "approval: {global_mode: disabled}\n");
    let mut wrong = Vec::new();
    for (name, code, kind, word) in cases {
        let document = failed(&place, name, code);
        let failure = &document["steps"]["work"]["failure"];
        if failure["kind"] != kind || failure["code"] != word {
            wrong.push(format!("{name}: {failure} instead of {kind} {word}"));
        }
        assert_eq!(document["status"], "failed");
        assert_eq!(
            document["failure"]["failure"], *failure,
            "{name}: the run names it too"
        );
        assert!(
            document["steps"]["work"]["notebook"].is_string(),
            "{name}: there is a notebook of it"
        );
        assert_eq!(place.json(0, &["show", "@last"])["status"], "failed");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    sound(&place);
}

#[test]
fn a_declared_output_that_is_missing_or_of_another_type_is_a_bad_output() {
    let place = Place::new();
    for (name, code) in [
        ("absent", "results = {'m': 1}"),
        ("text", "results = {'n': 'one'}"),
        ("none", "pass"),
    ] {
        place.python(name, "    outputs: {n: int}\n", code);
        let document = place.json(1, &["run", &format!("{name}.yml")]);
        assert_eq!(
            document["steps"]["work"]["failure"]["code"], "bad_output",
            "{name}: {document}"
        );
    }
    sound(&place);
}

#[test]
fn a_hundred_megabytes_of_output_are_cut_and_the_step_succeeds() {
    let place = Place::new();
    let code = "import sys\nfor _ in range(100):\n    sys.stdout.write('x' * 1023 * 1024 + '\\n')\nresults = {'n': 1}";
    place.python("loud", "", code);
    let document = place.json(0, &["run", "loud.yml"]);
    assert_eq!(document["outputs"], json!({"n": 1}));
    let notes = document["steps"]["work"]["notes"].to_string();
    assert!(
        notes.contains("stdout"),
        "that it was cut is noted: {notes}"
    );
    let folder = place
        .path("data")
        .join(document["folder"].as_str().unwrap())
        .join("work/1");
    let kept = std::fs::metadata(folder.join("stdout.log")).unwrap().len();
    assert!((1 << 20..=5 << 20).contains(&kept), "{kept} bytes are kept");
    let notebook = std::fs::metadata(folder.join("notebook.ipynb"))
        .unwrap()
        .len();
    assert!(notebook < 10 << 20, "{notebook} bytes of notebook");
    let logs = place.run(&["logs", "@last"]);
    assert_eq!(logs.code, Some(0));
    assert!(logs.out.len() <= 6 << 20, "{}", logs.out.len());
    sound(&place);
}

#[test]
fn output_that_is_no_text_is_kept_and_shown() {
    let place = Place::new();
    let code = "import os\nos.write(1, b'caf\\xe9 \\xff\\xfe\\x00 end\\n')\nos.write(2, bytes(range(256)))\nresults = {'n': 1}";
    place.python("latin", "", code);
    let document = place.json(0, &["run", "latin.yml"]);
    let folder = place
        .path("data")
        .join(document["folder"].as_str().unwrap())
        .join("work/1");
    let kept = std::fs::read(folder.join("stdout.log")).unwrap();
    assert_eq!(kept, b"caf\xe9 \xff\xfe\x00 end\n", "as it was written");
    // Whatever is printed of it is text.
    let logs = place.json(0, &["logs", "@last"]);
    assert!(logs.to_string().contains("end"), "{logs}");
    let raw = place.command(&["logs", "@last"]).output().unwrap();
    assert!(
        raw.stdout.starts_with(b"caf\xe9"),
        "a pipe gets what the code wrote"
    );
    let text = std::fs::read_to_string(folder.join("notebook.ipynb")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap();
    sound(&place);
}
