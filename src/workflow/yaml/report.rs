//! The faults of one file, collected so that a person sees all of them at once.

use crate::code::{self, Code};
use crate::diagnostic::{Diagnostic, Place, Severity, Span};

/// Most faults that are kept of one file; the rest are counted.
const SHOWN_MAX: usize = 100;

/// A text and the faults that were found in it.
#[derive(Debug)]
pub struct Report<'t> {
    file: &'t str,
    text: &'t str,
    found: Vec<(Span, Diagnostic)>,
    hidden: usize,
}

impl<'t> Report<'t> {
    /// No faults yet.
    #[must_use]
    pub fn new(file: &'t str, text: &'t str) -> Self {
        Self {
            file,
            text,
            found: Vec::new(),
            hidden: 0,
        }
    }

    /// The text that the spans count in.
    #[must_use]
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// Notes an error at these bytes.
    pub fn error(&mut self, code: Code, span: Span, message: impl Into<String>) {
        self.add(span, Diagnostic::error(code, message));
    }

    /// Notes an error at these bytes and what to do about it.
    pub fn error_with(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(span, Diagnostic::error(code, message).help(help));
    }

    /// Notes a fault at these bytes. One that is already there (a merged map is read twice) is left out.
    pub fn add(&mut self, span: Span, diagnostic: Diagnostic) {
        let known = self.found.iter().any(|(at, known)| {
            *at == span && known.code == diagnostic.code && known.message == diagnostic.message
        });
        if known {
            return;
        }
        if self.found.len() < SHOWN_MAX {
            let place = Place::locate(self.file, self.text, span);
            self.found.push((span, diagnostic.at(place)));
        } else if diagnostic.severity == Severity::Error {
            self.hidden += 1;
        }
    }

    /// Whether an error was found.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.hidden > 0 || self.found.iter().any(|(_, one)| one.is_error())
    }

    /// The faults in the order of the text.
    #[must_use]
    pub fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|(span, _)| span.start);
        let mut list: Vec<Diagnostic> = self.found.into_iter().map(|(_, one)| one).collect();
        if self.hidden > 0 {
            list.push(Diagnostic::error(
                code::MORE_ERRORS,
                format!("{} more errors are not shown", self.hidden),
            ));
        }
        list
    }
}
