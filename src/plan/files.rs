//! Where the paths of files stand in values.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::{Field, FieldType, Items};

/// Visits the path of every file in a value, wherever its field declares one.
pub fn visit_files(field: &Field, value: &mut Value, visit: &mut dyn FnMut(&mut String)) {
    match (field.field_type, value) {
        (FieldType::File, Value::String(path)) => visit(path),
        (FieldType::List, Value::Array(items)) => {
            for item in items {
                visit_item(field, item, visit);
            }
        }
        (FieldType::Map, Value::Object(entries)) => match &field.items {
            // A record names the entries of the map itself; `each` what every entry is.
            Some(Items::Record(fields)) => visit_record(fields, entries, visit),
            Some(Items::Each(inner)) => {
                for (_, entry) in entries.iter_mut() {
                    visit_files(inner, entry, visit);
                }
            }
            None => {}
        },
        (_, _) => {}
    }
}

fn visit_item(field: &Field, item: &mut Value, visit: &mut dyn FnMut(&mut String)) {
    match (&field.items, item) {
        (Some(Items::Each(inner)), item) => visit_files(inner, item, visit),
        (Some(Items::Record(fields)), Value::Object(entries)) => {
            visit_record(fields, entries, visit);
        }
        (Some(Items::Record(_)) | None, _) => {}
    }
}

fn visit_record(
    fields: &IndexMap<String, Field>,
    entries: &mut Map<String, Value>,
    visit: &mut dyn FnMut(&mut String),
) {
    for (name, field) in fields {
        if let Some(entry) = entries.get_mut(name) {
            visit_files(field, entry, visit);
        }
    }
}
