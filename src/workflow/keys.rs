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
        "defaults",
        "steps",
        "outputs",
        PRIVATE_KEYS,
    ],
    later: &[
        "schedules",
        "concurrency",
        "timeout",
        "deadline",
        "secrets",
        "handlers",
        "fail_fast",
        "locks",
        "retention",
    ],
};

pub(super) const DEFAULTS: Keys = Keys {
    what: "`defaults`",
    now: &["python", "retry"],
    later: &[],
};

pub(super) const DEFAULTS_PYTHON: Keys = Keys {
    what: "`defaults.python`",
    now: &["mode", "timeout", "packages", "requirements", "execution"],
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
    ],
    later: &[
        "deadline",
        "artifacts",
        "cache",
        "locks",
        "concurrency",
        "labels",
        "retention",
        "sensitive",
        "idempotency_key",
        "on_unknown",
        "foreach",
        "until",
        "parallel",
        "workflow",
        "wait",
        "notify",
        "http",
        "notebook",
        "fail",
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
    ],
    later: &[
        "task",
        "notebook",
        "expects",
        "max_generations",
        "reuse",
        "memory",
        "environment",
        "allow_outside",
    ],
};

pub(super) const APPROVE_CODE: Keys = Keys {
    what: "`approve_code`",
    now: &["when", "reviewers"],
    later: &[
        "timeout",
        "required",
        "allow_self",
        "remind",
        "on_timeout",
        "notify",
    ],
};

pub(super) const ARM: Keys = Keys {
    what: "an arm of `switch`",
    now: &["name", "when", "else", "set", "steps"],
    later: &[],
};

pub(super) const APPROVAL: Keys = Keys {
    what: "`approval`",
    now: &["title", "show", "form", "reviewers", "on_reject"],
    later: &[
        "required",
        "allow_self",
        "remind",
        "timeout",
        "deadline",
        "on_timeout",
        "on_changes",
        "max_changes",
        "reject_quorum",
        "notify",
        "release_on_wait",
    ],
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
    later: &["on_unknown"],
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
    ],
    later: &["required_on"],
};
