//! The outputs of a step from what its code left.

use serde_json::Value;

use super::payload::Values;
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::plan::{self, Field, FieldType, Step};
use crate::python::reference::is_reference;

/// The outputs that a results document gives: all its keys, or the declared ones, checked.
pub(super) fn outputs_of(step: &Step, results: Option<&Value>) -> Result<Values, Failure> {
    let given = match results {
        None => Values::new(),
        Some(Value::Object(map)) if !results.is_some_and(is_reference) => map.clone(),
        Some(other) => Values::from_iter([("value".to_owned(), other.clone())]),
    };
    let Some(declared) = &step.outputs else {
        return Ok(given);
    };
    let mut outputs = Values::new();
    for (name, field) in declared {
        match given.get(name) {
            // A list, a map or a text that was too large is a file now: what is inside is not looked at.
            Some(value) if is_reference(value) && may_be_large(field) => {
                outputs.insert(name.clone(), value.clone());
            }
            Some(value) => {
                let checked = plan::check(field, value.clone(), &format!("outputs.{name}"))
                    .map_err(|fault| bad_output(&format!("{}: {}", fault.at, fault.message)))?;
                outputs.insert(name.clone(), checked);
            }
            None if field.required => {
                let known: Vec<&str> = given.keys().map(String::as_str).collect();
                let message = format!(
                    "the declared output `{name}` is missing from `results`, which has: {}",
                    if known.is_empty() {
                        "nothing".to_owned()
                    } else {
                        known.join(", ")
                    }
                );
                return Err(bad_output(&message));
            }
            None => {}
        }
    }
    Ok(outputs)
}

fn may_be_large(field: &Field) -> bool {
    match field.field_type {
        FieldType::String | FieldType::List | FieldType::Map => true,
        FieldType::Int
        | FieldType::Float
        | FieldType::Bool
        | FieldType::Date
        | FieldType::Datetime
        | FieldType::Duration
        | FieldType::File => false,
    }
}

fn bad_output(message: &str) -> Failure {
    Failure::new(FailureKind::Code, code::BAD_OUTPUT, message)
        .hint("the step declares its outputs; `results` must hold each of them with that type")
}
