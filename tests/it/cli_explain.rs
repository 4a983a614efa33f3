//! `stepwell explain RUN STEP`: every reason with the event that shows it.

use serde_json::Value;

use crate::cli_rig::{Place, text};

/// The reasons of a step as `kind: text`; each must name an event that is there and is of that kind.
fn reasons(place: &Place, run: &str, step: &str) -> Vec<String> {
    let events = place.json(0, &["events", run]);
    let told = place.json(0, &["explain", run, step]);
    let reasons = told["reasons"].as_array().unwrap();
    reasons
        .iter()
        .map(|reason| {
            let at = |event: &&Value| event["seq"] == reason["seq"];
            if let Some(event) = events["events"].as_array().unwrap().iter().find(at) {
                assert_eq!(event["name"], reason["kind"]);
            } else {
                assert!(reason["seq"].is_null(), "{reason}");
            }
            let kind = reason["kind"].as_str().unwrap_or("–");
            format!("{kind}: {}", text(&reason["text"]))
        })
        .collect()
}

fn has(reasons: &[String], part: &str) {
    assert!(
        reasons.iter().any(|reason| reason.contains(part)),
        "{part}: {reasons:#?}"
    );
}

#[test]
fn an_arm_a_question_and_its_answer_are_explained() {
    let place = Place::new();
    let run = place.json(3, &["run", "asks.yml", "-i", "depth=5"]);
    let run = text(&run["run_id"]);
    has(
        &reasons(&place, run, "dig"),
        "BranchChosen: stands inside `choose`; the arm `deep` was taken: deep was true",
    );
    let asked = reasons(&place, run, "ask");
    has(&asked, "StepSucceeded: waits for `choose`");
    has(&asked, "ApprovalRequested: asked “Go deep with Grüße, 光?”");
    has(&reasons(&place, run, "end"), "–: waits for `ask`");
    place.json(0, &["approve", run, "--comment", "looks fine", "--resume"]);
    let answered = reasons(&place, run, "ask");
    has(&answered, "answered approve: looks fine");
    has(&answered, "ApprovalClosed: the question is approved by ");
    has(
        &reasons(&place, run, "end"),
        "StepSucceeded: waits for `ask`",
    );
    let shown = place.text(0, &["explain", run, "ask"]);
    assert!(shown.starts_with("ask succeeded\n"), "{shown}");
    assert!(shown.contains("ApprovalVoted"), "{shown}");
}

#[test]
fn conditions_are_told_with_the_values_that_they_read() {
    let place = Place::new();
    place.write(
        "choose.yml",
        "version: 1\nname: choose\ninputs: {n: {type: int, default: 2}}\nsteps:\n  - id: a\n    set: {x: 3}\n  \
         - id: b\n    if: ${{ steps.a.outputs.x > 3 and inputs.n == 2 }}\n    set: {y: 1}\n  \
         - id: c\n    needs: [b]\n    set: {y: 1}\n",
    );
    let run = place.json(0, &["run", "choose.yml"]);
    let run = text(&run["run_id"]);
    let skipped = reasons(&place, run, "b");
    has(
        &skipped,
        "StepSkipped: its condition `steps.a.outputs.x > 3 and inputs.n == 2` was false (steps.a.outputs.x = 3, inputs.n = 2)",
    );
    let not_run = reasons(&place, run, "c");
    has(
        &not_run,
        "StepSkipped: waits for `b` (`needs`: it must succeed), which was skipped",
    );
    has(&not_run, "StepNotRun: did not run: ");
}

#[test]
fn attempts_and_the_line_of_the_policy_are_told() {
    let place = Place::new();
    let settings = "    retry: {max_attempts: 2, delay: 1ms, kinds: [code]}\n";
    place.python("fails", settings, "raise ValueError('no beam')");
    let run = place.json(1, &["run", "fails.yml"]);
    let told = reasons(&place, text(&run["run_id"]), "work");
    has(&told, "AnalysisReported: the policy says pass by approval.");
    has(&told, "AttemptFailed: attempt 1 failed: ");
    has(&told, "RetryScheduled: attempt 2 was due at ");
    has(&told, "AttemptFailed: attempt 2 failed: ");
    has(&told, "no beam");
    has(&told, "StepFailed: failed: ");
}

#[test]
fn codes_are_explained_as_before_and_wrong_use_is_told() {
    let place = Place::new();
    assert!(place.text(0, &["explain", "usage"]).starts_with("# usage"));
    let run = place.json(0, &["run", "plain.yml"]);
    let ran = place.run(&["explain", text(&run["run_id"]), "duble"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("did you mean `double`?"), "{ran:?}");
}

#[test]
fn lists_can_be_filtered_by_the_labels_of_the_workflow() {
    let place = Place::new();
    place.json(0, &["run", "plain.yml"]);
    place.write(
        "labelled.yml",
        "version: 1\nname: labelled\nlabels: {team: optics, tier: test}\nsteps:\n  - {id: a, set: {x: 1}}\n",
    );
    place.json(0, &["run", "labelled.yml"]);
    let names = |args: &[&str]| -> Vec<String> {
        let list = place.json(0, &[&["list"], args].concat());
        let runs = list["runs"].as_array().unwrap().clone();
        runs.iter()
            .map(|run| text(&run["workflow"]).to_owned())
            .collect()
    };
    assert_eq!(names(&["--label", "team=optics"]), ["labelled"]);
    assert_eq!(
        names(&["--label", "team=optics", "--label", "tier=test"]),
        ["labelled"]
    );
    assert_eq!(
        names(&["--label", "team=optics", "--label", "tier=live"]),
        [""; 0]
    );
    assert_eq!(place.run(&["list", "--label", "team"]).code, Some(2));
}
