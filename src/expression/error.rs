//! What is wrong with an expression, where, and what to do about it.

use crate::code::{self, Code};
use crate::diagnostic::{Diagnostic, Place, Span, did_you_mean};

use super::limit::{SHOWN_NAMES_MAX, SHOWN_TEXT_CHARS_MAX};

/// A fault in an expression or a template, found when it was read or when it was evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The code, explained by `stepwell explain CODE`.
    pub code: Code,
    /// One sentence that says what is wrong.
    pub message: String,
    /// Which bytes of `text` are at fault.
    pub span: Span,
    /// The expression, or the whole text when a template could not be read.
    pub text: String,
    /// What to do; one line each.
    pub help: Vec<String>,
}

impl Error {
    /// The same as a diagnostic; `place` says where it is in the file.
    #[must_use]
    pub fn diagnostic(&self, place: Option<Place>) -> Diagnostic {
        Diagnostic {
            place,
            help: self.help.clone(),
            ..Diagnostic::error(self.code, self.message.clone())
        }
    }

    /// Several lines for a person: the message, the expression with a caret, the help.
    #[must_use]
    pub fn render(&self) -> String {
        let place = Place::locate("expression", &self.text, self.span);
        self.diagnostic(Some(place)).to_string()
    }

    /// Whether `default()` and `exists()` catch it: something is not there.
    pub(super) fn is_absence(&self) -> bool {
        self.code == code::EXPRESSION_ABSENT || self.code == code::EXPRESSION_MISSING_KEY
    }

    /// The same error in a longer text, in which the expression begins at `offset`.
    pub(super) fn moved(mut self, text: &str, offset: usize) -> Self {
        self.span = Span::new(self.span.start + offset, self.span.end + offset);
        text.clone_into(&mut self.text);
        self
    }
}

/// An error that does not know its place yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    code: Code,
    message: String,
    help: Vec<String>,
}

impl Fault {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            help: Vec::new(),
        }
    }

    /// Something of the wrong type.
    pub(super) fn wrong_type(message: impl Into<String>) -> Self {
        Self::new(code::EXPRESSION_TYPE, message)
    }

    /// A value that the operation has no result for.
    pub(super) fn value(message: impl Into<String>) -> Self {
        Self::new(code::EXPRESSION_VALUE, message)
    }

    /// A key or an index that is not there.
    pub(super) fn missing(message: impl Into<String>) -> Self {
        Self::new(code::EXPRESSION_MISSING_KEY, message)
    }

    /// A bound is exceeded.
    pub(super) fn too_large(message: impl Into<String>) -> Self {
        Self::new(code::EXPRESSION_TOO_LARGE, message)
    }

    /// Something of Python that is not part of the language.
    pub(super) fn not_allowed(message: impl Into<String>) -> Self {
        Self::new(code::EXPRESSION_NOT_ALLOWED, message)
    }

    /// A text that is not an expression at all.
    pub(super) fn syntax(message: impl Into<String>) -> Self {
        Self::new(code::EXPRESSION_SYNTAX, message)
    }

    pub(super) fn help(mut self, line: impl Into<String>) -> Self {
        self.help.push(line.into());
        self
    }

    /// Adds "did you mean" and the list of what there is.
    pub(super) fn known(mut self, word: &str, known: &[&str], title: &str) -> Self {
        if let Some(near) = did_you_mean(word, known.iter().copied()) {
            self.help.push(format!("did you mean `{near}`?"));
        }
        if !known.is_empty() {
            self.help.push(format!("{title}: {}", listed(known)));
        }
        self
    }

    pub(super) fn at(self, span: Span) -> Error {
        Error {
            code: self.code,
            message: self.message,
            span,
            text: String::new(),
            help: self.help,
        }
    }
}

/// `a, b, c and 4 more`.
fn listed(names: &[&str]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN_NAMES_MAX)
        .map(|name| clipped(name))
        .collect();
    let more = names.len() - shown.len();
    if more == 0 {
        shown.join(", ")
    } else {
        format!("{} and {more} more", shown.join(", "))
    }
}

/// At most the first characters of somebody's text, for a message.
pub(super) fn clipped(text: &str) -> String {
    let mut chars = text.chars();
    let mut shown: String = chars.by_ref().take(SHOWN_TEXT_CHARS_MAX).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}
