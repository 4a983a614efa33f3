//! When runs start by themselves: next-slot arithmetic for cron schedules. Pure: the time comes in as an argument.
//!
//! docs/schedules.md says for people what happens at a change of the clock; the tests hold it to that.

mod cron;
mod describe;
mod due;
mod field;
mod next;
mod zone;

pub use cron::{Cron, CronError};
pub use due::{Decision, SLOTS_MAX, SkipReason, Skipped, Timetable, TimetableError, due};
pub use next::{ClockChange, Slot, Slots, next_after, slots};
pub use zone::{Zone, ZoneError};
