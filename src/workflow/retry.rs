//! `retry:`, written once for all steps and again for one, merged key by key.

use std::time::Duration;

use super::compiler::Compiler;
use super::yaml::{self, Node};
use super::{keys, quantity};
use crate::failure::FailureKind;
use crate::plan::{Mode, RetryPolicy};

/// Most attempts that can be asked for.
const ATTEMPTS_MAX: u32 = 1_000;

/// The keys of a `retry:` that are written.
#[derive(Debug, Clone, Default)]
pub(super) struct WrittenRetry {
    max_attempts: Option<u32>,
    delay: Option<Duration>,
    backoff: Option<f64>,
    max_delay: Option<Duration>,
    jitter: Option<f64>,
    kinds: Option<Vec<FailureKind>>,
}

/// The policy of a step, from the defaults of the file and its own `retry:`.
pub(super) fn policy(
    mode: Mode,
    defaults: Option<&WrittenRetry>,
    own: Option<&WrittenRetry>,
) -> RetryPolicy {
    let mut policy = RetryPolicy::unwritten(mode);
    if defaults.is_none() && own.is_none() {
        return policy;
    }
    // A write that ran into a time-out or a bound was stopped half-way: it is made again only where the step
    // itself names that kind of failure (docs/adr/008-retry-of-writes.md).
    if mode == Mode::ReadOnly {
        policy.kinds = FailureKind::RETRYABLE.to_vec();
    }
    if let Some(written) = defaults {
        let unwritten = policy.clone();
        apply(&mut policy, written);
        if mode == Mode::WriteAccess {
            // What is said for all steps must not repeat a write: only the step itself can ask for that.
            policy.max_attempts = unwritten.max_attempts;
            policy.kinds = unwritten.kinds;
        }
    }
    if let Some(written) = own {
        apply(&mut policy, written);
    }
    policy
}

fn apply(policy: &mut RetryPolicy, written: &WrittenRetry) {
    if let Some(max_attempts) = written.max_attempts {
        policy.max_attempts = max_attempts;
    }
    if let Some(delay) = written.delay {
        policy.delay = delay;
        policy.max_delay = policy.max_delay.max(delay);
    }
    if let Some(backoff) = written.backoff {
        policy.backoff = backoff;
    }
    if let Some(max_delay) = written.max_delay {
        policy.max_delay = max_delay;
    }
    if let Some(jitter) = written.jitter {
        policy.jitter = jitter;
    }
    if let Some(kinds) = &written.kinds {
        policy.kinds.clone_from(kinds);
    }
}

impl Compiler<'_, '_> {
    /// Reads a `retry:`.
    pub(super) fn retry(&mut self, node: &Node) -> Option<WrittenRetry> {
        let fields = yaml::fields(&mut self.report, node, &keys::RETRY)?;
        let kinds = fields.get("kinds").and_then(|node| self.retry_kinds(node));
        let report = &mut self.report;
        Some(WrittenRetry {
            max_attempts: fields
                .get("max_attempts")
                .and_then(|node| yaml::whole(report, node, 1, ATTEMPTS_MAX)),
            delay: fields
                .get("delay")
                .and_then(|node| quantity::duration(report, node)),
            backoff: fields
                .get("backoff")
                .and_then(|node| quantity::number_in(report, node, 1.0, 100.0)),
            max_delay: fields
                .get("max_delay")
                .and_then(|node| quantity::duration(report, node)),
            jitter: fields
                .get("jitter")
                .and_then(|node| quantity::share(report, node)),
            kinds,
        })
    }

    fn retry_kinds(&mut self, node: &Node) -> Option<Vec<FailureKind>> {
        let words = FailureKind::RETRYABLE.map(|kind| (kind.as_str(), kind));
        let items = yaml::list(&mut self.report, node)?;
        let mut kinds = Vec::new();
        for item in items {
            if let Some(kind) = yaml::word(&mut self.report, item, &words)
                && !kinds.contains(&kind)
            {
                kinds.push(kind);
            }
        }
        Some(kinds)
    }
}
