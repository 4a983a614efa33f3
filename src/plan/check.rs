//! Whether a value fits a field: run inputs, step outputs and approval forms are all judged here.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::{Field, FieldType, Items};
use crate::code::{self, Code};
use crate::diagnostic::did_you_mean;
use crate::expression::{self, Template};

/// Why a value does not fit its field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {message}")]
pub struct FieldFault {
    /// Which value, for example `pvs[3].name`.
    pub at: String,
    /// `wrong_type`, `bad_value`, `missing_key` or `unknown_key`.
    pub code: Code,
    /// The end of a sentence that begins with [`FieldFault::at`].
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl FieldFault {
    fn new(at: &str, code: Code, message: impl Into<String>) -> Self {
        Self {
            at: at.to_owned(),
            code,
            message: message.into(),
            help: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Longest part of a value that a message shows, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// Checks `value` and gives it back, with the defaults of its inner fields filled in. `at` names the value.
///
/// # Errors
/// The first thing in it that does not fit.
pub fn check(field: &Field, value: Value, at: &str) -> Result<Value, FieldFault> {
    if value.is_null() && !field.required {
        return Ok(value);
    }
    check_type(field.field_type, &value, at)?;
    check_choices(field, &value, at)?;
    check_range(field, &value, at)?;
    check_pattern(field, &value, at)?;
    check_items(field, value, at)
}

fn check_type(expected: FieldType, value: &Value, at: &str) -> Result<(), FieldFault> {
    let text_that = |parses: fn(&str) -> bool, example: &str| match value.as_str() {
        Some(text) if parses(text) => Ok(()),
        Some(_) => Err(FieldFault::new(
            at,
            code::BAD_VALUE,
            format!("{} is not {}", shown(value), expected.with_article()),
        )
        .help(format!("write it like {example}"))),
        None => Err(mismatch(expected, value, at)),
    };
    let fits = match expected {
        FieldType::String => value.is_string(),
        FieldType::Int => value.is_i64(),
        FieldType::Float => value.is_number(),
        FieldType::Bool => value.is_boolean(),
        FieldType::List => value.is_array(),
        FieldType::Map => value.is_object(),
        FieldType::Date => return text_that(is_date, "2026-11-22"),
        FieldType::Datetime => return text_that(is_datetime, "2026-11-22T08:30:00Z"),
        FieldType::Duration => return text_that(is_duration, "1h30m"),
        FieldType::File => return text_that(|text| !text.is_empty(), "data/values.csv"),
    };
    if fits {
        Ok(())
    } else {
        Err(mismatch(expected, value, at))
    }
}

fn mismatch(expected: FieldType, value: &Value, at: &str) -> FieldFault {
    let fault = FieldFault::new(
        at,
        code::WRONG_TYPE,
        format!(
            "expected {}, found {} {}",
            expected.as_str(),
            kind_of(value),
            shown(value)
        ),
    );
    if expected == FieldType::Int && value.as_f64().is_some_and(|number| number.fract() == 0.0) {
        return fault.help("a whole number has no decimal point and fits in 64 bits");
    }
    let word = value.as_str().unwrap_or_default().to_ascii_lowercase();
    if expected == FieldType::Bool
        && matches!(
            word.as_str(),
            "yes" | "no" | "on" | "off" | "true" | "false"
        )
    {
        return fault.help("write true or false, without quotes");
    }
    fault
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}

fn shown(value: &Value) -> String {
    if matches!(value, Value::Null | Value::Array(_) | Value::Object(_)) {
        return String::new();
    }
    let text = value.to_string();
    if text.chars().count() <= SHOWN_CHARS_MAX {
        return text;
    }
    let head: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    format!("{head}…")
}

fn is_date(text: &str) -> bool {
    text.len() == "2026-11-22".len() && text.parse::<jiff::civil::Date>().is_ok()
}

fn is_datetime(text: &str) -> bool {
    text.contains(['T', 't', ' '])
        && (text.parse::<jiff::Timestamp>().is_ok()
            || text.parse::<jiff::civil::DateTime>().is_ok())
}

fn is_duration(text: &str) -> bool {
    expression::parse_duration(text).is_ok()
}

fn check_choices(field: &Field, value: &Value, at: &str) -> Result<(), FieldFault> {
    if field.choices.is_empty() || field.choices.iter().any(|choice| same(choice, value)) {
        return Ok(());
    }
    let known: Vec<String> = field.choices.iter().map(plain).collect();
    let fault = FieldFault::new(
        at,
        code::BAD_VALUE,
        format!("{} is none of: {}", shown(value), known.join(", ")),
    );
    Err(
        match did_you_mean(&plain(value), known.iter().map(String::as_str)) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None => fault,
        },
    )
}

/// Numbers are the same when their values are: 1 and 1.0.
fn same(left: &Value, right: &Value) -> bool {
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) if !(left.fract() == 0.0 && left.abs() > 1e15) => left == right,
        (Some(_) | None, Some(_) | None) => left == right,
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn check_range(field: &Field, value: &Value, at: &str) -> Result<(), FieldFault> {
    if let Some(number) = value.as_f64() {
        if let Some(min) = field.min.filter(|min| number < *min) {
            let message = format!("{value} is less than {min}");
            return Err(FieldFault::new(at, code::BAD_VALUE, message));
        }
        if let Some(max) = field.max.filter(|max| number > *max) {
            let message = format!("{value} is more than {max}");
            return Err(FieldFault::new(at, code::BAD_VALUE, message));
        }
    }
    let (Some(min), Some(items)) = (field.min_items, value.as_array()) else {
        return Ok(());
    };
    if u64::try_from(items.len()).unwrap_or(u64::MAX) < min {
        let message = format!("the list has {} of at least {min} items", items.len());
        return Err(FieldFault::new(at, code::BAD_VALUE, message));
    }
    Ok(())
}

/// The pattern as a regular expression over the whole text.
///
/// # Errors
/// It is not a regular expression.
pub fn whole_match(pattern: &str) -> Result<regex_lite::Regex, regex_lite::Error> {
    regex_lite::Regex::new(&format!("^(?:{pattern})$"))
}

fn check_pattern(field: &Field, value: &Value, at: &str) -> Result<(), FieldFault> {
    let (Some(pattern), Some(text)) = (&field.pattern, value.as_str()) else {
        return Ok(());
    };
    // A plan's patterns were compiled once already; one that fails now matches nothing.
    if whole_match(pattern).is_ok_and(|regex| regex.is_match(text)) {
        return Ok(());
    }
    Err(FieldFault::new(
        at,
        code::BAD_VALUE,
        format!("{} does not match the pattern `{pattern}`", shown(value)),
    ))
}

fn check_items(field: &Field, value: Value, at: &str) -> Result<Value, FieldFault> {
    let Some(items) = &field.items else {
        return Ok(value);
    };
    match value {
        Value::Array(list) => list
            .into_iter()
            .enumerate()
            .map(|(index, item)| check_item(items, item, &format!("{at}[{index}]")))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array),
        Value::Object(map) => map
            .into_iter()
            .map(|(key, item)| {
                let checked = check_item(items, item, &format!("{at}.{key}"))?;
                Ok((key, checked))
            })
            .collect::<Result<Map<_, _>, _>>()
            .map(Value::Object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(value),
    }
}

fn check_item(items: &Items, item: Value, at: &str) -> Result<Value, FieldFault> {
    match items {
        Items::Each(field) => check(field, item, at),
        Items::Record(fields) => {
            let Value::Object(map) = item else {
                return Err(mismatch(FieldType::Map, &item, at));
            };
            check_record(fields, map, at).map(Value::Object)
        }
    }
}

/// Checks a map against named fields; nothing else may be in it.
///
/// # Errors
/// The first entry that is missing, unknown or does not fit.
pub fn check_record(
    fields: &IndexMap<String, Field>,
    mut map: Map<String, Value>,
    at: &str,
) -> Result<Map<String, Value>, FieldFault> {
    let mut checked = Map::new();
    for (name, field) in fields {
        let path = if at.is_empty() {
            name.clone()
        } else {
            format!("{at}.{name}")
        };
        let value = map.remove(name).or_else(|| literal_default(field));
        if let Some(value) = value {
            checked.insert(name.clone(), check(field, value, &path)?);
        } else if field.required {
            return Err(FieldFault::new(&path, code::MISSING_KEY, "is missing"));
        }
    }
    match map.keys().next() {
        None => Ok(checked),
        Some(extra) => {
            let fault = FieldFault::new(at, code::UNKNOWN_KEY, format!("has no entry `{extra}`"));
            Err(
                match did_you_mean(extra, fields.keys().map(String::as_str)) {
                    Some(near) => fault.help(format!("did you mean `{near}`?")),
                    None => fault,
                },
            )
        }
    }
}

fn literal_default(field: &Field) -> Option<Value> {
    match field.default.as_ref()? {
        Template::Literal(value) => Some(value.clone()),
        Template::Expression(_) | Template::Text(_) | Template::List(_) | Template::Map(_) => None,
    }
}

/// Reads a value given as text, by the declared type: lists and maps as JSON. `name` is the field's.
///
/// # Errors
/// The text is no value of that type, or the value does not fit.
pub fn parse_given(name: &str, field: &Field, text: &str) -> Result<Value, FieldFault> {
    let unreadable = |help: &str| {
        FieldFault::new(
            name,
            code::WRONG_TYPE,
            format!(
                "{} is not {}",
                shown(&Value::from(text)),
                field.field_type.with_article()
            ),
        )
        .help(help)
    };
    let value = match field.field_type {
        FieldType::String
        | FieldType::Date
        | FieldType::Datetime
        | FieldType::Duration
        | FieldType::File => Value::from(text),
        FieldType::Int => text
            .parse::<i64>()
            .map(Value::from)
            .map_err(|_| unreadable("write a whole number of 64 bits"))?,
        FieldType::Float => parse_number(text).ok_or_else(|| unreadable("write a number"))?,
        FieldType::Bool => text
            .parse::<bool>()
            .map(Value::from)
            .map_err(|_| unreadable("write true or false"))?,
        FieldType::List => serde_json::from_str(text)
            .map_err(|_| unreadable("write it as JSON, for example [\"a\", \"b\"]"))?,
        FieldType::Map => serde_json::from_str(text)
            .map_err(|_| unreadable("write it as JSON, for example {\"a\": 1}"))?,
    };
    check(field, value, name)
}

fn parse_number(text: &str) -> Option<Value> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Value::from(whole));
    }
    let number = text.parse::<f64>().ok()?;
    serde_json::Number::from_f64(number).map(Value::Number)
}
