//! The language as a JSON Schema, so that editors complete keys, show what they mean and mark slips.
//!
//! Which keys exist comes from the compiler's own tables ([`super::keys`]), what their values look like and mean
//! from the rows of `top`, `step`, `kind` and `ask`; the tests hold the two together. A key that is `later` has its row
//! already and is in the schema as soon as it is `now`. A map that the compiler has no table for yet is `keys: None`;
//! whoever writes its table links it here.

mod ask;
mod kind;
mod shape;
mod step;
#[cfg(test)]
mod tests;
mod top;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::keys;
use super::yaml::{Keys, PRIVATE_KEYS};
use shape::Shape;

/// The dialect that the schema is written in.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// One map of the language: a table of keys with what their values are.
#[derive(Debug)]
pub(super) struct Table {
    /// Name among the definitions of the schema.
    name: &'static str,
    /// The compiler's table; none = the compiler does not read this map yet.
    keys: Option<&'static Keys>,
    about: &'static str,
    /// Keys that must be there.
    required: &'static [&'static str],
    /// Of these keys exactly one is there.
    one_of: &'static [&'static str],
    rows: &'static [Row],
}

/// A key, the shape of its value, what it means.
type Row = (&'static str, Shape, &'static str);

/// Every map of the language.
const TABLES: [&[Table]; 4] = [&top::TABLES, &step::TABLES, &kind::TABLES, &ask::TABLES];

impl Table {
    fn find(name: &str) -> Option<&'static Self> {
        all().find(|table| table.name == name)
    }

    fn has(&self, key: &str) -> bool {
        self.keys.is_none_or(|keys| keys.now.contains(&key))
    }

    fn rows(&self) -> impl Iterator<Item = &'static Row> {
        self.rows.iter().filter(|(key, _, _)| self.has(key))
    }

    fn definition(&self) -> Value {
        let properties: Map<String, Value> = self
            .rows()
            .map(|(key, shape, about)| ((*key).to_owned(), described(shape.schema(), about)))
            .collect();
        let mut schema = json!({
            "description": self.about,
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        });
        let one_of: Vec<&str> = self
            .one_of
            .iter()
            .copied()
            .filter(|key| self.has(key))
            .collect();
        let mut required = self.required.to_vec();
        if let [only] = one_of.as_slice() {
            required.push(only);
        }
        put(
            &mut schema,
            "required",
            json!(required),
            !required.is_empty(),
        );
        let choice: Vec<Value> = one_of
            .iter()
            .map(|key| json!({"required": [key]}))
            .collect();
        put(&mut schema, "oneOf", json!(choice), choice.len() > 1);
        let private = self.has(PRIVATE_KEYS) && self.keys.is_some();
        put(
            &mut schema,
            "patternProperties",
            json!({"^x-": true}),
            private,
        );
        let typed = self.keys.is_some_and(|keys| keys.what == keys::FIELD.what);
        put(&mut schema, "allOf", shape::typed_values(), typed);
        let tells = self.keys.is_some_and(|keys| keys.what == keys::STEP.what);
        put(&mut schema, "allOf", shape::told(), tells);
        schema
    }
}

fn all() -> impl Iterator<Item = &'static Table> {
    TABLES.into_iter().flatten()
}

fn put(schema: &mut Value, key: &str, value: Value, wanted: bool) {
    if let (Some(map), true) = (schema.as_object_mut(), wanted) {
        map.insert(key.to_owned(), value);
    }
}

/// The schema with what the key means; a reference keeps its own words for where it is expanded.
fn described(mut schema: Value, about: &str) -> Value {
    put(&mut schema, "description", json!(about), true);
    schema
}

/// The workflow language that this version reads, as a JSON Schema (2020-12).
#[must_use]
pub fn schema() -> Value {
    let mut definitions: Map<String, Value> = shape::shared();
    let mut reached = BTreeSet::new();
    let mut open = vec!["workflow"];
    while let Some(name) = open.pop() {
        let Some(table) = Table::find(name).filter(|_| reached.insert(name)) else {
            continue;
        };
        definitions.insert(name.to_owned(), table.definition());
        for (_, shape, _) in table.rows() {
            shape.tables(&mut open);
        }
        open.extend(shape::TABLES_OF_SHARED);
    }
    definitions.sort_keys();
    json!({
        "$schema": DIALECT,
        "title": format!("Stepwell workflow, version {} of the language", super::LANGUAGE),
        "$ref": "#/$defs/workflow",
        "$defs": definitions,
    })
}
