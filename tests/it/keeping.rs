//! What a step says about what it leaves: which files, what is not shown, labels, how long, and the key of a repetition.

use serde_json::{Value, json};

use crate::cli_rig::Place;

const WORKFLOW: &str = r#"version: 1
name: keeps
labels: {team: orbit, tier: production}
retention: 90d
inputs:
  day: {type: string, default: monday}
steps:
  - id: work
    labels: {part: first}
    retention: 7d
    artifacts: ["*.csv", "deep/**/*.txt", "none_*.dat"]
    sensitive: [password]
    idempotency_key: ${{ inputs.day }}-work
    python:
      code: |
        import os
        for name in ["table.csv", "other.log", "deep/a/b.txt"]:
            os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
            with open(name, "w") as file:
                file.write(name)
        save_artifact("said", "said")
        results = {"password": "-".join(["hidden", "words"]), "key": os.environ["STEPWELL_IDEMPOTENCY_KEY"]}
outputs:
  whole: ${{ steps.work.outputs.password }}
  key: ${{ steps.work.outputs.key }}
"#;

fn place() -> Place {
    let place = Place::new();
    place.write("keeps.yml", WORKFLOW);
    place.write("config.yml", "approval: {global_mode: disabled}\n");
    place
}

#[test]
fn files_that_fit_a_pattern_are_kept_and_a_pattern_that_fits_nothing_is_told() {
    let place = place();
    let shown = place.json(0, &["run", "keeps.yml"]);
    let work = &shown["steps"]["work"];
    let mut names: Vec<&str> = work["artifacts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["path"].as_str().unwrap().split("/1/").nth(1).unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["artifacts/said.txt", "deep/a/b.txt", "table.csv"]);
    assert_eq!(
        work["notes"],
        json!(["no file fits the pattern `none_*.dat` of `artifacts`"])
    );
}

#[test]
fn sensitive_outputs_are_kept_and_shown_only_to_who_asks() {
    let place = place();
    place.run(&["run", "keeps.yml"]);
    let told = |args: &[&str]| {
        let ran = place.run(args);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.out
    };
    for args in [
        vec!["show", "@last"],
        vec!["show", "@last", "--json"],
        vec!["results", "@last"],
        vec!["results", "@last", "work"],
    ] {
        let text = told(&args);
        assert!(
            text.contains("•••") && !text.contains("hidden-words"),
            "{args:?}: {text}"
        );
        let text = told(&[args.as_slice(), &["--reveal"]].concat());
        assert!(text.contains("hidden-words"), "{args:?}: {text}");
    }
    for args in [&["notebook", "@last"][..], &["notebook", "@last", "work"]] {
        told(&[args, &["-o", "copy.ipynb"]].concat());
        let notebook = std::fs::read_to_string(place.path("copy.ipynb")).unwrap();
        assert!(
            notebook.contains("•••") && !notebook.contains("hidden-words"),
            "{notebook}"
        );
        std::fs::remove_file(place.path("copy.ipynb")).unwrap();
    }
}

#[test]
fn labels_retention_and_the_key_are_recorded() {
    let place = place();
    let shown = place.json(0, &["run", "keeps.yml"]);
    assert_eq!(
        shown["labels"],
        json!({"team": "orbit", "tier": "production"})
    );
    assert_eq!(shown["retention"], "90d");
    let work = &shown["steps"]["work"];
    assert_eq!(
        (&work["labels"], &work["retention"]),
        (&json!({"part": "first"}), &json!("7d"))
    );
    assert_eq!(work["idempotency_key"], "monday-work");
    assert_eq!(shown["outputs"]["key"], "monday-work");
    let count = |labels: &[&str]| {
        let flags: Vec<&str> = labels
            .iter()
            .flat_map(|label| ["--label", *label])
            .collect();
        let listed: Value = place.json(0, &[&["list"], flags.as_slice()].concat());
        listed["runs"].as_array().unwrap().len()
    };
    place.run(&["run", "plain.yml"]);
    assert_eq!(count(&[]), 2);
    assert_eq!(count(&["team=orbit"]), 1);
    assert_eq!(count(&["team=orbit", "tier=production"]), 1);
    assert_eq!(count(&["team=orbit", "tier=test"]), 0);
    assert_eq!(place.run(&["list", "--label", "team"]).code, Some(2));
}
