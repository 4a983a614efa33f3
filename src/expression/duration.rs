//! Durations as people write them: `90s`, `5m`, `2h`, `1d`, `500ms`, `1.5s`, `1h30m`.

use std::time::Duration;

use jiff::SignedDuration;

use super::quantity::{ParseQuantityError, leading_number};

/// Longest duration: a hundred years, in nanoseconds.
const DURATION_MAX_NS: u128 = 36_525 * 86_400 * SECOND;

const SECOND: u128 = 1_000_000_000;

/// The units from large to small, each in nanoseconds. `ms` stands before `m` and `s` to be tried first.
const UNITS: [(&str, u128); 5] = [
    ("ms", 1_000_000),
    ("d", 86_400 * SECOND),
    ("h", 3_600 * SECOND),
    ("m", 60 * SECOND),
    ("s", SECOND),
];

const EXPECTED: &str = "a duration like 500ms, 90s, 5m, 2h, 1d or 1h30m";

/// Reads a duration: numbers with the units d, h, m, s, ms, from large to small.
///
/// # Errors
/// When the text is anything else, or longer than a hundred years.
pub fn parse_duration(text: &str) -> Result<Duration, ParseQuantityError> {
    let nanos = nanoseconds(text).ok_or_else(|| ParseQuantityError::new(text, EXPECTED))?;
    let seconds = u64::try_from(nanos / SECOND).unwrap_or(u64::MAX);
    let rest = u32::try_from(nanos % SECOND).unwrap_or(0);
    Ok(Duration::new(seconds, rest))
}

fn nanoseconds(text: &str) -> Option<u128> {
    let mut rest = text;
    let mut total = 0_u128;
    let mut last = u128::MAX;
    while !rest.is_empty() {
        let (number, after) = leading_number(rest)?;
        let (name, unit) = UNITS
            .iter()
            .find(|(name, _)| after.starts_with(name))
            .copied()?;
        if unit >= last {
            return None;
        }
        last = unit;
        let scaled = number.checked_mul(unit)?;
        if !scaled.is_multiple_of(SECOND) {
            return None;
        }
        total = total.checked_add(scaled / SECOND)?;
        rest = after.strip_prefix(name)?;
    }
    (last != u128::MAX && total <= DURATION_MAX_NS).then_some(total)
}

/// Writes a duration so that [`parse_duration`] reads it back: `1h30m`, `1.5s`, `500ms`, `0s`.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    if nanos < SECOND {
        return format!("{}ms", decimal(nanos, 1_000_000));
    }
    let mut text = String::new();
    let mut rest = nanos;
    for (name, unit) in UNITS.iter().skip(1).take(3) {
        if rest >= *unit {
            text.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    if rest > 0 {
        text.push_str(&format!("{}s", decimal(rest, SECOND)));
    }
    text
}

/// `nanos / unit` as a decimal number without trailing zeros.
fn decimal(nanos: u128, unit: u128) -> String {
    let digits = unit.ilog10() as usize;
    let fraction = format!("{:0digits$}", nanos % unit);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() {
        (nanos / unit).to_string()
    } else {
        format!("{}.{fraction}", nanos / unit)
    }
}

/// The same for a difference, which may be negative.
pub(super) fn format_signed(duration: SignedDuration) -> String {
    let sign = if duration.is_negative() { "-" } else { "" };
    format!("{sign}{}", format_duration(duration.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        let cases = [
            ("90s", 90_000, "1m30s"),
            ("5m", 300_000, "5m"),
            ("2h", 7_200_000, "2h"),
            ("1d", 86_400_000, "1d"),
            ("500ms", 500, "500ms"),
            ("1.5s", 1_500, "1.5s"),
            ("1h30m", 5_400_000, "1h30m"),
            ("1d12h", 129_600_000, "1d12h"),
            ("0s", 0, "0s"),
            ("1s500ms", 1_500, "1.5s"),
            ("36h", 129_600_000, "1d12h"),
        ];
        for (text, millis, written) in cases {
            let read = parse_duration(text).unwrap();
            assert_eq!(read, Duration::from_millis(millis), "{text}");
            assert_eq!(format_duration(read), written, "{text}");
            assert_eq!(parse_duration(written).unwrap(), read, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "5",
            "s",
            "5 s",
            "-5s",
            "5x",
            "1m1h",
            "1m1m",
            "1e3s",
            ".5s",
            "5.s",
            "40000d",
            "1.5000000001s",
            "99999999999999999999s",
            "0.0000001ms",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
