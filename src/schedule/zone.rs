//! Time zones by their IANA name.

use std::fmt;

use jiff::tz::TimeZone;

use crate::diagnostic::did_you_mean;
use crate::time::Timestamp;

/// Longest abbreviation of a zone, in bytes.
const ABBREVIATION_BYTES_MAX: usize = 5;

/// A time zone with its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    pub(super) rules: TimeZone,
}

/// A name that no time zone has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone `{name}`")]
pub struct ZoneError {
    /// The name, as given.
    pub name: String,
    /// What to write.
    pub help: String,
}

impl Zone {
    /// Reads the name of a zone. Upper and lower case don't matter.
    ///
    /// # Errors
    /// No zone has that name.
    pub fn parse(name: &str) -> Result<Self, ZoneError> {
        match TimeZone::get(name) {
            Ok(rules) if !rules.is_unknown() => Ok(Self {
                name: rules.iana_name().unwrap_or(name).to_owned(),
                rules,
            }),
            Ok(_) | Err(_) => Err(ZoneError {
                name: name.to_owned(),
                help: help(name),
            }),
        }
    }

    /// Universal time.
    #[must_use]
    pub fn utc() -> Self {
        Self {
            name: "UTC".to_owned(),
            rules: TimeZone::UTC,
        }
    }

    /// Its name, as the database spells it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// An instant as the clock on the wall shows it there, with its distance from UTC: `2026-11-23T02:30:00-08:00`.
    #[must_use]
    pub fn show(&self, at: Timestamp) -> String {
        match jiff::Timestamp::from_microsecond(at.as_micros()) {
            Ok(stamp) => stamp
                .display_with_offset(self.rules.to_offset(stamp))
                .to_string(),
            Err(_) => at.to_string(),
        }
    }
}

impl Zone {
    /// The same for people: `Mon 2026-11-23 02:30 -08:00`.
    #[must_use]
    pub fn wall(&self, at: Timestamp) -> String {
        match jiff::Timestamp::from_microsecond(at.as_micros()) {
            Ok(stamp) => stamp
                .to_zoned(self.rules.clone())
                .strftime("%a %Y-%m-%d %H:%M %:z")
                .to_string(),
            Err(_) => at.to_string(),
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn help(name: &str) -> String {
    let known: Vec<String> = jiff::tz::db()
        .available()
        .map(|zone| zone.to_string())
        .collect();
    let tail = |zone: &str| zone.rsplit('/').next().map(str::to_lowercase);
    let city = name
        .rsplit('/')
        .next()
        .unwrap_or(name)
        .trim()
        .replace(' ', "_")
        .to_lowercase();
    // A city without its region comes before what merely looks alike.
    let near = known
        .iter()
        .map(String::as_str)
        .find(|zone| tail(zone).is_some_and(|tail| tail == city))
        .or_else(|| {
            // PST is not a slip for EST: what is so short is an abbreviation, and those mean several zones.
            let known = known.iter().map(String::as_str);
            (name.len() > ABBREVIATION_BYTES_MAX).then(|| did_you_mean(name, known))?
        });
    match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write a name of the IANA database, region and city, for example `America/Los_Angeles`, or `UTC`".to_owned(),
    }
}
