//! Sizes as people write them: `10MiB`, `1.5GB`, `512B`.

use super::quantity::{ParseQuantityError, leading_number};

const SCALE: u128 = 1_000_000_000;

const UNITS: [(&str, u128); 9] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// Reads a size in bytes: a number with B, KB, MB, GB, TB (powers of 1000) or KiB … TiB (powers of 1024).
///
/// # Errors
/// When the text is anything else, or not a whole number of bytes.
pub fn parse_size(text: &str) -> Result<u64, ParseQuantityError> {
    bytes(text).ok_or_else(|| {
        ParseQuantityError::new(text, "a size like 512B, 64KiB, 10MiB, 2GiB or 1.5GB")
    })
}

fn bytes(text: &str) -> Option<u64> {
    let (number, name) = leading_number(text)?;
    let (_, unit) = UNITS.iter().find(|(unit, _)| *unit == name)?;
    let scaled = number.checked_mul(*unit)?;
    (scaled.is_multiple_of(SCALE)).then_some(())?;
    u64::try_from(scaled / SCALE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("512B", 512),
            ("64KiB", 65_536),
            ("10MiB", 10_485_760),
            ("1.5GB", 1_500_000_000),
            ("2TiB", 2_199_023_255_552),
            ("0B", 0),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "10", "10mb", "10 MiB", "-1B", "0.5B", "99999999TiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
