//! `retry`, `fork` and `resume --with-version` with the real program.

use serde_json::json;

use crate::cli_rig::{ASKS, Place, text};

fn reads(place: &Place) -> String {
    place.write(
        "reads.yml",
        "version: 1\nname: reads\ninputs: {path: {type: string}}\nsteps:\n  - id: first\n    python: {code: \"results = {'n': 1}\"}\n  \
         - id: work\n    with: {path: \"${{ inputs.path }}\"}\n    python:\n      code: |\n        results = {'n': int(open(context['path']).read())}\n  \
         - id: end\n    set: {n: \"${{ steps.work.outputs.n + steps.first.outputs.n }}\"}\noutputs: {n: \"${{ steps.end.outputs.n }}\"}\n",
    );
    place.write("number.txt", "not a number");
    format!("path={}", place.path("number.txt").display())
}

#[test]
fn a_run_that_failed_is_taken_up_again_when_its_file_is_right() {
    let place = Place::new();
    let input = reads(&place);
    let failed = place.json(1, &["run", "reads.yml", "-i", &input]);
    let run = text(&failed["run_id"]);
    place.write("number.txt", "41");

    let refused = place.run(&["retry", run]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("not_confirmed"), "{refused:?}");
    assert!(refused.err.contains("work  (failed)"), "{refused:?}");
    assert!(
        refused.err.contains("stays as it is\n  first"),
        "{refused:?}"
    );
    assert_eq!(place.json(0, &["show", run])["retried"], 0);

    let done = place.json(0, &["retry", run, "--yes"]);
    assert_eq!(done["run_id"], failed["run_id"]);
    assert_eq!(
        (&done["outputs"]["n"], &done["retried"]),
        (&json!(42), &json!(1))
    );
    assert_eq!(
        done["steps"]["first"]["attempts"].as_array().unwrap().len(),
        1
    );
    assert_eq!(
        done["steps"]["work"]["attempts"].as_array().unwrap().len(),
        2
    );
    assert!(place.text(0, &["show", run]).contains("retried once"));
    assert!(place.text(0, &["events", run]).contains("RunReopened"));

    assert_eq!(
        place.run(&["retry", run, "--yes"]).code,
        Some(2),
        "it succeeded"
    );
    let done = place.json(0, &["retry", run, "--from", "work", "--yes"]);
    assert_eq!(
        done["steps"]["work"]["attempts"].as_array().unwrap().len(),
        3
    );
    assert_eq!(
        done["steps"]["first"]["attempts"].as_array().unwrap().len(),
        1
    );
    place.json(0, &["verify"]);
}

const SUMS: &str = "version: 1
name: sums
inputs: {a: {type: int, default: 1}, b: {type: int, default: 2}}
steps:
  - id: one
    python: {code: \"results = {'v': context['v']}\"}
    with: {v: \"${{ inputs.a }}\"}
  - id: two
    needs: []
    set: {v: \"${{ inputs.b }}\"}
  - id: sum
    needs: [one, two]
    set: {v: \"${{ steps.one.outputs.v + steps.two.outputs.v }}\"}
outputs: {v: \"${{ steps.sum.outputs.v }}\"}
";

#[test]
fn a_fork_with_another_input_copies_what_it_should_and_only_that() {
    let place = Place::new();
    place.write("sums.yml", SUMS);
    let first = place.json(0, &["run", "sums.yml"]);
    let run = text(&first["run_id"]);
    assert_eq!(place.run(&["fork", run, "-i", "b=5"]).code, Some(2));
    let fork = place.json(0, &["fork", run, "-i", "b=5", "--yes"]);
    assert_ne!(fork["run_id"], first["run_id"]);
    assert_eq!(fork["outputs"]["v"], 6);
    assert_eq!(fork["forked_from"]["run_id"], first["run_id"]);
    assert_eq!(
        fork["steps"]["one"]["copied_from"]["run_id"],
        first["run_id"]
    );
    assert_eq!(fork["steps"]["one"]["attempts"], json!([]));
    assert_eq!(fork["steps"]["two"]["copied_from"], json!(null));

    place.write("other.py", "results = {'v': context['v'] * 100}\n");
    let code = ["fork", run, "--code", "one=other.py", "--yes"];
    let coded = place.json(0, &code);
    assert_eq!(coded["outputs"]["v"], 102);
    assert_eq!(
        coded["steps"]["two"]["copied_from"]["run_id"],
        first["run_id"]
    );

    let early = place.json(0, &["fork", run, "--at", "sum", "--yes", "--detach"]);
    assert_eq!(early["status"], "pending");
    assert_eq!(early["steps"]["sum"]["status"], "pending");
    assert_eq!(
        place.run(&["fork", run, "-i", "c=1", "--yes"]).code,
        Some(2)
    );
    place.json(0, &["verify"]);
}

#[test]
fn what_was_said_at_the_start_holds_for_the_new_version() {
    let place = Place::new();
    place.python("later", "    needs: [ask]\n", "results = {'n': 1}");
    let file = std::fs::read_to_string(place.path("later.yml")).unwrap();
    let asks = "steps:\n  - id: ask\n    approval: {title: Go on?}\n";
    place.write("later.yml", &file.replace("steps:\n", asks));
    let args = ["run", "later.yml", "--mode", "write_access"];
    let first = place.json(3, &args);
    let run = text(&first["run_id"]);
    let again = std::fs::read_to_string(place.path("later.yml")).unwrap();
    place.write("later.yml", &again.replace("{'n': 1}", "{'n': 2}"));
    place.json(3, &["resume", run, "--with-version"]);
    place.json(3, &["approve", run, "--resume"]);
    let asked = place.json(0, &["approvals", run]);
    assert_eq!(asked["approvals"][0]["mode"], "write_access");
    assert_eq!(
        place.json(0, &["approve", run, "--resume"])["outputs"],
        json!({"n": 2})
    );
}

#[test]
fn a_waiting_run_goes_on_with_another_version_or_says_why_not() {
    let place = Place::new();
    let first = place.json(3, &["run", "asks.yml"]);
    let run = text(&first["run_id"]);
    place.write(
        "asks.yml",
        &ASKS.replace("set: {word: flat}", "set: {word: low}"),
    );
    let refused = place.run(&["resume", run, "--with-version"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("plan_differs"), "{refused:?}");
    assert!(
        refused.err.contains("step `choose` succeeded"),
        "{refused:?}"
    );

    let new = ASKS.replace("scale: \"${{ steps.ask.outputs.scale }}\"", "scale: 7");
    place.write("asks.yml", &new);
    let gone_on = place.json(3, &["resume", run, "--with-version"]);
    assert_eq!(gone_on["versions"].as_array().unwrap().len(), 1);
    let done = place.json(0, &["approve", run, "--resume"]);
    assert_eq!(done["outputs"]["scale"], 7);
    assert!(place.text(0, &["show", run]).contains("another version"));
    assert!(place.text(0, &["events", run]).contains("PlanMigrated"));
    place.json(0, &["verify"]);
    place.json(0, &["list"]);
    assert_eq!(place.run(&["resume", run, "--with-version"]).code, Some(1));
}
