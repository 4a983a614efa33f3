//! `stepwell test`: the cases of the examples and of the documents, what a failing case says, and chaos.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli_rig::{Place, Ran};
use crate::workflow_compile;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The YAML files of a folder: workflows, or cases.
fn examples(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yml"))
        .collect();
    files.sort();
    assert!(files.len() >= 3, "{files:?}");
    files
}

/// The cases of an example.
fn cases_of(workflow: &Path) -> PathBuf {
    let name = workflow.file_stem().unwrap().to_str().unwrap();
    root().join(format!("workflows/tests/{name}.test.yml"))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

const ORBIT: &str = r#"version: 1
name: orbit
inputs:
  threshold: {type: float, default: 0.8}
steps:
  - id: load
    python: {code: "results = {}"}
    outputs: {rows: int, quality: float}
  - id: sign_off
    if: ${{ steps.load.outputs.quality < inputs.threshold }}
    approval:
      title: Go on with ${{ steps.load.outputs.rows }} rows?
      timeout: 1d
  - id: apply
    needs: [load]
    python: {code: "results = {'applied': 1}", mode: write_access}
    outputs: {applied: int}
outputs:
  applied: ${{ steps.apply.outputs.applied }}
"#;

/// Runs the cases; `cases` is what stands below `cases:`.
fn tested(cases: &str, more: &[&str]) -> Ran {
    let place = Place::new();
    place.write("orbit.yml", ORBIT);
    place.write(
        "orbit.test.yml",
        &format!("workflow: orbit.yml\ncases:\n{cases}"),
    );
    let mut args = vec!["test", "orbit.test.yml"];
    args.extend(more);
    place.run(&args)
}

const GOOD: &str = "  - name: good data pass
    mocks:
      load: {results: {rows: 100, quality: 0.9}}
      apply: {results: {applied: 1}}
    decisions:
      - {step: apply, answer: approve, by: ada, after: 2h}
    expect:
      status: succeeded
      path: [load, apply]
      outputs: {applied: 1.0}
";

#[test]
fn the_cases_of_every_example_pass() {
    let place = Place::new();
    for file in examples("workflows/tests") {
        let ran = place.run(&["test", text(&file)]);
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
        assert!(ran.out.ends_with(" passed\n"), "{}", ran.out);
    }
}

#[test]
fn chaos_breaks_no_promise_of_any_example() {
    let place = Place::new();
    for file in workflow_compile::examples() {
        let file = file.path;
        for seed in ["0", "1", "2"] {
            let ran = place.run(&["test", "--chaos", text(&file), "--seed", seed]);
            assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
            assert!(ran.out.contains("every promise was kept"), "{}", ran.out);
        }
        let cases = cases_of(&file);
        assert!(cases.exists(), "{} has no cases", file.display());
        let ran = place.run(&[
            "test",
            "--chaos",
            text(&file),
            "--cases",
            text(&cases),
            "--json",
        ]);
        let found: Value = serde_json::from_str(&ran.out).unwrap();
        let found = &found["files"][0];
        assert_eq!(found["kept"], true, "{found:#}");
        assert_eq!(found["status"], "succeeded", "{found:#}");
        assert!(
            found["runs"].as_u64() > found["events"].as_u64(),
            "{found:#}"
        );
    }
}

#[test]
fn chaos_says_which_steps_may_happen_again() {
    let place = Place::new();
    place.write("orbit.yml", ORBIT);
    let ran = place.run(&["test", "--chaos", "orbit.yml", "--json"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    let found: Value = serde_json::from_str(&ran.out).unwrap();
    let steps = found["files"][0]["steps"].as_array().unwrap();
    let told: Vec<(&str, u64, u64)> = steps
        .iter()
        .map(|step| {
            let number = |key: &str| step[key].as_u64().unwrap();
            (
                step["step"].as_str().unwrap(),
                number("begins"),
                number("at_most"),
            )
        })
        .collect();
    assert_eq!(told, [("load", 1, 2), ("apply", 1, 1)]);
    assert_eq!(
        steps[0]["when_interrupted"],
        "may run again after a crash: read_only"
    );
    assert_eq!(
        steps[1]["when_interrupted"],
        "asks a person when it was interrupted"
    );
}

#[test]
fn chaos_points_at_requests_that_a_repetition_would_double() {
    let place = Place::new();
    place.write(
        "send.yml",
        "version: 1\nname: send\nsteps:\n  - id: post\n    http: {method: POST, url: \"https://example.org/\"}\n  \
         - id: keyed\n    idempotency_key: one\n    http: {method: POST, url: \"https://example.org/\"}\n  \
         - id: again\n    on_unknown: retry\n    python: {code: \"results = {}\", mode: write_access}\n",
    );
    let ran = place.run(&["test", "--chaos", "send.yml"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    assert!(
        ran.out.contains("? post: POST without `idempotency_key`"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("? keyed"), "{}", ran.out);
    assert!(
        ran.out.contains("? again: `on_unknown: retry`"),
        "{}",
        ran.out
    );
    let row = ran
        .out
        .lines()
        .find(|line| line.starts_with("  again"))
        .unwrap();
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(&words[..4], ["again", "python", "1", "2"], "{}", ran.out);
}

#[test]
fn the_example_of_the_page_gives_what_the_page_shows() {
    let page = fs::read_to_string(root().join("docs/testing.md")).unwrap();
    let block = |start: &str| {
        let at = page.find(start).unwrap();
        let (_, rest) = page[at..].split_once('\n').unwrap();
        rest.split("```").next().unwrap().to_owned()
    };
    let place = Place::new();
    place.write("orbit.yml", &format!("version: 1\n{}", block("version: 1")));
    place.write(
        "orbit.test.yml",
        &format!("workflow: orbit.yml\n{}", block("workflow: orbit.yml")),
    );
    place.write("load.py", "raise RuntimeError('never started')\n");
    let ran = place.run(&["test", "orbit.test.yml"]);
    assert_eq!(ran.out, block("```text"), "{}", ran.err);
    assert_eq!(ran.code, Some(0));
    assert!(!place.path("data").exists(), "nothing is recorded");
}

#[test]
fn rule_24_a_case_that_fails_says_what_was_expected_and_what_happened() {
    let ran = tested(
        &GOOD.replace(
            "path: [load, apply]",
            "path: [load, sign_off]\n      steps: {sign_off: succeeded}",
        ),
        &[],
    );
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let expected = "orbit.test.yml
  ✗ good data pass  (succeeded, 2 h 00 min simulated)
      path
        expected  load, sign_off
        actual    load, apply
      sign_off
        expected  succeeded
        actual    skipped: its condition was false: steps.load.outputs.quality < inputs.threshold
      what happened
        ✓ load  succeeded
        – sign_off  skipped: its condition was false: steps.load.outputs.quality < inputs.threshold
        ✓ apply  succeeded
1 of 1 failed
";
    assert_eq!(ran.out, expected);
}

#[test]
fn a_step_without_a_mock_is_named_with_a_mock_to_paste() {
    let cases = GOOD.replace("      load: {results: {rows: 100, quality: 0.9}}\n", "");
    let ran = tested(&cases, &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(
        ran.out.contains("expected  a mock for `load`"),
        "{}",
        ran.out
    );
    assert!(
        ran.out
            .contains("load: {results: {\"rows\":1,\"quality\":0.6}}"),
        "{}",
        ran.out
    );
}

#[test]
fn an_unanswered_question_is_told_and_an_unused_decision_too() {
    let ran = tested(&GOOD.replace("step: apply", "step: sign_off"), &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(
        ran.out
            .contains("status\n        expected  succeeded\n        actual    waiting"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("the decision was never used"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("open question of apply:"), "{}", ran.out);
}

#[test]
fn bad_results_and_refused_answers_fail_the_case() {
    let ran = tested(&GOOD.replace("rows: 100", "rows: many"), &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(
        ran.out
            .contains("✗ load  failed: outputs.rows: expected int"),
        "{}",
        ran.out
    );
    let ran = tested(&GOOD.replace("answer: approve", "answer: reject"), &[]);
    assert!(
        ran.out
            .contains("the decision for `apply` was refused: a rejection"),
        "{}",
        ran.out
    );
}

#[test]
fn slips_in_a_file_of_cases_have_their_places() {
    let slips = [
        (
            "status: succeeded",
            "statsu: succeeded",
            "did you mean `status`?",
        ),
        (
            "status: succeeded",
            "status: succeded",
            "did you mean `succeeded`?",
        ),
        ("step: apply", "step: aply", "did you mean `apply`?"),
        ("      load:", "      laod:", "did you mean `load`?"),
        (
            "outputs: {applied",
            "outputs: {aplied",
            "did you mean `applied`?",
        ),
        (
            "    mocks:",
            "    inputs: {threshhold: 1}\n    mocks:",
            "did you mean `threshold`?",
        ),
        (
            "path: [load, apply]",
            "events: [StepSkiped]",
            "did you mean `StepSkipped`?",
        ),
    ];
    for (good, slip, advice) in slips {
        let ran = tested(&GOOD.replacen(good, slip, 1), &[]);
        assert_eq!(ran.code, Some(2), "{slip}: {}{}", ran.out, ran.err);
        assert!(
            ran.err.contains("--> orbit.test.yml:"),
            "{slip}: {}",
            ran.err
        );
        assert!(ran.err.contains(advice), "{slip}: {}", ran.err);
    }
}

#[test]
fn one_case_is_chosen_by_its_name() {
    let two = format!("{GOOD}{}", GOOD.replace("good data pass", "again"));
    let ran = tested(&two, &["--case", "again"]);
    assert!(
        ran.out.contains("again") && ran.out.ends_with("1 passed\n"),
        "{}",
        ran.out
    );
    let ran = tested(&two, &["--case", "agian"]);
    assert_eq!(ran.code, Some(2), "{}", ran.out);
    assert!(ran.err.contains("error[unknown_case]"), "{}", ran.err);
}

#[test]
fn nobody_answers_until_the_time_is_over() {
    let cases = "  - name: silence
    inputs: {threshold: 0.95}
    mocks:
      load: {results: {rows: 100, quality: 0.9}}
      apply: {results: {applied: 1}}
    decisions:
      - {step: sign_off, answer: none}
      - {step: apply, answer: approve}
    expect:
      steps: {sign_off: rejected}
      duration: {min: 1d, max: 25h}
";
    let ran = tested(cases, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
}
