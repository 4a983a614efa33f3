//! A step of a plan: what it waits for, what it does, what follows when it fails.

use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{
    ActionStep, ApprovalStep, ApproveCode, Concurrency, Execution, ExecutionFacts, FailStep, Field,
    ForeachStep, HttpStep, IsolationLevel, Mode, NanPolicy, NotebookStep, NotifyStep, ParallelStep,
    SetStep, StepLimits, SucceedStep, SwitchStep, TaskStep, UntilStep, WaitStep, WorkflowStep,
    millis,
};
use crate::expression::{Expression, Template};
use crate::failure::FailureKind;
use crate::id::{Digest, StepPath};

/// One step, nested ones too: a plan's steps are a flat list in the order of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The id that the author wrote, unique in the file.
    pub id: String,
    /// Where it stands: the id, behind the ids of the steps around it.
    pub path: StepPath,
    /// The switch and the arm that it belongs to, when it is nested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Description for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<Edge>,
    /// `if:`; the step is skipped when it is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Expression>,
    /// `with:`; what the code sees as `context`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub with: IndexMap<String, Template>,
    /// `env:`; environment variables of the code.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<String, Template>,
    /// Declared outputs; without them every key of the results is an output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<IndexMap<String, Field>>,
    /// When and how often it is tried again.
    pub retry: RetryPolicy,
    /// Longest time of one attempt.
    #[serde(default, with = "millis", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Longest time from when it is ready, over all attempts, delays and queues.
    #[serde(default, with = "millis", skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Duration>,
    /// What its failure does to the rest.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// Files that its code leaves and that are kept: patterns below the folder of the attempt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// Whether an earlier result for the same work may be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cache>,
    /// Names that only one step of all runs holds at a time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<Template>,
    /// Whether the locks are given up while it waits for a person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub release_on_wait: bool,
    /// How many of its group run at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// Labels, in the order of the file.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub labels: IndexMap<String, String>,
    /// How long its files are kept.
    #[serde(default, with = "millis", skip_serializing_if = "Option::is_none")]
    pub retention: Option<Duration>,
    /// Names of outputs that are not shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensitive: Vec<String>,
    /// What makes the outside world take a repetition for the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<Template>,
    /// What follows when an attempt was interrupted and nobody knows how far it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_unknown: Option<OnUnknown>,
    /// What it does.
    pub kind: StepKind,
}

impl Step {
    /// Whether it begins only with a place in a group or a lock.
    #[must_use]
    pub fn wants_places(&self) -> bool {
        !self.locks.is_empty() || self.concurrency.is_some()
    }

    /// A step of which nothing but identity and kind is said.
    #[must_use]
    pub fn new(id: impl Into<String>, path: StepPath, kind: StepKind) -> Self {
        Self {
            id: id.into(),
            path,
            parent: None,
            name: None,
            description: None,
            edges: Vec::new(),
            condition: None,
            with: IndexMap::new(),
            env: IndexMap::new(),
            outputs: None,
            retry: RetryPolicy::unwritten(Mode::ReadOnly),
            timeout: None,
            deadline: None,
            on_failure: OnFailure::Fail,
            artifacts: Vec::new(),
            cache: None,
            locks: Vec::new(),
            release_on_wait: false,
            concurrency: None,
            labels: IndexMap::new(),
            retention: None,
            sensitive: Vec::new(),
            idempotency_key: None,
            on_unknown: None,
            kind,
        }
    }

    /// What its failure does to the rest: telling somebody never fails a run.
    #[must_use]
    pub fn failure_means(&self) -> OnFailure {
        match (&self.kind, self.on_failure) {
            (StepKind::Notify(_), OnFailure::Fail) => OnFailure::Continue,
            (_, on_failure) => on_failure,
        }
    }

    /// What people read: the name, or the path.
    #[must_use]
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.path.as_str())
    }
}

/// What stands around a nested step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Path of the step around it; [`super::Handlers::PATH`] for the steps of handlers.
    pub step: StepPath,
    /// Name of the arm, the branch or the handler; empty in a foreach and an until.
    pub arm: String,
}

/// Something that a step waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The step waited for.
    pub from: StepPath,
    /// What its end must look like.
    pub kind: EdgeKind,
}

/// Where an edge comes from and what satisfies it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// Written in `needs:`; must succeed.
    Needs,
    /// An expression reads its outputs; must succeed.
    Reference,
    /// The step before it in the list; must succeed or be skipped.
    Previous,
    /// Written in `after:`, or read only where absence is allowed; must end, whatever the result.
    After,
}

/// What a step's failure does to the rest of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Dependents are not run, the run ends failed.
    #[default]
    Fail,
    /// Dependents run, its outputs are absent; the run goes on.
    Continue,
    /// Dependents are not run; the run goes on.
    SkipDependents,
}

/// When an earlier result may be taken instead of running the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cache {
    /// How old it may be; none = any age.
    #[serde(default, with = "millis", skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Duration>,
}

/// What follows when an attempt was interrupted and nobody knows how far it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// A person is asked.
    Ask,
    /// It is made again.
    Retry,
    /// The step fails.
    Fail,
}

/// When and how often a failed attempt is followed by another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts in all, the first one counted.
    pub max_attempts: u32,
    /// Delay before the second attempt.
    #[serde(with = "millis::plain")]
    pub delay: Duration,
    /// Factor from one delay to the next.
    pub backoff: f64,
    /// Longest delay.
    #[serde(with = "millis::plain")]
    pub max_delay: Duration,
    /// Share by which a drawn delay may differ, 0 to 1.
    pub jitter: f64,
    /// Kinds of failure that are tried again.
    pub kinds: Vec<FailureKind>,
}

impl RetryPolicy {
    /// What holds when nothing is written: the surroundings get three tries, a write step one.
    #[must_use]
    pub fn unwritten(mode: Mode) -> Self {
        Self {
            max_attempts: match mode {
                Mode::ReadOnly => 3,
                Mode::WriteAccess => 1,
            },
            delay: Duration::from_secs(1),
            backoff: 2.0,
            max_delay: Duration::from_secs(60),
            jitter: 0.2,
            kinds: vec![FailureKind::Infrastructure],
        }
    }
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Runs Python code.
    Python(PythonStep),
    /// Gives values, no Python.
    Set(SetStep),
    /// Chooses one of several arms.
    Switch(SwitchStep),
    /// Asks a person.
    Approval(ApprovalStep),
    /// Does the same for every item of a list.
    Foreach(ForeachStep),
    /// Repeats its steps until a condition holds.
    Until(UntilStep),
    /// Runs branches at the same time.
    Parallel(ParallelStep),
    /// Runs another workflow.
    Workflow(WorkflowStep),
    /// Waits for a time or a signal.
    Wait(WaitStep),
    /// Makes one HTTP request.
    Http(HttpStep),
    /// Tells somebody.
    Notify(NotifyStep),
    /// Puts notebooks together.
    Notebook(NotebookStep),
    /// Does what the program brings along under a name.
    Action(ActionStep),
    /// Fails.
    Fail(FailStep),
    /// Ends the run, the item or the round at once, and well.
    Succeed(SucceedStep),
}

impl StepKind {
    /// The code of a step that runs code.
    #[must_use]
    pub fn as_python(&self) -> Option<&PythonStep> {
        if let Self::Python(python) = self {
            Some(python)
        } else {
            None
        }
    }

    /// Paths of the steps that stand in it and come to life with it: of a switch's arms, of branches.
    #[must_use]
    pub fn children(&self) -> Vec<&StepPath> {
        if let Self::Switch(switch) = self {
            return switch.arms.iter().flat_map(|arm| &arm.steps).collect();
        }
        if let Self::Parallel(parallel) = self {
            return parallel
                .branches
                .iter()
                .flat_map(|branch| &branch.steps)
                .collect();
        }
        Vec::new()
    }

    /// Paths of all steps that stand directly in it.
    #[must_use]
    pub fn body(&self) -> Vec<StepPath> {
        if let Self::Foreach(foreach) = self {
            return foreach.steps.clone();
        }
        if let Self::Until(until) = self {
            return until.steps.clone();
        }
        self.children().into_iter().cloned().collect()
    }

    /// Whether it is one act on the outside, tried and retried like code, but without code.
    #[must_use]
    pub fn is_action(&self) -> bool {
        matches!(
            self,
            Self::Http(_) | Self::Notify(_) | Self::Notebook(_) | Self::Action(_)
        )
    }

    /// Whether an attempt of it may change something outside.
    #[must_use]
    pub fn writes(&self) -> bool {
        if let Self::Http(http) = self {
            return http.writes();
        }
        if let Self::Action(action) = self {
            return action.mode == Mode::WriteAccess;
        }
        self.as_python()
            .is_some_and(|python| python.mode == Mode::WriteAccess)
    }

    /// Whether it has steps inside.
    #[must_use]
    pub fn is_container(&self) -> bool {
        matches!(
            self,
            Self::Switch(_) | Self::Foreach(_) | Self::Until(_) | Self::Parallel(_)
        )
    }

    /// The word of the kind, as in YAML.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Python(_) => "python",
            Self::Set(_) => "set",
            Self::Switch(_) => "switch",
            Self::Approval(_) => "approval",
            Self::Foreach(_) => "foreach",
            Self::Until(_) => "until",
            Self::Parallel(_) => "parallel",
            Self::Workflow(_) => "workflow",
            Self::Wait(_) => "wait",
            Self::Http(_) => "http",
            Self::Notify(_) => "notify",
            Self::Notebook(_) => "notebook",
            Self::Action(_) => "action",
            Self::Fail(_) => "fail",
            Self::Succeed(_) => "succeed",
        }
    }
}

/// Where the code of a step comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeSource {
    /// It is there: the digest of its bytes, which are a blob.
    Code(Digest),
    /// A generator writes it.
    Task(Box<TaskStep>),
}

/// A step that runs Python code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PythonStep {
    /// What people see in tracebacks: the file as written, or `<step id>.py` for inline code.
    pub file_name: String,
    /// The code, or what it shall be written for.
    #[serde(flatten)]
    pub source: CodeSource,
    /// The notebook that the code comes from, a blob: its cells with the text between them, without outputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notebook: Option<Digest>,
    /// What the code may do.
    pub mode: Mode,
    /// Requirement lines, as written in `packages:`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// Digest of the requirements file, when one is named; its text is a blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirements: Option<Digest>,
    /// Where the code runs, when the workflow says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<Execution>,
    /// What the step says of itself, for the rules that decide where it runs.
    #[serde(default, skip_serializing_if = "ExecutionFacts::is_plain")]
    pub facts: ExecutionFacts,
    /// `approve_code:`; asks in addition to the policy, never instead of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve_code: Option<ApproveCode>,
    /// How much an attempt may use, where the step says it.
    #[serde(default, skip_serializing_if = "StepLimits::is_empty")]
    pub limits: StepLimits,
    /// How far the code is kept apart, where the step says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<IsolationLevel>,
    /// What becomes of NaN and infinities in its results.
    #[serde(default, skip_serializing_if = "NanPolicy::is_usual")]
    pub nan: NanPolicy,
}

impl PythonStep {
    /// The digest of code that is part of the plan.
    #[must_use]
    pub fn code(&self) -> Option<Digest> {
        match &self.source {
            CodeSource::Code(digest) => Some(*digest),
            CodeSource::Task(_) => None,
        }
    }

    /// What the code shall be written for, when a generator writes it.
    #[must_use]
    pub fn task(&self) -> Option<&TaskStep> {
        match &self.source {
            CodeSource::Code(_) => None,
            CodeSource::Task(task) => Some(task),
        }
    }
}
