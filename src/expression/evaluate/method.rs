//! The methods, by the type they belong to.

mod split;

use super::super::error::Fault;
use super::super::item::{Item, Text};
use super::super::method::Method;
use super::budget::Budget;
use super::collection;
use super::sequence::{int, is_space, iterable, text};

/// Calls a method; the number of arguments was checked when the expression was read.
pub(super) fn call<'a>(
    method: Method,
    receiver: &Item<'a>,
    arguments: &[Item<'a>],
    budget: &mut Budget,
) -> Result<Item<'a>, Fault> {
    match (receiver, method) {
        (Item::Text(receiver), _) => {
            budget.read(receiver.as_str().len())?;
            of_text(method, receiver, arguments, budget)
        }
        (Item::Map(map), Method::Get) => {
            let key = text(arguments.first().unwrap_or(&Item::Null), "`.get()`")?;
            map.get(key.as_str())
                .unwrap_or_else(|| Ok(arguments.get(1).cloned().unwrap_or(Item::Null)))
        }
        (Item::Map(map), Method::Keys) => collection::keys(map, budget),
        (Item::Map(map), Method::Values) => collection::values(map, budget),
        (Item::Map(map), Method::Items) => collection::items(map, budget),
        (Item::List(list), Method::Count) => {
            let wanted = arguments.first().unwrap_or(&Item::Null);
            let mut count = 0;
            for item in list.iter() {
                count += i64::from(super::compare::equal(&item?, wanted, budget)?);
            }
            Ok(Item::Int(count))
        }
        (Item::Date(date), Method::IsoFormat) => Ok(Item::text(date.to_string())),
        (Item::Date(date), Method::Weekday) => Ok(Item::Int(weekday(*date))),
        (Item::DateTime(datetime), Method::IsoFormat) => Ok(Item::text(datetime.to_string())),
        (Item::DateTime(datetime), Method::Weekday) => Ok(Item::Int(weekday(datetime.date()))),
        (Item::Duration(length), Method::TotalSeconds) => Ok(Item::Float(length.as_secs_f64())),
        (_, _) => Err(foreign(method, receiver)),
    }
}

/// Monday is 0, as in Python.
fn weekday(date: jiff::civil::Date) -> i64 {
    i64::from(date.weekday().to_monday_zero_offset())
}

fn foreign(method: Method, receiver: &Item<'_>) -> Fault {
    Fault::wrong_type(format!(
        "{} has no method `.{}()`",
        receiver.kind(),
        method.as_str()
    ))
}

fn of_text<'a>(
    method: Method,
    receiver: &Text<'a>,
    arguments: &[Item<'a>],
    budget: &mut Budget,
) -> Result<Item<'a>, Fault> {
    let it = receiver.as_str();
    let whose = || format!("`.{}()`", method.as_str());
    let part = |at: usize| -> Result<&str, Fault> {
        let item = arguments.get(at).unwrap_or(&Item::Null);
        text(item, &whose()).map(Text::as_str)
    };
    let whole = |text: &str| Item::text(text);
    match method {
        Method::Lower => made(it.to_lowercase(), budget),
        Method::Upper => made(it.to_uppercase(), budget),
        Method::Capitalize => made(capitalize(it), budget),
        Method::Strip | Method::Lstrip | Method::Rstrip => {
            let set: Option<&str> = match arguments.first() {
                None | Some(Item::Null) => None,
                Some(_) => Some(part(0)?),
            };
            Ok(Item::Text(strip(method, receiver, set)))
        }
        Method::StartsWith => affix(arguments, |affix| it.starts_with(affix)),
        Method::EndsWith => affix(arguments, |affix| it.ends_with(affix)),
        Method::RemovePrefix => Ok(whole(it.strip_prefix(part(0)?).unwrap_or(it))),
        Method::RemoveSuffix => Ok(whole(it.strip_suffix(part(0)?).unwrap_or(it))),
        Method::Split => split::split(receiver, arguments, budget),
        Method::Rsplit => split::rsplit(receiver, arguments, budget),
        Method::SplitLines => split::lines(receiver, budget),
        Method::Replace => replace(it, part(0)?, part(1)?, arguments.get(2), budget),
        Method::Find => {
            let before = it.find(part(0)?).and_then(|at| it.get(..at));
            Ok(Item::Int(before.map_or(-1, |text| count(text.chars()))))
        }
        Method::Count => {
            let wanted = part(0)?;
            if wanted.is_empty() {
                return Ok(Item::Int(count(it.chars()) + 1));
            }
            Ok(Item::Int(count(it.matches(wanted))))
        }
        Method::Join => join(
            it,
            &arguments
                .first()
                .map_or(Ok(Vec::new()), |list| iterable(list)?.to_vec())?,
            budget,
        ),
        Method::IsDigit => Ok(Item::Bool(
            !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()),
        )),
        Method::Zfill | Method::Ljust | Method::Rjust => pad(method, it, arguments, budget),
        Method::Get
        | Method::Keys
        | Method::Values
        | Method::Items
        | Method::IsoFormat
        | Method::Weekday
        | Method::TotalSeconds => Err(foreign(method, &Item::Text(receiver.clone()))),
    }
}

fn made<'a>(text: String, budget: &mut Budget) -> Result<Item<'a>, Fault> {
    budget.make(text.len())?;
    Ok(Item::text(text))
}

fn count(parts: impl Iterator) -> i64 {
    i64::try_from(parts.count()).unwrap_or(i64::MAX)
}

fn capitalize(it: &str) -> String {
    let mut chars = it.chars();
    let first: String = chars
        .next()
        .map(|first| first.to_uppercase().collect())
        .unwrap_or_default();
    first + &chars.as_str().to_lowercase()
}

fn strip<'a>(method: Method, receiver: &Text<'a>, set: Option<&str>) -> Text<'a> {
    let it = receiver.as_str();
    let stripped = |char: char| set.map_or_else(|| is_space(char), |set| set.contains(char));
    let left = if method == Method::Rstrip {
        it
    } else {
        it.trim_start_matches(stripped)
    };
    let start = it.len() - left.len();
    let rest = if method == Method::Lstrip {
        left
    } else {
        left.trim_end_matches(stripped)
    };
    receiver.part(start, start + rest.len())
}

/// `startswith` and `endswith` take a string or a list of strings.
fn affix<'a>(arguments: &[Item<'a>], matches: impl Fn(&str) -> bool) -> Result<Item<'a>, Fault> {
    let wanted = arguments.first().unwrap_or(&Item::Null);
    let Item::List(list) = wanted else {
        let wanted = text(wanted, "`.startswith()` or `.endswith()`")?;
        return Ok(Item::Bool(matches(wanted.as_str())));
    };
    for item in list.iter() {
        let item = item?;
        if matches(text(&item, "`.startswith()` or `.endswith()`")?.as_str()) {
            return Ok(Item::Bool(true));
        }
    }
    Ok(Item::Bool(false))
}

fn replace<'a>(
    it: &str,
    old: &str,
    new: &str,
    limit: Option<&Item<'a>>,
    budget: &mut Budget,
) -> Result<Item<'a>, Fault> {
    let limit = match limit {
        Some(limit) => {
            usize::try_from(int(limit, "the third argument of `.replace()`")?).unwrap_or(usize::MAX)
        }
        None => usize::MAX,
    };
    let places = if old.is_empty() {
        it.chars().count() + 1
    } else {
        it.matches(old).count()
    };
    let growth = places.min(limit).saturating_mul(new.len());
    budget.make(it.len().saturating_add(growth))?;
    Ok(Item::text(it.replacen(old, new, limit)))
}

fn join<'a>(separator: &str, items: &[Item<'a>], budget: &mut Budget) -> Result<Item<'a>, Fault> {
    let mut parts = Vec::with_capacity(items.len());
    let mut bytes = 0_usize;
    for item in items {
        let part = text(item, "`.join()`")
            .map_err(|fault| fault.help("write `[str(x) for x in xs]`"))?
            .as_str();
        bytes += part.len() + separator.len();
        parts.push(part);
    }
    budget.make(bytes)?;
    Ok(Item::text(parts.join(separator)))
}

fn pad<'a>(
    method: Method,
    it: &str,
    arguments: &[Item<'a>],
    budget: &mut Budget,
) -> Result<Item<'a>, Fault> {
    let width = int(arguments.first().unwrap_or(&Item::Null), "a width")?;
    let missing = usize::try_from(width - count(it.chars())).unwrap_or(0);
    let fill = match arguments.get(1) {
        Some(fill) => text(fill, "the fill character")?.as_str(),
        None if method == Method::Zfill => "0",
        None => " ",
    };
    if fill.chars().count() != 1 {
        return Err(Fault::value("the fill is exactly one character"));
    }
    budget.make(it.len().saturating_add(missing.saturating_mul(fill.len())))?;
    let filling = fill.repeat(missing);
    let sign = if method == Method::Zfill && it.starts_with(['+', '-']) {
        1
    } else {
        0
    };
    let (head, tail) = it.split_at_checked(sign).unwrap_or(("", it));
    if method == Method::Ljust {
        return Ok(Item::text(format!("{it}{filling}")));
    }
    Ok(Item::text(format!("{head}{filling}{tail}")))
}
