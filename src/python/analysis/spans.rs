//! Where the top-level statements stand, so that a notebook can show each in its own cell.

use ruff_text_size::Ranged;

use super::parse;
use super::position::Lines;
use crate::diagnostic::Span;

/// The ranges of the top-level statements, whole lines each, with the comments that stand before them.
///
/// Statements that share a line share a span. Comments after the last statement belong to it. Together the
/// spans hold everything but blank lines. Code that can't be parsed is one span.
#[must_use]
pub fn top_level_spans(code: &str) -> Vec<Span> {
    let lines = Lines::of(code);
    let mut ends = Vec::new();
    if let Ok(parsed) = parse::parse(code) {
        for statement in &parsed.syntax().body {
            let start = lines.line_start(statement.start().to_usize());
            let end = lines.line_end(statement.end().to_usize().saturating_sub(1));
            match ends.last_mut() {
                Some(last) if start < *last => *last = end,
                Some(_) | None => ends.push(end),
            }
        }
    }
    match ends.last_mut() {
        Some(last) => *last = code.len(),
        None => ends.push(code.len()),
    }
    let mut spans = Vec::new();
    let mut start = 0;
    for end in ends {
        spans.extend(trimmed(code, Span::new(start, end)));
        start = end;
    }
    spans
}

/// The span without the blank lines before it and without the white space after it; none when nothing is left.
fn trimmed(code: &str, span: Span) -> Option<Span> {
    let text = code.get(span.start..span.end)?;
    let end = text.trim_end().len();
    let first = text.len() - text.trim_start().len();
    let start = text
        .get(..first)?
        .rfind(['\n', '\r'])
        .map_or(0, |index| index + 1);
    (first < end).then(|| Span::new(span.start + start, span.start + end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cells(code: &str) -> Vec<&str> {
        top_level_spans(code)
            .into_iter()
            .map(|span| &code[span.start..span.end])
            .collect()
    }

    #[test]
    fn statements_carry_their_comments() {
        let code = "# data\nimport numpy as np  # fast\n\n# first\n@cache\ndef f(x):\n    return x\n\na = 1; b = 2\n# the end\n";
        assert_eq!(
            cells(code),
            [
                "# data\nimport numpy as np  # fast",
                "# first\n@cache\ndef f(x):\n    return x",
                "a = 1; b = 2\n# the end",
            ]
        );
    }

    #[test]
    fn windows_line_ends_and_continued_lines_stay_whole() {
        assert_eq!(
            cells("a = (1 +\r\n  2)\r\nb = 'é'\r\n"),
            ["a = (1 +\r\n  2)", "b = 'é'"]
        );
        assert_eq!(
            cells("a = 1 + \\\n  2\nif a:\n    b\nelse:\n    c"),
            ["a = 1 + \\\n  2", "if a:\n    b\nelse:\n    c"]
        );
    }

    #[test]
    fn what_cannot_be_parsed_is_one_cell_and_nothing_is_none() {
        assert_eq!(cells("a = (1\nb = 2\n"), ["a = (1\nb = 2"]);
        assert_eq!(cells("# only a comment\n"), ["# only a comment"]);
        assert!(cells(" \n\t\n").is_empty());
    }

    proptest! {
        #[test]
        fn every_visible_character_is_in_exactly_one_cell(
            parts in prop::collection::vec(
                prop::sample::select(vec!["a = 1\n", "# c\n", "\n", "if x:\n    y\n", "f('é'); g()\r\n", "'''\nt\n'''\n", "(", "  "]),
                0..12,
            )
        ) {
            let code = parts.concat();
            let spans = top_level_spans(&code);
            for pair in spans.windows(2) {
                prop_assert!(pair[0].end <= pair[1].start);
            }
            let kept: String = spans.iter().map(|span| &code[span.start..span.end]).collect();
            let visible = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(visible(&kept), visible(&code));
        }
    }
}
