//! What a person reads: the message, the caret, the help.

use super::{Data, Expression, fails};

/// The whole text of the error.
fn said(text: &str) -> String {
    Expression::parse(text)
        .and_then(|expression| expression.evaluate(&Data::new()))
        .unwrap_err()
        .render()
}

#[test]
fn a_missing_key_names_the_keys_that_there_are() {
    assert_eq!(
        said("steps.load.outputs.qualty > 0.5"),
        "error[expression_missing_key]: there is no key `qualty`\n \
         --> expression:1:20\n  |\n\
         1 | steps.load.outputs.qualty > 0.5\n  |                    ^^^^^^\n  \
         help: did you mean `quality`?\n  \
         help: keys: quality, rows, values, bpms, by_name\n  \
         help: `default(..., fallback)` takes a fallback when it is missing"
    );
}

#[test]
fn a_wrong_type_names_both_sides() {
    assert_eq!(
        said("'12' > 3"),
        "error[expression_type]: `>` cannot compare a string with an int\n --> expression:1:1\n  |\n\
         1 | '12' > 3\n  | ^^^^^^^^\n  help: write `float(...)` or `int(...)` round the string"
    );
}

/// An expression and what its message holds.
const MESSAGES: &[(&str, &[&str])] = &[
    (
        "inputs.dry_run == true",
        &["unknown name `true`", "write `True`"],
    ),
    ("null", &["write `None`"]),
    ("x > 1 && x < 3", &["write `and` for `&&`"]),
    ("!inputs.dry_run", &["write `not` for `!`"]),
    ("x = 3", &["write `==` to compare"]),
    ("x > 1 ? 2 : 3", &["write `a if condition else b`"]),
    ("inputs.class", &["keyword is read by subscript"]),
    (
        "f'{x}'",
        &[
            "not part of the expression language",
            "join strings with `+`",
        ],
    ),
    (
        "lambda: 1",
        &[
            "a lambda is not part",
            "write a comprehension",
            "allowed: names",
        ],
    ),
    ("{1, 2}", &["a set is not part", "unique"]),
    ("(y := 1)", &["an assignment"]),
    ("1, 2", &["without brackets", "write `[a, b]`"]),
    ("x & 1", &["`&` is not part", "write `and`"]),
    ("~x", &["`~` is not part", "write `not`"]),
    ("[*numbers]", &["unpacking", "join lists with `+`"]),
    (
        "lenn(numbers)",
        &[
            "unknown function `lenn`",
            "did you mean `len`?",
            "functions: ",
        ],
    ),
    (
        "'a'.lowr()",
        &["unknown method `lowr`", "did you mean `lower`?"],
    ),
    ("now()", &["expressions read no clock"]),
    ("success()", &["write `succeeded('step_id')`"]),
    (
        "round()",
        &[
            "does not take no arguments",
            "write `round(number, digits)`",
        ],
    ),
    ("sorted(numbers, key=1)", &["has no argument `key=`"]),
    (
        "steps.clean.outputs.x",
        &["is absent: step `clean` was skipped", "default("],
    ),
    (
        "step.load.outputs",
        &["unknown name `step.load.outputs`", "did you mean `steps`?"],
    ),
    (
        "inputs.pvs.name",
        &["a list has no key `name`", "[x.name for x in xs]"],
    ),
    ("inputs.shift.lower", &["call the method: `.lower()`"]),
    (
        "inputs.pvs[7]",
        &["no index 7 in a list of 2", "indexes go from 0 to 1"],
    ),
    (
        "not numbers",
        &["`not` needs a bool, not a list", "len(x) > 0"],
    ),
    ("1 if 'a' else 2", &["the condition of `if` needs a bool"]),
    (
        "'a' + 1",
        &["`+` does not work between a string and an int", "str(...)"],
    ),
    ("1 / 0", &["division by zero"]),
    ("9223372036854775807 + 1", &["does not fit into 64 bits"]),
    ("x # seven", &["comments have no place"]),
    ("it's", &["never closed", "a quote begins a string"]),
    ("len(numbers", &["`(` is never closed"]),
    ("len numbers)", &["`)` closes nothing"]),
    ("(1]", &["`(` is never closed"]),
    ("", &["the expression is empty", "$${{"]),
    ("a b", &["this is not an expression"]),
    ("day + duration('1h')", &["only move by whole days"]),
];

#[test]
fn messages_say_what_to_do() {
    for (text, parts) in MESSAGES {
        let said = said(text);
        for part in *parts {
            assert!(said.contains(part), "{text}\n{said}\nlacks: {part}");
        }
    }
}

#[test]
fn other_forms_of_python_are_refused() {
    fails(&[
        ("lambda: lambda: lambda: 1", "expression_not_allowed"),
        ("await x", "expression_not_allowed"),
        ("(yield)", "expression_not_allowed"),
        ("...", "expression_not_allowed"),
        ("b'x'", "expression_not_allowed"),
        ("{y for y in numbers}", "expression_not_allowed"),
        ("(y for y in numbers)", "expression_not_allowed"),
        ("[y async for y in numbers]", "expression_not_allowed"),
        ("x @ x", "expression_not_allowed"),
        ("x << 1", "expression_not_allowed"),
        ("numbers[0, 1]", "expression_not_allowed"),
        ("(lambda: 1)()", "expression_not_allowed"),
        ("len(*numbers)", "expression_not_allowed"),
        ("min(**x)", "expression_arguments"),
        ("import os", "expression_syntax"),
        ("x; x", "expression_syntax"),
        ("print(x)", "expression_unknown_function"),
        ("x.__class__", "expression_type"),
        ("inputs.__class__", "expression_missing_key"),
        ("numbers.append(1)", "expression_unknown_function"),
        ("a) + (b", "expression_syntax"),
        ("x\\", "expression_syntax"),
    ]);
}

#[test]
fn spans_count_from_the_text_that_was_given() {
    let error = Expression::parse("   1 + lenn(x)").unwrap_err();
    assert_eq!((error.span.start, error.span.end), (7, 11));
    assert_eq!(error.text, "   1 + lenn(x)");
    let expression = Expression::parse("   x + 'a'").unwrap();
    assert_eq!((expression.source(), expression.offset()), ("x + 'a'", 3));
    let error = expression.evaluate(&Data::new()).unwrap_err();
    assert_eq!((error.span.start, error.span.end), (0, 7));
}

#[test]
fn a_condition_is_a_bool() {
    let condition = |text: &str| Expression::parse(text).unwrap().condition(&Data::new());
    assert_eq!(condition("x > 3"), Ok(true));
    let error = condition("x").unwrap_err();
    assert_eq!(error.message, "a condition needs a bool, not an int");
}
