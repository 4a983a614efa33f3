//! Helps to read arguments: as a list, as a string, as an int.

use std::rc::Rc;

use super::super::error::Fault;
use super::super::item::{Item, List, Map, Text};

/// What `for`, `sum`, `sorted` and their kin go through: a list, or the keys of a map.
pub(super) fn iterable<'a>(item: &Item<'a>) -> Result<List<'a>, Fault> {
    match item {
        Item::List(list) => Ok(list.clone()),
        Item::Map(map) => Ok(List::Shared(Rc::new(
            map.keys().into_iter().map(Item::Text).collect(),
        ))),
        Item::Text(_) => Err(Fault::wrong_type("a list is needed here, not a string")
            .help("split it first: `text.split(\",\")`")),
        Item::Null
        | Item::Bool(_)
        | Item::Int(_)
        | Item::Float(_)
        | Item::Date(_)
        | Item::DateTime(_)
        | Item::Duration(_) => Err(Fault::wrong_type(format!(
            "a list is needed here, not {}",
            item.kind()
        ))),
    }
}

fn wrong_type(whose: &str, wanted: &str, found: &Item<'_>) -> Fault {
    Fault::wrong_type(format!("{whose} needs {wanted}, not {}", found.kind()))
}

/// An argument that must be a string.
pub(super) fn text<'i, 'a>(item: &'i Item<'a>, whose: &str) -> Result<&'i Text<'a>, Fault> {
    if let Item::Text(text) = item {
        return Ok(text);
    }
    Err(wrong_type(whose, "a string", item))
}

/// An argument that must be an int.
pub(super) fn int(item: &Item<'_>, whose: &str) -> Result<i64, Fault> {
    if let Item::Int(int) = item {
        return Ok(*int);
    }
    Err(wrong_type(whose, "an int", item))
}

/// An argument that must be a map.
pub(super) fn map<'i, 'a>(item: &'i Item<'a>, whose: &str) -> Result<&'i Map<'a>, Fault> {
    if let Item::Map(map) = item {
        return Ok(map);
    }
    Err(wrong_type(whose, "a map", item))
}

/// What Python's `str.strip()` strips.
pub(in crate::expression) fn is_space(char: char) -> bool {
    char.is_whitespace() || ('\x1c'..='\x1f').contains(&char)
}
