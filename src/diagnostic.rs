//! A fault in something that a person wrote: code, message, place, and what to do about it.
//!
//! Workflows, `config.yml`, inputs and expressions all report through this one type, so that the terminal,
//! `--json` and the later HTTP interface show the same thing.

use std::fmt;

use serde::Serialize;

use crate::code::Code;

/// A range of bytes in a text: `start` inclusive, `end` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// A span of `start..end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; nothing is refused.
    Warning,
    /// The document is refused.
    Error,
}

/// Where in a file, for people: lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file as the person named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// How many characters are underlined, at least 1.
    pub width: usize,
    /// The text of that line, without its end.
    pub source_line: String,
}

impl Place {
    /// Finds line, column and width of `span` in `text`. Spans past the end point at the end.
    #[must_use]
    pub fn locate(file: &str, text: &str, span: Span) -> Self {
        let start = floor_boundary(text, span.start);
        let end = floor_boundary(text, span.end.max(start));
        let before = text.get(..start).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |index| index + 1);
        let rest = text.get(line_start..).unwrap_or_default();
        let source_line = rest.lines().next().unwrap_or_default().to_owned();
        let column = text
            .get(line_start..start)
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        let line_end = line_start + source_line.len();
        let underlined = text
            .get(start..end.min(line_end).max(start))
            .unwrap_or_default();
        let width = underlined.chars().count().max(1);
        Self {
            file: file.to_owned(),
            line,
            column,
            width,
            source_line,
        }
    }
}

fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// One fault, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// The code, explained by `stepwell explain CODE`.
    pub code: Code,
    /// One sentence that says what is wrong.
    pub message: String,
    /// Where, when it is in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What to do; one line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
}

impl Diagnostic {
    /// An error without a place yet.
    #[must_use]
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            place: None,
            help: Vec::new(),
        }
    }

    /// A warning without a place yet.
    #[must_use]
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message)
        }
    }

    /// Says where it is.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Adds a line of help.
    #[must_use]
    pub fn help(mut self, line: impl Into<String>) -> Self {
        self.help.push(line.into());
        self
    }

    /// Whether the document is refused because of it.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{word}[{}]: {}", self.code, self.message)?;
        if let Some(place) = &self.place {
            let gutter = place.line.to_string();
            let blank = " ".repeat(gutter.len());
            write!(
                f,
                "\n{blank}--> {}:{}:{}",
                place.file, place.line, place.column
            )?;
            let (shown, column) = window(&place.source_line, place.column);
            let marks = "^".repeat(place.width.min(SHOWN_CHARS_MAX));
            write!(f, "\n{blank} |\n{gutter} | {shown}")?;
            write!(
                f,
                "\n{blank} | {}{marks}",
                " ".repeat(column.saturating_sub(1))
            )?;
        }
        for line in &self.help {
            write!(f, "\n  help: {line}")?;
        }
        Ok(())
    }
}

/// Longest part of a source line that is shown, in characters.
const SHOWN_CHARS_MAX: usize = 160;

/// Cuts a very long line to a window around the column; tabs become one blank so that the caret fits.
fn window(line: &str, column: usize) -> (String, usize) {
    let chars: Vec<char> = line
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if chars.len() <= SHOWN_CHARS_MAX {
        return (chars.into_iter().collect(), column);
    }
    let from = column.saturating_sub(SHOWN_CHARS_MAX / 2);
    let shown: String = chars.iter().skip(from).take(SHOWN_CHARS_MAX).collect();
    (format!("…{shown}…"), column - from + 1)
}

/// Longest word that a suggestion is looked for, in bytes.
const MEANT_BYTES_MAX: usize = 128;

/// The nearest of `known` to `word`, when it is near enough to be a slip.
#[must_use]
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > MEANT_BYTES_MAX {
        return None;
    }
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| {
            *distance <= (candidate.chars().count().max(word.len()) / 3).max(1)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_characters_and_lines_from_one() {
        let text = "name: x\nétape: ßé\n";
        let start = text.find("ßé").unwrap();
        let place = Place::locate("w.yml", text, Span::new(start, start + "ßé".len()));
        assert_eq!((place.line, place.column, place.width), (2, 8, 2));
        assert_eq!(place.source_line, "étape: ßé");
    }

    #[test]
    fn a_span_past_the_end_points_at_the_end() {
        let place = Place::locate("w.yml", "ab", Span::new(90, 99));
        assert_eq!((place.line, place.column, place.width), (1, 3, 1));
    }

    #[test]
    fn near_words_are_suggested_and_far_ones_not() {
        assert_eq!(did_you_mean("nedes", ["needs", "name"]), Some("needs"));
        assert_eq!(did_you_mean("zebra", ["needs", "name"]), None);
    }

    #[test]
    fn the_caret_stands_under_the_fault() {
        let text = "steps:\n  - idd: load\n";
        let place = Place::locate("w.yml", text, Span::new(11, 14));
        let shown = Diagnostic::error(crate::code::USAGE, "unknown key `idd`")
            .at(place)
            .help("did you mean `id`?")
            .to_string();
        assert_eq!(
            shown,
            "error[usage]: unknown key `idd`\n --> w.yml:2:5\n  |\n2 |   - idd: load\n  |     ^^^\n  help: did you mean `id`?"
        );
    }
}
