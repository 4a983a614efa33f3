//! Percentages as people write them: `10%`, `0.5%`.

use std::fmt;

use super::quantity::{ParseQuantityError, leading_number};

/// A share between 0 % and 100 %, exact to a hundredth of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent {
    hundredths: u32,
}

/// A hundred percent.
const WHOLE: u32 = 10_000;

impl Percent {
    /// That share of `count`, rounded down: 10 % of 25 is 2.
    #[must_use]
    pub fn of(self, count: usize) -> usize {
        let share = count as u128 * u128::from(self.hundredths) / u128::from(WHOLE);
        usize::try_from(share).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.hundredths / 100, self.hundredths % 100);
        if rest == 0 {
            write!(f, "{whole}%")
        } else {
            let fraction = format!("{rest:02}");
            write!(f, "{whole}.{}%", fraction.trim_end_matches('0'))
        }
    }
}

/// Reads a percentage between `0%` and `100%` with at most two digits after the point.
///
/// # Errors
/// When the text is anything else.
pub fn parse_percent(text: &str) -> Result<Percent, ParseQuantityError> {
    percent(text)
        .ok_or_else(|| ParseQuantityError::new(text, "a percentage from 0% to 100%, like 10%"))
}

fn percent(text: &str) -> Option<Percent> {
    const PER_HUNDREDTH: u128 = 10_000_000;
    let (number, rest) = leading_number(text)?;
    let exact = rest == "%" && number.is_multiple_of(PER_HUNDREDTH);
    let hundredths = u32::try_from(number / PER_HUNDREDTH).ok()?;
    (exact && hundredths <= WHOLE).then_some(Percent { hundredths })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_read_and_taken_of_a_count() {
        for (text, count, share) in [
            ("10%", 25, 2),
            ("29%", 100, 29),
            ("0%", 9, 0),
            ("100%", 7, 7),
        ] {
            let percent = parse_percent(text).unwrap();
            assert_eq!(percent.of(count), share, "{text} of {count}");
            assert_eq!(percent.to_string(), text);
        }
        assert_eq!(parse_percent("0.50%").unwrap().to_string(), "0.5%");
        for text in ["", "10", "101%", "-1%", "10 %", "0.001%"] {
            assert!(parse_percent(text).is_err(), "{text}");
        }
    }
}
