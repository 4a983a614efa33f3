//! Time: the only reader of the wall clock, and the port through which the rest of the house sees it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant in UTC, in microseconds. Written as RFC 3339 in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(i64);

/// Instants beyond this many microseconds from 1970 are cut to it: years 1 to 9999 print everywhere.
const MICROS_MAX: i64 = 253_402_214_400_000_000;

impl Timestamp {
    /// So many microseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(if micros > MICROS_MAX {
            MICROS_MAX
        } else {
            micros
        })
    }

    /// Microseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Milliseconds after 1970-01-01T00:00:00Z, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// The instant `duration` later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// How long from `earlier` to here; zero when the clock went back.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads a date as mails and HTTP write it, `Wed, 21 Oct 2015 07:28:00 GMT`.
    #[must_use]
    pub fn parse_mail_date(text: &str) -> Option<Self> {
        let stamp = jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(text)
            .ok()?;
        Some(Self(stamp.as_microsecond()))
    }

    /// The calendar date in UTC, `2026-11-22`.
    #[must_use]
    pub fn date(self) -> String {
        self.to_string().chars().take(10).collect()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(stamp) => write!(f, "{stamp:.6}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<jiff::Timestamp>()
            .map(|stamp| Self::from_micros(stamp.as_microsecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// A future that owns its parts as far as `'a`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The port to time: the system's clock, or a simulated one in tests.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Returns when `at` is reached; at once when it is past.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()>;
}

/// The wall clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// Longest single sleep. The wall clock is read again after it, so that a suspended laptop or a corrected
/// clock delays a timer by this much at most.
const SLEEP_MAX: Duration = Duration::from_secs(1);

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one reader of the wall clock"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            loop {
                let left = at.since(self.now());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(SLEEP_MAX)).await;
            }
        })
    }
}

/// A clock that moves only when it is told to; sleepers wake when it passes them.
#[derive(Debug)]
pub struct SimClock {
    now: tokio::sync::watch::Sender<Timestamp>,
}

impl SimClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self {
            now: tokio::sync::watch::Sender::new(start),
        }
    }

    /// Moves the clock and wakes whoever is due. Moving back is allowed: clocks do that.
    pub fn set(&self, now: Timestamp) {
        self.now.send_replace(now);
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.now.send_modify(|now| *now = now.plus(by));
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        let mut changes = self.now.subscribe();
        Box::pin(async move {
            // An error means that the clock is gone; then nothing can become due any more.
            if changes.wait_for(|now| *now >= at).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trip_keeps_microseconds() {
        let stamp: Timestamp = "2026-11-22T14:51:50.123456Z".parse().unwrap();
        assert_eq!(stamp.to_string(), "2026-11-22T14:51:50.123456Z");
        assert_eq!(stamp.date(), "2026-11-22");
    }

    #[tokio::test]
    async fn a_simulated_sleeper_wakes_only_when_its_time_has_come() {
        let clock = SimClock::new(Timestamp::from_micros(0));
        let mut sleeper = clock.sleep_until(Timestamp::from_micros(10));
        let waker = std::task::Waker::noop();
        let mut context = std::task::Context::from_waker(waker);
        assert!(sleeper.as_mut().poll(&mut context).is_pending());
        clock.advance(Duration::from_micros(9));
        assert!(sleeper.as_mut().poll(&mut context).is_pending());
        clock.advance(Duration::from_micros(1));
        sleeper.await;
    }
}
