//! When a failed attempt is followed by another.

use std::time::Duration;

use super::payload::{Phase, RetryScheduled};
use super::state::StepState;
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::plan::{Mode, RetryPolicy, Step, StepKind};
use crate::time::Timestamp;

/// What a decision needs of the world, taken down before it is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// The time.
    pub now: Timestamp,
    /// A random number from 0 to 1, for the jitter of delays.
    pub draw: f64,
}

/// The delay before attempt `next` (from 2): `min(max_delay, delay × backoff^(next − 2)) × (1 ± jitter)`.
#[must_use]
fn delay(policy: &RetryPolicy, next: u32, draw: f64) -> Duration {
    let exponent = i32::try_from(next.saturating_sub(2)).unwrap_or(i32::MAX);
    let grown = policy.delay.as_secs_f64() * policy.backoff.max(0.0).powi(exponent);
    let capped = grown.min(policy.max_delay.as_secs_f64());
    let swing = 1.0 + policy.jitter.clamp(0.0, 1.0) * (draw.clamp(0.0, 1.0) * 2.0 - 1.0);
    Duration::try_from_secs_f64((capped * swing).max(0.0)).unwrap_or(policy.max_delay)
}

/// The retry that the step's policy allows after this counted failure, if any.
///
/// A write of unknown outcome that a person gave up is never made again.
#[must_use]
pub(super) fn next(
    step: &Step,
    state: &StepState,
    failure: &Failure,
    moment: Moment,
) -> Option<RetryScheduled> {
    let writing = state.current_attempts().last();
    let writing = writing.is_some_and(|attempt| attempt.phase == Phase::Generate);
    let of_writing = policy_of_writing();
    let policy = if writing { &of_writing } else { &step.retry };
    let counted = state.counted_attempts();
    let given_up = failure.code == code::OUTCOME_UNKNOWN.as_str();
    let again = policy.kinds.contains(&failure.kind) || may_be_told_twice(step, failure);
    if given_up || counted >= policy.max_attempts || !again {
        return None;
    }
    let delay = delay(policy, counted + 1, moment.draw).max(asked_delay(failure));
    Some(RetryScheduled {
        step: state.path.clone(),
        attempt: u32::try_from(state.attempts.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1),
        at: moment.now.plus(delay),
        delay_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
        rule: format!(
            "retry: attempt {} of {}, failure kind {}",
            counted + 1,
            policy.max_attempts,
            failure.kind.as_str()
        ),
    })
}

/// How often a generator is called that gives no answer. Asking writes nothing, so the step's own policy, which may
/// be that of a write, says nothing about it.
fn policy_of_writing() -> RetryPolicy {
    RetryPolicy {
        max_attempts: WRITING_ATTEMPTS_MAX,
        kinds: vec![FailureKind::Infrastructure, FailureKind::Timeout],
        ..RetryPolicy::unwritten(Mode::ReadOnly)
    }
}

/// Calls of a generator for one piece of code.
const WRITING_ATTEMPTS_MAX: u32 = 5;

/// Fact of a failure: how long the other side wants to be left alone, in milliseconds.
pub const RETRY_AFTER_MS: &str = "retry_after_ms";

/// The longest delay that the other side can ask for: an hour.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

fn asked_delay(failure: &Failure) -> Duration {
    let asked = failure.detail.get(RETRY_AFTER_MS);
    let asked = asked.and_then(serde_json::Value::as_u64);
    Duration::from_millis(asked.unwrap_or_default()).min(RETRY_AFTER_MAX)
}

/// A message carries a key by which whoever gets it twice knows it, so one that took too long is sent again.
fn may_be_told_twice(step: &Step, failure: &Failure) -> bool {
    matches!(step.kind, StepKind::Notify(_)) && failure.kind == FailureKind::Timeout
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_cap_and_swing_by_the_jitter() {
        let policy = RetryPolicy {
            delay: Duration::from_secs(10),
            backoff: 2.0,
            max_delay: Duration::from_secs(30),
            jitter: 0.2,
            ..RetryPolicy::unwritten(Mode::ReadOnly)
        };
        let middle = |next| delay(&policy, next, 0.5).as_millis();
        assert_eq!(
            [middle(2), middle(3), middle(4), middle(900)],
            [10_000, 20_000, 30_000, 30_000]
        );
        assert_eq!(delay(&policy, 2, 0.0).as_millis(), 8_000);
        assert_eq!(delay(&policy, 2, 1.0).as_millis(), 12_000);
    }
}
