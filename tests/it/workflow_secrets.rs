//! Secrets: where they may stand, where they may not, and what a run records of them.

use serde_json::json;
use stepwell::expression::Template;
use stepwell::plan::{Plan, SecretSource};
use stepwell::run::RunScope;

use crate::machine::plan_of;
use crate::simulator::{Ends, Simulation, World};
use crate::workflow_fields::{plan_and_words, refused};

const TOKEN: &str = "secrets: {token: {env: TOKEN}}\n";

#[test]
fn a_secret_may_stand_in_env_alone_and_inside_text() {
    let (plan, said) = plan_and_words(&format!(
        "{TOKEN}steps:
  - id: a
    python: {{file: a.py}}
    env:
      ALONE: ${{{{ secrets.token }}}}
      INSIDE: Bearer ${{{{secrets.token}}}} for ${{{{ run.id }}}}
"
    ));
    assert_eq!(said, "");
    let env = &plan.steps.with_id("a").unwrap().env;
    assert!(matches!(env["ALONE"], Template::Expression(_)));
    assert!(matches!(env["INSIDE"], Template::Text(_)));
    assert_eq!(SecretSource::named_in(&env["ALONE"]), ["token"]);
    assert_eq!(SecretSource::named_in(&env["INSIDE"]), ["token"]);
    // Data that spells a name, and text that is escaped, name nothing.
    for text in ["${{ inputs.x }}", "$${{ secrets.token }}"] {
        let template = Template::parse_text(text).unwrap();
        assert!(SecretSource::named_in(&template).is_empty(), "{text}");
    }
}

#[test]
fn a_secret_may_stand_in_the_headers_of_a_request() {
    let (_, said) = plan_and_words(&format!(
        "{TOKEN}steps:
  - id: a
    http: {{method: GET, url: \"https://logbook.example/\", headers: {{Authorization: \"Bearer ${{{{ secrets.token }}}}\"}}}}
"
    ));
    assert_eq!(said, "");
}

#[test]
fn rule_20_a_secret_flows_nowhere_else() {
    const S: &str = "\"${{ secrets.token }}\"";
    let places = [
        format!("steps: [{{id: a, http: {{method: GET, url: {S}}}}}]"),
        "steps: [{id: a, http: {method: GET, url: \"https://x.example/?t=${{ secrets.token }}\"}}]".to_owned(),
        format!("steps: [{{id: a, http: {{method: POST, url: \"https://x.example/\", body: {{t: {S}}}}}}}]"),
        format!("steps: [{{id: a, notify: ops, text: {S}}}]"),
        format!("steps: [{{id: a, fail: {{message: {S}}}}}]"),
        format!("steps: [{{id: a, foreach: {{items: [1], steps: [{{id: b, set: {{x: {S}}}}}]}}}}]"),
        format!("steps: [{{id: a, set: {{x: 1}}}}]\nhandlers: {{failure: [{{notify: ops, text: {S}}}]}}"),
        format!("steps: [{{id: a, python: {{file: a.py}}, with: {{x: {S}}}}}]"),
        format!("steps: [{{id: a, python: {{file: a.py}}, with: {{x: {{y: [1, {S}]}}}}}}]"),
        format!("steps: [{{id: a, set: {{x: {S}}}}}]"),
        format!("steps: [{{id: a, set: {{x: 1}}}}]\noutputs: {{x: {S}}}"),
        format!("steps: [{{id: a, approval: {{title: {S}}}}}]"),
        format!("steps: [{{id: a, approval: {{title: Go on?, reviewers: {S}}}}}]"),
        format!("steps: [{{id: a, approval: {{title: Go on?, reviewers: [{S}]}}}}]"),
        format!(
            "steps: [{{id: a, approval: {{title: Go on?, form: {{x: {{type: string, default: {S}}}}}}}}}]"
        ),
        format!("inputs: {{x: {{type: string, default: {S}}}}}\nsteps: [{{id: a, set: {{x: 1}}}}]"),
        "steps: [{id: a, if: \"${{ secrets.token == 'x' }}\", set: {x: 1}}]".to_owned(),
        "steps: [{id: a, python: {file: a.py}, approve_code: {when: \"${{ secrets.token == 'x' }}\"}}]"
            .to_owned(),
        format!("steps: [{{id: a, set: {{x: 1}}, locks: [{S}]}}]"),
        format!("steps: [{{id: a, set: {{x: 1}}, concurrency: {{group: {S}}}}}]"),
        format!("steps: [{{id: a, python: {{file: a.py}}, idempotency_key: {S}}}]"),
        format!("concurrency: {{group: {S}}}\nsteps: [{{id: a, set: {{x: 1}}}}]"),
        format!(
            "inputs: {{x: string}}\nschedules: [{{id: s, cron: \"0 2 * * *\", timezone: UTC, with: {{x: {S}}}}}]\nsteps: [{{id: a, set: {{x: 1}}}}]"
        ),
        format!(
            "steps: [{{id: a, switch: [{{name: one, else: true, set: {{x: {S}}}}}]}}]"
        ),
        "steps: [{id: a, switch: [{name: one, when: \"${{ exists(secrets.token) }}\", set: {x: 1}}, {name: two, else: true, set: {x: 1}}]}]".to_owned(),
        "steps: [{id: a, set: {x: \"${{ [s for s in secrets] }}\"}}]".to_owned(),
        "steps: [{id: a, set: {x: \"${{ default(secrets.token, 1) }}\"}}]".to_owned(),
    ];
    for place in places {
        assert_eq!(
            refused(&format!("{TOKEN}{place}\n")),
            "secret_not_allowed",
            "{place}"
        );
    }
}

#[test]
fn a_secret_is_named_and_nothing_else() {
    for (value, expected) in [
        ("${{ secrets.token.upper() }}", "secret_expression"),
        ("${{ secrets.token + 'x' }}", "secret_expression"),
        ("${{ secrets.token[0] }}", "secret_expression"),
        ("${{ secrets['token'] }}", "secret_expression"),
        ("${{ secrets[run.id] }}", "secret_expression"),
        ("${{ secrets.get('token') }}", "secret_expression"),
        ("${{ secrets }}", "secret_expression"),
        ("${{ [secrets.token] }}", "secret_expression"),
        ("${{ (secrets.token) }}", "secret_expression"),
        ("${{ default(secrets.token, 'x') }}", "secret_expression"),
        ("${{ secrets.token if True else 'x' }}", "secret_expression"),
        ("${{ secrets.tokn }}", "unknown_secret unused_secret"),
        ("${{ token }}", "unknown_name unused_secret"),
    ] {
        let text =
            format!("{TOKEN}steps: [{{id: a, python: {{file: a.py}}, env: {{T: \"{value}\"}}}}]\n");
        let mut codes: Vec<String> = refused(&text).split(' ').map(str::to_owned).collect();
        codes.sort();
        codes.dedup();
        assert_eq!(codes.join(" "), expected, "{value}");
    }
}

#[test]
fn a_secret_says_where_it_comes_from_and_never_what_it_is() {
    for (secret, expected) in [
        ("hunter2", "wrong_type"),
        ("{env: A, file: b}", "conflicting_keys"),
        ("{}", "missing_key"),
        ("{env: A B}", "bad_value"),
        ("{env: 1A}", "bad_value"),
        ("{env: \"\"}", "bad_value"),
        ("{env: 5}", "wrong_type"),
        ("{env: \"${{ inputs.x }}\"}", "bad_value"),
        ("{file: \"\"}", "bad_file"),
        ("{file: \"${{ run.id }}\"}", "bad_value"),
        ("{value: x}", "unknown_key missing_key"),
    ] {
        let text = format!(
            "secrets: {{t: {secret}}}\nsteps: [{{id: a, python: {{file: a.py}}, env: {{T: \"${{{{ secrets.t }}}}\"}}}}]\n"
        );
        let mut codes: Vec<String> = refused(&text).split(' ').map(str::to_owned).collect();
        codes.sort_by_key(|code| code == "missing_key");
        assert_eq!(codes.join(" "), expected, "{secret}");
    }
    let names = "secrets: {My-Token: {env: T}}\nsteps: [{id: a, set: {x: 1}}]";
    assert_eq!(refused(names), "bad_id unused_secret");
}

#[test]
fn a_secret_that_nobody_is_given_is_told() {
    let (plan, said) = plan_and_words(&format!("{TOKEN}steps: [{{id: a, set: {{x: 1}}}}]\n"));
    assert_eq!(plan.secrets["token"], SecretSource::Env("TOKEN".into()));
    assert!(said.starts_with("warning[unused_secret]"), "{said}");
}

#[test]
fn what_a_run_records_of_a_secret_is_its_name() {
    let plan = plan_of(&format!(
        "{TOKEN}steps:
  - id: a
    python: {{code: \"results = {{}}\"}}
    env: {{HEADER: \"Bearer ${{{{ secrets.token }}}}\"}}
"
    ));
    let mut world = World::new(|_, _| Ends::With(json!({})));
    let mut run = Simulation::new(&plan, &json!({}));
    run.rest(&mut world);
    assert_eq!(run.state.status().as_str(), "succeeded");
    let (_, state) = run.state.steps().next().unwrap();
    assert_eq!(state.env["HEADER"], "Bearer ${{ secrets.token }}");

    let scope = RunScope::new(&run.state);
    let evaluate = |text: &str| Template::parse_text(text).unwrap().evaluate(&scope);
    let value = evaluate("${{ secrets.token }}").unwrap().to_json();
    assert_eq!(value, json!("${{ secrets.token }}"));
    assert!(evaluate("${{ secrets.other }}").is_err());
    // And the plan, which is stored, knows no more.
    assert_eq!(Plan::from_bytes(&plan.to_bytes()).unwrap(), *plan);
}
