//! Large values of results: files, and maps that stand for them wherever values go.

use serde_json::{Map, Value};

use crate::id::Digest;

/// The key that tells such a map from one of the user's; its value is the type: `table`, `array`, `text`, `bytes`, `json`.
pub const KEY: &str = "$artifact";
/// Where a step that gets such a value finds its file: the path in the folder of its attempt.
const LOCAL: &str = "local";
/// The folder of those files in that of an attempt.
const FOLDER: &str = ".attempt/inputs";

/// A file that a step gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// Its path in the folder of the attempt.
    pub local: String,
    /// Its content.
    pub digest: Digest,
}

/// Whether the value stands for a file.
#[must_use]
pub fn is_reference(value: &Value) -> bool {
    value.get(KEY).is_some_and(Value::is_string)
}

/// Says in the results of an attempt which content each of its files has, and where it is for everybody.
pub fn settle(results: &mut Value, find: &impl Fn(&str) -> Option<(String, Digest, u64)>) {
    each(results, &mut |map| {
        if map.contains_key("sha256") {
            // Of an earlier step, handed on.
            return;
        }
        let found = map.get("path").and_then(Value::as_str).and_then(find);
        if let Some((path, digest, bytes)) = found {
            map.insert("path".to_owned(), path.into());
            map.insert("sha256".to_owned(), digest.to_string().into());
            map.insert("bytes".to_owned(), bytes.into());
        }
    });
}

/// Says in the inputs of a step where its files will be, and which they are.
pub fn bring(inputs: &mut Value) -> Vec<Brought> {
    let mut brought: Vec<Brought> = Vec::new();
    each(inputs, &mut |map| {
        let text = |key: &str| map.get(key).and_then(Value::as_str);
        let digest: Option<Digest> = text("sha256").and_then(|digest| digest.parse().ok());
        let (Some(digest), Some(path)) = (digest, text("path")) else {
            return;
        };
        let name = path.rsplit('/').next().unwrap_or_default();
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let name: String = name.chars().filter(|c| fine(*c)).collect();
        let name = match name.trim_start_matches('.') {
            "" => "file",
            name => name,
        };
        let local = format!("{FOLDER}/{}/{name}", digest.short());
        map.insert(LOCAL.to_owned(), local.clone().into());
        if !brought.iter().any(|file| file.local == local) {
            brought.push(Brought { local, digest });
        }
    });
    brought
}

fn each(value: &mut Value, act: &mut impl FnMut(&mut Map<String, Value>)) {
    if is_reference(value) {
        value.as_object_mut().into_iter().for_each(act);
        return;
    }
    match value {
        Value::Object(map) => map.values_mut().for_each(|inner| each(inner, act)),
        Value::Array(items) => items.iter_mut().for_each(|inner| each(inner, act)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
