//! The faults of one file, collected so that a person sees all of them at once.

use crate::code::{self, Code};
use crate::diagnostic::{Diagnostic, Place, Severity, Span};

/// Most faults that are kept of one file; the rest are counted.
const SHOWN_MAX: usize = 100;
/// Longest message, in characters: keys and values of the file may be part of it.
const MESSAGE_CHARS_MAX: usize = 400;

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
    pub fn add(&mut self, span: Span, mut diagnostic: Diagnostic) {
        clip(&mut diagnostic.message);
        diagnostic.help.iter_mut().for_each(clip);
        let known = self.found.iter().any(|(at, known)| {
            *at == span && known.code == diagnostic.code && known.message == diagnostic.message
        });
        if known {
            return;
        }
        if self.has_room() {
            let place = Place::locate(self.file, self.text, span);
            self.found.push((span, diagnostic.at(place)));
        } else if diagnostic.severity == Severity::Error {
            self.hidden += 1;
        }
    }

    /// Whether another fault would still be shown. When not, looking for a suggestion is in vain.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.found.len() < SHOWN_MAX
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

fn clip(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MESSAGE_CHARS_MAX) {
        text.truncate(end);
        text.push('…');
    }
}
