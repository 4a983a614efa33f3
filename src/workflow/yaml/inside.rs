//! From a place in the value of a scalar back to the bytes of the file.

use super::node::Node;
use crate::diagnostic::Span;

/// Where `span`, counted in the value of the scalar `node`, stands in the file `text`. Quotes, escapes, folds
/// and indentation lie between the two; where they can't be followed, the whole scalar is the answer.
#[must_use]
pub fn place_inside(text: &str, node: &Node, span: Span) -> Span {
    Inside::new(text, node).place(span)
}

/// The way from the value of one scalar back to the file, found once for many places.
#[derive(Debug)]
pub struct Inside {
    whole: Span,
    /// For every character of the value: where it begins there, where it stands in the file, and its length.
    characters: Vec<(usize, usize, usize)>,
}

impl Inside {
    /// Follows the value of `node` through the file `text`.
    #[must_use]
    pub fn new(text: &str, node: &Node) -> Self {
        Self {
            whole: node.span,
            characters: follow(text, node).unwrap_or_default(),
        }
    }

    /// Where a part of the value stands in the file.
    #[must_use]
    pub fn place(&self, span: Span) -> Span {
        let first = self
            .characters
            .partition_point(|(value, _, _)| *value < span.start);
        let behind = self
            .characters
            .partition_point(|(value, _, _)| *value < span.end.max(span.start + 1));
        let start = self.characters.get(first).map(|(_, source, _)| *source);
        let end = behind
            .checked_sub(1)
            .and_then(|last| self.characters.get(last))
            .map(|(_, source, length)| source + length);
        match (start, end) {
            (Some(start), Some(end)) if start < end => Span::new(start, end),
            (Some(start), _) => Span::new(start, start + 1),
            // Behind the last character, for example where something is missing.
            (None, Some(end)) => Span::new(end.saturating_sub(1), end),
            (None, None) => self.whole,
        }
    }
}

fn follow(text: &str, node: &Node) -> Option<Vec<(usize, usize, usize)>> {
    let raw = text.get(node.span.start..node.span.end)?;
    let body = body_start(raw);
    let mut source = raw.get(body..)?.char_indices().peekable();
    let base = node.span.start + body;
    node.text()?
        .char_indices()
        .map(|(offset, wanted)| {
            let at = advance(&mut source, wanted)?;
            Some((offset, base + at, wanted.len_utf8()))
        })
        .collect()
}

/// Where the content begins: behind the quote, or behind the header line of a block scalar.
fn body_start(raw: &str) -> usize {
    match raw.chars().next() {
        Some('"' | '\'') => 1,
        Some('|' | '>') => raw.find('\n').map_or(raw.len(), |index| index + 1),
        Some(_) | None => 0,
    }
}

type Source<'s> = std::iter::Peekable<std::str::CharIndices<'s>>;

/// Moves to the next source character that stands for `wanted`, over folds, indentation and escape marks.
fn advance(source: &mut Source<'_>, wanted: char) -> Option<usize> {
    loop {
        let (at, found) = *source.peek()?;
        if wanted.is_whitespace() && !found.is_whitespace() && found != '\\' {
            // A blank of the value that was passed as indentation.
            return Some(at);
        }
        source.next();
        if found == '\\' && wanted != '\\' {
            match escaped(source, wanted) {
                Some(true) => return Some(at),
                Some(false) => continue,
                None => return None,
            }
        }
        if found == wanted || (wanted.is_whitespace() && found.is_whitespace()) {
            if matches!(found, '\n' | '\r') {
                while source.next_if(|(_, c)| *c == ' ').is_some() {}
            }
            return Some(at);
        }
        if !(found.is_whitespace() || found == '\\' || found == '\'') {
            return None;
        }
    }
}

/// Reads what follows a backslash: the wanted character, the end of a line, or something not followed here.
fn escaped(source: &mut Source<'_>, wanted: char) -> Option<bool> {
    let (_, mark) = source.next()?;
    let stands_for = match mark {
        'n' => '\n',
        't' => '\t',
        other => other,
    };
    if stands_for == wanted {
        Some(true)
    } else if matches!(mark, '\n' | '\r') {
        Some(false)
    } else {
        None
    }
}
