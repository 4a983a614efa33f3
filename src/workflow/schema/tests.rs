use std::collections::BTreeSet;

use super::super::yaml::PRIVATE_KEYS;
use super::*;

/// The sources of the compiler's tables of keys.
const KEYS: &str = include_str!("../keys.rs");

fn linked() -> Vec<(&'static Table, &'static Keys)> {
    all()
        .filter_map(|table| Some((table, table.keys?)))
        .collect()
}

#[test]
fn every_key_has_its_row_and_every_row_its_key() {
    for (table, keys) in linked() {
        let known: BTreeSet<&str> = keys
            .now
            .iter()
            .chain(keys.later)
            .copied()
            .filter(|key| *key != PRIVATE_KEYS)
            .collect();
        let rows: BTreeSet<&str> = table.rows.iter().map(|(key, _, _)| *key).collect();
        assert_eq!(rows.len(), table.rows.len(), "{}: a row twice", table.name);
        let missing: Vec<_> = known.difference(&rows).collect();
        assert!(
            missing.is_empty(),
            "{} lacks rows for {missing:?}",
            table.name
        );
        let extra: Vec<_> = rows.difference(&known).collect();
        assert!(
            extra.is_empty(),
            "{} has rows that are no keys: {extra:?}",
            table.name
        );
    }
}

#[test]
fn every_table_of_keys_is_linked() {
    let tables = KEYS.matches(": Keys = Keys {").count();
    let linked: BTreeSet<&str> = linked().iter().map(|(_, keys)| keys.what).collect();
    for line in KEYS.lines() {
        let what = line
            .trim()
            .strip_prefix("what: \"")
            .and_then(|rest| rest.strip_suffix("\","));
        if let Some(what) = what {
            assert!(
                linked.contains(what),
                "the table of {what} is in no `Table` of src/workflow/schema: link it as `keys: Some(&keys::…)`"
            );
        }
    }
    assert_eq!(linked.len(), tables);
}

#[test]
fn what_the_schema_refers_to_is_read_by_the_compiler() {
    for (table, _) in linked() {
        for (key, shape, _) in table.rows() {
            assert!(
                shape.is_read(),
                "`{key}` of {} works, and a map below it has `keys: None`: link its table",
                table.name
            );
        }
    }
}

#[test]
fn names_of_tables_are_unique_and_required_keys_are_rows() {
    let mut names: BTreeSet<String> = shape::shared().keys().cloned().collect();
    for table in all() {
        assert!(names.insert(table.name.to_owned()), "{} twice", table.name);
        for key in table.required.iter().chain(table.one_of) {
            assert!(
                table.rows.iter().any(|(row, _, _)| row == key),
                "{}: {key}",
                table.name
            );
        }
    }
}

#[test]
fn every_reference_leads_to_a_definition_and_every_key_says_what_it_means() {
    let schema = schema();
    let definitions = schema["$defs"].as_object().unwrap();
    let text = schema.to_string();
    for part in text.split("#/$defs/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(definitions.contains_key(name), "{name}");
    }
    for (name, definition) in definitions {
        for (key, property) in definition["properties"].as_object().into_iter().flatten() {
            let words = property["description"].as_str().unwrap_or_default();
            assert!(
                words.ends_with(['.', '`']) && words.len() > 3,
                "{name}.{key}: {words}"
            );
        }
    }
}
