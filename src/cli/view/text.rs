//! Small pieces of text: made safe for a terminal, cut, quoted; times and lengths of time.

use std::time::Duration;

use console::Style;
use serde_json::Value;

use crate::time::Timestamp;

/// Longest text that is put on one line, in characters.
const LINE_CHARS_MAX: usize = 240;
/// Longest value that is shown on one line, in characters.
const VALUE_CHARS_MAX: usize = 160;

/// Shows what a terminal would obey instead of letting it obey: control characters but for newline and tab, and the
/// characters that reorder or hide text, which could make code read otherwise than it runs.
pub(in crate::cli) fn safe(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hostile(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

fn is_hostile(c: char) -> bool {
    let control = c.is_control() && c != '\n' && c != '\t';
    let hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}');
    control || hidden
}

/// The text on one line: safe, newlines as blanks, cut.
pub(in crate::cli) fn line(text: &str) -> String {
    let one: String = text
        .chars()
        .map(|c| {
            if matches!(c, '\n' | '\t' | '\r') {
                ' '
            } else {
                c
            }
        })
        .collect();
    cut(&safe(one.trim()), LINE_CHARS_MAX)
}

/// At most `chars_max` characters, with a sign when something is missing.
pub(in crate::cli) fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let head: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    format!("{head}…")
}

/// Every line of the text, indented.
pub(in crate::cli) fn indented(text: &str, by: usize) -> String {
    let blank = " ".repeat(by);
    safe(text)
        .lines()
        .map(|line| format!("{blank}{line}\n"))
        .collect()
}

/// A value on one line: text as it is, everything else as JSON.
pub(in crate::cli) fn value(value: &Value) -> String {
    match value.as_str() {
        Some(text) => cut(&line(text), VALUE_CHARS_MAX),
        None => cut(&line(&value.to_string()), VALUE_CHARS_MAX),
    }
}

/// A length of time for people.
pub(in crate::cli) fn elapsed(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3_600..172_800 => format!("{} h {:02} min", seconds / 3_600, seconds % 3_600 / 60),
        172_800.. => format!("{} days", seconds / 86_400),
    }
}

/// An instant for people, in UTC, to the second.
pub(in crate::cli) fn time(at: Timestamp) -> String {
    let text = at.to_string().replacen('T', " ", 1);
    format!("{}Z", text.chars().take(19).collect::<String>())
}

/// A size for people.
pub(in crate::cli) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let Some((unit, factor)) = UNITS.into_iter().find(|(_, factor)| bytes >= *factor) else {
        return format!("{bytes} B");
    };
    let tenths = u128::from(bytes) * 10 / u128::from(factor);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// A word that a shell reads as it is.
pub(in crate::cli) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A sign in its colour, for standard output.
pub(in crate::cli) fn painted_mark(mark: &str) -> String {
    style(mark).apply_to(mark).to_string()
}

/// A sign in its colour, for standard error.
pub(in crate::cli) fn painted_mark_err(mark: &str) -> String {
    style(mark).for_stderr().apply_to(mark).to_string()
}

fn style(mark: &str) -> Style {
    match mark {
        "✓" => Style::new().green(),
        "✗" => Style::new().red(),
        "?" | "!" => Style::new().yellow(),
        "→" | "•" => Style::new().cyan(),
        _ => Style::new().dim(),
    }
}

/// Something that matters.
pub(in crate::cli) fn bold(text: &str) -> String {
    Style::new().bold().apply_to(text).to_string()
}

/// Something that matters less.
pub(in crate::cli) fn dim(text: &str) -> String {
    Style::new().dim().apply_to(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_a_terminal_as_an_order() {
        assert_eq!(safe("a\u{1b}[2Jb\tc\nd"), "a\\u{1b}[2Jb\tc\nd");
        assert_eq!(safe("x = 1 \u{202e}# 2"), "x = 1 \\u{202e}# 2");
        assert_eq!(safe("Grüße, 光"), "Grüße, 光");
        assert_eq!(line(" a\nb\u{7} "), "a b\\u{7}");
    }

    #[test]
    fn lengths_of_time_and_sizes_read_well() {
        let cases = [
            (0.04, "0.0 s"),
            (3.25, "3.2 s"),
            (75.0, "1 min 15 s"),
            (7_380.0, "2 h 03 min"),
        ];
        for (seconds, shown) in cases {
            assert_eq!(elapsed(Duration::from_secs_f64(seconds)), shown);
        }
        assert_eq!(elapsed(Duration::from_secs(5 * 86_400)), "5 days");
        for (bytes, shown) in [(12, "12 B"), (1_536, "1.5 KiB"), (3 << 30, "3.0 GiB")] {
            assert_eq!(size(bytes), shown);
        }
    }

    #[test]
    fn quoted_words_survive_a_shell() {
        assert_eq!(quoted("data/runs"), "data/runs");
        assert_eq!(quoted("my data"), "'my data'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn an_instant_is_shown_to_the_second() {
        let at = "2026-11-22T14:51:50.123456Z".parse().unwrap();
        assert_eq!(time(at), "2026-11-22 14:51:50Z");
    }
}
