//! The keys of questions to people.

use super::super::{approval, ask, keys};
use super::shape::Shape::{
    Bool, Condition, Duration, Either, Fields, List, Of, Text, Texts, Whole, Words,
};
use super::{Row, Table};

pub(super) const TABLES: [Table; 3] = [
    Table {
        name: "approval",
        keys: Some(&keys::APPROVAL),
        about: "A question to a person: yes or no, with what she is shown and what she fills in.",
        required: &["title"],
        one_of: &[],
        rows: &APPROVAL,
    },
    Table {
        name: "approve_code",
        keys: Some(&keys::APPROVE_CODE),
        about: "When a person is asked before the code of this step runs, and whom.",
        required: &[],
        one_of: &[],
        rows: &APPROVE_CODE,
    },
    Table {
        name: "reviewers",
        keys: Some(&keys::REVIEWERS),
        about: "Who may answer: these people, and everybody who has one of these roles.",
        required: &[],
        one_of: &[],
        rows: &[
            ("users", Texts, "Names of people."),
            ("roles", Texts, "Roles of config.yml."),
        ],
    },
];

const APPROVAL: [Row; 15] = [
    ("title", Text, "The question."),
    (
        "show",
        Texts,
        "What the person is shown: `analyse.figures`, `analyse.outputs.rms`.",
    ),
    (
        "form",
        Fields,
        "What the person fills in; the values are the outputs of the step.",
    ),
    (
        "reviewers",
        Either(&[Text, Texts, Of("reviewers")]),
        "Who should answer.",
    ),
    (
        "on_reject",
        Words(on_reject),
        "What a no does: end the run as rejected (default), skip the dependents, or fail the run.",
    ),
    (
        "required",
        Whole(1, ask::PEOPLE_MAX),
        "How many different people must say yes.",
    ),
    (
        "reject_quorum",
        Whole(1, ask::PEOPLE_MAX),
        "How many must say no until it is a no.",
    ),
    (
        "allow_self",
        Bool,
        "Whether the person who started the run or wrote the code may answer.",
    ),
    (
        "remind",
        Either(&[Duration, List(&Duration, 0)]),
        "How long after the question people are reminded.",
    ),
    (
        "timeout",
        Duration,
        "How long there is time to answer, by the clock on the wall.",
    ),
    (
        "on_timeout",
        Words(on_timeout),
        "What the end of that time means; never a yes.",
    ),
    (
        "escalate_to",
        Either(&[Texts, Of("reviewers")]),
        "Who may answer too, once the time is over: for `on_timeout: escalate`.",
    ),
    (
        "on_changes",
        Text,
        "The step that runs again when changes are asked for.",
    ),
    (
        "max_changes",
        Whole(1, approval::CHANGES_MAX),
        "How often changes may be asked for.",
    ),
    (
        "notify",
        Texts,
        "Channels of config.yml that hear of the question.",
    ),
];

const APPROVE_CODE: [Row; 10] = [
    (
        "when",
        Condition,
        "Asks when this is true; `check` is the analysis of the code.",
    ),
    (
        "reviewers",
        Either(&[Text, Texts, Of("reviewers")]),
        "Who should answer.",
    ),
    (
        "timeout",
        Duration,
        "How long there is time to answer, by the clock on the wall.",
    ),
    (
        "required",
        Whole(1, ask::PEOPLE_MAX),
        "How many different people must say yes.",
    ),
    (
        "reject_quorum",
        Whole(1, ask::PEOPLE_MAX),
        "How many must say no until it is a no.",
    ),
    (
        "allow_self",
        Bool,
        "Whether the person who started the run or wrote the code may answer.",
    ),
    (
        "remind",
        Either(&[Duration, List(&Duration, 0)]),
        "How long after the question people are reminded.",
    ),
    (
        "on_timeout",
        Words(on_timeout),
        "What the end of that time means; never a yes.",
    ),
    (
        "escalate_to",
        Either(&[Texts, Of("reviewers")]),
        "Who may answer too, once the time is over: for `on_timeout: escalate`.",
    ),
    (
        "notify",
        Texts,
        "Channels of config.yml that hear of the question.",
    ),
];

fn on_reject() -> Vec<&'static str> {
    approval::ON_REJECT.iter().map(|(word, _)| *word).collect()
}

fn on_timeout() -> Vec<&'static str> {
    ask::ON_TIMEOUT.iter().map(|(word, _)| *word).collect()
}
