//! From byte offsets to lines and columns, as editors count them.

use ruff_text_size::TextRange;

/// Longest snippet of a finding, in characters.
pub(super) const SNIPPET_CHARS_MAX: usize = 120;

/// The starts of all lines of a text.
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// Finds the lines of `text`; `\n`, `\r\n` and `\r` end one, as in Python.
    pub(super) fn of(text: &'a str) -> Self {
        let mut starts = vec![0];
        let mut bytes = text.bytes().enumerate().peekable();
        while let Some((index, byte)) = bytes.next() {
            let pair = byte == b'\r' && bytes.peek().is_some_and(|(_, next)| *next == b'\n');
            if byte == b'\n' || (byte == b'\r' && !pair) {
                starts.push(index + 1);
            }
        }
        Self { text, starts }
    }

    /// Line and column of a byte, both from 1, the column in characters.
    pub(super) fn position(&self, offset: usize) -> (u32, u32) {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.start_of(line);
        let before = self.text.get(start..offset).unwrap_or_default();
        (count(line), count(before.chars().count() + 1))
    }

    /// First byte of the line that holds `offset`.
    pub(super) fn line_start(&self, offset: usize) -> usize {
        self.start_of(self.starts.partition_point(|start| *start <= offset))
    }

    /// One past the last byte of the line that holds `offset`, its end included.
    pub(super) fn line_end(&self, offset: usize) -> usize {
        let line = self.starts.partition_point(|start| *start <= offset);
        self.starts.get(line).copied().unwrap_or(self.text.len())
    }

    /// The text of `range` up to the end of its first line, at most [`SNIPPET_CHARS_MAX`] characters.
    pub(super) fn snippet(&self, range: TextRange) -> String {
        let text = self
            .text
            .get(range.start().to_usize()..range.end().to_usize())
            .unwrap_or_default();
        let line = text.split(['\n', '\r']).next().unwrap_or_default();
        let mut snippet: String = line.chars().take(SNIPPET_CHARS_MAX).collect();
        if snippet.len() < line.len() {
            snippet.push('…');
        }
        snippet
    }

    fn start_of(&self, line: usize) -> usize {
        line.checked_sub(1)
            .and_then(|index| self.starts.get(index))
            .copied()
            .unwrap_or(0)
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_every_line_end_counts_once() {
        let lines = Lines::of("é = 1\r\nb\rc\nd");
        assert_eq!(lines.position(0), (1, 1));
        assert_eq!(lines.position(3), (1, 3));
        assert_eq!(lines.position(8), (2, 1));
        assert_eq!(lines.position(10), (3, 1));
        assert_eq!(lines.position(12), (4, 1));
        assert_eq!(lines.position(13), (4, 2));
        assert_eq!((lines.line_start(8), lines.line_end(8)), (8, 10));
    }
}
