//! The rules of the language that the compiler decides: edges, retries, modes, names that are allowed.

use std::time::Duration;

use stepwell::failure::FailureKind;
use stepwell::plan::{EdgeKind, Mode, Plan, Step, StepKind};
use stepwell::workflow::{CompileOptions, SourceError, Sources, compile};

use crate::workflow_compile::shown;

struct Code;

impl Sources for Code {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        match path {
            "a.py" | "stages/b.py" => Ok(path.as_bytes().to_vec()),
            "requirements.txt" => Ok(b"numpy\n".to_vec()),
            _ => Err(SourceError::Missing),
        }
    }
}

fn plan_with(text: &str, options: &CompileOptions) -> Plan {
    let text = format!("version: 1\nname: w\n{text}");
    crate::cli_schema::agree(&text);
    let compilation = compile("w.yml", text.as_bytes(), &Code, options);
    let said = shown(&compilation);
    compilation.plan.unwrap_or_else(|| panic!("{text}\n{said}"))
}

fn plan(text: &str) -> Plan {
    plan_with(text, &CompileOptions::default())
}

fn step<'p>(plan: &'p Plan, id: &str) -> &'p Step {
    plan.steps.with_id(id).unwrap()
}

fn edges(plan: &Plan, id: &str) -> String {
    let edges: Vec<String> = step(plan, id)
        .edges
        .iter()
        .map(|edge| format!("{} {:?}", edge.from, edge.kind))
        .collect();
    edges.join(", ")
}

fn mode(plan: &Plan, id: &str) -> Mode {
    match &step(plan, id).kind {
        StepKind::Python(python) => python.mode,
        other => panic!("{other:?}"),
    }
}

#[test]
fn edges_follow_needs_after_references_and_the_order_of_the_list() {
    let plan = plan(
        "
steps:
  - {id: a, set: {x: 1}}
  - {id: b, set: {x: 1}}
  - {id: free, needs: [], set: {x: 1}}
  - {id: needs, needs: [a, b], set: {x: 1}}
  - {id: after, after: a, set: {x: 1}}
  - {id: reads, set: {x: \"${{ steps.a.outputs.x }}\"}}
  - {id: reads_previous, set: {x: \"${{ steps.reads.outputs.x }}\"}}
  - {id: guarded, needs: [], set: {x: \"${{ default(steps.a.outputs.x, 0) }}\"}}
  - {id: told, needs: [], set: {x: \"${{ steps.a.status }} ${{ steps.b.failure }}\"}}
  - {id: asks, needs: b, if: \"${{ failed('a') }}\", set: {x: 1}}
  - {id: both, needs: [], set: {x: \"${{ exists(steps.a.outputs.x) and steps.a.outputs.x > 0 }}\"}}
  - {id: needs_more, needs: a, after: [a], set: {x: \"${{ steps.a.outputs.x }}\"}}
",
    );
    assert_eq!(edges(&plan, "a"), "");
    assert_eq!(edges(&plan, "b"), "a Previous");
    assert_eq!(edges(&plan, "free"), "");
    assert_eq!(edges(&plan, "needs"), "a Needs, b Needs");
    assert_eq!(edges(&plan, "after"), "a After");
    assert_eq!(edges(&plan, "reads"), "a Reference, after Previous");
    assert_eq!(edges(&plan, "reads_previous"), "reads Reference");
    assert_eq!(edges(&plan, "guarded"), "a After");
    assert_eq!(edges(&plan, "told"), "a After, b After");
    assert_eq!(edges(&plan, "asks"), "b Needs, a After");
    assert_eq!(edges(&plan, "both"), "a Reference");
    assert_eq!(edges(&plan, "needs_more"), "a Needs");
}

#[test]
fn a_switch_waits_for_what_its_arms_ask_and_hand_out() {
    let plan = plan(
        "
steps:
  - {id: a, set: {x: 1}}
  - {id: b, set: {x: 1}}
  - {id: c, set: {x: 1}}
  - id: s
    needs: []
    switch:
      - name: one
        when: ${{ steps.a.outputs.x > 0 }}
        steps:
          - {id: first, set: {x: \"${{ steps.b.outputs.x }}\"}}
          - {id: second, set: {x: 1}}
          - id: inner
            switch:
              - name: deep
                else: true
                steps: [{id: deepest, set: {x: \"${{ steps.first.outputs.x }}\"}}]
                set: {y: \"${{ steps.deepest.outputs.x + steps.a.outputs.x }}\"}
        set: {y: \"${{ steps.inner.outputs.y + steps.c.outputs.x }}\"}
      - {name: two, else: true, set: {y: 0}}
",
    );
    assert_eq!(edges(&plan, "s"), "a Reference, c Reference");
    assert_eq!(edges(&plan, "first"), "b Reference");
    assert_eq!(edges(&plan, "second"), "s.first Previous");
    assert_eq!(edges(&plan, "inner"), "a Reference, s.second Previous");
    assert_eq!(edges(&plan, "deepest"), "s.first Reference");
    assert_eq!(step(&plan, "deepest").path.as_str(), "s.inner.deepest");
    let StepKind::Switch(switch) = &step(&plan, "s").kind else {
        panic!("no switch");
    };
    let inside: Vec<&str> = switch.arms[0]
        .steps
        .iter()
        .map(stepwell::id::StepPath::as_str)
        .collect();
    assert_eq!(inside, ["s.first", "s.second", "s.inner"]);
}

#[test]
fn retries_are_merged_key_by_key_and_a_write_is_never_repeated_by_a_default() {
    let plan = plan(
        "
defaults: {retry: {max_attempts: 5, delay: 10s, jitter: 10%}}
steps:
  - {id: plain, python: {file: a.py}}
  - {id: own, python: {file: a.py}, retry: {max_attempts: 2, kinds: [timeout]}}
  - {id: write, python: {file: a.py, mode: write_access}}
  - {id: brave, python: {file: a.py, mode: write_access}, retry: {max_attempts: 2}}
  - {id: bold, python: {file: a.py, mode: write_access}, retry: {kinds: [timeout]}}
",
    );
    let plain = &step(&plan, "plain").retry;
    assert_eq!(
        (plain.max_attempts, plain.delay),
        (5, Duration::from_secs(10))
    );
    assert!((plain.jitter - 0.1).abs() < 1e-9);
    assert_eq!(plain.kinds, FailureKind::RETRYABLE);
    let own = &step(&plan, "own").retry;
    assert_eq!((own.max_attempts, own.delay), (2, Duration::from_secs(10)));
    assert_eq!(own.kinds, [FailureKind::Timeout]);
    assert_eq!(step(&plan, "write").retry.max_attempts, 1);
    assert_eq!(step(&plan, "brave").retry.max_attempts, 2);
    // A write that was stopped half-way is made again only where the step names that kind itself.
    let kinds = |id: &str| step(&plan, id).retry.kinds.clone();
    assert_eq!(kinds("brave"), [FailureKind::Infrastructure]);
    assert_eq!(kinds("bold"), [FailureKind::Timeout]);
}

#[test]
fn without_a_word_about_retries_only_the_surroundings_are_tried_again() {
    let plan = plan("steps: [{id: a, python: {file: a.py}}]");
    let retry = &step(&plan, "a").retry;
    assert_eq!(retry.max_attempts, 3);
    assert_eq!(retry.kinds, [FailureKind::Infrastructure]);
}

#[test]
fn the_mode_is_the_steps_own_then_the_callers_then_the_files() {
    let text = "
defaults: {python: {mode: readonly, timeout: 3m, packages: [numpy], requirements: requirements.txt}}
steps:
  - {id: own, python: {file: a.py, mode: readwrite, packages: [], timeout: 1m}}
  - {id: none, python: {file: ./stages/../stages/b.py}}
";
    let file = plan(text);
    assert_eq!(mode(&file, "own"), Mode::WriteAccess);
    assert_eq!(mode(&file, "none"), Mode::ReadOnly);
    let options = CompileOptions {
        default_mode: Some(Mode::WriteAccess),
        ..CompileOptions::default()
    };
    let asked = plan_with(text, &options);
    assert_eq!(mode(&asked, "none"), Mode::WriteAccess);
    assert_eq!(step(&file, "own").timeout, Some(Duration::from_secs(60)));
    assert_eq!(step(&file, "none").timeout, Some(Duration::from_secs(180)));
    let StepKind::Python(python) = &step(&file, "none").kind else {
        panic!("no python");
    };
    assert_eq!(python.packages, ["numpy"]);
    assert!(python.requirements.is_some());
    assert_eq!(python.file_name, "./stages/../stages/b.py");
}

#[test]
fn shared_parts_stand_under_x_keys() {
    let plan = plan(
        "
x-shared:
  quick: &quick {timeout: 10s, on_failure: continue}
steps:
  - {<<: *quick, id: a, python: {file: a.py}}
  - {<<: *quick, id: b, timeout: 20s, python: {file: a.py}}
",
    );
    assert_eq!(step(&plan, "a").timeout, Some(Duration::from_secs(10)));
    assert_eq!(step(&plan, "b").timeout, Some(Duration::from_secs(20)));
}

#[test]
fn code_written_in_place_is_a_blob_with_the_name_of_its_step() {
    let text = "version: 1\nname: w\nsteps:\n  - id: calc\n    python:\n      code: |\n        results = {'x': 1}\n";
    let compilation = compile("w.yml", text.as_bytes(), &Code, &CompileOptions::default());
    let plan = compilation.plan.unwrap();
    let StepKind::Python(python) = &step(&plan, "calc").kind else {
        panic!("no python");
    };
    assert_eq!(python.file_name, "calc.py");
    let blob = compilation
        .blobs
        .iter()
        .find(|(digest, _)| Some(*digest) == python.code());
    assert_eq!(blob.unwrap().1, b"results = {'x': 1}\n");
}

#[test]
fn an_escaped_expression_is_text() {
    let plan = plan("steps: [{id: a, set: {x: \"$${{ not.a.name }}\"}}]");
    let StepKind::Set(set) = &step(&plan, "a").kind else {
        panic!("no set");
    };
    assert!(set.values["x"].expressions().is_empty());
}

#[test]
fn a_question_about_code_can_read_the_analysis() {
    let plan = plan(
        "steps: [{id: a, python: {file: a.py}, approve_code: {when: \"${{ check.writes or check.risk in ['high'] }}\", reviewers: the shift lead}}]",
    );
    let StepKind::Python(python) = &step(&plan, "a").kind else {
        panic!("no python");
    };
    let question = python.approve_code.as_ref().unwrap();
    assert_eq!(
        question.when.source(),
        "check.writes or check.risk in ['high']"
    );
    let kinds: Vec<EdgeKind> = step(&plan, "a")
        .edges
        .iter()
        .map(|edge| edge.kind)
        .collect();
    assert!(kinds.is_empty());
}
