//! The bounds: length, depth, steps, sizes. Nothing overflows the stack on the way to an error.

use super::super::{DEPTH_MAX, RESULT_BYTES_MAX, TEXT_BYTES_MAX};
use super::{fails, outcome};

#[test]
fn deep_texts_are_refused_before_they_recurse() {
    let repeated = |part: &str, middle: &str, end: &str| {
        let count = (TEXT_BYTES_MAX - middle.len()) / (part.len() + end.len());
        format!("{}{middle}{}", part.repeat(count), end.repeat(count))
    };
    for text in [
        repeated("(", "1", ")"),
        repeated("[", "1", "]"),
        repeated("{'a':", "1", "}"),
        repeated("not ", "True", ""),
        repeated("-", "1", ""),
        repeated("1+", "1", ""),
        repeated("1**", "1", ""),
        repeated("1 if 1 else ", "1", ""),
        repeated("1 if ", "1", " else 1"),
        repeated("x.", "x", ""),
        repeated("x", "x", ".x"),
        repeated("", "x", "[0]"),
        repeated("", "x", ".lower()"),
        repeated("len(", "x", ")"),
        repeated("await ", "1", ""),
        repeated("not not - ", "1", ""),
        repeated("1 < ", "1", ""),
        repeated("1 if 1 else 1 and ", "1", ""),
        repeated("[x for x in ", "x", "]"),
    ] {
        let code = outcome(&text).unwrap_err();
        assert_eq!(code, "expression_too_large", "{}", &text[..40]);
    }
}

#[test]
fn the_deepest_allowed_is_evaluated() {
    let nested = |count: usize| format!("{}1{}", "[".repeat(count), "]".repeat(count));
    assert!(outcome(&nested(DEPTH_MAX - 1)).is_ok());
    assert_eq!(outcome(&nested(DEPTH_MAX)), Err("expression_too_large"));
    let sum = |count: usize| vec!["1"; count].join(" + ");
    assert_eq!(outcome(&sum(DEPTH_MAX)), Ok(DEPTH_MAX.into()));
    assert_eq!(outcome(&sum(DEPTH_MAX + 1)), Err("expression_too_large"));
}

#[test]
fn flat_texts_may_be_long() {
    let list = format!("len([{}])", vec!["-1"; 1_000].join(","));
    assert_eq!(outcome(&list), Ok(1_000.into()));
    let logic = vec!["x > 3"; 200].join(" and ");
    assert_eq!(outcome(&logic), Ok(true.into()));
    let long = format!("'{}'", "a".repeat(TEXT_BYTES_MAX - 2));
    assert!(outcome(&long).is_ok());
    assert_eq!(
        outcome(&format!("{long} ")),
        Ok("a".repeat(TEXT_BYTES_MAX - 2).into())
    );
    assert_eq!(outcome(&format!("{long}''")), Err("expression_too_large"));
}

#[test]
fn evaluation_has_a_price() {
    let half = RESULT_BYTES_MAX / 2;
    assert!(outcome(&format!("len('a' * {half})")).is_ok());
    fails(&[
        ("'a' * 1048577", "expression_too_large"),
        ("['a' * 500000] * 3", "expression_too_large"),
        (
            "[1 for a in range(1001) for b in range(1000)]",
            "expression_too_large",
        ),
        (
            "[range(100000) for a in range(100)]",
            "expression_too_large",
        ),
        (
            "len([[y] * 1000 for y in range(10000)])",
            "expression_too_large",
        ),
        // Sharing makes this small to build and huge to write out.
        (
            "[[c, c, c, c] for c in [[b, b, b, b] for b in [[a, a, a, a] for a in [range(20000)]]]]",
            "expression_too_large",
        ),
        (
            "json([a for a in [range(100000)] for b in range(50)])",
            "expression_too_large",
        ),
        (
            "[a == b for a in [range(90000)] for b in [range(90000)] * 20]",
            "expression_too_large",
        ),
        (
            "len(['a' * 1000000 + str(y) for y in range(100)])",
            "expression_too_large",
        ),
        (
            "len('a'.rjust(1000000).replace(' ', 'ab'))",
            "expression_too_large",
        ),
    ]);
}
