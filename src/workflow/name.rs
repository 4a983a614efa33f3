//! Ids of steps and names of inputs, outputs and arms: words that can stand in any expression.

use super::yaml::Report;
use crate::code;
use crate::diagnostic::Span;

/// Longest id, in characters.
pub const NAME_CHARS_MAX: usize = 64;

/// Words that Python keeps for itself, so that `steps.<word>` could not be read.
pub(super) const PYTHON_KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

/// Checks a name; `what` is for the message: "the id of a step".
pub(super) fn check(report: &mut Report<'_>, what: &str, name: &str, span: Span) -> bool {
    let fault = if PYTHON_KEYWORDS.contains(&name) {
        Some(format!("`{name}` is a word of Python and can't be {what}"))
    } else if !is_name(name) {
        Some(format!("`{name}` can't be {what}"))
    } else {
        None
    };
    let Some(message) = fault else {
        return true;
    };
    let suggestion = suggest(name);
    report.error_with(
        code::BAD_ID,
        span,
        message,
        match suggestion {
            Some(better) => format!("small letters, digits and _ only, a letter first: `{better}`"),
            None => format!(
                "small letters, digits and _ only, a letter first, at most {NAME_CHARS_MAX}"
            ),
        },
    );
    false
}

fn is_name(name: &str) -> bool {
    name.len() <= NAME_CHARS_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// A name near to the refused one that would pass.
fn suggest(name: &str) -> Option<String> {
    let mut better: String = name
        .to_lowercase()
        .chars()
        .map(|c| if matches!(c, '-' | ' ' | '.') { '_' } else { c })
        .collect();
    if PYTHON_KEYWORDS.contains(&better.as_str()) {
        better.push('_');
    }
    is_name(&better).then_some(better)
}
