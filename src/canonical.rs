//! One way to write a JSON value as bytes, so that equal values have equal digests.

use serde_json::Value;

/// Writes `value` with sorted keys and no insignificant whitespace.
///
/// Integers and floating-point numbers stay apart (`1` is not `1.0`), since Python tells them apart too.
#[must_use]
pub fn canonical_json(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| key.as_bytes());
            out.push(b'{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                out.extend(Value::from(key.as_str()).to_string().bytes());
                out.push(b':');
                write(value, out);
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.extend(value.to_string().bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(value: &Value) -> String {
        String::from_utf8(canonical_json(value)).unwrap()
    }

    #[test]
    fn keys_are_sorted_at_every_depth_and_whitespace_is_gone() {
        let value = json!({"b": [1, {"z": null, "a": "é\n\""}], "a": true});
        assert_eq!(text(&value), r#"{"a":true,"b":[1,{"a":"é\n\"","z":null}]}"#);
    }

    #[test]
    fn integers_and_floats_stay_apart() {
        assert_eq!(text(&json!([1, 1.0, -0.0, 1e300])), "[1,1.0,-0.0,1e+300]");
        assert_ne!(canonical_json(&json!(1)), canonical_json(&json!(1.0)));
    }

    #[test]
    fn order_of_keys_does_not_matter_and_order_of_items_does() {
        assert_eq!(
            canonical_json(&json!({"x": 1, "y": 2})),
            canonical_json(&json!({"y": 2, "x": 1}))
        );
        assert_ne!(
            canonical_json(&json!([1, 2])),
            canonical_json(&json!([2, 1]))
        );
    }
}
