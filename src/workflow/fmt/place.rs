//! Which maps of a workflow have an order of keys, and whether two trees differ in nothing but that.

use std::collections::HashMap;

use super::super::keys::KINDS;
use super::super::yaml::{Kind, Node};

/// The order of the keys of a workflow.
const WORKFLOW: [&str; 15] = [
    "version",
    "name",
    "description",
    "labels",
    "inputs",
    "schedules",
    "concurrency",
    "timeout",
    "fail_fast",
    "retention",
    "defaults",
    "secrets",
    "steps",
    "handlers",
    "outputs",
];
/// The order of the keys of a step up to the one that says its kind …
const STEP_HEAD: [&str; 6] = ["id", "name", "description", "needs", "after", "if"];
/// … and behind it.
const STEP_TAIL: [&str; 19] = [
    "text",
    "with",
    "env",
    "approve_code",
    "outputs",
    "artifacts",
    "cache",
    "retry",
    "timeout",
    "deadline",
    "on_failure",
    "on_unknown",
    "idempotency_key",
    "locks",
    "release_on_wait",
    "concurrency",
    "labels",
    "retention",
    "sensitive",
];

/// What a value is within a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The workflow.
    Top,
    /// A list of steps.
    Steps,
    /// A step.
    Step,
    /// What has lists of steps under the key `steps`: a loop, an arm, a branch, or a list of these.
    Holder,
    /// The handlers, each a list of steps.
    Handlers,
    /// All else. The order of its keys is the author's.
    Free,
}

impl Place {
    /// What stands under that key of a map here.
    pub(super) fn under(self, key: &str) -> Self {
        match (self, key) {
            (Self::Top | Self::Holder, "steps") => Self::Steps,
            (Self::Top, "handlers") => Self::Handlers,
            (Self::Step, "switch" | "foreach" | "until" | "parallel") => Self::Holder,
            (Self::Handlers, _) => Self::Steps,
            (Self::Top | Self::Holder | Self::Steps | Self::Step | Self::Free, _) => Self::Free,
        }
    }

    /// What an item of a list here is.
    pub(super) fn item(self) -> Self {
        match self {
            Self::Steps => Self::Step,
            Self::Holder => Self::Holder,
            Self::Top | Self::Step | Self::Handlers | Self::Free => Self::Free,
        }
    }

    /// Whether the keys here have an order.
    pub(super) fn has_order(self) -> bool {
        matches!(self, Self::Top | Self::Step)
    }

    /// The place of a key in the order; none for keys that stay where they are.
    pub(super) fn rank(self, key: &str) -> Option<usize> {
        let at = |keys: &[&str]| keys.iter().position(|known| *known == key);
        match self {
            Self::Top => at(&WORKFLOW),
            Self::Step if KINDS.contains(&key) => Some(STEP_HEAD.len()),
            Self::Step => {
                at(&STEP_HEAD).or_else(|| at(&STEP_TAIL).map(|tail| STEP_HEAD.len() + 1 + tail))
            }
            Self::Steps | Self::Holder | Self::Handlers | Self::Free => None,
        }
    }
}

/// Whether both mean the same: all but spans, and the order of keys where they have one.
pub(super) fn same(a: &Node, b: &Node, place: Place) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::Map(a), Kind::Map(b)) if place.has_order() => {
            let others: HashMap<&str, &Node> = b
                .iter()
                .map(|entry| (entry.key.as_str(), &entry.node))
                .collect();
            a.len() == b.len()
                && a.iter().all(|entry| {
                    others
                        .get(entry.key.as_str())
                        .is_some_and(|other| same(&entry.node, other, place.under(&entry.key)))
                })
        }
        (Kind::Map(a), Kind::Map(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| a.key == b.key && same(&a.node, &b.node, place.under(&a.key)))
        }
        (Kind::List(a), Kind::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b, place.item()))
        }
        (a, b) => a == b,
    }
}
