//! `int()`, `float()`, `bool()`, `date()`, `datetime()`, `duration()`.

use jiff::SignedDuration;

use super::super::datetime::{DateTime, parse_date};
use super::super::duration::parse_duration;
use super::super::error::{Fault, clipped};
use super::super::item::Item;
use super::super::number;
use super::budget::Budget;
use super::operator;

fn wrong<'a>(name: &str, wanted: &str, found: &Item<'_>) -> Result<Item<'a>, Fault> {
    Err(Fault::wrong_type(format!(
        "`{name}` needs {wanted}, not {}",
        found.kind()
    )))
}

fn unreadable(text: &str, what: &str) -> Fault {
    Fault::value(format!("\"{}\" is not {what}", clipped(text)))
}

pub(super) fn int<'a>(item: &Item<'a>, budget: &mut Budget) -> Result<Item<'a>, Fault> {
    match item {
        Item::Int(_) => Ok(item.clone()),
        Item::Bool(value) => Ok(Item::Int(i64::from(*value))),
        Item::Float(value) => number::int(number::truncated(*value)).map(operator::item),
        Item::Text(text) => {
            budget.read(text.as_str().len())?;
            number::parse_int(text.as_str())
                .map(Item::Int)
                .ok_or_else(|| unreadable(text.as_str(), "an integer of 64 bits"))
        }
        Item::Null
        | Item::List(_)
        | Item::Map(_)
        | Item::Date(_)
        | Item::DateTime(_)
        | Item::Duration(_) => wrong("int", "a number, a string or a bool", item),
    }
}

pub(super) fn float<'a>(item: &Item<'a>, budget: &mut Budget) -> Result<Item<'a>, Fault> {
    match item {
        Item::Float(_) => Ok(item.clone()),
        Item::Int(value) => Ok(Item::Float(number::Number::Int(*value).as_float())),
        Item::Bool(value) => Ok(Item::Float(f64::from(u8::from(*value)))),
        Item::Text(text) => {
            budget.read(text.as_str().len())?;
            number::parse_float(text.as_str())
                .map(Item::Float)
                .ok_or_else(|| unreadable(text.as_str(), "a finite number"))
        }
        Item::Null
        | Item::List(_)
        | Item::Map(_)
        | Item::Date(_)
        | Item::DateTime(_)
        | Item::Duration(_) => wrong("float", "a number, a string or a bool", item),
    }
}

/// Reads `true` and `false`; there is no truthiness to convert from.
pub(super) fn bool<'a>(item: &Item<'a>) -> Result<Item<'a>, Fault> {
    match item {
        Item::Bool(_) => Ok(item.clone()),
        Item::Text(text) => match text.as_str() {
            "true" | "True" => Ok(Item::Bool(true)),
            "false" | "False" => Ok(Item::Bool(false)),
            other => Err(unreadable(other, "`true` or `false`")),
        },
        Item::Null
        | Item::Int(_)
        | Item::Float(_)
        | Item::List(_)
        | Item::Map(_)
        | Item::Date(_)
        | Item::DateTime(_)
        | Item::Duration(_) => wrong("bool", "a bool, or the string `true` or `false`", item)
            .map_err(|fault| fault.help("compare instead: `x != 0`, `len(x) > 0`")),
    }
}

pub(super) fn date<'a>(item: &Item<'a>) -> Result<Item<'a>, Fault> {
    match item {
        Item::Date(_) => Ok(item.clone()),
        Item::DateTime(datetime) => Ok(Item::Date(datetime.date())),
        Item::Text(text) => parse_date(text.as_str())
            .or_else(|| DateTime::parse(text.as_str()).map(DateTime::date))
            .map(Item::Date)
            .ok_or_else(|| unreadable(text.as_str(), "a date").help("dates look like 2026-03-01")),
        Item::Null
        | Item::Bool(_)
        | Item::Int(_)
        | Item::Float(_)
        | Item::List(_)
        | Item::Map(_)
        | Item::Duration(_) => wrong("date", "a string or a datetime", item),
    }
}

pub(super) fn datetime<'a>(item: &Item<'a>) -> Result<Item<'a>, Fault> {
    match item {
        Item::DateTime(_) => Ok(item.clone()),
        Item::Text(text) => DateTime::parse(text.as_str())
            .map(Item::DateTime)
            .ok_or_else(|| {
                unreadable(text.as_str(), "a datetime")
                    .help("datetimes look like 2026-03-01T02:30:00Z, with Z or an offset")
            }),
        Item::Null
        | Item::Bool(_)
        | Item::Int(_)
        | Item::Float(_)
        | Item::List(_)
        | Item::Map(_)
        | Item::Date(_)
        | Item::Duration(_) => wrong("datetime", "a string", item),
    }
}

pub(super) fn duration<'a>(item: &Item<'a>) -> Result<Item<'a>, Fault> {
    match item {
        Item::Duration(_) => Ok(item.clone()),
        Item::Text(text) => parse_duration(text.as_str())
            .ok()
            .and_then(|length| SignedDuration::try_from(length).ok())
            .map(Item::Duration)
            .ok_or_else(|| {
                unreadable(text.as_str(), "a duration")
                    .help("durations look like 90s, 5m, 2h, 1d or 1h30m")
            }),
        Item::Null
        | Item::Bool(_)
        | Item::Int(_)
        | Item::Float(_)
        | Item::List(_)
        | Item::Map(_)
        | Item::Date(_)
        | Item::DateTime(_) => wrong("duration", "a string", item),
    }
}
