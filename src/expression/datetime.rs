//! Dates and instants as ISO text.

use std::fmt;

use jiff::civil::Date;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use super::error::Fault;

/// An instant, together with the offset from UTC it was written with. Equal when the instants are.
#[derive(Debug, Clone, Copy)]
pub struct DateTime {
    instant: Timestamp,
    offset: Offset,
}

impl DateTime {
    /// An instant in UTC.
    #[must_use]
    pub const fn utc(instant: Timestamp) -> Self {
        Self {
            instant,
            offset: Offset::UTC,
        }
    }

    /// Reads `2026-03-01T02:30:00Z` or the same with an offset. A text without offset names no instant.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let pieces = Pieces::parse(text).ok()?;
        if pieces.time_zone_annotation().is_some() {
            return None;
        }
        let offset = pieces.to_numeric_offset()?;
        let local = pieces.date().to_datetime(pieces.time()?);
        let instant = offset.to_timestamp(local).ok()?;
        is_printable(pieces.date()).then_some(Self { instant, offset })
    }

    /// The instant.
    #[must_use]
    pub const fn instant(self) -> Timestamp {
        self.instant
    }

    /// The calendar date at the offset it was written with.
    #[must_use]
    pub fn date(self) -> Date {
        self.offset.to_datetime(self.instant).date()
    }

    /// Clock and calendar at the offset it was written with.
    pub(super) fn civil(self) -> jiff::civil::DateTime {
        self.offset.to_datetime(self.instant)
    }

    pub(super) fn plus(self, duration: SignedDuration) -> Option<Self> {
        let instant = self.instant.checked_add(duration).ok()?;
        let sum = Self { instant, ..self };
        is_printable(sum.date()).then_some(sum)
    }

    pub(super) fn minus(self, earlier: Self) -> SignedDuration {
        self.instant.duration_since(earlier.instant)
    }
}

impl PartialEq for DateTime {
    fn eq(&self, other: &Self) -> bool {
        self.instant == other.instant
    }
}

impl Eq for DateTime {}

impl PartialOrd for DateTime {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DateTime {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.instant.cmp(&other.instant)
    }
}

impl From<crate::time::Timestamp> for DateTime {
    fn from(instant: crate::time::Timestamp) -> Self {
        Self::utc(Timestamp::from_microsecond(instant.as_micros()).unwrap_or_default())
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.offset == Offset::UTC {
            write!(f, "{}", self.instant)
        } else {
            write!(f, "{}", self.instant.display_with_offset(self.offset))
        }
    }
}

/// Years 1 to 9999, as in Python and in RFC 3339.
fn is_printable(date: Date) -> bool {
    date.year() >= 1
}

/// Reads `2026-03-01`, and nothing else that a calendar could mean.
pub(super) fn parse_date(text: &str) -> Option<Date> {
    let shaped = text.len() == "2026-03-01".len()
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let date: Date = shaped.then(|| text.parse().ok())??;
    is_printable(date).then_some(date)
}

/// The date so many whole days later.
pub(super) fn add_to_date(date: Date, duration: SignedDuration) -> Result<Date, Fault> {
    const DAY: i64 = 86_400;
    if duration.as_secs() % DAY != 0 || duration.subsec_nanos() != 0 {
        return Err(
            Fault::value("a date can only move by whole days").help(format!(
                "write `datetime(...)` first, or a duration of whole days; this one is {}",
                super::duration::format_signed(duration)
            )),
        );
    }
    date.checked_add(duration)
        .ok()
        .filter(|moved| is_printable(*moved))
        .ok_or_else(|| Fault::value("the date leaves the years 1 to 9999"))
}

/// How long from `earlier` to `later`: whole days.
pub(super) fn between_dates(later: Date, earlier: Date) -> SignedDuration {
    later.duration_since(earlier)
}
