//! Which slots are started now, which are left out, and why.

use std::time::Duration;

use super::{Cron, CronError, Slot, Zone, ZoneError, next_after, slots};
use crate::id::Digest;
use crate::plan::{Catchup, Schedule};
use crate::time::Timestamp;

/// How late the start of a slot may be without being a missed one, where missed ones are left out.
const ON_TIME: Duration = Duration::from_secs(60);
/// Most slots that one call looks at.
pub const SLOTS_MAX: usize = 1_000;

/// A schedule that was read: what [`due`] needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timetable {
    /// Its pattern.
    pub cron: Cron,
    /// Its zone.
    pub zone: Zone,
    catchup: Catchup,
    window: Option<Duration>,
    jitter: Duration,
    key: String,
}

/// A schedule of a plan that can't be read; its compiler would have refused it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimetableError {
    /// Its pattern.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// Its zone.
    #[error(transparent)]
    Zone(#[from] ZoneError),
}

/// What happens to slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// A run starts for it.
    Start(Slot),
    /// They are left out.
    Skip(Skipped, SkipReason),
}

/// Slots without another one between them, all left out for the same reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    /// The oldest.
    pub first: Slot,
    /// The newest; the same when there is one.
    pub last: Slot,
    /// How many.
    pub count: usize,
}

/// Why slots are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// Nobody was there at the time, and the schedule says `catchup: none`.
    Missed,
    /// A newer one is due as well, and the schedule says `catchup: latest`.
    Superseded,
    /// They are older than `catchup_window`.
    TooOld,
}

impl Timetable {
    /// Reads a schedule of the workflow with that name.
    ///
    /// # Errors
    /// Its pattern or its zone can't be read.
    pub fn new(workflow: &str, schedule: &Schedule) -> Result<Self, TimetableError> {
        Ok(Self {
            cron: Cron::parse(&schedule.cron)?,
            zone: Zone::parse(&schedule.timezone)?,
            catchup: schedule.catchup,
            window: schedule.catchup_window,
            jitter: schedule.jitter.unwrap_or_default(),
            key: format!("{workflow}\n{}", schedule.id),
        })
    }

    /// When the run of a slot starts: the slot and its share of the jitter. The share is between nothing and the
    /// whole, and always the same for one slot of one schedule.
    #[must_use]
    pub fn start_of(&self, slot: Slot) -> Timestamp {
        let whole = u64::try_from(self.jitter.as_millis()).unwrap_or(u64::MAX);
        let digest = Digest::of(format!("{}\n{}", self.key, slot.at.as_micros()).as_bytes());
        let drawn = digest
            .hex()
            .get(..16)
            .and_then(|hex| u64::from_str_radix(hex, 16).ok())
            .unwrap_or(0);
        let share = whole
            .checked_add(1)
            .map_or(drawn, |count| drawn.checked_rem(count).unwrap_or(0));
        slot.at.plus(Duration::from_millis(share))
    }

    /// When something is to be decided next, after everything up to the slot at `since` has been.
    #[must_use]
    pub fn next_start(&self, since: Timestamp) -> Option<Timestamp> {
        next_after(&self.cron, &self.zone, since).map(|slot| self.start_of(slot))
    }

    fn fate(&self, slot: Slot, newest: bool, now: Timestamp) -> Option<SkipReason> {
        if self
            .window
            .is_some_and(|window| now.since(slot.at) > window)
        {
            return Some(SkipReason::TooOld);
        }
        match self.catchup {
            Catchup::None => {
                (now.since(self.start_of(slot)) > ON_TIME).then_some(SkipReason::Missed)
            }
            Catchup::Latest => (!newest).then_some(SkipReason::Superseded),
            Catchup::All => None,
        }
    }
}

/// Decides the slots after `since` that are due at `now`, oldest first. `since` is the newest slot that was decided,
/// or the instant at which the schedule began to count.
///
/// It looks at no more than [`SLOTS_MAX`] slots; who gets decisions asks again with the newest slot among them. A slot
/// waits for the ones before it, even when its own share of the jitter is shorter.
#[must_use]
pub fn due(timetable: &Timetable, since: Timestamp, now: Timestamp) -> Vec<Decision> {
    let mut decisions = Vec::new();
    let mut ready = slots(&timetable.cron, &timetable.zone, since)
        .take_while(|slot| timetable.start_of(*slot) <= now)
        .peekable();
    let mut seen = 0;
    while seen < SLOTS_MAX
        && let Some(slot) = ready.next()
    {
        seen += 1;
        match timetable.fate(slot, ready.peek().is_none(), now) {
            None => decisions.push(Decision::Start(slot)),
            Some(reason) => skip(&mut decisions, slot, reason),
        }
    }
    decisions
}

fn skip(decisions: &mut Vec<Decision>, slot: Slot, reason: SkipReason) {
    if let Some(Decision::Skip(skipped, same)) = decisions.last_mut()
        && *same == reason
    {
        skipped.last = slot;
        skipped.count += 1;
        return;
    }
    let skipped = Skipped {
        first: slot,
        last: slot,
        count: 1,
    };
    decisions.push(Decision::Skip(skipped, reason));
}
