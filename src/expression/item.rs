//! Values during an evaluation: they borrow from the scope and from the expression where they can.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use indexmap::IndexMap;
use jiff::SignedDuration;
use jiff::civil::Date;
use serde_json::Value as Json;

use super::datetime::DateTime;
use super::error::Fault;
use super::limit::RESULT_BYTES_MAX;
use super::value::Value;

/// One value. Cheap to clone: nothing in it is copied.
#[derive(Debug, Clone)]
pub(super) enum Item<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Text<'a>),
    List(List<'a>),
    Map(Map<'a>),
    Date(Date),
    DateTime(DateTime),
    Duration(SignedDuration),
}

/// A string, borrowed or shared.
#[derive(Debug, Clone)]
pub(super) enum Text<'a> {
    Borrowed(&'a str),
    Shared(Rc<str>),
}

/// A list, in the scope's JSON or made here.
#[derive(Debug, Clone)]
pub(super) enum List<'a> {
    Json(&'a [Json]),
    Shared(Rc<Vec<Item<'a>>>),
}

/// A map, in the scope's JSON or made here.
#[derive(Debug, Clone)]
pub(super) enum Map<'a> {
    Json(&'a serde_json::Map<String, Json>),
    Shared(Rc<Entries<'a>>),
}

pub(super) type Entries<'a> = IndexMap<Text<'a>, Item<'a>>;

impl<'a> Item<'a> {
    /// Reads JSON without copying it.
    pub(super) fn from_json(json: &'a Json) -> Result<Self, Fault> {
        Ok(match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => return number_from_json(number),
            Json::String(text) => Self::Text(Text::Borrowed(text)),
            Json::Array(items) => Self::List(List::Json(items)),
            Json::Object(entries) => Self::Map(Map::Json(entries)),
        })
    }

    pub(super) fn from_value(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Int(value) => Self::Int(value),
            Value::Float(value) => Self::Float(value),
            Value::Str(text) => Self::text(text),
            Value::List(items) => Self::list(items.into_iter().map(Self::from_value).collect()),
            Value::Map(entries) => Self::map(
                entries
                    .into_iter()
                    .map(|(key, value)| (Text::Shared(key.into()), Self::from_value(value)))
                    .collect(),
            ),
            Value::Date(date) => Self::Date(date),
            Value::DateTime(datetime) => Self::DateTime(datetime),
            Value::Duration(duration) => Self::Duration(duration),
        }
    }

    pub(super) fn text(text: impl Into<Rc<str>>) -> Self {
        Self::Text(Text::Shared(text.into()))
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::List(List::Shared(Rc::new(items)))
    }

    pub(super) fn map(entries: Entries<'a>) -> Self {
        Self::Map(Map::Shared(Rc::new(entries)))
    }

    pub(super) const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Null
            | Self::Int(_)
            | Self::Float(_)
            | Self::Text(_)
            | Self::List(_)
            | Self::Map(_)
            | Self::Date(_)
            | Self::DateTime(_)
            | Self::Duration(_) => None,
        }
    }

    /// The type with its article, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a bool",
            Self::Int(_) => "an int",
            Self::Float(_) => "a float",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Date(_) => "a date",
            Self::DateTime(_) => "a datetime",
            Self::Duration(_) => "a duration",
        }
    }

    /// The owned value that leaves the evaluation; `room` is what is left of the largest result.
    pub(super) fn into_value(self, room: &mut usize) -> Result<Value, Fault> {
        const SCALAR_BYTES: usize = 4;
        take(room, SCALAR_BYTES)?;
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::Int(value),
            Self::Float(value) => Value::Float(value),
            Self::Text(text) => {
                take(room, text.as_str().len())?;
                Value::Str(text.as_str().to_owned())
            }
            Self::List(list) => {
                let mut items = Vec::new();
                for item in list.iter() {
                    items.push(item?.into_value(room)?);
                }
                Value::List(items)
            }
            Self::Map(map) => {
                let mut entries = IndexMap::new();
                for entry in map.iter() {
                    let (key, item) = entry?;
                    take(room, key.as_str().len() + SCALAR_BYTES)?;
                    entries.insert(key.as_str().to_owned(), item.into_value(room)?);
                }
                Value::Map(entries)
            }
            Self::Date(date) => Value::Date(date),
            Self::DateTime(datetime) => Value::DateTime(datetime),
            Self::Duration(duration) => Value::Duration(duration),
        })
    }
}

fn take(room: &mut usize, bytes: usize) -> Result<(), Fault> {
    *room = room.checked_sub(bytes).ok_or_else(|| {
        Fault::too_large(format!(
            "the result is larger than {RESULT_BYTES_MAX} bytes"
        ))
        .help("keep large data in a file, and pass the file between steps")
    })?;
    Ok(())
}

fn number_from_json<'a>(number: &serde_json::Number) -> Result<Item<'a>, Fault> {
    if let Some(int) = number.as_i64() {
        return Ok(Item::Int(int));
    }
    match number.as_f64() {
        Some(float) if !number.is_u64() && float.is_finite() => Ok(Item::Float(float)),
        Some(_) | None => Err(Fault::value(format!(
            "the number {number} does not fit into 64 bits"
        ))
        .help("carry it as a string")),
    }
}

impl<'a> Text<'a> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }

    /// A part of it, borrowed where the whole is.
    pub(super) fn part(&self, start: usize, end: usize) -> Text<'a> {
        match self {
            Self::Borrowed(text) => Text::Borrowed(text.get(start..end).unwrap_or_default()),
            Self::Shared(text) => Text::Shared(text.get(start..end).unwrap_or_default().into()),
        }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text<'_> {}

impl Hash for Text<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Borrow<str> for Text<'_> {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl<'a> List<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Json(items) => items.len(),
            Self::Shared(items) => items.len(),
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<Result<Item<'a>, Fault>> {
        match self {
            Self::Json(items) => items.get(index).map(Item::from_json),
            Self::Shared(items) => items.get(index).cloned().map(Ok),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Result<Item<'a>, Fault>> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    pub(super) fn to_vec(&self) -> Result<Vec<Item<'a>>, Fault> {
        self.iter().collect()
    }
}

impl<'a> Map<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Json(entries) => entries.len(),
            Self::Shared(entries) => entries.len(),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<Result<Item<'a>, Fault>> {
        match self {
            Self::Json(entries) => entries.get(key).map(Item::from_json),
            Self::Shared(entries) => entries.get(key).cloned().map(Ok),
        }
    }

    pub(super) fn keys(&self) -> Vec<Text<'a>> {
        match self {
            Self::Json(entries) => entries.keys().map(|key| Text::Borrowed(key)).collect(),
            Self::Shared(entries) => entries.keys().cloned().collect(),
        }
    }

    pub(super) fn iter(
        &self,
    ) -> Box<dyn Iterator<Item = Result<(Text<'a>, Item<'a>), Fault>> + '_> {
        match self {
            Self::Json(entries) => {
                Box::new(entries.iter().map(|(key, value)| {
                    Ok((Text::Borrowed(key.as_str()), Item::from_json(value)?))
                }))
            }
            Self::Shared(entries) => Box::new(
                entries
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), value.clone()))),
            ),
        }
    }

    /// The value of a key, or an error that says which keys there are.
    pub(super) fn required(&self, key: &str) -> Result<Item<'a>, Fault> {
        self.get(key).unwrap_or_else(|| {
            let keys = self.keys();
            let known: Vec<&str> = keys.iter().map(Text::as_str).collect();
            let fault = Fault::missing(format!("there is no key `{}`", super::error::clipped(key)));
            Err(if known.is_empty() {
                fault.help("the map is empty")
            } else {
                fault
                    .known(key, &known, "keys")
                    .help("`default(..., fallback)` takes a fallback when it is missing")
            })
        })
    }
}
