//! What an expression gives.

use indexmap::IndexMap;
use jiff::SignedDuration;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::Value as Json;

use crate::diagnostic::Span;

use super::datetime::DateTime;
use super::duration::format_signed;
use super::error::Error;
use super::item::Item;
use super::text;

/// A value of the expression language: JSON, plus dates, instants and durations.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `None`
    Null,
    /// `True` or `False`
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A finite float.
    Float(f64),
    /// A string.
    Str(String),
    /// A list.
    List(Vec<Value>),
    /// A map with string keys, in order.
    Map(IndexMap<String, Value>),
    /// A calendar date.
    Date(Date),
    /// An instant.
    DateTime(DateTime),
    /// A length of time; negative for a difference the other way round.
    Duration(SignedDuration),
}

impl Value {
    /// Reads JSON. Dates stay strings, since JSON does not say what is one.
    ///
    /// # Errors
    /// When a number fits neither 64 bits nor a finite float.
    pub fn from_json(json: &Json) -> Result<Self, Error> {
        let mut room = usize::MAX;
        Item::from_json(json)
            .and_then(|item| item.into_value(&mut room))
            .map_err(|fault| fault.at(Span::default()))
    }

    /// Writes JSON: dates and instants as ISO text, durations as `1h30m`.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Int(value) => Json::from(*value),
            Self::Float(value) => Json::from(*value),
            Self::Str(text) => Json::String(text.clone()),
            Self::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Self::Map(entries) => Json::Object(
                entries
                    .iter()
                    .map(|(key, value)| (key.clone(), value.to_json()))
                    .collect(),
            ),
            Self::Date(date) => Json::String(date.to_string()),
            Self::DateTime(datetime) => Json::String(datetime.to_string()),
            Self::Duration(duration) => Json::String(format_signed(*duration)),
        }
    }

    /// The type as a word: `null`, `bool`, `int`, `float`, `string`, `list`, `map`, `date`, `datetime`,
    /// `duration`.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "string",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Date(_) => "date",
            Self::DateTime(_) => "datetime",
            Self::Duration(_) => "duration",
        }
    }

    /// The value as it stands inside text; lists and maps as compact JSON.
    ///
    /// # Errors
    /// When it is null, or when the text would be too long.
    pub fn to_text(&self) -> Result<String, Error> {
        text::plain(&Item::from_value(self.clone())).map_err(|fault| fault.at(Span::default()))
    }
}

impl Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}
