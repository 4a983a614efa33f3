//! The keys that a file of cases may have.

use crate::workflow::yaml::{Keys, PRIVATE_KEYS};

pub(super) const FILE: Keys = Keys {
    what: "a file of cases",
    now: &["workflow", "cases", PRIVATE_KEYS],
    later: &[],
};
pub(super) const CASE: Keys = Keys {
    what: "a case",
    now: &[
        "name",
        "inputs",
        "clock",
        "mocks",
        "decisions",
        "signals",
        "expect",
    ],
    later: &[],
};
pub(super) const MOCK: Keys = Keys {
    what: "a mock",
    now: &["results", "fails", "takes"],
    later: &[],
};
pub(super) const FAILS: Keys = Keys {
    what: "`fails`",
    now: &["kind", "message"],
    later: &[],
};
pub(super) const DECISION: Keys = Keys {
    what: "a decision",
    now: &["step", "answer", "by", "roles", "form", "comment", "after"],
    later: &[],
};
pub(super) const SIGNAL: Keys = Keys {
    what: "a signal",
    now: &["name", "payload", "after"],
    later: &[],
};
pub(super) const EXPECT: Keys = Keys {
    what: "`expect`",
    now: &[
        "status",
        "path",
        "path_contains",
        "steps",
        "outputs",
        "events",
        "waiting",
        "failure",
        "duration",
    ],
    later: &[],
};
pub(super) const STEP: Keys = Keys {
    what: "an expected step",
    now: &["status", "arm", "attempts", "outputs", "inputs"],
    later: &[],
};
pub(super) const FAILURE: Keys = Keys {
    what: "an expected failure",
    now: &["step", "code", "message"],
    later: &[],
};
pub(super) const DURATION: Keys = Keys {
    what: "`duration`",
    now: &["min", "max"],
    later: &[],
};
