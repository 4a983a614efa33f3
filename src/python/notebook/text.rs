//! Text from outside, made harmless for the place where it is put.

/// Longest text put in one place of prose or of a table, in bytes.
const INLINE_BYTES_MAX: usize = 2_000;

/// The longest head of `text` within `bytes_max` bytes.
pub(super) fn head(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// The longest tail of `text` within `bytes_max` bytes.
pub(super) fn tail(text: &str, bytes_max: usize) -> &str {
    let mut start = text.len().saturating_sub(bytes_max);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text.get(start..).unwrap_or_default()
}

/// `text`, or its head and `…` when it is longer than `bytes_max`.
pub(super) fn clipped(text: &str, bytes_max: usize) -> String {
    let kept = head(text, bytes_max);
    if kept.len() == text.len() {
        kept.to_owned()
    } else {
        format!("{kept}…")
    }
}

/// For Markdown prose and table cells: one line that reads as it is written and has no markup of its own.
///
/// What could end a cell, open a tag, a link, a code span or a formula becomes a character reference, which
/// Markdown never takes for structure.
pub(super) fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in clipped(text, INLINE_BYTES_MAX).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '$' => out.push_str("&#36;"),
            '[' => out.push_str("&#91;"),
            '\\' => out.push_str("&#92;"),
            ']' => out.push_str("&#93;"),
            '`' => out.push_str("&#96;"),
            '|' => out.push_str("&#124;"),
            '*' | '_' | '#' | '~' => out.extend(['\\', c]),
            c => out.push(visible(c)),
        }
    }
    out.trim().to_owned()
}

/// Like [`markdown`], set as code.
pub(super) fn markdown_code(text: &str) -> String {
    let inner = markdown(text);
    if inner.is_empty() {
        inner
    } else {
        format!("<code>{inner}</code>")
    }
}

/// For the text of an HTML element or a quoted attribute.
pub(super) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c => out.push(visible(c)),
        }
    }
    out
}

/// Whether a link may lead out of the folder: only where we have made it ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Climbs {
    /// It stays inside.
    No,
    /// It may have `..`.
    Yes,
}

/// A relative link target: everything but plain names and slashes is percent-encoded, so it has no scheme.
pub(super) fn link(path: &str, climbs: Climbs) -> Option<String> {
    let climbing = path.split(['/', '\\']).any(|part| part == "..");
    let outside = path.starts_with('/') || (climbing && climbs == Climbs::No);
    if path.is_empty() || outside {
        return None;
    }
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    Some(out)
}

/// A size for people.
pub(super) fn size(bytes: u64) -> String {
    const KIB: u64 = 1024;
    match bytes {
        0..KIB => format!("{bytes} B"),
        bytes if bytes < KIB * KIB => format!("{} KiB", bytes.div_ceil(KIB)),
        bytes => {
            let tenths = bytes.saturating_mul(10) / (KIB * KIB);
            format!("{}.{} MiB", tenths / 10, tenths % 10)
        }
    }
}

/// Characters that turn the direction of the text around them: they make code read as what it is not.
pub(super) fn turns_direction(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// For a line of plain text: what moves the cursor or turns the direction does not; tabs stay.
pub(super) fn plain(text: &str) -> String {
    let shown = |c: char| if c == '\t' { c } else { visible(c) };
    text.chars().map(shown).collect()
}

fn visible(c: char) -> char {
    if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
        ' '
    } else if turns_direction(c) {
        char::REPLACEMENT_CHARACTER
    } else {
        c
    }
}
