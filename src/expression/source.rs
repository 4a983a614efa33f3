//! An expression: its text, its tree, what it refers to.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::evaluate;
use super::lower::lower;
use super::reference::Reference;
use super::scope::Scope;
use super::tree::Node;
use super::value::Value;

/// An expression that has been read. Cheap to clone; equal when the texts are.
#[derive(Clone)]
pub struct Expression {
    inner: Arc<Inner>,
    offset: usize,
}

struct Inner {
    source: String,
    node: Node,
    references: Vec<Reference>,
}

impl Expression {
    /// Reads an expression; blanks around it are dropped.
    ///
    /// # Errors
    /// When it is not one expression of the language, or exceeds a bound. The span is relative to `text`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::parse_within(text, text, 0)
    }

    /// Reads the expression that begins at `offset` in the longer text `whole`.
    pub(super) fn parse_within(text: &str, whole: &str, offset: usize) -> Result<Self, Error> {
        let source = text.trim();
        let offset = offset + (text.len() - text.trim_start().len());
        let lowered = lower(source).map_err(|error| error.moved(whole, offset))?;
        let inner = Inner {
            source: source.to_owned(),
            node: lowered.node,
            references: lowered.references,
        };
        Ok(Self {
            inner: Arc::new(inner),
            offset,
        })
    }

    /// The text, without blanks around it. All spans but those of [`Expression::parse`] are relative to it.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.inner.source
    }

    /// Where the expression begins in the text it was read from, in bytes.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Everything it refers to, in the order of the text.
    #[must_use]
    pub fn references(&self) -> &[Reference] {
        &self.inner.references
    }

    /// Whether it asks how a step ended, which lifts the rule that a step waits for success.
    #[must_use]
    pub fn uses_status_function(&self) -> bool {
        self.references()
            .iter()
            .any(|reference| matches!(reference, Reference::Status { .. }))
    }

    /// Computes the value. The same scope gives the same value.
    ///
    /// # Errors
    /// When a name is absent or unknown, a key is missing, types do not fit, a value has no result, or a
    /// bound is exceeded. The span is relative to [`Expression::source`].
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Value, Error> {
        evaluate::evaluate(&self.inner.node, scope)
            .map_err(|error| error.moved(&self.inner.source, 0))
    }

    /// Computes a condition, which must be a bool.
    ///
    /// # Errors
    /// As [`Expression::evaluate`], and when the value is not a bool.
    pub fn condition(&self, scope: &dyn Scope) -> Result<bool, Error> {
        evaluate::condition(&self.inner.node, scope)
            .map_err(|error| error.moved(&self.inner.source, 0))
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.inner.source == other.inner.source
    }
}

impl Eq for Expression {}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.source()).finish()
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.source())
    }
}

impl Serialize for Expression {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.source())
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}
