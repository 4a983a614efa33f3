//! Comparisons: equality of anything, order only within one type.

use std::cmp::Ordering;

use super::super::error::Fault;
use super::super::item::{Item, List, Map};
use super::super::number::{self, Number};
use super::super::tree::Comparison;
use super::budget::Budget;

/// Whether the comparison holds.
pub(super) fn holds(
    comparison: Comparison,
    left: &Item<'_>,
    right: &Item<'_>,
    budget: &mut Budget,
) -> Result<bool, Fault> {
    let mut ordered = |accepted: fn(Ordering) -> bool| {
        order(comparison.as_str(), left, right, budget).map(accepted)
    };
    match comparison {
        Comparison::Less => ordered(Ordering::is_lt),
        Comparison::LessEqual => ordered(Ordering::is_le),
        Comparison::Greater => ordered(Ordering::is_gt),
        Comparison::GreaterEqual => ordered(Ordering::is_ge),
        Comparison::Equal => equal(left, right, budget),
        Comparison::NotEqual => equal(left, right, budget).map(|same| !same),
        Comparison::In => contains(right, left, budget),
        Comparison::NotIn => contains(right, left, budget).map(|inside| !inside),
        Comparison::IsNone => Ok(matches!(left, Item::Null)),
        Comparison::IsNotNone => Ok(!matches!(left, Item::Null)),
    }
}

/// The number in an item; bools are none.
pub(super) const fn number(item: &Item<'_>) -> Option<Number> {
    match item {
        Item::Int(int) => Some(Number::Int(*int)),
        Item::Float(float) => Some(Number::Float(*float)),
        Item::Null
        | Item::Bool(_)
        | Item::Text(_)
        | Item::List(_)
        | Item::Map(_)
        | Item::Date(_)
        | Item::DateTime(_)
        | Item::Duration(_) => None,
    }
}

/// Orders two numbers, strings, dates, datetimes or durations.
pub(super) fn order(
    symbol: &str,
    left: &Item<'_>,
    right: &Item<'_>,
    budget: &mut Budget,
) -> Result<Ordering, Fault> {
    if let (Some(a), Some(b)) = (number(left), number(right)) {
        return Ok(number::compare(a, b));
    }
    match (left, right) {
        (Item::Text(a), Item::Text(b)) => {
            budget.read(a.as_str().len().min(b.as_str().len()))?;
            Ok(a.as_str().cmp(b.as_str()))
        }
        (Item::Date(a), Item::Date(b)) => Ok(a.cmp(b)),
        (Item::DateTime(a), Item::DateTime(b)) => Ok(a.cmp(b)),
        (Item::Duration(a), Item::Duration(b)) => Ok(a.cmp(b)),
        (a, b) => Err(no_order(symbol, a, b)),
    }
}

fn no_order(symbol: &str, left: &Item<'_>, right: &Item<'_>) -> Fault {
    let fault = Fault::wrong_type(format!(
        "`{symbol}` cannot compare {} with {}",
        left.kind(),
        right.kind()
    ));
    match (left, right) {
        (Item::Text(_), other) | (other, Item::Text(_)) if number(other).is_some() => {
            fault.help("write `float(...)` or `int(...)` round the string")
        }
        (Item::Text(_), Item::Date(_)) | (Item::Date(_), Item::Text(_)) => {
            fault.help("write `date(...)` round the string")
        }
        (Item::Text(_), Item::DateTime(_)) | (Item::DateTime(_), Item::Text(_)) => {
            fault.help("write `datetime(...)` round the string")
        }
        (Item::Text(_), Item::Duration(_)) | (Item::Duration(_), Item::Text(_)) => {
            fault.help("write `duration(...)` round the string")
        }
        (Item::DateTime(_), Item::Date(_)) | (Item::Date(_), Item::DateTime(_)) => {
            fault.help("write `date(...)` round the datetime")
        }
        (Item::Null, _) | (_, Item::Null) => fault.help("test for null first: `x is not None`"),
        (_, _) => fault
            .help("order is only between numbers, between strings, dates, datetimes or durations"),
    }
}

/// Whether two values are the same; values of different types are not, but for ints and floats.
pub(super) fn equal(left: &Item<'_>, right: &Item<'_>, budget: &mut Budget) -> Result<bool, Fault> {
    budget.spend(1)?;
    if let (Some(a), Some(b)) = (number(left), number(right)) {
        return Ok(number::compare(a, b).is_eq());
    }
    match (left, right) {
        (Item::Null, Item::Null) => Ok(true),
        (Item::Bool(a), Item::Bool(b)) => Ok(a == b),
        (Item::Text(a), Item::Text(b)) => {
            budget.read(a.as_str().len().min(b.as_str().len()))?;
            Ok(a == b)
        }
        (Item::Date(a), Item::Date(b)) => Ok(a == b),
        (Item::DateTime(a), Item::DateTime(b)) => Ok(a == b),
        (Item::Duration(a), Item::Duration(b)) => Ok(a == b),
        (Item::List(a), Item::List(b)) => equal_lists(a, b, budget),
        (Item::Map(a), Item::Map(b)) => equal_maps(a, b, budget),
        (_, _) => Ok(false),
    }
}

fn equal_lists(left: &List<'_>, right: &List<'_>, budget: &mut Budget) -> Result<bool, Fault> {
    if left.len() != right.len() {
        return Ok(false);
    }
    for (a, b) in left.iter().zip(right.iter()) {
        if !equal(&a?, &b?, budget)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal_maps(left: &Map<'_>, right: &Map<'_>, budget: &mut Budget) -> Result<bool, Fault> {
    if left.len() != right.len() {
        return Ok(false);
    }
    for entry in left.iter() {
        let (key, a) = entry?;
        let Some(b) = right.get(key.as_str()).transpose()? else {
            return Ok(false);
        };
        if !equal(&a, &b, budget)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `needle in hay`: an item of a list, a key of a map, a part of a string.
fn contains(hay: &Item<'_>, needle: &Item<'_>, budget: &mut Budget) -> Result<bool, Fault> {
    match (hay, needle) {
        (Item::List(list), _) => {
            for item in list.iter() {
                if equal(&item?, needle, budget)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        (Item::Map(map), Item::Text(key)) => Ok(map.get(key.as_str()).is_some()),
        (Item::Map(_), other) => Err(Fault::wrong_type(format!(
            "the keys of a map are strings, not {}",
            other.kind()
        ))
        .help("look into `.values()`, or write `str(...)`")),
        (Item::Text(text), Item::Text(part)) => {
            budget.read(text.as_str().len())?;
            Ok(text.as_str().contains(part.as_str()))
        }
        (Item::Text(_), other) => Err(Fault::wrong_type(format!(
            "`in` a string looks for a string, not {}",
            other.kind()
        ))
        .help("write `str(...)`")),
        (other, _) => Err(Fault::wrong_type(format!(
            "`in` looks into a list, a map or a string, not into {}",
            other.kind()
        ))),
    }
}
