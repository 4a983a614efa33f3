//! From a place in the value of a scalar back to the bytes of the file.

use super::node::Node;
use crate::diagnostic::Span;

/// Where `span`, counted in the value of the scalar `node`, stands in the file `text`. Quotes, escapes, folds
/// and indentation lie between the two; where they can't be followed, the whole scalar is the answer.
#[must_use]
pub fn place_inside(text: &str, node: &Node, span: Span) -> Span {
    let (Some(raw), Some(value)) = (text.get(node.span.start..node.span.end), node.text()) else {
        return node.span;
    };
    let body = body_start(raw);
    let Some(raw) = raw.get(body..) else {
        return node.span;
    };
    let base = node.span.start + body;
    let mut source = raw.char_indices().peekable();
    let (mut start, mut end) = (None, None);
    for (offset, wanted) in value.char_indices() {
        let Some(at) = advance(&mut source, wanted) else {
            return node.span;
        };
        if offset == span.start {
            start = Some(base + at);
        }
        if offset < span.end {
            end = Some(base + at + wanted.len_utf8());
        }
    }
    match (start, end) {
        (Some(start), Some(end)) if start < end => Span::new(start, end),
        (Some(start), _) => Span::new(start, start + 1),
        (None, _) => node.span,
    }
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
