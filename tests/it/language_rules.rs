//! The numbered rules of the language: each has a test whose name begins with `rule_NN_`; those that no other file has
//! stand here, each with a table.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use stepwell::run::payload::{Answer, Values};
use stepwell::workflow::{CompileOptions, NoSources, compile};

use crate::machine::plan_of;
use crate::simulator::{Simulation, World};

/// How many rules there are.
const RULES: u8 = 28;

#[test]
fn every_rule_has_a_test_that_names_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let is_test = line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            let name = lines.peek().filter(|_| is_test);
            let name = name.and_then(|line| line.split_once("fn rule_"));
            if let Some(number) = name.and_then(|(_, rest)| rest.get(..3)) {
                let number = number.strip_suffix('_').expect("two digits: rule_NN_");
                found.insert(number.parse::<u8>().unwrap());
            }
        }
    }
    let wanted: BTreeSet<u8> = (1..=RULES).collect();
    let missing: Vec<_> = wanted.difference(&found).collect();
    assert!(missing.is_empty(), "rules without a test: {missing:?}");
    assert!(found.is_subset(&wanted), "no such rule: {found:?}");
}

/// The codes of what is wrong with a workflow.
fn faults(text: &str) -> Vec<String> {
    let options = CompileOptions::default();
    let made = compile("w.yml", text.as_bytes(), &NoSources, &options);
    let errors = made.diagnostics.iter().filter(|one| one.is_error());
    errors.map(|one| one.code.as_str().to_owned()).collect()
}

const HEAD: &str = "version: 1\nname: w\n";

/// A workflow whose second step holds an expression.
fn with(expression: &str) -> String {
    format!(
        "{HEAD}steps: [{{id: a, python: {{code: 'results = {{}}'}}}}, {{id: b, set: {{x: \"${{{{ {expression} }}}}\"}}}}]\n"
    )
}

#[test]
fn rule_07_expressions_are_pure_and_what_they_gave_is_recorded_once() {
    for expression in ["now()", "random()", "open('x')", "time.time()", "input()"] {
        let found = faults(&with(expression));
        assert_eq!(found, ["expression_unknown_function"], "{expression}");
    }
    for expression in ["env.HOME", "os.environ", "__import__"] {
        assert_eq!(faults(&with(expression)), ["unknown_name"], "{expression}");
    }
    for (expression, value) in [
        ("inputs.n * 2", json!(14)),
        ("str(inputs.n)", json!("7")),
        (
            "[inputs.n, None, {'k': inputs.n}]",
            json!([7, null, {"k": 7}]),
        ),
        ("steps.a.outputs.v + 1", json!(2)),
    ] {
        let yaml = format!(
            "inputs: {{n: {{type: int, default: 7}}}}\nsteps:\n  - id: a\n    set: {{v: 1}}\n  - id: b\n    needs: [a]\n    python: {{code: 'results = {{}}'}}\n    with: {{x: \"${{{{ {expression} }}}}\"}}\n"
        );
        let mut base = Simulation::new(&plan_of(&yaml), &json!({"n": 7}));
        base.rest(&mut World::sampling(0));
        let ready = |run: &Simulation| -> Vec<Value> {
            let named = run
                .history
                .iter()
                .filter(|one| one.event.name() == "StepReady");
            let bodies = named.map(|one| one.event.to_json());
            bodies.filter(|body| body["step"] == "b").collect()
        };
        assert_eq!(
            ready(&base)[0]["inputs"],
            json!({"x": value}),
            "{expression}"
        );
        for kept in 1..=base.history.len() {
            let mut again = base.crashed(kept);
            again.rest(&mut World::sampling(0));
            assert_eq!(
                ready(&again),
                ready(&base),
                "{expression}, cut after {kept}"
            );
        }
    }
}

#[test]
fn rule_22_yaml_is_read_strictly() {
    let one = "steps: [{id: a, set: {x: 1}}]\n";
    for (text, expected) in [
        (one.to_owned(), vec![]),
        (
            "steps: [{id: a, id: b, set: {x: 1}}]\n".to_owned(),
            vec!["duplicate_key"],
        ),
        (
            "steps: [{id: a, set: {x: !!str 1}}]\n".to_owned(),
            vec!["yaml_tag"],
        ),
        (format!("{one}---\nversion: 1\n"), vec!["yaml_documents"]),
        (
            "steps: [{id: a, sett: {x: 1}}]\n".to_owned(),
            vec!["unknown_key"],
        ),
        (
            "steps: [{id: a-b, set: {x: 1}}]\n".to_owned(),
            vec!["bad_id"],
        ),
        (
            "steps: [{id: class, set: {x: 1}}]\n".to_owned(),
            vec!["bad_id"],
        ),
        (format!("fail_fast: yes\n{one}"), vec!["wrong_type"]),
        (format!("fail_fast: true\n{one}"), vec![]),
        (format!("timeout: 5 minutes\n{one}"), vec!["bad_value"]),
        (format!("timeout: 90s\n{one}"), vec![]),
        (
            "steps: [{id: a, python: {code: pass, limits: {stop_grace: 2h}}}]\n".to_owned(),
            vec!["bad_value"],
        ),
        (format!("labels: &p {{x: one}}\n{one}"), vec!["yaml_anchor"]),
        (
            "x-part: &p {x: 1}\nsteps: [{id: a, set: *p}]\n".to_owned(),
            vec![],
        ),
        (
            "steps: [{id: a, set: {x: '$${{ no expression'}}]\n".to_owned(),
            vec![],
        ),
    ] {
        assert_eq!(faults(&format!("{HEAD}{text}")), expected, "{text}");
    }
}

#[test]
fn rule_25_what_happens_is_an_event_that_says_it() {
    let py = "python: {code: 'results = {}'}";
    let write = "python: {code: 'results = {}', mode: write_access}";
    let table = [
        ("rule 7", format!("  - id: a\n    {py}\n    with: {{x: 1}}\n"), "StepReady", "inputs", json!({"x": 1})),
        ("rule 4", "  - id: a\n    if: ${{ 1 > 2 }}\n    set: {x: 1}\n".to_owned(), "StepSkipped", "only_skips", json!(true)),
        ("rule 8", format!("  - id: a\n    {py}\n"), "AttemptStarted", "attempt", json!(1)),
        ("rule 10", format!("  - id: a\n    {write}\n"), "ApprovalVoted", "person", json!("ada")),
        ("rule 11", "  - id: a\n    approval: {title: go on, form: {n: {type: int, default: 3}}}\n".to_owned(), "ApprovalVoted", "form", json!({"n": 3})),
        ("rule 13", "  - id: a\n    foreach: {items: [7, 8], steps: [{id: b, set: {x: 1}}]}\n".to_owned(), "MapExpanded", "items", json!([7, 8])),
        ("rule 14", "  - id: a\n    switch: [{name: one, when: \"${{ 1 > 2 }}\", set: {x: 1}}, {name: two, else: true, set: {x: 2}}]\n".to_owned(), "BranchChosen", "arm", json!("two")),
        ("rule 17", format!("  - id: a\n    {py}\n    locks: [magnet]\n"), "StepAdmitted", "step", json!("a")),
    ];
    for (rule, steps, event, field, value) in table {
        let mut run = Simulation::new(&plan_of(&format!("steps:\n{steps}")), &json!({}));
        run.rest(&mut World::sampling(0));
        let found = run.history.iter().find(|one| one.event.name() == event);
        let body = found
            .unwrap_or_else(|| panic!("{rule}: no {event}"))
            .event
            .to_json();
        assert_eq!(body[field], value, "{rule}: {body}");
    }
    // Who stopped it and why, and when a person says no.
    let mut run = Simulation::new(
        &plan_of("steps:\n  - id: a\n    approval: {title: go on}\n"),
        &json!({}),
    );
    run.rest(&mut World::sampling(0).voting(|_| Some((Answer::Reject, Values::new()))));
    let last = run.history.last().unwrap();
    assert_eq!(last.event.name(), "RunRejected");
    assert_eq!(
        last.event.to_json()["reason"].as_str().map(str::is_empty),
        Some(false)
    );
}

#[test]
fn rule_28_these_names_are_in_scope_and_no_others() {
    let known = [
        "run.id",
        "run.scheduled_at",
        "run.started_at",
        "run.trigger",
        "run.interval_start",
        "run.interval_end",
        "workflow.name",
        "workflow.version",
        "steps.a.status",
        "steps.a.attempts",
        "steps.a.figures",
        "steps.a.notebook",
        "steps.a.failure",
        "steps.a.results",
        "steps.a.outputs",
    ];
    for name in known {
        assert_eq!(faults(&with(name)), [""; 0], "{name}");
    }
    for (name, code) in [
        ("run.nothing", "unknown_field"),
        ("run.summary", "unknown_field"),
        ("inputs.nothing", "unknown_input"),
        ("steps.nobody.outputs", "unknown_step"),
        ("secrets.x", "secret_not_allowed"),
        ("check.risk", "unknown_name"),
        ("approval.title", "unknown_name"),
        ("failure.message", "unknown_name"),
        ("round.index", "unknown_name"),
        ("item", "unknown_name"),
        ("config", "unknown_name"),
    ] {
        assert_eq!(faults(&with(name)), [code], "{name}");
    }
}
