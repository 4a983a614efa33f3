//! The keys of a step and of its code.

use super::super::python::{COUNT_MAX, OPEN_FILES_MIN};
use super::super::task::{self, GENERATIONS_MAX};
use super::super::{keys, step};
use super::shape::Shape::{
    Bool, Condition, Duration, Either, Fields, List, Name, NamedValues, Nothing, Of, Size, Text,
    TextMap, Texts, True, Values, Variables, Whole, Words,
};
use super::top::{executions, modes, on_unknown};
use super::{Row, Table};
use crate::plan::{IsolationLevel, NanPolicy, SecurityLevel};

pub(super) const TABLES: [Table; 4] = [
    Table {
        name: "step",
        keys: Some(&keys::STEP),
        about: "A step: an id, what it does (exactly one of the kinds), and when.",
        required: &["id"],
        one_of: &keys::KINDS,
        rows: &STEP,
    },
    Table {
        name: "handler_step",
        keys: Some(&keys::STEP),
        about: "A step of a handler; it needs no id.",
        required: &[],
        one_of: &keys::KINDS,
        rows: &STEP,
    },
    Table {
        name: "python",
        keys: Some(&keys::PYTHON),
        about: "Python code from a file, written in place or by a generator, and what it runs with.",
        required: &[],
        one_of: &["file", "code", "notebook", "task"],
        rows: &PYTHON,
    },
    Table {
        name: "step_limits",
        keys: Some(&keys::STEP_LIMITS),
        about: "How much an attempt may use; what it says nothing of is as in config.yml.",
        required: &[],
        one_of: &[],
        rows: &STEP_LIMITS,
    },
];

const STEP: [Row; 40] = [
    (
        "id",
        Name,
        "Id of the step, unique in the file: small letters, digits and _.",
    ),
    ("name", Text, "Name for people, in plain text."),
    ("description", Text, "What the step is for, in plain text."),
    (
        "needs",
        Either(&[Text, Texts]),
        "Steps that must have succeeded before. `needs: []` starts at once.",
    ),
    (
        "after",
        Either(&[Text, Texts]),
        "Steps that must have ended before, whatever their result.",
    ),
    (
        "if",
        Condition,
        "Runs the step only when this is true: `if: ${{ steps.load.outputs.rows > 0 }}`.",
    ),
    ("python", Of("python"), "Runs Python code."),
    ("set", NamedValues, "Gives values, without Python."),
    (
        "switch",
        List(&Of("arm"), 1),
        "Takes the first arm whose condition is true.",
    ),
    (
        "approval",
        Of("approval"),
        "Asks a person, and waits for the answer.",
    ),
    (
        "foreach",
        Of("foreach"),
        "Does the same for every item of a list.",
    ),
    (
        "until",
        Of("until"),
        "Repeats its steps until a condition holds.",
    ),
    (
        "parallel",
        List(&Of("branch"), 1),
        "Runs branches at the same time.",
    ),
    (
        "workflow",
        Either(&[Text, Of("child")]),
        "Runs another workflow as a run of its own.",
    ),
    ("wait", Of("wait"), "Waits for a time or for a signal."),
    ("notify", Either(&[Text, Of("notify")]), "Tells somebody."),
    ("http", Of("http"), "Makes one HTTP request."),
    (
        "notebook",
        Of("notebook"),
        "Puts notebooks of steps together.",
    ),
    (
        "action",
        Either(&[Text, Of("action")]),
        "Does what the program that runs the workflow brings along under that name.",
    ),
    ("fail", Either(&[Text, Of("fail")]), "Fails."),
    (
        "succeed",
        Either(&[True, Nothing, Text, Of("succeed")]),
        "Ends the run at once, and well.",
    ),
    (
        "text",
        Text,
        "What is told, beside `notify` with the name of a channel.",
    ),
    (
        "with",
        Values,
        "What the code sees as `context`; the inputs of another workflow; what an action is told.",
    ),
    (
        "env",
        Variables,
        "Variables of the code's environment; secrets may stand here.",
    ),
    (
        "outputs",
        Fields,
        "The outputs with their types; what the code leaves in `results` is checked against them.",
    ),
    ("timeout", Duration, "Longest time of an attempt."),
    (
        "deadline",
        Duration,
        "Longest time of all attempts together.",
    ),
    ("retry", Of("retry"), "How failed attempts are repeated."),
    (
        "on_failure",
        Words(on_failure),
        "What a failure means: fail the run (default), continue without the outputs, or skip the dependents.",
    ),
    (
        "approve_code",
        Either(&[Bool, Of("approve_code")]),
        "Asks a person before this very code runs, beside the policy of config.yml.",
    ),
    (
        "artifacts",
        Texts,
        "Patterns of files that the code leaves and that are kept.",
    ),
    (
        "cache",
        Either(&[Bool, Of("cache")]),
        "Takes the result of an earlier run with the same code, inputs and environment.",
    ),
    (
        "locks",
        Texts,
        "Names of locks that the step holds while it runs.",
    ),
    (
        "release_on_wait",
        Bool,
        "Whether the locks are given up while a question is open.",
    ),
    (
        "concurrency",
        Of("concurrency"),
        "How many steps of a group go on at the same time.",
    ),
    ("labels", TextMap, "Words to find the step by."),
    (
        "retention",
        Duration,
        "How long the files of the step are kept.",
    ),
    ("sensitive", Texts, "Outputs that are not shown."),
    (
        "idempotency_key",
        Text,
        "A text that lets the other side recognise a repeated write.",
    ),
    (
        "on_unknown",
        Words(on_unknown),
        "What happens when nobody knows whether an attempt did its work.",
    ),
];

const PYTHON: [Row; 25] = [
    (
        "file",
        Text,
        "A file of code, relative to the workflow file.",
    ),
    (
        "code",
        Text,
        "The code itself: `code: |` and the lines below it.",
    ),
    ("notebook", Text, "A notebook whose cells are the code."),
    ("task", Text, "What code shall be written for, in words."),
    (
        "expects",
        Either(&[Text, Values]),
        "What the written code shall leave: a sentence, or a map from names of results to what they are.",
    ),
    (
        "user_query",
        Text,
        "What a person asked for, in that person's words; for the writer of the code.",
    ),
    (
        "context",
        Text,
        "What the inputs are, in words; their types and shapes are told anyhow.",
    ),
    (
        "generator",
        Text,
        "The generator of config.yml that writes the code.",
    ),
    (
        "max_generations",
        Whole(1, GENERATIONS_MAX),
        "How often code may be written, the first time counted.",
    ),
    (
        "reuse",
        Words(reuse),
        "Whether code that was approved once is taken again.",
    ),
    (
        "mode",
        Words(modes),
        "Whether the code may write: read_only (default) or write_access.",
    ),
    ("packages", Texts, "Python packages to install."),
    (
        "requirements",
        Either(&[Text, Texts]),
        "A requirements file, relative to the workflow file; beside `task` also a list of what the code must fulfil.",
    ),
    ("timeout", Duration, "Longest time of an attempt."),
    ("execution", Words(executions), "Where the code runs."),
    (
        "requires_isolation",
        Bool,
        "Whether the code must not share the machine, for the rules of `auto`.",
    ),
    (
        "has_special_dependencies",
        Bool,
        "Whether the code needs what only a prepared image has, for the rules of `auto`.",
    ),
    (
        "estimated_time",
        Duration,
        "How long the code is expected to take, for the rules of `auto`.",
    ),
    (
        "security_level",
        Words(security_levels),
        "How far the code is to be kept apart, for the rules of `auto`: low, medium (default) or high.",
    ),
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
    (
        "nan",
        Either(&[Words(nan), Nothing]),
        "What becomes of NaN and infinities in results: refuse (default) or null.",
    ),
];

/// Rows of `limits`.
const STEP_LIMITS: [Row; 7] = [
    (
        "memory",
        Size,
        "Memory of each process, and of all together.",
    ),
    ("cpu_time", Duration, "Processor time of all processes."),
    (
        "processes",
        Whole(1, COUNT_MAX),
        "Processes and threads at the same time.",
    ),
    (
        "open_files",
        Whole(OPEN_FILES_MIN, COUNT_MAX),
        "Open files of each process.",
    ),
    (
        "output",
        Size,
        "What is kept of each stream; the rest is dropped.",
    ),
    ("disk", Size, "Everything that the attempt has on the disk."),
    (
        "stop_grace",
        Duration,
        "From the interrupt at a time-out or a cancel until the code is ended, at most 1h.",
    ),
];

pub(super) fn isolation() -> Vec<&'static str> {
    IsolationLevel::WORDS_OF_STEP
        .iter()
        .map(|(word, _)| *word)
        .collect()
}

fn security_levels() -> Vec<&'static str> {
    SecurityLevel::WORDS.map(|(word, _)| word).to_vec()
}

fn on_failure() -> Vec<&'static str> {
    step::ON_FAILURE.iter().map(|(word, _)| *word).collect()
}

fn reuse() -> Vec<&'static str> {
    task::REUSE.iter().map(|(word, _)| *word).collect()
}

fn nan() -> Vec<&'static str> {
    NanPolicy::WORDS.iter().map(|(word, _)| *word).collect()
}
