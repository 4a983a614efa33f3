//! What a workflow says beside its steps.

use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::millis;
use crate::expression::{Expression, Reference, Template};
use crate::id::StepPath;

/// A bound on how many runs or steps of one group go on at the same time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Concurrency {
    /// Name of the group, evaluated when the run or the step would begin.
    pub group: Template,
    /// How many at once.
    pub limit: u32,
    /// What happens when there is no room.
    #[serde(default)]
    pub when_full: WhenFull,
    /// Whether a run that waits for a person gives its place up.
    #[serde(default = "yes")]
    pub release_while_waiting: bool,
}

fn yes() -> bool {
    true
}

/// What happens when a group is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// The newcomer waits, first come first served.
    #[default]
    Queue,
    /// The newcomer is cancelled.
    CancelNew,
    /// The one that runs is cancelled, and the newcomer waits for its end.
    CancelRunning,
}

/// Where a secret comes from. The value itself is never kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// An environment variable of the engine.
    Env(String),
    /// A file; one line end at its end is not part of the value.
    File(String),
}

impl SecretSource {
    /// The secrets that a template names itself, in the order of its text. Where it is evaluated for a process or
    /// a request, these may be put in and no others: data of the run could spell the name of any secret.
    #[must_use]
    pub fn named_in(template: &Template) -> Vec<&str> {
        template
            .expressions()
            .into_iter()
            .flat_map(Expression::references)
            .filter_map(|reference| match reference {
                Reference::Path { root, path, .. } if root == "secrets" => path.first(),
                Reference::Path { .. } | Reference::Status { .. } => None,
            })
            .map(String::as_str)
            .collect()
    }
}

/// When a run is started by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Its id, unique in the file.
    pub id: String,
    /// Five fields of crontab, as written.
    pub cron: String,
    /// Name of the time zone, IANA.
    pub timezone: String,
    /// What happens to slots that were missed.
    #[serde(default)]
    pub catchup: Catchup,
    /// How old a missed slot may be.
    #[serde(default, with = "millis", skip_serializing_if = "Option::is_none")]
    pub catchup_window: Option<Duration>,
    /// What happens when the run of an earlier slot still goes on.
    #[serde(default)]
    pub overlap: Overlap,
    /// The longest that a start may be shifted, so that not everything starts at once.
    #[serde(default, with = "millis", skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Duration>,
    /// Inputs of the runs that it starts.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub with: IndexMap<String, Template>,
}

/// What happens to slots that were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Catchup {
    /// They are left out.
    None,
    /// The newest one is run.
    #[default]
    Latest,
    /// Every one is run, oldest first.
    All,
}

/// What happens when the run of an earlier slot still goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// The slot is left out.
    #[default]
    Skip,
    /// The slot waits.
    Queue,
    /// The earlier run is cancelled.
    CancelRunning,
    /// Both run.
    Allow,
}

/// What handlers of a run react to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandlerKind {
    /// A question to people has opened; once for each question.
    Waiting,
    /// The run has failed.
    Failure,
    /// The run has succeeded.
    Success,
    /// A person said no and the run ends with it.
    Reject,
    /// The run was cancelled.
    Cancel,
    /// The run ends, whatever its result; after the others.
    Finish,
}

impl HandlerKind {
    /// Every kind, in the order in which they run.
    pub const ALL: [Self; 6] = [
        Self::Waiting,
        Self::Failure,
        Self::Success,
        Self::Reject,
        Self::Cancel,
        Self::Finish,
    ];

    /// The word of the kind, as in YAML.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Failure => "failure",
            Self::Success => "success",
            Self::Reject => "reject",
            Self::Cancel => "cancel",
            Self::Finish => "finish",
        }
    }

    /// Reads the word of a kind.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// The handlers of a workflow. Their steps stand among the steps of the plan, inside `handlers`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Handlers {
    /// Longest time of one handler.
    #[serde(default, with = "millis", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Paths of the steps of each.
    #[serde(flatten)]
    pub steps: IndexMap<HandlerKind, Vec<StepPath>>,
}

impl Handlers {
    /// The path that stands for a handler's outside: its steps have it as parent.
    pub const PATH: &'static str = "handlers";

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The steps of one.
    #[must_use]
    pub fn of(&self, kind: HandlerKind) -> &[StepPath] {
        self.steps.get(&kind).map_or(&[], Vec::as_slice)
    }
}
