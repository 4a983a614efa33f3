//! Plain scalars by the core schema of YAML 1.2, without what YAML 1.1 would read another way.

use super::node::Kind;
use super::report::Report;
use crate::code;
use crate::diagnostic::Span;

/// Why a plain scalar that looks like a number is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BadNumber {
    /// More than 64 bits.
    TooLarge,
    /// Octal for YAML 1.1, decimal for 1.2.
    LeadingZero,
    /// Infinite, or not a number.
    NotFinite,
}

impl BadNumber {
    fn message(self, text: &str) -> String {
        match self {
            Self::TooLarge => format!("the number {text} does not fit in 64 bits"),
            Self::LeadingZero => {
                format!("`{text}` is 8-based for some YAML readers and 10-based for others")
            }
            Self::NotFinite => format!("`{text}` is not a finite number"),
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::TooLarge => "write it as text, in quotes",
            Self::LeadingZero => "put quotes around it for text, or leave the leading zero out",
            Self::NotFinite => "only finite numbers exist here; put quotes around it for text",
        }
    }
}

/// What a plain scalar means; a number that can't be taken is reported, and stands for nothing.
pub fn plain(report: &mut Report<'_>, span: Span, text: &str) -> Kind {
    resolve(text).unwrap_or_else(|bad| {
        report.error_with(code::YAML_NUMBER, span, bad.message(text), bad.help());
        Kind::Null
    })
}

fn resolve(text: &str) -> Result<Kind, BadNumber> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Kind::Null),
        "true" | "True" | "TRUE" => return Ok(Kind::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Kind::Bool(false)),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(
        unsigned,
        ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN"
    ) {
        return Err(BadNumber::NotFinite);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(text, digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(text, digits, 8);
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        if unsigned.len() > 1 && unsigned.starts_with('0') {
            return Err(BadNumber::LeadingZero);
        }
        return text.parse().map(Kind::Int).map_err(|_| BadNumber::TooLarge);
    }
    if is_float(unsigned) {
        return match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Kind::Float(value)),
            Ok(_) | Err(_) => Err(BadNumber::TooLarge),
        };
    }
    Ok(plain_text(text))
}

fn radix(text: &str, digits: &str, base: u32) -> Result<Kind, BadNumber> {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return Ok(plain_text(text));
    }
    i64::from_str_radix(digits, base)
        .map(Kind::Int)
        .map_err(|_| BadNumber::TooLarge)
}

fn plain_text(text: &str) -> Kind {
    Kind::Text {
        text: text.to_owned(),
        plain: true,
    }
}

/// `[0-9]+ (\. [0-9]*)? (e [-+]? [0-9]+)?`, or with digits only behind the point. The sign is gone already.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_ok = match mantissa.split_once('.') {
        Some((whole, rest)) => {
            digits(whole) && digits(rest) && !(whole.is_empty() && rest.is_empty())
        }
        None => !mantissa.is_empty() && digits(mantissa),
    };
    let exponent_ok = exponent.is_none_or(|exponent| {
        let power = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !power.is_empty() && digits(power)
    });
    mantissa_ok && exponent_ok
}
