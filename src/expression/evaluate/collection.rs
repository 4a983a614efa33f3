//! Functions over whole lists and maps.

use std::collections::HashSet;

use super::super::error::Fault;
use super::super::item::{Item, List, Map};
use super::super::limit::RESULT_BYTES_MAX;
use super::super::number::truncated;
use super::super::text;
use super::budget::Budget;
use super::sequence::iterable;

pub(super) fn keys<'a>(map: &Map<'a>, budget: &mut Budget) -> Result<Item<'a>, Fault> {
    budget.make_items(map.len())?;
    Ok(Item::list(map.keys().into_iter().map(Item::Text).collect()))
}

pub(super) fn values<'a>(map: &Map<'a>, budget: &mut Budget) -> Result<Item<'a>, Fault> {
    budget.make_items(map.len())?;
    let values = map.iter().map(|entry| entry.map(|(_, value)| value));
    Ok(Item::list(values.collect::<Result<_, _>>()?))
}

pub(super) fn items<'a>(map: &Map<'a>, budget: &mut Budget) -> Result<Item<'a>, Fault> {
    budget.make_items(map.len().saturating_mul(3))?;
    let pairs = map
        .iter()
        .map(|entry| entry.map(|(key, value)| Item::list(vec![Item::Text(key), value])));
    Ok(Item::list(pairs.collect::<Result<_, _>>()?))
}

/// The items without repetition, each at its first place.
pub(super) fn unique<'a>(list: &List<'a>, budget: &mut Budget) -> Result<Item<'a>, Fault> {
    budget.make_items(list.len())?;
    let mut seen = HashSet::new();
    let mut items = Vec::new();
    for item in list.iter() {
        let item = item?;
        let mut key = String::new();
        write_key(&item, &mut key)?;
        budget.make(key.len())?;
        if seen.insert(key) {
            items.push(item);
        }
    }
    Ok(Item::list(items))
}

/// Writes a text that is the same for equal values only: `1` and `1.0`, maps in any order.
fn write_key(item: &Item<'_>, out: &mut String) -> Result<(), Fault> {
    match item {
        Item::Float(float) => match truncated(*float).filter(|_| float.fract() == 0.0) {
            Some(int) => out.push_str(&int.to_string()),
            None => out.push_str(&text::float(*float)),
        },
        Item::List(list) => {
            out.push('[');
            for part in list.iter() {
                write_key(&part?, out)?;
                out.push(',');
            }
            out.push(']');
        }
        Item::Map(map) => {
            out.push('{');
            let mut entries = map.iter().collect::<Result<Vec<_>, _>>()?;
            entries.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
            for (key, value) in entries {
                write_key(&Item::Text(key), out)?;
                out.push(':');
                write_key(&value, out)?;
            }
            out.push('}');
        }
        Item::DateTime(datetime) => out.push_str(&format!("t{}", datetime.instant())),
        Item::Date(date) => out.push_str(&format!("d{date}")),
        Item::Duration(length) => out.push_str(&format!("s{}", length.as_nanos())),
        Item::Null | Item::Bool(_) | Item::Int(_) | Item::Text(_) => {
            out.push_str(&text::json(item)?);
        }
    }
    if out.len() > RESULT_BYTES_MAX {
        return Err(Fault::too_large("`unique` over values larger than 1 MiB"));
    }
    Ok(())
}

/// One list of all the items of the lists in a list.
pub(super) fn flatten<'a>(list: &List<'a>, budget: &mut Budget) -> Result<Item<'a>, Fault> {
    let mut items = Vec::new();
    for inner in list.iter() {
        let inner = inner?;
        let Item::List(inner) = &inner else {
            let message = format!("`flatten` needs a list of lists, not of {}", inner.kind());
            return Err(Fault::wrong_type(message));
        };
        budget.make_items(inner.len() + 1)?;
        items.extend(inner.to_vec()?);
    }
    Ok(Item::list(items))
}

/// Lists of the first items, of the second items and so on, as long as the shortest list.
pub(super) fn zip<'a>(arguments: &[Item<'a>], budget: &mut Budget) -> Result<Item<'a>, Fault> {
    let lists = arguments
        .iter()
        .map(iterable)
        .collect::<Result<Vec<_>, _>>()?;
    let shortest = lists.iter().map(List::len).min().unwrap_or(0);
    budget.make_items(shortest.saturating_mul(lists.len() + 1))?;
    let row = |at: usize| {
        let row = lists.iter().filter_map(|list| list.get(at));
        row.collect::<Result<Vec<_>, _>>().map(Item::list)
    };
    Ok(Item::list(
        (0..shortest).map(row).collect::<Result<_, _>>()?,
    ))
}
