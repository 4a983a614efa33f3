//! Data-driven: an expression and what it gives. The data is one fixed scope.

mod bound;
mod error;
mod function;
mod manual;
mod operator;
mod property;
mod reference;
mod template;

use serde_json::{Value as Json, json};

use super::{Expression, Lookup, Scope, StepStatusWord, Value};

/// Fixed data, an absent step, typed values, and three steps with a status.
pub(super) struct Data(Json);

impl Data {
    pub(super) fn new() -> Self {
        Self(json!({
            "inputs": {"shift": "night", "threshold": 0.8, "count": 3, "dry_run": false, "none": null,
                       "pvs": ["BPM:01:X", "BPM:02:X"], "class": "k", "big": u64::MAX},
            "steps": {"load": {"outputs": {"quality": 0.9, "rows": 120, "values": "key wins",
                "bpms": [{"name": "a", "file": "a.csv", "rms": 0.5}, {"name": "b", "file": "b.csv", "rms": 1.5}],
                "by_name": {"a": 1, "b": 2}}}},
            "numbers": [3, 1, 2],
            "empty": [],
            "x": 7,
        }))
    }
}

impl Scope for Data {
    fn lookup(&self, path: &[&str]) -> Lookup<'_> {
        let known = |json: &Json| match json.as_object() {
            Some(map) => map.keys().cloned().collect(),
            None => Vec::new(),
        };
        match path {
            ["steps", "clean", ..] => Lookup::Absent {
                reason: "step `clean` was skipped".to_owned(),
            },
            ["steps", step, ..] => match self.0["steps"].get(*step) {
                Some(value) => Lookup::Json { value, used: 2 },
                None => Lookup::Unknown {
                    known: known(&self.0["steps"]),
                },
            },
            ["day", ..] => Lookup::Value {
                value: Value::Date("2026-03-01".parse().unwrap()),
                used: 1,
            },
            [root, ..] => match self.0.get(*root) {
                Some(value) => Lookup::Json { value, used: 1 },
                None => Lookup::Unknown {
                    known: known(&self.0),
                },
            },
            [] => unreachable!("a path has a root"),
        }
    }

    fn status(&self, step: &str) -> Option<StepStatusWord> {
        match step {
            "load" => Some(StepStatusWord::Succeeded),
            "fit" => Some(StepStatusWord::Failed),
            "clean" => Some(StepStatusWord::Skipped),
            "later" => Some(StepStatusWord::Other),
            _ => None,
        }
    }
}

/// The value as JSON, or the code of the error.
fn outcome(text: &str) -> Result<Json, &'static str> {
    Expression::parse(text)
        .and_then(|expression| expression.evaluate(&Data::new()))
        .map(|value| value.to_json())
        .map_err(|error| error.code.as_str())
}

/// Checks a table of expressions and values written as JSON.
fn gives(cases: &[(&str, &str)]) {
    for (text, wanted) in cases {
        let wanted: Json = serde_json::from_str(wanted).unwrap();
        assert_eq!(outcome(text), Ok(wanted), "{text}");
    }
}

/// Checks a table of expressions and codes.
fn fails(cases: &[(&str, &str)]) {
    for (text, code) in cases {
        assert_eq!(outcome(text), Err(*code), "{text}");
    }
}
