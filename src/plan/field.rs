//! One field language for run inputs, step outputs and approval forms.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::expression::Template;

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// Text.
    String,
    /// A whole number of 64 bits.
    Int,
    /// A finite number; a whole number passes for one.
    Float,
    /// True or false.
    Bool,
    /// A calendar date, `2026-11-22`.
    Date,
    /// An instant or a local date and time, ISO 8601.
    Datetime,
    /// A length of time, `1h30m`.
    Duration,
    /// A list.
    List,
    /// A map with text keys.
    Map,
    /// A path of a file.
    File,
}

impl FieldType {
    /// Every type, as written in YAML.
    pub const ALL: [(&'static str, Self); 10] = [
        ("string", Self::String),
        ("int", Self::Int),
        ("float", Self::Float),
        ("bool", Self::Bool),
        ("date", Self::Date),
        ("datetime", Self::Datetime),
        ("duration", Self::Duration),
        ("list", Self::List),
        ("map", Self::Map),
        ("file", Self::File),
    ];

    /// Reads the word of a type.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == word)
            .map(|(_, field_type)| *field_type)
    }

    /// The word of the type.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, known)| *known == self)
            .map_or("", |(word, _)| word)
    }

    /// The word of the type as part of a sentence: "a float", "an int".
    #[must_use]
    pub fn with_article(self) -> String {
        let article = if self == Self::Int { "an" } else { "a" };
        format!("{article} {}", self.as_str())
    }
}

/// What the items of a list or the entries of a map are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Items {
    /// Every item is such a field.
    Each(Box<Field>),
    /// Every item is a map with these entries.
    Record(IndexMap<String, Field>),
}

/// One field: its type and what holds for its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Type of the value.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// Value when none is given; may be an expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Template>,
    /// Whether a value must be there. A field with a default is never missing.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub required: bool,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The only values allowed; empty = any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Value>,
    /// Smallest number allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Largest number allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Fewest items of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_items: Option<u64>,
    /// Regular expression that the whole text must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// What the items are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Items>,
    /// Answers that need a value, in a form: `approve`, `reject`, `changes`. Empty = as `required` says, for a yes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required_on: Vec<String>,
}

fn yes() -> bool {
    true
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_yes(value: &bool) -> bool {
    *value
}

impl Field {
    /// A required field of this type, nothing else said.
    #[must_use]
    pub fn of(field_type: FieldType) -> Self {
        Self {
            field_type,
            default: None,
            required: true,
            description: String::new(),
            choices: Vec::new(),
            min: None,
            max: None,
            min_items: None,
            pattern: None,
            items: None,
            required_on: Vec::new(),
        }
    }
}
