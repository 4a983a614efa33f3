//! The keys of the file itself, of defaults, fields, schedules, handlers.

use super::super::{field, keeping, keys, limits, schedule};
use super::shape::Shape;
use super::shape::Shape::{
    Any, Bool, Duration, Fields, Items, List, MapOf, Name, NamedValues, Number, Of, Pattern, Share,
    Size, Steps, Text, TextMap, Texts, Values, Version, Whole, Words,
};
use super::step::isolation;
use super::{Row, Table};
use crate::plan::{Execution, FieldType, Mode};

pub(super) const TABLES: [Table; 10] = [
    Table {
        name: "workflow",
        keys: Some(&keys::WORKFLOW),
        about: "A workflow: what it is given, the steps that it runs, what it gives out.",
        required: &["version", "name", "steps"],
        one_of: &[],
        rows: &WORKFLOW,
    },
    Table {
        name: "defaults",
        keys: Some(&keys::DEFAULTS),
        about: "What holds for every step that says nothing else.",
        required: &[],
        one_of: &[],
        rows: &[
            (
                "python",
                Of("defaults_python"),
                "For steps that run Python code.",
            ),
            (
                "retry",
                Of("retry"),
                "How failed attempts are repeated; a step's own `retry` is merged into it key by key. It never repeats a write.",
            ),
        ],
    },
    Table {
        name: "defaults_python",
        keys: Some(&keys::DEFAULTS_PYTHON),
        about: "What holds for every `python` that says nothing else.",
        required: &[],
        one_of: &[],
        rows: &DEFAULTS_PYTHON,
    },
    Table {
        name: "retry",
        keys: Some(&keys::RETRY),
        about: "How failed attempts are repeated. Without it only failures of the infrastructure are, and never those of a write.",
        required: &[],
        one_of: &[],
        rows: &RETRY,
    },
    Table {
        name: "field",
        keys: Some(&keys::FIELD),
        about: "A typed value: an input of the run, an output of a step, an entry of a form.",
        required: &["type"],
        one_of: &[],
        rows: &FIELD,
    },
    Table {
        name: "schedule",
        keys: Some(&keys::SCHEDULE),
        about: "When runs start by themselves.",
        required: &["id", "cron"],
        one_of: &[],
        rows: &SCHEDULE,
    },
    Table {
        name: "concurrency",
        keys: Some(&keys::CONCURRENCY),
        about: "How many of a group go on at the same time.",
        required: &["group"],
        one_of: &[],
        rows: &CONCURRENCY,
    },
    Table {
        name: "secret",
        keys: Some(&keys::SECRET),
        about: "Where a secret comes from. Its value is never recorded.",
        required: &[],
        one_of: &["env", "file"],
        rows: &[
            (
                "env",
                Text,
                "Name of a variable of the engine's environment.",
            ),
            ("file", Text, "A file whose text is the secret."),
        ],
    },
    Table {
        name: "handlers",
        keys: Some(&keys::HANDLERS),
        about: "Steps that run when something happens to the run. They cannot change its result.",
        required: &[],
        one_of: &[],
        rows: &HANDLERS,
    },
    Table {
        name: "cache",
        keys: Some(&keys::CACHE),
        about: "Takes the result of an earlier run with the same code, inputs and environment.",
        required: &[],
        one_of: &[],
        rows: &[("ttl", Duration, "How old that result may be.")],
    },
];

const WORKFLOW: [Row; 15] = [
    (
        "version",
        Version,
        "Version of the workflow language; pinned into every run.",
    ),
    (
        "name",
        Pattern("^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"),
        "Name of the workflow: letters, digits, _, - and . only. It is part of folder names.",
    ),
    (
        "description",
        Text,
        "What the workflow is for, in plain text.",
    ),
    (
        "labels",
        TextMap,
        "Words to find runs by: `labels: {team: optics}`.",
    ),
    (
        "inputs",
        Fields,
        "What a run is given, each with its type: `inputs: {depth: {type: int, default: 1}}`.",
    ),
    (
        "schedules",
        List(&Of("schedule"), 0),
        "When runs start by themselves.",
    ),
    (
        "concurrency",
        Of("concurrency"),
        "How many runs of a group go on at the same time.",
    ),
    (
        "timeout",
        Duration,
        "Longest time of a run; waiting for people is not counted.",
    ),
    (
        "defaults",
        Of("defaults"),
        "What holds for every step that says nothing else.",
    ),
    (
        "secrets",
        MapOf(&Of("secret")),
        "Where secrets come from, by name; read as `${{ secrets.NAME }}` in `env` and in http headers only.",
    ),
    (
        "steps",
        Steps,
        "What the workflow does. A step without `needs` follows the one before it.",
    ),
    (
        "handlers",
        Of("handlers"),
        "Steps that run when something happens to the run.",
    ),
    (
        "outputs",
        NamedValues,
        "What the run gives out: names and expressions, evaluated at its end.",
    ),
    (
        "fail_fast",
        Bool,
        "Whether the first failure cancels what still runs.",
    ),
    ("retention", Duration, "How long runs are kept."),
];

const DEFAULTS_PYTHON: [Row; 10] = [
    (
        "mode",
        Words(modes),
        "Whether the code may write: read_only (default) or write_access.",
    ),
    ("timeout", Duration, "Longest time of an attempt."),
    ("packages", Texts, "Python packages to install."),
    (
        "requirements",
        Text,
        "A requirements file, relative to the workflow file.",
    ),
    ("execution", Words(executions), "Where code runs."),
    ("memory", Size, "Most memory of an attempt."),
    ("environment", Text, "A named environment of config.yml."),
    (
        "allow_outside",
        Bool,
        "Whether paths may leave the folder of the workflow file.",
    ),
    ("limits", Of("step_limits"), "How much an attempt may use."),
    (
        "isolation",
        Words(isolation),
        "What happens when the system can't give a layer of isolation: prefer (default) or require.",
    ),
];

const RETRY: [Row; 6] = [
    (
        "max_attempts",
        Whole(1, 1_000),
        "Most attempts, the first one included.",
    ),
    (
        "delay",
        Duration,
        "From the first failure to the second attempt.",
    ),
    (
        "backoff",
        Number(Some(1), Some(100)),
        "By how much each delay is longer than the one before.",
    ),
    ("max_delay", Duration, "Longest delay."),
    (
        "jitter",
        Share,
        "By how much of itself a delay may be longer or shorter: 0.2 or 20%.",
    ),
    (
        "kinds",
        List(&Words(kinds_of_failure), 0),
        "Kinds of failure that are tried again.",
    ),
];

const FIELD: [Row; 11] = [
    ("type", Words(types), "Type of the value."),
    (
        "default",
        Any,
        "The value when none is given; may be an expression.",
    ),
    ("required", Bool, "Whether a value must be there."),
    ("description", Text, "What the value means, for people."),
    (
        "choices",
        List(&Any, 1),
        "The only values that are allowed.",
    ),
    ("min", Number(None, None), "Smallest number."),
    ("max", Number(None, None), "Largest number."),
    ("min_items", Whole(0, u32::MAX), "Fewest items of a list."),
    (
        "pattern",
        Text,
        "A regular expression that the whole text must match.",
    ),
    (
        "items",
        Items,
        "What each item is: a type, a field, or the entries of a record.",
    ),
    (
        "required_on",
        List(&Words(answers), 1),
        "The answers for which the entry must be filled in.",
    ),
];

const SCHEDULE: [Row; 8] = [
    ("id", Name, "Id of the schedule, unique in the file."),
    (
        "cron",
        Text,
        "Five fields of crontab: minute, hour, day of month, month, day of week.",
    ),
    (
        "timezone",
        Text,
        "Name of the time zone, for example `Europe/Berlin`; UTC when nothing is written.",
    ),
    (
        "catchup",
        Words(|| schedule::CATCHUP.iter().map(|(word, _)| *word).collect()),
        "What happens to slots that were missed.",
    ),
    ("catchup_window", Duration, "How old a missed slot may be."),
    (
        "overlap",
        Words(|| schedule::OVERLAP.iter().map(|(word, _)| *word).collect()),
        "What happens when the run of an earlier slot still goes on.",
    ),
    (
        "jitter",
        Duration,
        "The longest that a start may be shifted.",
    ),
    ("with", Values, "Inputs of the runs that it starts."),
];

const CONCURRENCY: [Row; 4] = [
    ("group", Text, "Name of the group; may be an expression."),
    (
        "limit",
        Whole(1, limits::LIMIT_MAX),
        "How many at once; 1 when nothing is written.",
    ),
    (
        "when_full",
        Words(|| limits::WHEN_FULL.iter().map(|(word, _)| *word).collect()),
        "What happens when there is no room.",
    ),
    (
        "release_while_waiting",
        Bool,
        "Whether a run that waits for a person gives its place up.",
    ),
];

/// The steps of a handler.
const HANDLER: Shape = List(&Of("handler_step"), 1);

const HANDLERS: [Row; 7] = [
    ("waiting", HANDLER, "A question to people has opened."),
    ("failure", HANDLER, "The run has failed."),
    ("success", HANDLER, "The run has succeeded."),
    (
        "reject",
        HANDLER,
        "A person said no and the run ends with it.",
    ),
    ("cancel", HANDLER, "The run was cancelled."),
    (
        "finish",
        HANDLER,
        "The run ends, whatever its result; after the others.",
    ),
    ("timeout", Duration, "Longest time of one handler."),
];

pub(super) fn modes() -> Vec<&'static str> {
    Mode::SPELLINGS.to_vec()
}

pub(super) fn executions() -> Vec<&'static str> {
    Execution::WORDS.map(|(word, _)| word).to_vec()
}

pub(super) fn on_unknown() -> Vec<&'static str> {
    keeping::ON_UNKNOWN.iter().map(|(word, _)| *word).collect()
}

fn kinds_of_failure() -> Vec<&'static str> {
    crate::failure::FailureKind::RETRYABLE
        .iter()
        .map(|kind| kind.as_str())
        .collect()
}

fn types() -> Vec<&'static str> {
    FieldType::ALL.iter().map(|(word, _)| *word).collect()
}

fn answers() -> Vec<&'static str> {
    field::ANSWERS.iter().map(|(word, _)| *word).collect()
}
