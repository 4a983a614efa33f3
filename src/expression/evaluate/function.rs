//! The functions, one short arm each.

use std::cmp::Ordering;

use super::super::error::Fault;
use super::super::format;
use super::super::function::Function;
use super::super::item::Item;
use super::super::limit::RANGE_ITEMS_MAX;
use super::super::number::{self, Number};
use super::super::text;
use super::super::tree::Operator;
use super::budget::Budget;
use super::sequence::{int, iterable, map};
use super::{collection, compare, convert, not_a_bool, operator};

/// Calls a function; the number of arguments was checked when the expression was read.
pub(super) fn call<'a>(
    function: Function,
    arguments: &[Item<'a>],
    option: Option<Item<'a>>,
    budget: &mut Budget,
) -> Result<Item<'a>, Fault> {
    let first = arguments.first().unwrap_or(&Item::Null);
    let second = arguments.get(1);
    match function {
        Function::Len => length(first, budget),
        Function::Min => extreme("min", arguments, option, budget),
        Function::Max => extreme("max", arguments, option, budget),
        Function::Sum => sum(first, second, budget),
        Function::Any => quantified("`any`", first, true, budget),
        Function::All => quantified("`all`", first, false, budget),
        Function::Round => round(first, second),
        Function::Abs => abs(first),
        Function::Sorted => sorted(first, option, budget),
        Function::Str => made_text(text::plain(first)?, budget),
        Function::Json => made_text(text::json(first)?, budget),
        Function::Int => convert::int(first, budget),
        Function::Float => convert::float(first, budget),
        Function::Bool => convert::bool(first),
        Function::Range => range(arguments, budget),
        Function::Date => convert::date(first),
        Function::DateTime => convert::datetime(first),
        Function::Duration => convert::duration(first),
        Function::Format => made_text(format::format(first, second)?, budget),
        Function::Keys => collection::keys(map(first, "`keys`")?, budget),
        Function::Values => collection::values(map(first, "`values`")?, budget),
        Function::Items => collection::items(map(first, "`items`")?, budget),
        Function::Unique => collection::unique(&iterable(first)?, budget),
        Function::Flatten => collection::flatten(&iterable(first)?, budget),
        Function::Zip => collection::zip(arguments, budget),
    }
}

fn made_text<'a>(text: String, budget: &mut Budget) -> Result<Item<'a>, Fault> {
    budget.make(text.len())?;
    Ok(Item::text(text))
}

fn length<'a>(item: &Item<'a>, budget: &mut Budget) -> Result<Item<'a>, Fault> {
    let count = match item {
        Item::Text(text) => {
            budget.read(text.as_str().len())?;
            text.as_str().chars().count()
        }
        Item::List(list) => list.len(),
        Item::Map(map) => map.len(),
        Item::Null
        | Item::Bool(_)
        | Item::Int(_)
        | Item::Float(_)
        | Item::Date(_)
        | Item::DateTime(_)
        | Item::Duration(_) => {
            let message = format!("`len` needs a string, a list or a map, not {}", item.kind());
            return Err(Fault::wrong_type(message));
        }
    };
    number::int(i64::try_from(count).ok()).map(operator::item)
}

/// `min` and `max`: the first of the smallest or largest, as in Python.
fn extreme<'a>(
    name: &str,
    arguments: &[Item<'a>],
    default: Option<Item<'a>>,
    budget: &mut Budget,
) -> Result<Item<'a>, Fault> {
    let candidates = match arguments {
        [list] => iterable(list)?.to_vec()?,
        several if default.is_none() => several.to_vec(),
        _ => {
            return Err(Fault::wrong_type(format!(
                "`{name}` takes `default=` only with one list"
            )));
        }
    };
    let wanted = if name == "min" {
        Ordering::Less
    } else {
        Ordering::Greater
    };
    budget.spend(candidates.len())?;
    let mut candidates = candidates.into_iter();
    let Some(mut best) = candidates.next() else {
        return default.ok_or_else(|| {
            Fault::value(format!("`{name}` of an empty list"))
                .help(format!("write `{name}(xs, default=0)`"))
        });
    };
    for item in candidates {
        if compare::order(name, &item, &best, budget)? == wanted {
            best = item;
        }
    }
    Ok(best)
}

fn sum<'a>(
    list: &Item<'a>,
    start: Option<&Item<'a>>,
    budget: &mut Budget,
) -> Result<Item<'a>, Fault> {
    let list = iterable(list)?;
    let mut total = start.cloned();
    for item in list.iter() {
        let item = item?;
        budget.spend(1)?;
        if !matches!(item, Item::Int(_) | Item::Float(_) | Item::Duration(_)) {
            let message = format!("`sum` adds numbers, not {}", item.kind());
            return Err(Fault::wrong_type(message).help("join strings with `\", \".join(xs)`"));
        }
        total = Some(match total {
            Some(total) => operator::binary(Operator::Add, &total, &item, budget)?,
            None => item,
        });
    }
    Ok(total.unwrap_or(Item::Int(0)))
}

fn quantified<'a>(
    whose: &str,
    list: &Item<'a>,
    decides: bool,
    budget: &mut Budget,
) -> Result<Item<'a>, Fault> {
    for item in iterable(list)?.iter() {
        budget.spend(1)?;
        let item = item?;
        match item.as_bool() {
            Some(value) if value == decides => return Ok(Item::Bool(decides)),
            Some(_) => {}
            None => return Err(not_a_bool(whose, &item)),
        }
    }
    Ok(Item::Bool(!decides))
}

fn number_argument(item: &Item<'_>, name: &str) -> Result<Number, Fault> {
    compare::number(item)
        .ok_or_else(|| Fault::wrong_type(format!("`{name}` needs a number, not {}", item.kind())))
}

fn round<'a>(item: &Item<'a>, digits: Option<&Item<'a>>) -> Result<Item<'a>, Fault> {
    let number = number_argument(item, "round")?;
    match digits {
        None | Some(Item::Null) => number::round(number),
        Some(digits) => number::round_to(number, int(digits, "the second argument of `round`")?),
    }
    .map(operator::item)
}

fn abs<'a>(item: &Item<'a>) -> Result<Item<'a>, Fault> {
    if let Item::Duration(length) = item {
        return if length.is_negative() {
            operator::negate(item)
        } else {
            Ok(item.clone())
        };
    }
    match number_argument(item, "abs")? {
        Number::Int(value) => number::int(value.checked_abs()).map(operator::item),
        Number::Float(value) => Ok(Item::Float(value.abs())),
    }
}

fn sorted<'a>(
    list: &Item<'a>,
    reverse: Option<Item<'a>>,
    budget: &mut Budget,
) -> Result<Item<'a>, Fault> {
    let reverse = match reverse {
        None => false,
        Some(Item::Bool(reverse)) => reverse,
        Some(other) => return Err(not_a_bool("`reverse=`", &other)),
    };
    let mut items = iterable(list)?.to_vec()?;
    budget.make_items(items.len())?;
    let mut fault = None;
    items.sort_by(|a, b| {
        if fault.is_some() {
            return Ordering::Equal;
        }
        let order = budget
            .spend(1)
            .and_then(|()| compare::order("sorted", a, b, budget));
        match order {
            Ok(order) if reverse => order.reverse(),
            Ok(order) => order,
            Err(found) => {
                fault = Some(found);
                Ordering::Equal
            }
        }
    });
    match fault {
        Some(fault) => Err(fault),
        None => Ok(Item::list(items)),
    }
}

fn range<'a>(arguments: &[Item<'a>], budget: &mut Budget) -> Result<Item<'a>, Fault> {
    let mut numbers = Vec::with_capacity(arguments.len());
    for argument in arguments {
        numbers.push(i128::from(int(argument, "`range`")?));
    }
    let (start, end, step) = match numbers.as_slice() {
        [end] => (0, *end, 1),
        [start, end] => (*start, *end, 1),
        [start, end, step] => (*start, *end, *step),
        _ => (0, 0, 1),
    };
    let distance = match step {
        0 => return Err(Fault::value("the step of `range` is not zero")),
        1.. => end - start,
        _ => start - end,
    };
    let size = step.abs();
    let count = usize::try_from((distance + size - 1).max(0) / size).unwrap_or(usize::MAX);
    if count > RANGE_ITEMS_MAX {
        return Err(Fault::too_large(format!(
            "`range` gives at most {RANGE_ITEMS_MAX} numbers, not {count}"
        )));
    }
    budget.make_items(count)?;
    let mut items = Vec::with_capacity(count);
    let mut at = start;
    for _ in 0..count {
        items.extend(i64::try_from(at).map(Item::Int));
        at += step;
    }
    Ok(Item::list(items))
}
