//! `x[key]`, `x[0]`, `x[-1]`, `x[1:3]`, `x[::-1]`.

use super::super::error::Fault;
use super::super::item::Item;
use super::budget::Budget;
use super::path::no_keys;

/// `of[key]`
pub(super) fn index<'a>(
    of: &Item<'a>,
    key: &Item<'a>,
    budget: &mut Budget,
) -> Result<Item<'a>, Fault> {
    match (of, key) {
        (Item::Map(map), Item::Text(key)) => map.required(key.as_str()),
        (Item::List(list), Item::Int(index)) => position(*index, list.len())
            .and_then(|at| list.get(at))
            .unwrap_or_else(|| Err(outside(*index, list.len(), "list"))),
        (Item::Text(text), Item::Int(index)) => {
            budget.read(text.as_str().len())?;
            let count = text.as_str().chars().count();
            position(*index, count)
                .and_then(|at| text.as_str().char_indices().nth(at))
                .map(|(start, char)| Item::Text(text.part(start, start + char.len_utf8())))
                .ok_or_else(|| outside(*index, count, "string"))
        }
        (Item::Map(_), key) => Err(Fault::wrong_type(format!(
            "the keys of a map are strings, not {}",
            key.kind()
        ))),
        (Item::List(_) | Item::Text(_), Item::Float(_)) => {
            Err(Fault::wrong_type("an index is an int, not a float")
                .help("write `int(...)` or `//`"))
        }
        (_, Item::Text(key)) => Err(no_keys(of, key.as_str())),
        (Item::List(_) | Item::Text(_), key) => Err(Fault::wrong_type(format!(
            "an index is an int, not {}",
            key.kind()
        ))),
        (other, _) => Err(Fault::wrong_type(format!("{} has no items", other.kind()))),
    }
}

/// The place of a possibly negative index.
fn position(index: i64, len: usize) -> Option<usize> {
    if index < 0 {
        len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
    } else {
        usize::try_from(index).ok().filter(|at| *at < len)
    }
}

fn outside(index: i64, len: usize, sort: &str) -> Fault {
    let fault = Fault::missing(format!("there is no index {index} in a {sort} of {len}"));
    if len == 0 {
        fault.help(format!("the {sort} is empty"))
    } else {
        fault.help(format!("indexes go from 0 to {}, or back from -1", len - 1))
    }
}

/// A bound of a slice: an int or `None`.
pub(super) fn bound(item: &Item<'_>) -> Result<Option<i64>, Fault> {
    match item {
        Item::Int(int) => Ok(Some(*int)),
        Item::Null => Ok(None),
        Item::Bool(_)
        | Item::Float(_)
        | Item::Text(_)
        | Item::List(_)
        | Item::Map(_)
        | Item::Date(_)
        | Item::DateTime(_)
        | Item::Duration(_) => Err(Fault::wrong_type(format!(
            "the bound of a slice is an int, not {}",
            item.kind()
        ))),
    }
}

/// `of[lower:upper:step]`
pub(super) fn slice<'a>(
    of: &Item<'a>,
    bounds: [Option<i64>; 3],
    budget: &mut Budget,
) -> Result<Item<'a>, Fault> {
    match of {
        Item::List(list) => {
            let places = places(bounds, list.len())?;
            budget.make_items(places.len())?;
            let items = places.into_iter().filter_map(|at| list.get(at));
            Ok(Item::list(items.collect::<Result<_, _>>()?))
        }
        Item::Text(text) => {
            let text = text.as_str();
            budget.make(text.len())?;
            let chars: Vec<char> = text.chars().collect();
            let places = places(bounds, chars.len())?;
            let part: String = places.into_iter().filter_map(|at| chars.get(at)).collect();
            Ok(Item::text(part))
        }
        Item::Null
        | Item::Bool(_)
        | Item::Int(_)
        | Item::Float(_)
        | Item::Map(_)
        | Item::Date(_)
        | Item::DateTime(_)
        | Item::Duration(_) => Err(Fault::wrong_type(format!(
            "only lists and strings have slices, not {}",
            of.kind()
        ))),
    }
}

/// Which places a slice takes, by Python's rules for bounds outside.
fn places(bounds: [Option<i64>; 3], len: usize) -> Result<Vec<usize>, Fault> {
    let [lower, upper, step] = bounds;
    let step = i128::from(step.unwrap_or(1));
    if step == 0 {
        return Err(Fault::value("the step of a slice is not zero"));
    }
    let len = i128::try_from(len).unwrap_or(i128::MAX);
    let (lowest, highest) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let place = |bound: Option<i64>, otherwise: i128| {
        bound.map_or(otherwise, |bound| {
            let bound = i128::from(bound);
            (if bound < 0 { bound + len } else { bound }).clamp(lowest, highest)
        })
    };
    let (start, end) = if step > 0 {
        (place(lower, lowest), place(upper, highest))
    } else {
        (place(lower, highest), place(upper, lowest))
    };
    let mut places = Vec::new();
    let mut at = start;
    while (step > 0 && at < end) || (step < 0 && at > end) {
        places.extend(usize::try_from(at));
        at += step;
    }
    Ok(places)
}
