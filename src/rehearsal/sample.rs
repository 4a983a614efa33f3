//! Values that fit what is declared, where nobody says which.

use indexmap::IndexMap;
use serde_json::{Value, json};

use crate::plan::{Field, FieldType, Items, NotifyTarget, Plan, Step, StepKind};
use crate::run::payload::Values;

/// Shares of the span of a field that different seeds give.
const SHARES: [f64; 5] = [0.95, 0.6, 0.2, 0.0, 1.0];

/// Values for the inputs that have no default.
#[must_use]
pub fn sample_inputs(plan: &Plan, seed: u64) -> Values {
    let open = plan
        .inputs
        .iter()
        .filter(|(_, field)| field.default.is_none() && field.required);
    open.map(|(name, field)| (name.clone(), sample(field, seed)))
        .collect()
}

/// Results that fit the declared outputs of a step.
#[must_use]
pub fn sample_results(step: &Step, seed: u64) -> Value {
    let mut results = acted(step);
    match &step.outputs {
        Some(outputs) => {
            for (name, field) in outputs {
                results.insert(name.clone(), sample(field, seed));
            }
        }
        None if matches!(step.kind, StepKind::Python(_) | StepKind::Action(_)) => {
            results.insert("value".to_owned(), json!(seed));
        }
        None => {}
    }
    Value::Object(results)
}

/// What an act on the outside leaves.
pub(super) fn acted(step: &Step) -> Values {
    if let StepKind::Http(_) = &step.kind {
        return Values::from_iter([
            ("status".to_owned(), json!(200)),
            ("headers".to_owned(), json!({})),
            ("body".to_owned(), json!({})),
        ]);
    }
    if let StepKind::Notify(notify) = &step.kind {
        let to = match &notify.to {
            NotifyTarget::Channel(name) => name.as_str(),
            NotifyTarget::Webhook(_) => "webhook",
        };
        return Values::from_iter([("to".to_owned(), json!(to))]);
    }
    if let StepKind::Workflow(child) = &step.kind {
        let names = child.outputs.iter();
        return names.map(|name| (name.clone(), json!(1))).collect();
    }
    Values::new()
}

/// A value that fits a field; different seeds give different ones.
#[must_use]
pub fn sample(field: &Field, seed: u64) -> Value {
    if let Some(choice) = field.choices.first() {
        return choice.clone();
    }
    match field.field_type {
        FieldType::String | FieldType::File => json!(format!("text {seed}")),
        FieldType::Int => whole(field, seed),
        FieldType::Float => {
            let (low, high) = span(field);
            json!(low + (high - low) * share(seed))
        }
        FieldType::Bool => json!(seed.is_multiple_of(2)),
        FieldType::Date => json!("2026-11-22"),
        FieldType::Datetime => json!("2026-11-22T12:00:00Z"),
        FieldType::Duration => json!("1h30m"),
        FieldType::List => list(field, seed),
        FieldType::Map => match &field.items {
            Some(Items::Record(fields)) => record(fields, seed),
            Some(Items::Each(item)) => json!({"a": sample(item, seed)}),
            None => json!({"a": seed}),
        },
    }
}

fn list(field: &Field, seed: u64) -> Value {
    // A list that must be long has its items numbered from the seed on.
    let count = field.min_items.unwrap_or(2).clamp(2, LIST_ITEMS_MAX);
    let items = (0..count).map(|index| match &field.items {
        Some(Items::Each(item)) => sample(item, seed + index),
        Some(Items::Record(fields)) => record(fields, seed + index),
        None => json!(seed + index),
    });
    Value::Array(items.collect())
}

/// Longest list that is made up, in items.
const LIST_ITEMS_MAX: u64 = 100;

fn share(seed: u64) -> f64 {
    let index = usize::try_from(seed % 5).unwrap_or_default();
    SHARES.get(index).copied().unwrap_or_default()
}

fn span(field: &Field) -> (f64, f64) {
    let low = field.min.unwrap_or(0.0).min(field.max.unwrap_or(0.0));
    let low = field.min.unwrap_or(low);
    (low, field.max.unwrap_or(low + 1.0).max(low))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a bound beyond 64 bits is cut to the last whole number there is"
)]
fn whole(field: &Field, seed: u64) -> Value {
    let (low, high) = span(field);
    let wished = (low.ceil() as i64).saturating_add(i64::try_from(seed).unwrap_or(0));
    match field.max {
        Some(_) => json!(wished.min(high.floor() as i64)),
        None => json!(wished),
    }
}

fn record(fields: &IndexMap<String, Field>, seed: u64) -> Value {
    let fields = fields.iter();
    fields
        .map(|(name, field)| (name.clone(), sample(field, seed)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::check;

    #[test]
    fn a_sample_fits_its_field_whatever_the_seed() {
        let field = |field_type, min, max| Field {
            min,
            max,
            ..Field::of(field_type)
        };
        let fields = [
            field(FieldType::Int, Some(3.0), Some(4.0)),
            field(FieldType::Int, None, Some(-2.0)),
            field(FieldType::Float, Some(0.5), None),
            field(FieldType::Float, None, Some(-1.5)),
            field(FieldType::Date, None, None),
            field(FieldType::Datetime, None, None),
            field(FieldType::Duration, None, None),
            Field {
                min_items: Some(7),
                ..Field::of(FieldType::List)
            },
        ];
        for field in &fields {
            for seed in 0..12 {
                let value = sample(field, seed);
                check(field, value.clone(), "x")
                    .unwrap_or_else(|fault| panic!("{value}: {}", fault.message));
            }
        }
    }
}
