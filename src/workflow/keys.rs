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
        "handlers",
        "outputs",
        PRIVATE_KEYS,
    ],
    later: &[],
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
        "limits",
        "isolation",
    ],
    later: &["memory", "environment"],
};

pub(super) const STEP_LIMITS: Keys = Keys {
    what: "`limits`",
    now: &[
        "memory",
        "cpu_time",
        "processes",
        "open_files",
        "output",
        "disk",
        "stop_grace",
    ],
    later: &[],
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
        "foreach",
        "until",
        "parallel",
        "workflow",
        "wait",
        "notify",
        "http",
        "notebook",
        "action",
        "fail",
        "succeed",
        "text",
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
    later: &[],
};

/// Keys of a step that say what it does.
pub(super) const KINDS: [&str; 15] = [
    "python", "set", "switch", "approval", "foreach", "until", "parallel", "workflow", "wait",
    "http", "notify", "notebook", "action", "fail", "succeed",
];

/// Keys of a step that mean something for some kinds only.
pub(super) const MEANT_FOR: [(&str, &[&str]); 12] = [
    ("with", &["python", "workflow", "action"]),
    ("env", &["python"]),
    ("outputs", &["python", "action"]),
    ("timeout", &["python", "http", "notify", "action"]),
    ("retry", &["python", "http", "notify", "action"]),
    ("approve_code", &["python"]),
    ("text", &["notify"]),
    ("artifacts", &["python"]),
    ("cache", &["python"]),
    ("on_unknown", &["python", "http", "action"]),
    ("idempotency_key", &["python", "http", "notify", "action"]),
    (
        "sensitive",
        &[
            "python", "set", "switch", "approval", "foreach", "until", "parallel", "workflow",
            "wait", "http", "action",
        ],
    ),
];

/// Whether the map of this kind has a key of that name, so that it only stands in the wrong place.
pub(super) fn has_own(kind: &str, key: &str) -> bool {
    [WAIT, APPROVAL]
        .iter()
        .any(|table| table.what == format!("`{kind}`") && table.now.contains(&key))
}

pub(super) const FOREACH: Keys = Keys {
    what: "`foreach`",
    now: &[
        "items",
        "as",
        "key",
        "concurrency",
        "tolerate",
        "fail_fast",
        "steps",
        "collect",
    ],
    later: &[],
};

pub(super) const UNTIL: Keys = Keys {
    what: "`until`",
    now: &["condition", "every", "max", "as", "steps", "collect"],
    later: &[],
};

pub(super) const BRANCH: Keys = Keys {
    what: "a branch of `parallel`",
    now: &["name", "steps"],
    later: &[],
};

pub(super) const CHILD: Keys = Keys {
    what: "`workflow`",
    now: &["file", "wait", "allow_outside"],
    later: &[],
};

pub(super) const WAIT: Keys = Keys {
    what: "`wait`",
    now: &[
        "duration",
        "until",
        "signal",
        "payload",
        "timeout",
        "on_timeout",
    ],
    later: &[],
};

pub(super) const HTTP: Keys = Keys {
    what: "`http`",
    now: &["method", "url", "headers", "body", "expect"],
    later: &[],
};

pub(super) const NOTIFY: Keys = Keys {
    what: "`notify`",
    now: &["channel", "webhook", "text"],
    later: &[],
};

pub(super) const NOTEBOOK: Keys = Keys {
    what: "`notebook`",
    now: &["merge", "title"],
    later: &[],
};

pub(super) const ACTION: Keys = Keys {
    what: "`action`",
    now: &["name", "mode"],
    later: &[],
};

pub(super) const FAIL: Keys = Keys {
    what: "`fail`",
    now: &["message"],
    later: &[],
};

pub(super) const SUCCEED: Keys = Keys {
    what: "`succeed`",
    now: &["message"],
    later: &[],
};

pub(super) const HANDLERS: Keys = Keys {
    what: "`handlers`",
    now: &[
        "waiting", "failure", "success", "reject", "cancel", "finish", "timeout",
    ],
    later: &[],
};

pub(super) const PYTHON: Keys = Keys {
    what: "`python`",
    now: &[
        "file",
        "code",
        "notebook",
        "task",
        "expects",
        "requirements",
        "user_query",
        "context",
        "generator",
        "max_generations",
        "reuse",
        "mode",
        "packages",
        "timeout",
        "execution",
        "requires_isolation",
        "has_special_dependencies",
        "estimated_time",
        "security_level",
        "allow_outside",
        "limits",
        "isolation",
        "nan",
    ],
    later: &["memory", "environment"],
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
