//! The keys of what a step does, beside code and questions.

use super::super::keys;
use super::shape::Shape::{
    Any, Bool, Condition, Duration, Either, Fields, List, Name, NamedValues, Share, Steps, Text,
    Texts, True, Values, Whole, Words,
};
use super::{Row, Table};

/// Rounds and items that can be asked for.
const MANY: u32 = 10_000;

/// A map that the compiler has no table for yet.
const fn to_come(
    name: &'static str,
    about: &'static str,
    required: &'static [&'static str],
    rows: &'static [Row],
) -> Table {
    Table {
        name,
        keys: None,
        about,
        required,
        one_of: &[],
        rows,
    }
}

pub(super) const TABLES: [Table; 11] = [
    Table {
        name: "arm",
        keys: Some(&keys::ARM),
        about: "An arm of a switch: a condition or `else: true`, steps, and what the switch gives out.",
        required: &["name"],
        one_of: &["when", "else"],
        rows: &ARM,
    },
    to_come(
        "foreach",
        "Does the same for every item of a list.",
        &["items", "as", "steps"],
        &FOREACH,
    ),
    to_come(
        "until",
        "Repeats its steps until a condition holds.",
        &["condition", "max", "steps"],
        &UNTIL,
    ),
    to_come(
        "branch",
        "One branch of `parallel`.",
        &["name", "steps"],
        &BRANCH,
    ),
    to_come(
        "child",
        "Another workflow, run as a run of its own; `with` gives its inputs.",
        &["file"],
        &CHILD,
    ),
    Table {
        name: "wait",
        keys: None,
        about: "What is waited for: a length of time, an instant, or a signal.",
        required: &[],
        one_of: &["duration", "until", "signal"],
        rows: &WAIT,
    },
    to_come("notify", "Whom to tell.", &["webhook"], &NOTIFY),
    to_come(
        "http",
        "One HTTP request; its outputs are status, headers and body.",
        &["url"],
        &HTTP,
    ),
    to_come(
        "notebook",
        "Notebooks of steps in one.",
        &["merge"],
        &NOTEBOOK,
    ),
    to_come("fail", "Fails, and so its block.", &["message"], &MESSAGE),
    to_come(
        "succeed",
        "Ends the run, item or round at once, and well.",
        &[],
        &MESSAGE,
    ),
];

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
    ("items", Any, "The list, as an expression; evaluated once."),
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
        Whole(1, MANY),
        "Items under way at the same time; 10 when nothing is written.",
    ),
    (
        "tolerate",
        Either(&[Whole(0, MANY), Share]),
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
    ("max", Whole(1, MANY), "Most rounds."),
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

const CHILD: [Row; 2] = [
    ("file", Text, "The workflow file, relative to this one."),
    (
        "wait",
        Bool,
        "Whether the step ends with that run (default), or as soon as it exists.",
    ),
];

const WAIT: [Row; 6] = [
    (
        "duration",
        Text,
        "A length of time from when the step is ready, such as `10m`.",
    ),
    ("until", Text, "An instant; one in the past passes at once."),
    ("signal", Text, "Name of a signal from outside."),
    (
        "payload",
        Fields,
        "The fields of the signal's payload; they are the outputs.",
    ),
    ("timeout", Duration, "How long a signal is waited for."),
    (
        "on_timeout",
        Words(|| vec!["fail", "continue"]),
        "What the end of that time means.",
    ),
];

const NOTIFY: [Row; 2] = [
    ("webhook", Text, "Address that the message is posted to."),
    ("text", Text, "The message."),
];

const HTTP: [Row; 5] = [
    (
        "method",
        Words(|| vec!["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]),
        "The method; all but GET, HEAD and OPTIONS may write.",
    ),
    ("url", Text, "Where to."),
    ("headers", Values, "Header fields; secrets may stand here."),
    (
        "body",
        Any,
        "The body: text as it is, anything else as JSON.",
    ),
    (
        "expect",
        List(&Whole(100, 599), 1),
        "Status codes that are a success; 200 to 299 when nothing is written.",
    ),
];

const NOTEBOOK: [Row; 2] = [
    (
        "merge",
        Texts,
        "The steps whose notebooks are put together, in this order.",
    ),
    ("title", Text, "Title of the notebook."),
];

const MESSAGE: [Row; 1] = [("message", Text, "Why.")];
