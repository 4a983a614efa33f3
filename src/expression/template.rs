//! Text with `${{ }}` in it, and lists and maps of such text.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::diagnostic::Span;

use super::error::{Error, Fault};
use super::item::Item;
use super::limit::{RESULT_BYTES_MAX, RESULT_DEPTH_MAX};
use super::scan;
use super::scope::Scope;
use super::source::Expression;
use super::text;
use super::value::Value;

/// A value that may contain expressions.
#[derive(Debug, Clone, PartialEq)]
pub enum Template {
    /// No expression anywhere in it; `$${{` is already `${{`.
    Literal(Json),
    /// One expression that fills the whole scalar: its value keeps its type.
    Expression(Expression),
    /// Text with expressions inside, which are formatted.
    Text(Vec<Part>),
    /// A list.
    List(Vec<Template>),
    /// A map. Its keys are plain.
    Map(IndexMap<String, Template>),
}

/// A part of a [`Template::Text`].
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Characters as they are.
    Text(String),
    /// An expression whose value is formatted.
    Expression(Expression),
}

const OPEN: &str = "${{";
const ESCAPED: &str = "$${{";
const CLOSE: &str = "}}";

impl Template {
    /// Reads a scalar.
    ///
    /// # Errors
    /// When an expression is never closed or cannot be read. The span is relative to `text`.
    pub fn parse_text(text: &str) -> Result<Self, Error> {
        let mut parts = parts(text)?;
        let filled = match parts.as_slice() {
            [] => return Ok(Self::Literal(Json::from(""))),
            [Part::Expression(expression)] => Some(expression.clone()),
            [..] => None,
        };
        if let Some(expression) = filled {
            return Ok(Self::Expression(expression));
        }
        if let [Part::Text(text)] = parts.as_mut_slice() {
            return Ok(Self::Literal(Json::String(std::mem::take(text))));
        }
        Ok(Self::Text(parts))
    }

    /// Reads JSON, every string in it as [`Template::parse_text`] does.
    ///
    /// # Errors
    /// When a string cannot be read, or a key holds `${{`. The span is relative to that string.
    pub fn from_json(json: &Json) -> Result<Self, Error> {
        match json {
            Json::Null | Json::Bool(_) | Json::Number(_) => Ok(Self::Literal(json.clone())),
            Json::String(text) => Self::parse_text(text),
            Json::Array(items) => items
                .iter()
                .map(Self::from_json)
                .collect::<Result<_, _>>()
                .map(Self::list),
            Json::Object(entries) => {
                let mut map = IndexMap::new();
                for (key, value) in entries {
                    Self::check_key(key)?;
                    map.insert(key.clone(), Self::from_json(value)?);
                }
                Ok(Self::map(map))
            }
        }
    }

    /// Refuses a key with an expression in it.
    ///
    /// # Errors
    /// When `key` holds `${{`.
    pub fn check_key(key: &str) -> Result<(), Error> {
        let Some(at) = key.find(OPEN) else {
            return Ok(());
        };
        Err(Fault::not_allowed("a key is plain text, without `${{ }}`")
            .help("make the map in one expression: `${{ {inputs.name: 1} }}`")
            .at(Span::new(at, at + OPEN.len()))
            .moved(key, 0))
    }

    /// A list; literal when all of it is.
    #[must_use]
    pub fn list(items: Vec<Self>) -> Self {
        let literals: Option<Vec<Json>> = items.iter().map(Self::as_literal).collect();
        literals.map_or(Self::List(items), |items| Self::Literal(Json::Array(items)))
    }

    /// A map; literal when all of it is.
    #[must_use]
    pub fn map(entries: IndexMap<String, Self>) -> Self {
        let literals: Option<serde_json::Map<String, Json>> = entries
            .iter()
            .map(|(key, value)| Some((key.clone(), value.as_literal()?)))
            .collect();
        literals.map_or(Self::Map(entries), |entries| {
            Self::Literal(Json::Object(entries))
        })
    }

    fn as_literal(&self) -> Option<Json> {
        match self {
            Self::Literal(json) => Some(json.clone()),
            Self::Expression(_) | Self::Text(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// Computes the value.
    ///
    /// # Errors
    /// As [`Expression::evaluate`]; null inside text; a result of more than 1 MiB. The span is relative
    /// to the text of the expression, which the error carries.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Value, Error> {
        let mut room = RESULT_BYTES_MAX;
        let value = self.value(scope, &mut room)?;
        if depth(&value) > RESULT_DEPTH_MAX {
            let message = format!("the value is nested deeper than {RESULT_DEPTH_MAX} levels");
            return Err(Fault::too_large(message).at(Span::default()));
        }
        Ok(value)
    }

    fn value(&self, scope: &dyn Scope, room: &mut usize) -> Result<Value, Error> {
        match self {
            Self::Literal(json) => Item::from_json(json)
                .and_then(|item| item.into_value(room))
                .map_err(|fault| fault.at(Span::default())),
            Self::Expression(expression) => {
                let value = expression.evaluate(scope)?;
                take(room, rough_bytes(&value), expression)?;
                Ok(value)
            }
            Self::Text(parts) => {
                let mut out = String::new();
                for part in parts {
                    match part {
                        Part::Text(text) => out.push_str(text),
                        Part::Expression(expression) => {
                            let text = inside_text(expression, scope)?;
                            take(room, text.len(), expression)?;
                            out.push_str(&text);
                        }
                    }
                }
                Ok(Value::Str(out))
            }
            Self::List(items) => items
                .iter()
                .map(|item| item.value(scope, room))
                .collect::<Result<_, _>>()
                .map(Value::List),
            Self::Map(entries) => entries
                .iter()
                .map(|(key, value)| Ok((key.clone(), value.value(scope, room)?)))
                .collect::<Result<_, _>>()
                .map(Value::Map),
        }
    }

    /// Every expression in it, in order.
    #[must_use]
    pub fn expressions(&self) -> Vec<&Expression> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found
    }

    fn collect<'t>(&'t self, found: &mut Vec<&'t Expression>) {
        match self {
            Self::Literal(_) => {}
            Self::Expression(expression) => found.push(expression),
            Self::Text(parts) => found.extend(parts.iter().filter_map(|part| match part {
                Part::Text(_) => None,
                Part::Expression(expression) => Some(expression),
            })),
            Self::List(items) => items.iter().for_each(|item| item.collect(found)),
            Self::Map(entries) => entries.values().for_each(|value| value.collect(found)),
        }
    }

    /// The JSON it was written as, up to blanks inside `${{ }}`.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Literal(json) => escaped(json),
            Self::Expression(expression) => Json::String(written(expression)),
            Self::Text(parts) => Json::String(
                parts
                    .iter()
                    .map(|part| match part {
                        Part::Text(text) => text.replace(OPEN, ESCAPED),
                        Part::Expression(expression) => written(expression),
                    })
                    .collect(),
            ),
            Self::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Self::Map(entries) => Json::Object(
                entries
                    .iter()
                    .map(|(key, value)| (key.clone(), value.to_json()))
                    .collect(),
            ),
        }
    }
}

/// Splits a text at its expressions.
fn parts(text: &str) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(dollar) = rest.find('$') else {
            plain.push_str(rest);
            break;
        };
        plain.push_str(rest.get(..dollar).unwrap_or_default());
        at += dollar;
        let rest = text.get(at..).unwrap_or_default();
        if rest.starts_with(ESCAPED) {
            plain.push_str(OPEN);
            at += ESCAPED.len();
        } else if rest.starts_with(OPEN) {
            let start = at + OPEN.len();
            let end = scan::closing(text, start).map_err(|error| error.moved(text, 0))?;
            let inside = text.get(start..end).unwrap_or_default();
            let expression = Expression::parse_within(inside, text, start)?;
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Expression(expression));
            at = end + CLOSE.len();
        } else {
            plain.push('$');
            at += 1;
        }
    }
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

fn inside_text(expression: &Expression, scope: &dyn Scope) -> Result<String, Error> {
    let value = expression.evaluate(scope)?;
    text::plain(&Item::from_value(value)).map_err(|fault| {
        fault
            .at(Span::new(0, expression.source().len()))
            .moved(expression.source(), 0)
    })
}

fn take(room: &mut usize, bytes: usize, expression: &Expression) -> Result<(), Error> {
    *room = room.checked_sub(bytes).ok_or_else(|| {
        Fault::too_large(format!(
            "the result is larger than {RESULT_BYTES_MAX} bytes"
        ))
        .at(Span::new(0, expression.source().len()))
        .moved(expression.source(), 0)
    })?;
    Ok(())
}

/// About the size of the value as JSON.
fn rough_bytes(value: &Value) -> usize {
    const SCALAR_BYTES: usize = 4;
    SCALAR_BYTES
        + match value {
            Value::Str(text) => text.len(),
            Value::List(items) => items.iter().map(rough_bytes).sum(),
            Value::Map(entries) => entries
                .iter()
                .map(|(key, value)| key.len() + rough_bytes(value))
                .sum(),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Date(_)
            | Value::DateTime(_)
            | Value::Duration(_) => 0,
        }
}

fn written(expression: &Expression) -> String {
    format!("{OPEN} {} {CLOSE}", expression.source())
}

fn escaped(json: &Json) -> Json {
    match json {
        Json::Null | Json::Bool(_) | Json::Number(_) => json.clone(),
        Json::String(text) => Json::String(text.replace(OPEN, ESCAPED)),
        Json::Array(items) => Json::Array(items.iter().map(escaped).collect()),
        Json::Object(entries) => Json::Object(
            entries
                .iter()
                .map(|(key, value)| (key.clone(), escaped(value)))
                .collect(),
        ),
    }
}

impl Serialize for Template {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::deserialize(deserializer)?;
        Self::from_json(&json).map_err(serde::de::Error::custom)
    }
}
/// Lists and maps one in the other.
fn depth(value: &Value) -> usize {
    let inside = match value {
        Value::List(items) => items.iter().map(depth).max(),
        Value::Map(entries) => entries.values().map(depth).max(),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Str(_)
        | Value::Date(_)
        | Value::DateTime(_)
        | Value::Duration(_) => return 0,
    };
    inside.unwrap_or(0) + 1
}
