//! The tables of keys: what works, and what the language names and this version refuses.

use super::yaml::{Keys, PRIVATE_KEYS};

pub(super) const WORKFLOW: Keys = Keys {
    what: "a workflow",
    now: &[
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
        "secrets",
        "defaults",
        "steps",
        "outputs",
        PRIVATE_KEYS,
    ],
    later: &["handlers"],
};

pub(super) const DEFAULTS: Keys = Keys {
    what: "`defaults`",
    now: &["python", "retry"],
    later: &[],
};

pub(super) const DEFAULTS_PYTHON: Keys = Keys {
    what: "`defaults.python`",
    now: &[
        "mode",
        "timeout",
        "packages",
        "requirements",
        "execution",
        "allow_outside",
    ],
    later: &["memory", "environment"],
};

pub(super) const STEP: Keys = Keys {
    what: "a step",
    now: &[
        "id",
        "name",
        "description",
        "needs",
        "after",
        "if",
        "python",
        "set",
        "switch",
        "approval",
        "with",
        "env",
        "outputs",
        "timeout",
        "retry",
        "on_failure",
        "approve_code",
        "deadline",
        "artifacts",
        "cache",
        "locks",
        "release_on_wait",
        "concurrency",
        "labels",
        "retention",
        "sensitive",
        "idempotency_key",
        "on_unknown",
    ],
    later: &[
        "foreach", "until", "parallel", "workflow", "wait", "notify", "http", "notebook", "fail",
        "succeed",
    ],
};

/// Keys of a step that say what it does.
pub(super) const KINDS: [&str; 4] = ["python", "set", "switch", "approval"];

/// Kinds that are refused for now; a step with one of them does not lack a kind.
pub(super) const LATER_KINDS: [&str; 10] = [
    "foreach", "until", "parallel", "workflow", "wait", "notify", "http", "notebook", "fail",
    "succeed",
];

pub(super) const PYTHON: Keys = Keys {
    what: "`python`",
    now: &[
        "file",
        "code",
        "mode",
        "packages",
        "requirements",
        "timeout",
        "execution",
        "allow_outside",
    ],
    later: &[
        "task",
        "notebook",
        "expects",
        "max_generations",
        "reuse",
        "memory",
        "environment",
    ],
};

pub(super) const APPROVE_CODE: Keys = Keys {
    what: "`approve_code`",
    now: &[
        "when",
        "reviewers",
        "required",
        "reject_quorum",
        "allow_self",
        "remind",
        "timeout",
        "on_timeout",
        "escalate_to",
        "notify",
    ],
    later: &[],
};

pub(super) const ARM: Keys = Keys {
    what: "an arm of `switch`",
    now: &["name", "when", "else", "set", "steps"],
    later: &[],
};

pub(super) const APPROVAL: Keys = Keys {
    what: "`approval`",
    now: &[
        "title",
        "show",
        "form",
        "reviewers",
        "required",
        "reject_quorum",
        "allow_self",
        "remind",
        "timeout",
        "on_timeout",
        "escalate_to",
        "notify",
        "on_reject",
        "on_changes",
        "max_changes",
    ],
    later: &[],
};

pub(super) const RETRY: Keys = Keys {
    what: "`retry`",
    now: &[
        "max_attempts",
        "delay",
        "backoff",
        "max_delay",
        "jitter",
        "kinds",
    ],
    later: &[],
};

pub(super) const FIELD: Keys = Keys {
    what: "a field",
    now: &[
        "type",
        "default",
        "required",
        "description",
        "choices",
        "min",
        "max",
        "min_items",
        "pattern",
        "items",
        "required_on",
    ],
    later: &[],
};

pub(super) const REVIEWERS: Keys = Keys {
    what: "`reviewers`",
    now: &["users", "roles"],
    later: &[],
};

pub(super) const CONCURRENCY: Keys = Keys {
    what: "`concurrency`",
    now: &["group", "limit", "when_full", "release_while_waiting"],
    later: &[],
};

pub(super) const SECRET: Keys = Keys {
    what: "a secret",
    now: &["env", "file"],
    later: &[],
};

pub(super) const SCHEDULE: Keys = Keys {
    what: "a schedule",
    now: &[
        "id",
        "cron",
        "timezone",
        "catchup",
        "catchup_window",
        "overlap",
        "jitter",
        "with",
    ],
    later: &[],
};

pub(super) const CACHE: Keys = Keys {
    what: "`cache`",
    now: &["ttl"],
    later: &[],
};
