//! The page for users names everything that there is, and its bounds are ours.

use super::super::limit::RANGE_ITEMS_MAX;
use super::super::{DEPTH_MAX, STEPS_MAX, function, method};

const PAGE: &str = include_str!("../../../docs/expressions.md");

#[test]
fn every_function_method_and_bound_is_in_the_manual() {
    for name in function::names() {
        assert!(PAGE.contains(&format!("`{name}(")), "{name}");
    }
    let (_, methods) = PAGE.split_once("Methods of strings").unwrap();
    for name in method::names() {
        let named = methods
            .split(|char: char| !char.is_alphanumeric() && char != '_')
            .any(|word| word == name);
        assert!(named, "{name}");
    }
    for (number, unit) in [
        (DEPTH_MAX, "levels"),
        (STEPS_MAX, "steps"),
        (RANGE_ITEMS_MAX, "numbers"),
    ] {
        let digits = number.to_string();
        let shown = match digits.len() {
            6 => format!("{},{} {unit}", &digits[..3], &digits[3..]),
            7 => format!("{},{},{} {unit}", &digits[..1], &digits[1..4], &digits[4..]),
            _ => format!("{digits} {unit}"),
        };
        assert!(PAGE.contains(&shown), "{shown}");
    }
}
