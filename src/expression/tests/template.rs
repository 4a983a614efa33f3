//! Text with `${{ }}`.

use serde_json::{Value as Json, json};

use super::super::{Part, Template};
use super::Data;

fn value(text: &str) -> Result<Json, String> {
    Template::parse_text(text)
        .and_then(|template| template.evaluate(&Data::new()))
        .map(|value| value.to_json())
        .map_err(|error| error.code.to_string())
}

#[test]
fn a_whole_scalar_keeps_its_type_and_text_is_formatted() {
    for (text, wanted) in [
        ("${{ inputs.pvs }}", json!(["BPM:01:X", "BPM:02:X"])),
        ("${{x}}", json!(7)),
        ("${{ inputs.none }}", json!(null)),
        ("${{ x }} ", json!("7 ")),
        ("a${{ x }}b${{ inputs.dry_run }}", json!("a7bfalse")),
        ("${{ x }}${{ x }}", json!("77")),
        ("${{ day }}: ${{ numbers }}", json!("2026-03-01: [3,1,2]")),
        (
            "${{ 1.0 }} ${{ 1e16 }} ${{ 0.1 + 0.2 }}",
            json!("1.0 1e+16 0.30000000000000004"),
        ),
        ("${{ duration('90m') }} long", json!("1h30m long")),
        ("${{ inputs }}!", json!("{\"shift\":\"night\"")),
        ("${{ {'a': {'b': '}}'}} }}", json!({"a": {"b": "}}"}})),
        ("${{ {'a': {'b': 1}}}}", json!({"a": {"b": 1}})),
        ("${{ \"it's }}\" }}", json!("it's }}")),
        ("${{\n  x +\n  1\n}}", json!(8)),
        ("plain", json!("plain")),
        ("", json!("")),
        ("$${{ x }}", json!("${{ x }}")),
        ("$$${{ x }}", json!("$${{ x }}")),
        ("costs $5, $${{, ${{ x }}$", json!("costs $5, ${{, 7$")),
        ("a }} b", json!("a }} b")),
    ] {
        if text == "${{ inputs }}!" {
            // A number beyond 64 bits in the data is an error, wherever it stands.
            assert_eq!(value(text), Err("expression_value".to_owned()));
            continue;
        }
        assert_eq!(value(text), Ok(wanted), "{text}");
    }
}

#[test]
fn faults_of_templates() {
    for (text, code) in [
        ("${{ x", "expression_syntax"),
        ("a ${{ }}", "expression_syntax"),
        ("${{ (x }}", "expression_syntax"),
        ("${{ 'x }}", "expression_syntax"),
        ("${{ x } }}", "expression_syntax"),
        ("a ${{ inputs.none }}", "expression_type"),
        ("a ${{ nothing }}", "expression_unknown_name"),
        ("${{ steps.clean.outputs.x }}", "expression_absent"),
    ] {
        assert_eq!(value(text), Err(code.to_owned()), "{text}");
    }
}

#[test]
fn spans_are_relative_to_the_whole_text() {
    let text = "day ${{ x }} of ${{ lenn(x) }}";
    let error = Template::parse_text(text).unwrap_err();
    assert_eq!(&text[error.span.start..error.span.end], "lenn");
    assert_eq!(error.text, text);
    let template = Template::parse_text("é ${{ x }} ${{  day }}").unwrap();
    let offsets: Vec<usize> = template.expressions().iter().map(|e| e.offset()).collect();
    assert_eq!(offsets, [7, 17]);
    let Template::Text(parts) = &template else {
        panic!("text with two expressions");
    };
    assert_eq!(parts.first(), Some(&Part::Text("é ".to_owned())));
}

#[test]
fn json_round_trips_and_literals_fold() {
    let written = json!({
        "a": ["${{ x }}", 1, null],
        "b": {"c": "text ${{ numbers[0] }} and $${{ this }}"},
        "d": ["$${{ literal }}", true],
    });
    let template: Template = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(serde_json::to_value(&template).unwrap(), written);
    assert_eq!(
        template.evaluate(&Data::new()).unwrap().to_json(),
        json!({"a": [7, 1, null], "b": {"c": "text 3 and ${{ this }}"}, "d": ["${{ literal }}", true]})
    );
    assert_eq!(template.expressions().len(), 2);
    assert_eq!(
        Template::from_json(&json!(["$${{ literal }}", {"k": 1}])).unwrap(),
        Template::Literal(json!(["${{ literal }}", {"k": 1}]))
    );
    let refused = Template::from_json(&json!({"${{ x }}": 1})).unwrap_err();
    assert_eq!(refused.code.as_str(), "expression_not_allowed");
}

#[test]
fn the_result_of_a_template_is_bounded_as_a_whole() {
    let part = json!("${{ 'a' * 400000 }}");
    let template = Template::from_json(&json!([part, part, part])).unwrap();
    let error = template.evaluate(&Data::new()).unwrap_err();
    assert_eq!(error.code.as_str(), "expression_too_large");
}
