//! The next slot of a schedule.
//!
//! The time line of a zone is a chain of stretches with one distance from UTC each. Inside a stretch the clock on
//! the wall runs evenly and the next match is plain arithmetic; the rules of this page stand between two stretches.

use jiff::Timestamp as Instant;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset};

use super::{Cron, Zone};
use crate::time::Timestamp;

/// How far ahead a match is looked for, in years. The rarest pattern, a fifth Monday of February, can be 40 years away.
const SEARCH_YEARS: i16 = 50;
/// Most stretches of one search. Zones change their clocks a few times a year.
const STRETCHES_MAX: usize = 1_000;

/// One time at which a schedule comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The instant: the identity of the slot.
    pub at: Timestamp,
    /// What a change of the clock did to it.
    pub change: Option<ClockChange>,
}

/// What a change of the clock did to a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockChange {
    /// The time of the schedule does not exist on that day: the clock jumps over it. The slot is the first instant
    /// after the jump.
    Moved {
        /// The time that does not exist, by the clock on the wall.
        wanted: DateTime,
    },
    /// The time comes twice because the clock goes back; this is the first.
    First,
    /// The time comes twice because the clock goes back; this is the second.
    Second,
}

impl ClockChange {
    /// What it means, for people.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Moved { wanted } => format!("the clock jumps over {}", wanted.strftime("%H:%M")),
            Self::First => "the first of two, the clock goes back".to_owned(),
            Self::Second => "the second of two, the clock goes back".to_owned(),
        }
    }
}

/// The first slot after an instant. `None`: the pattern does not come in the next 50 years (a 30 February).
#[must_use]
pub fn next_after(cron: &Cron, zone: &Zone, after: Timestamp) -> Option<Slot> {
    let mut from = Instant::from_microsecond(after.as_micros().checked_add(1)?).ok()?;
    let last = last_day(zone.rules.to_datetime(from).date());
    for _ in 0..STRETCHES_MAX {
        let stretch = Stretch::at(zone, from);
        if let Some(slot) = stretch.first(cron, zone, from, last) {
            return Some(slot);
        }
        let (change, offset) = stretch.end?;
        if stretch.offset.to_datetime(change).date() > last {
            return None;
        }
        if let Some(wanted) = stretch.jumped_over(cron, change, offset) {
            return Some(Slot {
                at: Timestamp::from_micros(change.as_microsecond()),
                change: Some(ClockChange::Moved { wanted }),
            });
        }
        from = change;
    }
    None
}

fn last_day(from: Date) -> Date {
    Date::new(from.year().saturating_add(SEARCH_YEARS), 1, 1).unwrap_or(Date::MAX)
}

/// The slots after an instant, in their order. Every one is later than the one before it.
#[must_use]
pub fn slots<'a>(cron: &'a Cron, zone: &'a Zone, after: Timestamp) -> Slots<'a> {
    Slots { cron, zone, after }
}

/// See [`slots`].
#[derive(Debug, Clone)]
pub struct Slots<'a> {
    cron: &'a Cron,
    zone: &'a Zone,
    after: Timestamp,
}

impl Iterator for Slots<'_> {
    type Item = Slot;

    fn next(&mut self) -> Option<Slot> {
        let slot =
            next_after(self.cron, self.zone, self.after).filter(|slot| slot.at > self.after)?;
        self.after = slot.at;
        Some(slot)
    }
}

/// A stretch of time with one distance from UTC.
struct Stretch {
    offset: Offset,
    /// The first instant after it, and the distance from there on.
    end: Option<(Instant, Offset)>,
}

impl Stretch {
    fn at(zone: &Zone, instant: Instant) -> Self {
        let offset = zone.rules.to_offset(instant);
        let end = zone
            .rules
            .following(instant)
            .map(|transition| (transition.timestamp(), transition.offset()))
            .find(|(_, next)| *next != offset);
        Self { offset, end }
    }

    /// The first slot of the stretch that is not before `from`.
    fn first(&self, cron: &Cron, zone: &Zone, from: Instant, last: Date) -> Option<Slot> {
        let end = self.end.map(|(end, _)| self.offset.to_datetime(end));
        let mut civil = whole_minute(self.offset.to_datetime(from))?;
        loop {
            let found = first_match(cron, civil, last)
                .filter(|found| end.is_none_or(|end| *found < end))?;
            let change = self.doubled(zone, found);
            if change == Some(ClockChange::Second) && !cron.is_interval() {
                // It came an hour ago.
                civil = next_minute(found)?;
                continue;
            }
            let at = self.offset.to_timestamp(found).ok()?;
            return Some(Slot {
                at: Timestamp::from_micros(at.as_microsecond()),
                change,
            });
        }
    }

    /// Which of the two it is, when that time of the wall comes twice.
    fn doubled(&self, zone: &Zone, civil: DateTime) -> Option<ClockChange> {
        match zone.rules.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Fold { before, .. } if before == self.offset => {
                Some(ClockChange::First)
            }
            AmbiguousOffset::Fold { .. } => Some(ClockChange::Second),
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Gap { .. } => None,
        }
    }

    /// The first time of a fixed-time job that the clock jumps over at the end of this stretch.
    fn jumped_over(&self, cron: &Cron, change: Instant, next: Offset) -> Option<DateTime> {
        if cron.is_interval() {
            return None;
        }
        let from = whole_minute(self.offset.to_datetime(change))?;
        let to = next.to_datetime(change);
        first_match(cron, from, to.date()).filter(|found| *found < to)
    }
}

/// The first time of the wall that the pattern names, not before `from` and not after the day `last`.
fn first_match(cron: &Cron, from: DateTime, last: Date) -> Option<DateTime> {
    let mut date = from.date();
    let mut earliest = (from.hour(), from.minute());
    while date <= last {
        if !cron.has_month(date) {
            date = date.last_of_month().tomorrow().ok()?;
            earliest = (0, 0);
            continue;
        }
        if cron.has_day(date)
            && let Some((hour, minute)) = cron.time_from(earliest)
        {
            return Some(date.at(hour, minute, 0, 0));
        }
        date = date.tomorrow().ok()?;
        earliest = (0, 0);
    }
    None
}

/// The time itself when it is a whole minute, else the next one that is.
fn whole_minute(civil: DateTime) -> Option<DateTime> {
    let minute = civil.date().at(civil.hour(), civil.minute(), 0, 0);
    if minute == civil {
        Some(minute)
    } else {
        next_minute(minute)
    }
}

fn next_minute(civil: DateTime) -> Option<DateTime> {
    civil.checked_add(jiff::SignedDuration::from_mins(1)).ok()
}
