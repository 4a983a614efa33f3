//! A cron line: five fields, read once, asked often.

use std::fmt;

use croner::Weekday;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::Date;

use super::describe;
use super::field::{Field, FieldKind};

/// Longest cron line, in bytes.
const LINE_BYTES_MAX: usize = 256;
/// Hours of a day.
const HOURS: usize = 24;

/// Five fields of crontab: minute, hour, day of the month, month, day of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    fields: [Field; 5],
    pattern: croner::Cron,
    minutes: Vec<i8>,
    hours: Vec<i8>,
}

/// Why a text is no cron line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CronError {
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to write.
    pub help: String,
}

impl Cron {
    /// Reads a cron line.
    ///
    /// # Errors
    /// It does not have five fields, or one of them says what it can't.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        if text.len() > LINE_BYTES_MAX {
            return Err(fault(
                "the cron line is too long",
                &format!("at most {LINE_BYTES_MAX} bytes"),
            ));
        }
        if let Some(help) = nickname(text.trim()) {
            return Err(fault(
                &format!("`{}` is not a cron line", text.trim()),
                &help,
            ));
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let &[minute, hour, day, month, weekday] = words.as_slice() else {
            return Err(fault(
                &format!("a cron line has five fields, this one has {}", words.len()),
                "write minute, hour, day of the month, month and day of the week, for example `30 2 * * MON-FRI`",
            ));
        };
        let [a, b, c, d, e] = FieldKind::ALL;
        let fields = [
            Field::parse(a, minute)?,
            Field::parse(b, hour)?,
            Field::parse(c, day)?,
            Field::parse(d, month)?,
            Field::parse(e, weekday)?,
        ];
        let numeric: Vec<String> = fields.iter().map(Field::numeric).collect();
        let pattern = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build()
            .parse(&numeric.join(" "))
            .map_err(|error| {
                fault(
                    &format!("`{text}` is not a cron line: {error}"),
                    "write for example `30 2 * * MON-FRI`",
                )
            })?;
        Ok(Self {
            text: words.join(" "),
            fields,
            minutes: values(&pattern.pattern.minutes),
            hours: values(&pattern.pattern.hours),
            pattern,
        })
    }

    /// The line in words: `at 02:30 from Monday to Friday`.
    #[must_use]
    pub fn describe(&self) -> String {
        describe::describe(self)
    }

    /// Whether the line names every hour of the day. Such a job goes by the time that really passes when the
    /// clock changes; any other goes by the clock on the wall.
    #[must_use]
    pub fn is_interval(&self) -> bool {
        self.hours.len() == HOURS
    }

    pub(super) const fn fields(&self) -> &[Field; 5] {
        &self.fields
    }

    pub(super) fn minutes(&self) -> &[i8] {
        &self.minutes
    }

    pub(super) fn hours(&self) -> &[i8] {
        &self.hours
    }

    pub(super) fn has_month(&self, date: Date) -> bool {
        let month = u32::try_from(date.month()).unwrap_or(0);
        self.pattern.pattern.month_match(month).unwrap_or(false)
    }

    pub(super) fn has_day(&self, date: Date) -> bool {
        let number = |value: i8| u32::try_from(value).unwrap_or(0);
        let weekday =
            Weekday::from_days_from_sunday(number(date.weekday().to_sunday_zero_offset()));
        // An error is a date that no calendar has; jiff makes none.
        self.pattern
            .pattern
            .day_match(
                i32::from(date.year()),
                number(date.month()),
                number(date.day()),
                weekday,
            )
            .unwrap_or(false)
    }

    /// The first time of a day that is not before `(hour, minute)`.
    pub(super) fn time_from(&self, earliest: (i8, i8)) -> Option<(i8, i8)> {
        let (hour, minute) = earliest;
        for &found in self.hours.iter().filter(|found| **found >= hour) {
            let from = if found == hour { minute } else { 0 };
            if let Some(&minute) = self.minutes.iter().find(|minute| **minute >= from) {
                return Some((found, minute));
            }
        }
        None
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn values(field: &croner::CronComponent) -> Vec<i8> {
    field
        .values()
        .into_iter()
        .filter_map(|value| i8::try_from(value).ok())
        .collect()
}

fn nickname(text: &str) -> Option<String> {
    let line = match text.to_ascii_lowercase().as_str() {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * SUN",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => return None,
    };
    Some(format!("write `{line}`"))
}

fn fault(message: &str, help: &str) -> CronError {
    CronError {
        message: message.to_owned(),
        help: help.to_owned(),
    }
}
