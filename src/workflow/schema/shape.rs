//! What a value looks like, and how a schema says it.

use serde_json::{Map, Value, json};

use super::super::name::{NAME_CHARS_MAX, PYTHON_KEYWORDS};
use super::Table;
use crate::plan::FieldType;

/// Definitions that the shared ones refer to.
pub(super) const TABLES_OF_SHARED: [&str; 2] = ["step", "field"];

/// What the value of a key looks like.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Any value, with expressions wherever text stands.
    Any,
    /// Text.
    Text,
    /// Text of this form.
    Pattern(&'static str),
    /// A map of values with expressions.
    Values,
    /// A map of values whose names expressions can read.
    NamedValues,
    /// A map of texts.
    TextMap,
    /// A map of variables: text, numbers, booleans.
    Variables,
    /// A list of texts.
    Texts,
    /// `true` or `false`.
    Bool,
    /// Always that.
    True,
    /// Nothing: `null`.
    Nothing,
    /// Text that is one expression.
    Expression,
    /// `20%`.
    Percent,
    /// The version of the language.
    Version,
    /// A whole number between two bounds.
    Whole(u32, u32),
    /// A number, with its bounds.
    Number(Option<u32>, Option<u32>),
    /// `0.2` or `20%`.
    Share,
    /// `90s`, `1h30m`.
    Duration,
    /// `10MiB`.
    Size,
    /// A condition: `true`, `false`, or one expression.
    Condition,
    /// One of some words.
    Words(fn() -> Vec<&'static str>),
    /// An id, or a name that expressions can read.
    Name,
    /// A list of steps.
    Steps,
    /// A map of fields.
    Fields,
    /// What the items of a list or the entries of a map are.
    Items,
    /// The map of that table.
    Of(&'static str),
    /// A map from names to the map of that table.
    MapOf(&'static Shape),
    /// A list with at least so many items.
    List(&'static Shape, u32),
    /// One of these shapes. Those whose table the compiler does not read yet are left out.
    Either(&'static [Shape]),
}

/// Numbers with units from large to small, as `expression::parse_duration` reads them.
const DURATION: &str =
    r"^(?=\d)(\d+(\.\d+)?d)?(\d+(\.\d+)?h)?(\d+(\.\d+)?m(?!s))?(\d+(\.\d+)?s)?(\d+(\.\d+)?ms)?$";
const SIZE: &str = r"^\d+(\.\d+)?(B|[KMGT]i?B)$";
const PERCENT: &str = r"^\d+(\.\d{1,2})?%$";
const CONDITION: &str = r"^\s*\$\{\{[\s\S]*\}\}\s*$";

/// Text with an expression in it.
const EXPRESSION: &str = r"\$\{\{";

fn refer(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

/// Definitions that are not the map of a table.
pub(super) fn shared() -> Map<String, Value> {
    let name = json!({
        "type": "string",
        "pattern": format!("^[a-z][a-z0-9_]{{0,{}}}$", NAME_CHARS_MAX - 1),
        "not": {"enum": PYTHON_KEYWORDS.as_slice()},
    });
    let types: Vec<&str> = FieldType::ALL.iter().map(|(word, _)| *word).collect();
    let list = [
        ("name", name),
        ("duration", json!({"type": "string", "pattern": DURATION})),
        (
            "condition",
            json!({"type": ["boolean", "string"], "pattern": CONDITION}),
        ),
        (
            "steps",
            json!({"type": "array", "items": refer("step"), "minItems": 1}),
        ),
        ("type", json!({"enum": types})),
        ("typed", json!({"anyOf": [refer("type"), refer("field")]})),
        (
            "fields",
            json!({"type": "object", "propertyNames": refer("name"), "additionalProperties": refer("typed")}),
        ),
    ];
    list.into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect()
}

impl Shape {
    /// The schema of the shape.
    pub(super) fn schema(&self) -> Value {
        match *self {
            Self::Any => json!({}),
            Self::Text => json!({"type": "string"}),
            Self::Pattern(pattern) => json!({"type": "string", "pattern": pattern}),
            Self::Values => json!({"type": "object"}),
            Self::NamedValues => json!({"type": "object", "propertyNames": refer("name")}),
            Self::TextMap => json!({"type": "object", "additionalProperties": {"type": "string"}}),
            Self::Variables => json!({
                "type": "object",
                "propertyNames": {"pattern": "^[^=]+$"},
                "additionalProperties": {"type": ["string", "number", "boolean"]},
            }),
            Self::Texts => json!({"type": "array", "items": {"type": "string"}}),
            Self::Bool => json!({"type": "boolean"}),
            Self::True => json!({"const": true}),
            Self::Nothing => json!({"type": "null"}),
            Self::Expression => json!({"type": "string", "pattern": CONDITION}),
            Self::Percent => json!({"type": "string", "pattern": PERCENT}),
            Self::Version => json!({"const": super::super::LANGUAGE}),
            Self::Whole(min, max) => json!({"type": "integer", "minimum": min, "maximum": max}),
            Self::Number(min, max) => number(min, max),
            Self::Share => json!({"anyOf": [
                {"type": "number", "minimum": 0, "maximum": 1},
                {"type": "string", "pattern": PERCENT},
            ]}),
            Self::Duration => refer("duration"),
            Self::Size => json!({"type": "string", "pattern": SIZE}),
            Self::Condition => refer("condition"),
            Self::Words(words) => json!({"enum": words()}),
            Self::Name => refer("name"),
            Self::Steps => refer("steps"),
            Self::Fields => refer("fields"),
            Self::Items => json!({"anyOf": [refer("typed"), refer("fields")]}),
            Self::Of(name) => refer(name),
            Self::MapOf(shape) => json!({
                "type": "object",
                "propertyNames": refer("name"),
                "additionalProperties": shape.schema(),
            }),
            Self::List(shape, min) => {
                json!({"type": "array", "items": shape.schema(), "minItems": min})
            }
            Self::Either(shapes) => either(shapes),
        }
    }

    /// Names of the tables that the schema refers to.
    pub(super) fn tables(&self, into: &mut Vec<&'static str>) {
        if let Self::Of(name) = *self {
            into.push(name);
        } else if let Self::MapOf(inner) | Self::List(inner, _) = *self {
            inner.tables(into);
        } else if let Self::Either(shapes) = *self {
            shapes
                .iter()
                .filter(|shape| shape.is_read())
                .for_each(|shape| shape.tables(into));
        }
    }

    /// Whether the compiler reads the tables of this shape already.
    pub(super) fn is_read(&self) -> bool {
        let mut tables = Vec::new();
        if !matches!(self, Self::Either(_)) {
            self.tables(&mut tables);
        }
        tables
            .iter()
            .all(|name| Table::find(name).is_some_and(|table| table.keys.is_some()))
    }
}

fn number(min: Option<u32>, max: Option<u32>) -> Value {
    let mut schema = json!({"type": "number"});
    super::put(&mut schema, "minimum", json!(min), min.is_some());
    super::put(&mut schema, "maximum", json!(max), max.is_some());
    schema
}

fn either(shapes: &[Shape]) -> Value {
    let mut read: Vec<Value> = shapes
        .iter()
        .filter(|shape| shape.is_read())
        .map(Shape::schema)
        .collect();
    match read.len() {
        1 => read.pop().unwrap_or_default(),
        _ => json!({"anyOf": read}),
    }
}

/// A literal default and every choice are of the field's type; a default may be an expression instead.
pub(super) fn typed_values() -> Value {
    let rules: Vec<Value> = FieldType::ALL
        .iter()
        .map(|(word, field_type)| {
            let kind = json_type(*field_type);
            json!({
                "if": {"properties": {"type": {"const": word}}, "required": ["type"]},
                "then": {"properties": {
                    "default": {"anyOf": [{"type": kind}, {"type": "string", "pattern": EXPRESSION}]},
                    "choices": {"items": {"type": kind}},
                }},
            })
        })
        .collect();
    json!(rules)
}

/// What `notify` tells stands beside the name of a channel, and inside of a map.
pub(super) fn told() -> Value {
    let notify = |kind| json!({"properties": {"notify": {"type": kind}}, "required": ["notify"]});
    json!([
        {"if": notify("string"), "then": {"required": ["text"]}},
        {"if": notify("object"), "then": {"properties": {"text": false}}},
    ])
}

fn json_type(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::Int => "integer",
        FieldType::Float => "number",
        FieldType::Bool => "boolean",
        FieldType::List => "array",
        FieldType::Map => "object",
        FieldType::String
        | FieldType::Date
        | FieldType::Datetime
        | FieldType::Duration
        | FieldType::File => "string",
    }
}
