//! Numbers with a unit, read exactly: `1.5s`, `10MiB`, `10%`.

/// A text that is not a duration, a size or a percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct ParseQuantityError {
    text: String,
    expected: &'static str,
}

impl ParseQuantityError {
    pub(super) fn new(text: &str, expected: &'static str) -> Self {
        Self {
            text: super::error::clipped(text),
            expected,
        }
    }
}

/// Most digits after the point.
const FRACTION_DIGITS_MAX: usize = 9;

/// Most digits before the point.
const WHOLE_DIGITS_MAX: usize = 18;

/// Splits `1.5s…` into the number times `10^9` and the rest. No sign, no exponent.
pub(super) fn leading_number(text: &str) -> Option<(u128, &str)> {
    let (whole, rest) = leading_digits(text);
    if whole.is_empty() || whole.len() > WHOLE_DIGITS_MAX {
        return None;
    }
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(after) => {
            let (fraction, rest) = leading_digits(after);
            if fraction.is_empty() || fraction.len() > FRACTION_DIGITS_MAX {
                return None;
            }
            (fraction, rest)
        }
        None => ("", rest),
    };
    let digits: u128 = format!("{whole}{fraction:0<FRACTION_DIGITS_MAX$}")
        .parse()
        .ok()?;
    Some((digits, rest))
}

fn leading_digits(text: &str) -> (&str, &str) {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}
