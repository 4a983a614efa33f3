//! The keys of what a step does, beside code and questions.

use super::super::yaml::Keys;
use super::super::{http, keys, loops, wait};
use super::shape::Shape::{
    self, Any, Bool, Condition, Duration, Either, Expression, Fields, List, Name, NamedValues,
    Percent, Steps, Text, True, Variables, Whole, Words,
};
use super::top::modes;
use super::{Row, Table};

/// A map with a table of the compiler.
const fn read(
    (name, keys): (&'static str, &'static Keys),
    about: &'static str,
    required: &'static [&'static str],
    rows: &'static [Row],
) -> Table {
    Table {
        name,
        keys: Some(keys),
        about,
        required,
        one_of: &[],
        rows,
    }
}

pub(super) const TABLES: [Table; 12] = [
    Table {
        name: "arm",
        keys: Some(&keys::ARM),
        about: "An arm of a switch: a condition or `else: true`, steps, and what the switch gives out.",
        required: &["name"],
        one_of: &["when", "else"],
        rows: &ARM,
    },
    read(
        ("foreach", &keys::FOREACH),
        "Does the same for every item of a list.",
        &["items", "steps"],
        &FOREACH,
    ),
    read(
        ("until", &keys::UNTIL),
        "Repeats its steps until a condition holds.",
        &["condition", "max", "steps"],
        &UNTIL,
    ),
    read(
        ("branch", &keys::BRANCH),
        "One branch of `parallel`.",
        &["name", "steps"],
        &BRANCH,
    ),
    read(
        ("child", &keys::CHILD),
        "Another workflow, run as a run of its own; `with` gives its inputs.",
        &["file"],
        &CHILD,
    ),
    Table {
        name: "wait",
        keys: Some(&keys::WAIT),
        about: "What is waited for: a length of time, an instant, or a signal.",
        required: &[],
        one_of: &["duration", "until", "signal"],
        rows: &WAIT,
    },
    Table {
        name: "notify",
        keys: Some(&keys::NOTIFY),
        about: "Whom to tell, and what.",
        required: &["text"],
        one_of: &["channel", "webhook"],
        rows: &NOTIFY,
    },
    read(
        ("http", &keys::HTTP),
        "One HTTP request; its outputs are status, headers and body.",
        &["url"],
        &HTTP,
    ),
    read(
        ("notebook", &keys::NOTEBOOK),
        "Notebooks of steps in one.",
        &["merge"],
        &NOTEBOOK,
    ),
    read(
        ("action", &keys::ACTION),
        "What the program that runs the workflow brings along; `with` is what it is told.",
        &["name"],
        &ACTION,
    ),
    read(
        ("fail", &keys::FAIL),
        "Fails, and so its block.",
        &["message"],
        &MESSAGE,
    ),
    read(
        ("succeed", &keys::SUCCEED),
        "Ends the run, item or round at once, and well.",
        &[],
        &MESSAGE,
    ),
];

fn on_timeout() -> Vec<&'static str> {
    wait::ON_TIMEOUT.iter().map(|(word, _)| *word).collect()
}

const ARM: [Row; 5] = [
    ("name", Name, "Name of the arm, unique in the switch."),
    ("when", Condition, "Takes the arm when this is true."),
    (
        "else",
        True,
        "Takes the arm when no other was; it is the last one.",
    ),
    (
        "set",
        NamedValues,
        "What the switch gives out when the arm is taken.",
    ),
    ("steps", Steps, "What is done when the arm is taken."),
];

const FOREACH: [Row; 8] = [
    (
        "items",
        Either(&[Expression, List(&Any, 0)]),
        "The list, as an expression; evaluated once.",
    ),
    (
        "as",
        Name,
        "Name of the item in the expressions of the steps.",
    ),
    (
        "key",
        Text,
        "Identity of an item, unique; its index when nothing is written.",
    ),
    (
        "concurrency",
        Whole(1, loops::CONCURRENCY_MAX),
        "Items under way at the same time; 10 when nothing is written.",
    ),
    (
        "tolerate",
        Either(&[Whole(0, loops::ITEMS_MAX), Percent]),
        "How many items may fail: a count or a share such as 10%.",
    ),
    (
        "fail_fast",
        Bool,
        "Whether the first failure that is not tolerated stops the other items.",
    ),
    ("steps", Steps, "What is done for every item."),
    (
        "collect",
        NamedValues,
        "What every item hands out; each name becomes a list.",
    ),
];

const UNTIL: [Row; 6] = [
    (
        "condition",
        Condition,
        "Tried after every round; true ends it.",
    ),
    (
        "every",
        Duration,
        "From the end of a round to the begin of the next one.",
    ),
    ("max", Whole(1, loops::ROUNDS_MAX), "Most rounds."),
    (
        "as",
        Name,
        "Name of the round in the expressions of the steps.",
    ),
    ("steps", Steps, "What is done in every round."),
    ("collect", NamedValues, "What the last round hands out."),
];

const BRANCH: [Row; 2] = [
    ("name", Name, "Name of the branch, unique in the step."),
    ("steps", Steps, "What the branch does, one after the other."),
];

const CHILD: [Row; 3] = [
    ("file", Text, "The workflow file, relative to this one."),
    (
        "wait",
        Bool,
        "Whether the step ends with that run (default), or as soon as it exists.",
    ),
    (
        "allow_outside",
        Bool,
        "Whether the file may lie outside the folder of this one.",
    ),
];

const WAIT: [Row; 6] = [
    (
        "duration",
        Text,
        "A length of time from when the step is ready, such as `10m`.",
    ),
    ("until", Text, "An instant; one in the past passes at once."),
    ("signal", Name, "Name of a signal from outside."),
    (
        "payload",
        Fields,
        "The fields of the signal's payload; they are the outputs.",
    ),
    ("timeout", Duration, "How long a signal is waited for."),
    (
        "on_timeout",
        Words(on_timeout),
        "What the end of that time means.",
    ),
];

const NOTIFY: [Row; 3] = [
    ("channel", Text, "A channel of config.yml."),
    ("webhook", Text, "Address that the message is posted to."),
    ("text", Text, "The message."),
];

const STATUS: Shape = Whole(http::STATUS.0, http::STATUS.1);

const HTTP: [Row; 5] = [
    (
        "method",
        Words(|| http::METHODS.to_vec()),
        "The method; all but GET, HEAD and OPTIONS may write.",
    ),
    ("url", Text, "Where to."),
    (
        "headers",
        Variables,
        "Header fields; secrets may stand here.",
    ),
    (
        "body",
        Any,
        "The body: text as it is, anything else as JSON.",
    ),
    (
        "expect",
        Either(&[STATUS, List(&STATUS, 1)]),
        "Status codes that are a success; 200 to 299 when nothing is written.",
    ),
];

const NOTEBOOK: [Row; 2] = [
    (
        "merge",
        Either(&[Text, List(&Text, 1)]),
        "The steps whose notebooks are put together, in this order.",
    ),
    ("title", Text, "Title of the notebook."),
];

const ACTION: [Row; 2] = [
    (
        "name",
        Text,
        "The name under which the program has it: `logbook.entry`.",
    ),
    (
        "mode",
        Words(modes),
        "Whether it may write: read_only (default) or write_access; as the program has it.",
    ),
];

const MESSAGE: [Row; 1] = [("message", Text, "Why.")];
