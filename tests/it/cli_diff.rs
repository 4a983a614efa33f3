//! `stepwell diff`: what two runs have in common and what not.

use serde_json::{Value, json};

use crate::cli_rig::{Place, text};

fn names(list: &Value, agreement: &str) -> Vec<String> {
    list.as_array()
        .unwrap()
        .iter()
        .filter(|one| one["agreement"] == agreement)
        .map(|one| text(&one["name"]).to_owned())
        .collect()
}

fn step<'a>(diff: &'a Value, path: &str) -> &'a Value {
    let steps = diff["steps"].as_array().unwrap();
    steps.iter().find(|step| step["step"] == path).unwrap()
}

#[test]
fn two_runs_of_the_same_are_the_same_and_other_inputs_make_other_outputs() {
    let place = Place::new();
    let first = place.json(0, &["run", "plain.yml"]);
    let second = place.json(0, &["run", "plain.yml"]);
    let third = place.json(0, &["run", "plain.yml", "-i", "n=3"]);
    let [a, b, c] = [&first, &second, &third].map(|run| text(&run["run_id"]));

    assert_eq!(place.json(0, &["diff", a, b])["same"], true);
    assert_eq!(
        place.text(0, &["diff", a, b]),
        "the runs are the same but for times\n"
    );
    assert!(place.text(0, &["diff", a, b, "--all"]).contains("double"));

    let diff = place.json(1, &["diff", a, c]);
    assert_eq!(diff["same"], false);
    assert_eq!(names(&diff["facts"], "differs"), [""; 0]);
    assert_eq!(names(&diff["inputs"], "differs"), ["n"]);
    assert_eq!(names(&diff["inputs"], "same"), ["numbers[0]", "numbers[1]"]);
    let double = step(&diff, "double");
    assert_eq!(names(&double["outputs"], "differs"), ["n"]);
    let n = &double["outputs"][0];
    assert_eq!((&n["a"], &n["b"]), (&json!(4), &json!(6)));
    assert_eq!((&n["absolute"], &n["relative"]), (&json!(2.0), &json!(0.5)));

    let shown = place.text(1, &["diff", a, c]);
    assert!(shown.contains("+2 (+50.000 %)"), "{shown}");
    assert!(!shown.contains("sum"), "{shown}");
    assert!(
        place
            .text(1, &["diff", a, c, "--all"])
            .contains("outputs.sum")
    );
}

#[test]
fn changed_code_is_shown_line_by_line_and_files_by_their_digest() {
    let place = Place::new();
    let code = "save_artifact('same', 'same')\nsave_artifact('one', 'other')\nresults = {'n': 1}";
    place.python("flow", "", code);
    let first = place.json(0, &["run", "flow.yml"]);
    let changed =
        "save_artifact('same', 'same')\nsave_artifact('two', 'other')\nresults = {'n': 2}";
    place.python("flow", "", changed);
    let second = place.json(0, &["run", "flow.yml"]);
    let [a, b] = [&first, &second].map(|run| text(&run["run_id"]));
    let diff = place.json(1, &["diff", a, b]);
    assert_eq!(names(&diff["facts"], "differs"), ["source", "plan"]);
    let work = step(&diff, "work");
    assert_eq!(names(&work["facts"], "differs"), ["code"]);
    let change = text(&work["code_diff"]);
    assert!(
        change.starts_with("--- A/work.py\n+++ B/work.py\n@@ "),
        "{change}"
    );
    assert!(
        change.contains("\n-results = {'n': 1}\n") && change.contains("\n+results = {'n': 2}\n"),
        "{change}"
    );
    assert_eq!(names(&work["files"], "same").len(), 1, "{work}");
    assert_eq!(names(&work["files"], "differs").len(), 1, "{work}");
    let shown = place.text(1, &["diff", a, b]);
    assert!(shown.contains("-results = {'n': 1}"), "{shown}");
}

#[test]
fn a_step_of_one_run_only_and_wrong_use() {
    let place = Place::new();
    let first = place.json(0, &["run", "plain.yml"]);
    let second = place.json(3, &["run", "asks.yml"]);
    let [a, b] = [&first, &second].map(|run| text(&run["run_id"]));
    let diff = place.json(1, &["diff", a, b]);
    assert_eq!(step(&diff, "double")["agreement"], "only_a");
    assert_eq!(step(&diff, "ask")["agreement"], "only_b");
    assert!(names(&diff["facts"], "differs").contains(&"workflow".to_owned()));
    let shown = place.text(1, &["diff", a, b]);
    assert!(
        shown.contains("only in A") && shown.contains("only in B"),
        "{shown}"
    );

    assert_eq!(place.run(&["diff", a]).code, Some(2));
    let ran = place.run(&["diff", a, "nothing"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.starts_with("error[unknown_run]"), "{ran:?}");
}
