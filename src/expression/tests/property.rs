//! Nothing panics: not on any text, not on any expression that can be read.

use proptest::prelude::*;

use super::super::{Template, Value, format_duration, parse_duration};
use super::{Data, Expression};

/// Pieces of the language in any order: most of it is nonsense, some of it can be read.
fn soup() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "x",
        "inputs",
        ".",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        ",",
        ":",
        "+",
        "-",
        "*",
        "**",
        "/",
        "//",
        "%",
        "==",
        "<",
        ">=",
        " in ",
        " not ",
        " and ",
        " or ",
        " if ",
        " else ",
        " for ",
        " is ",
        "None",
        "True",
        "0",
        "1",
        "9223372036854775807",
        "0.5",
        "1e308",
        "'a'",
        "\"é\"",
        "'",
        "len(",
        "default(",
        "exists(",
        "numbers",
        "steps.load.outputs",
        ".get(",
        ".split(",
        ".items()",
        "sum(",
        "range(",
        "failed('fit')",
        "date('2026-03-01')",
        "duration('1h')",
        "format(",
        "}}",
        "${{",
        "#",
        "lambda",
        "=",
        ":=",
        "\\",
        "\n",
        "f'",
        "'''",
        "y",
    ];
    prop::collection::vec(prop::sample::select(PIECES), 0..24).prop_map(|pieces| pieces.concat())
}

/// A value or an error; both are fine.
fn run(text: &str) {
    if let Ok(expression) = Expression::parse(text) {
        assert_eq!(
            Expression::parse(expression.source()).as_ref(),
            Ok(&expression)
        );
        for reference in expression.references() {
            let span = reference.span();
            assert!(expression.source().get(span.start..span.end).is_some());
        }
        match expression.evaluate(&Data::new()) {
            Ok(value) => assert!(value.to_json().to_string().len() < 8 * 1024 * 1024),
            Err(error) => assert!(error.text.get(error.span.start..error.span.end).is_some()),
        }
    }
    if let Ok(template) = Template::parse_text(text) {
        let json = template.to_json();
        assert_eq!(Template::from_json(&json).as_ref(), Ok(&template), "{json}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        run(&text);
    }

    #[test]
    fn any_soup_is_evaluated_or_refused(text in soup()) {
        run(&text);
        run(&format!("a ${{{{ {text} }}}} b"));
    }

    #[test]
    fn parse_errors_point_into_the_text(text in soup()) {
        if let Err(error) = Expression::parse(&text) {
            prop_assert!(error.span.start <= error.span.end && error.span.end <= text.len(), "{error:?}");
            prop_assert!(!error.render().is_empty());
        }
    }

    #[test]
    fn durations_round_trip(millis in 0_u64..3_000_000_000_000) {
        let duration = std::time::Duration::from_millis(millis);
        prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
    }

    #[test]
    fn any_text_is_no_panic_as_a_quantity(text in any::<String>()) {
        let _ = (parse_duration(&text), super::super::parse_size(&text), super::super::parse_percent(&text));
    }

    #[test]
    fn floats_read_back_from_their_text(bits in any::<u64>()) {
        let float = f64::from_bits(bits);
        prop_assume!(float.is_finite());
        let text = Value::Float(float).to_text().unwrap();
        prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), bits);
    }
}
