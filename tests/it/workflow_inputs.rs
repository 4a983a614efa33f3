//! Inputs, outputs and forms: values against fields, and a plan as a drawing.

use serde_json::{Value, json};
use stepwell::expression::{Lookup, Scope, StepStatusWord};
use stepwell::plan::{Field, FieldType, Plan, check, graph, parse_given, resolve_inputs};
use stepwell::workflow::{CompileOptions, NoSources, compile};

use crate::workflow_compile::shown;

fn plan(text: &str) -> Plan {
    let text = format!("version: 1\nname: w\n{text}");
    crate::cli_schema::agree(&text);
    let compilation = compile(
        "w.yml",
        text.as_bytes(),
        &NoSources,
        &CompileOptions::default(),
    );
    let said = shown(&compilation);
    compilation.plan.unwrap_or_else(|| panic!("{said}"))
}

fn field(written: &str) -> Field {
    let plan = plan(&format!(
        "inputs:\n  x: {written}\nsteps: [{{id: a, set: {{y: 1}}}}]"
    ));
    plan.inputs["x"].clone()
}

/// A run that was scheduled for a certain day.
struct Scheduled;

impl Scope for Scheduled {
    fn lookup(&self, path: &[&str]) -> Lookup<'_> {
        static DAY: std::sync::LazyLock<Value> =
            std::sync::LazyLock::new(|| json!({"scheduled_at": "2026-11-22T02:30:00Z"}));
        match path.first() {
            Some(&"run") => Lookup::Json {
                value: &DAY,
                used: 1,
            },
            _ => Lookup::Unknown {
                known: vec!["run".to_owned()],
            },
        }
    }

    fn status(&self, _step: &str) -> Option<StepStatusWord> {
        None
    }
}

type Judged = (&'static str, Value, Result<(), &'static str>);

fn judge(cases: &[Judged]) {
    for (written, value, expected) in cases {
        let found = check(&field(written), value.clone(), "v").map_err(|fault| fault.to_string());
        let expected = expected.map(|()| value.clone()).map_err(str::to_owned);
        assert_eq!(found, expected, "{written} {value}");
    }
}

#[test]
fn types_are_strict() {
    judge(&[
        ("string", json!("x"), Ok(())),
        ("string", json!(1), Err("v: expected string, found int 1")),
        ("int", json!(-5), Ok(())),
        ("int", json!(1.0), Err("v: expected int, found float 1.0")),
        (
            "int",
            json!(u64::MAX),
            Err("v: expected int, found int 18446744073709551615"),
        ),
        (
            "int",
            json!("3"),
            Err("v: expected int, found string \"3\""),
        ),
        ("float", json!(1), Ok(())),
        ("float", json!(1.5), Ok(())),
        (
            "float",
            json!(true),
            Err("v: expected float, found bool true"),
        ),
        ("bool", json!(false), Ok(())),
        (
            "bool",
            json!("yes"),
            Err("v: expected bool, found string \"yes\""),
        ),
        ("date", json!("2026-02-28"), Ok(())),
        (
            "date",
            json!("2026-02-30"),
            Err("v: \"2026-02-30\" is not a date"),
        ),
        (
            "date",
            json!("2026-02-28T00:00"),
            Err("v: \"2026-02-28T00:00\" is not a date"),
        ),
        ("datetime", json!("2026-02-28T08:30:00Z"), Ok(())),
        ("datetime", json!("2026-02-28T08:30:00"), Ok(())),
        (
            "datetime",
            json!("2026-02-28"),
            Err("v: \"2026-02-28\" is not a datetime"),
        ),
        ("duration", json!("1h30m"), Ok(())),
        (
            "duration",
            json!("soon"),
            Err("v: \"soon\" is not a duration"),
        ),
        ("file", json!("a.csv"), Ok(())),
        ("file", json!(""), Err("v: \"\" is not a file")),
        ("list", json!([]), Ok(())),
        ("list", json!({}), Err("v: expected list, found map ")),
        ("map", json!({}), Ok(())),
        ("{type: int, required: false}", json!(null), Ok(())),
        ("int", json!(null), Err("v: expected int, found null ")),
        ("{type: float, min: 0, max: 1}", json!(1), Ok(())),
    ]);
}

#[test]
fn bounds_choices_patterns_and_items_are_checked() {
    judge(&[
        (
            "{type: float, min: 0, max: 1}",
            json!(1.01),
            Err("v: 1.01 is more than 1"),
        ),
        (
            "{type: int, min: 0}",
            json!(-1),
            Err("v: -1 is less than 0"),
        ),
        (
            "{type: list, min_items: 1}",
            json!([]),
            Err("v: the list has 0 of at least 1 items"),
        ),
        ("{type: string, pattern: \"[a-z]+\"}", json!("abc"), Ok(())),
        (
            "{type: string, pattern: \"a|b\"}",
            json!("ab"),
            Err("v: \"ab\" does not match the pattern `a|b`"),
        ),
        ("{type: float, choices: [1, 2.5]}", json!(1.0), Ok(())),
        (
            "{type: string, choices: [day, night]}",
            json!("dusk"),
            Err("v: \"dusk\" is none of: day, night"),
        ),
        ("{type: list, items: int}", json!([1, 2]), Ok(())),
        (
            "{type: list, items: int}",
            json!([1, "2"]),
            Err("v[1]: expected int, found string \"2\""),
        ),
        (
            "{type: map, items: float}",
            json!({"a": 1, "b": "x"}),
            Err("v.b: expected float, found string \"x\""),
        ),
        (
            "{type: list, items: {name: string, at: float}}",
            json!([{"name": "a", "at": 1}, {"name": 2, "at": 1}]),
            Err("v[1].name: expected string, found int 2"),
        ),
        (
            "{type: list, items: {name: string}}",
            json!([{"nmae": "a"}]),
            Err("v[0].name: is missing"),
        ),
        (
            "{type: list, items: {name: string}}",
            json!([{"name": "a", "more": 1}]),
            Err("v[0]: has no entry `more`"),
        ),
    ]);
}

#[test]
fn defaults_inside_records_are_filled_in() {
    let field = field("{type: list, items: {name: string, weight: {type: float, default: 1.5}}}");
    let checked = check(&field, json!([{"name": "a"}]), "v").unwrap();
    assert_eq!(checked, json!([{"name": "a", "weight": 1.5}]));
}

#[test]
fn text_of_the_command_line_is_read_by_type() {
    let cases = [
        (FieldType::String, "42", Some(json!("42"))),
        (FieldType::Int, "42", Some(json!(42))),
        (FieldType::Int, "4.2", None),
        (FieldType::Float, "42", Some(json!(42))),
        (FieldType::Float, "4.25", Some(json!(4.25))),
        (FieldType::Float, "nan", None),
        (FieldType::Bool, "true", Some(json!(true))),
        (FieldType::Bool, "yes", None),
        (FieldType::List, "[1, \"a\"]", Some(json!([1, "a"]))),
        (FieldType::List, "1,2", None),
        (FieldType::Map, "{\"a\": 1}", Some(json!({"a": 1}))),
        (FieldType::Map, "[]", None),
        (FieldType::Date, "2026-11-22", Some(json!("2026-11-22"))),
        (FieldType::Date, "22.11.2026", None),
    ];
    for (field_type, text, expected) in cases {
        let found = parse_given("x", &Field::of(field_type), text).ok();
        assert_eq!(found, expected, "{} {text}", field_type.as_str());
    }
}

const INPUTS: &str = "
inputs:
  day: {type: date, default: \"${{ date(run.scheduled_at) }}\"}
  count: {type: int, min: 1}
  note: {type: string, required: false}
steps: [{id: a, set: {y: 1}}]
";

fn resolved(given: Value) -> Result<Value, Vec<String>> {
    let Value::Object(given) = given else {
        panic!("a map is given");
    };
    resolve_inputs(&plan(INPUTS), given, &Scheduled)
        .map(|inputs| json!(inputs))
        .map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

#[test]
fn inputs_get_their_defaults_and_keep_the_declared_order() {
    assert_eq!(
        resolved(json!({"count": 2})).unwrap().to_string(),
        r#"{"day":"2026-11-22","count":2}"#
    );
    assert_eq!(
        resolved(json!({"note": "n", "count": 2, "day": "2026-01-01"}))
            .unwrap()
            .to_string(),
        r#"{"day":"2026-01-01","count":2,"note":"n"}"#
    );
}

#[test]
fn all_that_is_wrong_with_the_inputs_is_said_at_once() {
    assert_eq!(
        resolved(json!({"day": "monday", "cuont": 3})).unwrap_err(),
        [
            "error[bad_value]: input `day`: \"monday\" is not a date\n  help: write it like 2026-11-22",
            "error[missing_input]: the input `count` is missing\n  help: give it: -i count=<int>",
            "error[unknown_input]: the workflow has no input `cuont`\n  help: did you mean `count`?",
        ]
    );
}

const DRAWN: &str = "
steps:
  - {id: load, set: {x: 1}}
  - id: choose
    switch:
      - name: much
        when: ${{ steps.load.outputs.x > 1 }}
        steps: [{id: clean, set: {x: 1}}]
      - {name: little, else: true}
  - {id: ask, if: \"${{ steps.load.outputs.x > 0 }}\", approval: {title: Go on?}}
  - {id: last, after: [ask], set: {x: 2}}
";

#[test]
fn a_plan_is_drawn_as_text() {
    assert_eq!(
        graph::to_text(&plan(DRAWN)),
        "w
  load (set)
  choose (switch) ← load (reads)
    much: when steps.load.outputs.x > 1
      clean (set)
    little: else
  ask (approval) ← load (reads), choose (before) if steps.load.outputs.x > 0
  last (set) ← ask (after)
"
    );
}

#[test]
fn a_plan_is_drawn_as_mermaid() {
    assert_eq!(
        graph::to_mermaid(&plan(DRAWN)),
        "flowchart TD
  s0(\"load\")
  s1{\"choose\"}
  subgraph s1a0 [\"much\"]
    s2(\"clean\")
  end
  s1 -.-> s1a0
  s3{{\"ask\"}}
  s4(\"last\")
  s0 --> s1
  s0 --> s3
  s1 ---> s3
  s3 -.-> s4
"
    );
}
