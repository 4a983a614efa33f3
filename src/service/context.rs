//! Typed values by type and key: what components exchange, what code sees as `context`, and what is told of it to
//! whoever writes the code. Two values of the same type stand beside each other under their keys.

use indexmap::IndexMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::PythonExecutorError;
use crate::code;

/// A type of value that components exchange.
pub trait ContextType: Serialize + DeserializeOwned {
    /// Its name, for example `ANALYSIS_DATA`. Code sees the values as `context.ANALYSIS_DATA.<key>`.
    const TYPE: &'static str;
    /// What it is, one sentence, for whoever writes code.
    const DESCRIPTION: &'static str = "";
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    value: Value,
    description: String,
    /// How often it was put.
    version: u64,
}

/// Values by type and key, and by name alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ContextStore {
    typed: IndexMap<String, IndexMap<String, Entry>>,
    named: IndexMap<String, Entry>,
}

/// Deepest nesting of a value that is described.
const DESCRIBED_DEPTH: usize = 2;
/// Names that one description lists.
const DESCRIBED_NAMES: usize = 12;

impl ContextStore {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a value of a type under a key. The value before it is replaced; its version goes up.
    ///
    /// # Errors
    /// It can't be said in JSON.
    pub fn put<T: ContextType>(
        &mut self,
        key: &str,
        value: &T,
    ) -> Result<u64, PythonExecutorError> {
        let json = serde_json::to_value(value).map_err(|error| unfit(T::TYPE, key, &error))?;
        Ok(self.put_value(T::TYPE, key, json, T::DESCRIPTION))
    }

    /// The value of a type under a key, if there is one.
    ///
    /// # Errors
    /// What is there does not fit the type.
    pub fn get<T: ContextType>(&self, key: &str) -> Result<Option<T>, PythonExecutorError> {
        let Some(value) = self.get_value(T::TYPE, key) else {
            return Ok(None);
        };
        let read = serde_json::from_value(value.clone());
        read.map(Some).map_err(|error| unfit(T::TYPE, key, &error))
    }

    /// Puts a value under a type and a key that are known at run time only; gives its version, from 1.
    pub fn put_value(&mut self, kind: &str, key: &str, value: Value, description: &str) -> u64 {
        let of_kind = self.typed.entry(kind.to_owned()).or_default();
        replace(of_kind, key, value, description)
    }

    /// The value under a type and a key.
    #[must_use]
    pub fn get_value(&self, kind: &str, key: &str) -> Option<&Value> {
        Some(&self.typed.get(kind)?.get(key)?.value)
    }

    /// How often something was put under a type and a key.
    #[must_use]
    pub fn version(&self, kind: &str, key: &str) -> u64 {
        let entry = self.typed.get(kind).and_then(|of_kind| of_kind.get(key));
        entry.map_or(0, |entry| entry.version)
    }

    /// The keys of a type, in the order in which they were put first.
    pub fn keys<'a>(&'a self, kind: &str) -> impl Iterator<Item = &'a str> {
        let of_kind = self.typed.get(kind).into_iter();
        of_kind.flat_map(|of_kind| of_kind.keys().map(String::as_str))
    }

    /// Puts a value under a name alone.
    pub fn set_capability_context_data(&mut self, name: &str, value: impl Into<Value>) {
        replace(&mut self.named, name, value.into(), "");
    }

    /// The value under a name, or the values of a type by key.
    #[must_use]
    pub fn get_capability_context_data(&self, name: &str) -> Option<Value> {
        let named = self.named.get(name).map(|entry| entry.value.clone());
        named.or_else(|| self.typed.get(name).map(by_key))
    }

    /// What code sees as `context`: `context.<TYPE>.<key>` and `context.<name>`.
    #[must_use]
    pub fn to_context(&self) -> Map<String, Value> {
        let typed = self.typed.iter();
        let typed = typed.map(|(kind, of_kind)| (kind.clone(), by_key(of_kind)));
        let named = self.named.iter();
        let named = named.map(|(name, entry)| (name.clone(), entry.value.clone()));
        typed.chain(named).collect()
    }

    /// The same without what stands under that name.
    pub(super) fn without(&self, name: &str) -> Self {
        let mut rest = self.clone();
        rest.named.shift_remove(name);
        rest
    }

    /// What whoever writes code is told: where the values are and what shape they have, not the values.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut lines = Vec::new();
        for (kind, of_kind) in &self.typed {
            for (key, entry) in of_kind {
                lines.push(told(&format!("context.{kind}.{key}"), entry));
            }
        }
        for (name, entry) in &self.named {
            lines.push(told(&format!("context.{name}"), entry));
        }
        lines.join("\n")
    }
}

fn replace(
    entries: &mut IndexMap<String, Entry>,
    key: &str,
    value: Value,
    description: &str,
) -> u64 {
    let version = entries.get(key).map_or(1, |entry| entry.version + 1);
    let entry = Entry {
        value,
        description: description.to_owned(),
        version,
    };
    entries.insert(key.to_owned(), entry);
    version
}

fn by_key(of_kind: &IndexMap<String, Entry>) -> Value {
    let entries = of_kind.iter();
    Value::Object(
        entries
            .map(|(key, entry)| (key.clone(), entry.value.clone()))
            .collect(),
    )
}

fn told(path: &str, entry: &Entry) -> String {
    let shape = shape(&entry.value, DESCRIBED_DEPTH);
    if entry.description.is_empty() {
        format!("{path}: {shape}")
    } else {
        format!("{path}: {shape}; {}", entry.description)
    }
}

/// Type and shape of a value, in a few words.
fn shape(value: &Value, depth: usize) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(number) if number.is_f64() => "float".to_owned(),
        Value::Number(_) => "int".to_owned(),
        Value::String(_) => "str".to_owned(),
        Value::Array(items) => match items.first() {
            Some(first) if depth > 0 => {
                format!("list of {} × {}", items.len(), shape(first, depth - 1))
            }
            Some(_) | None => format!("list of {}", items.len()),
        },
        Value::Object(entries) if depth > 0 => {
            let names = entries.iter().take(DESCRIBED_NAMES);
            let mut names: Vec<String> = names
                .map(|(name, value)| format!("{name}: {}", shape(value, depth - 1)))
                .collect();
            if entries.len() > DESCRIBED_NAMES {
                names.push(format!("and {} more", entries.len() - DESCRIBED_NAMES));
            }
            format!("dict {{{}}}", names.join(", "))
        }
        Value::Object(entries) => format!("dict of {}", entries.len()),
    }
}

fn unfit(kind: &str, key: &str, error: &serde_json::Error) -> PythonExecutorError {
    let message = format!("the value of type {kind} under the key `{key}` does not fit: {error}");
    PythonExecutorError::request(code::WRONG_TYPE, message)
        .hint("the type that is put and the type that is got must have the same fields")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Orbit {
        rms: f64,
        bpms: Vec<String>,
    }

    impl ContextType for Orbit {
        const TYPE: &'static str = "ORBIT";
        const DESCRIPTION: &'static str = "a measured orbit";
    }

    fn orbit(rms: f64) -> Orbit {
        Orbit {
            rms,
            bpms: vec!["BPM:01".to_owned()],
        }
    }

    #[test]
    fn two_values_of_one_type_stand_beside_each_other() {
        let mut store = ContextStore::new();
        assert_eq!(store.put("before", &orbit(1.5)).unwrap(), 1);
        assert_eq!(store.put("after", &orbit(0.5)).unwrap(), 1);
        assert_eq!(store.put("after", &orbit(0.25)).unwrap(), 2);
        assert_eq!(store.get::<Orbit>("before").unwrap(), Some(orbit(1.5)));
        assert_eq!(store.get::<Orbit>("after").unwrap(), Some(orbit(0.25)));
        assert_eq!(store.get::<Orbit>("never").unwrap(), None);
        assert_eq!(store.version("ORBIT", "after"), 2);
        assert_eq!(store.keys("ORBIT").collect::<Vec<_>>(), ["before", "after"]);
        assert_eq!(
            Value::Object(store.to_context()),
            json!({"ORBIT": {"before": {"rms": 1.5, "bpms": ["BPM:01"]}, "after": {"rms": 0.25, "bpms": ["BPM:01"]}}})
        );
    }

    #[test]
    fn a_description_has_shapes_and_no_values() {
        let mut store = ContextStore::new();
        store.put("now", &orbit(1.5)).unwrap();
        store.set_capability_context_data("limit", 3);
        assert_eq!(
            store.describe(),
            "context.ORBIT.now: dict {rms: float, bpms: list of 1 × str}; a measured orbit\ncontext.limit: int"
        );
    }

    #[test]
    fn what_does_not_fit_the_type_is_an_error() {
        let mut store = ContextStore::new();
        store.put_value("ORBIT", "odd", json!({"rms": "large"}), "");
        let error = store.get::<Orbit>("odd").unwrap_err();
        assert_eq!(error.code(), "wrong_type");
        assert!(error.message().contains("`odd`"), "{error}");
        assert_eq!(
            store.get_capability_context_data("ORBIT"),
            Some(json!({"odd": {"rms": "large"}}))
        );
    }
}
