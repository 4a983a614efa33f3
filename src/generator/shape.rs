//! What a value is like: its types and shapes, without its contents.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Items of a list, and keys of a map, that are looked at.
const LOOKED_AT_MAX: usize = 200;
/// Keys of a map that are told by name.
const KEYS_TOLD_MAX: usize = 40;
/// Deepest nesting that is told.
const DEPTH_MAX: usize = 6;

/// One line for each input, with the length of its lists.
#[must_use]
pub fn describe(inputs: &Map<String, Value>) -> Vec<String> {
    let lines = inputs.iter();
    lines
        .map(|(name, value)| format!("`{name}`: {}", text(value, true, 0)))
        .collect()
}

/// The same for programs, without lengths: two runs with more or fewer rows have the same shape.
#[must_use]
pub fn shape(value: &Value) -> Value {
    Value::String(text(value, false, 0))
}

fn text(value: &Value, lengths: bool, depth: usize) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(number) if number.is_f64() => "float".to_owned(),
        Value::Number(_) => "int".to_owned(),
        Value::String(_) => "text".to_owned(),
        Value::Array(_) | Value::Object(_) if depth >= DEPTH_MAX => "…".to_owned(),
        Value::Array(items) => {
            let kinds: BTreeSet<String> = items
                .iter()
                .take(LOOKED_AT_MAX)
                .map(|item| text(item, lengths, depth + 1))
                .collect();
            let kinds = numbers_alike(kinds);
            let count = if lengths {
                format!(" of {}", items.len())
            } else {
                " of".to_owned()
            };
            match kinds.as_slice() {
                [] => "empty list".to_owned(),
                kinds => format!("list{count} {}", kinds.join(" or ")),
            }
        }
        Value::Object(map) => {
            let fields = map.iter().take(KEYS_TOLD_MAX);
            let mut fields: Vec<String> = fields
                .map(|(key, value)| format!("{key}: {}", text(value, lengths, depth + 1)))
                .collect();
            if map.len() > KEYS_TOLD_MAX {
                fields.push("…".to_owned());
            }
            format!("map {{{}}}", fields.join(", "))
        }
    }
}

/// A list of numbers is one of floats when some of them are.
fn numbers_alike(mut kinds: BTreeSet<String>) -> Vec<String> {
    if kinds.contains("float") {
        kinds.remove("int");
    }
    kinds.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn shapes_have_types_and_keys_and_no_values() {
        let value = json!({
            "rows": [{"name": "secret", "value": 1}, {"name": "b", "value": 2.5}],
            "day": "2026-01-01", "depth": 3, "on": true, "none": null, "empty": [],
        });
        let lines = describe(value.as_object().unwrap());
        assert_eq!(
            lines,
            [
                "`rows`: list of 2 map {name: text, value: float} or map {name: text, value: int}",
                "`day`: text",
                "`depth`: int",
                "`on`: bool",
                "`none`: None",
                "`empty`: empty list",
            ]
        );
    }

    #[test]
    fn the_shape_is_the_same_whatever_the_length() {
        assert_eq!(shape(&json!([1.0, 2])), shape(&json!([1.0, 2, 3.5, 4])));
        assert_ne!(shape(&json!([1.0])), shape(&json!(["a"])));
        assert_ne!(shape(&json!({"a": 1})), shape(&json!({"b": 1})));
    }
}
