//! What the events carry.

mod approval;
mod cache;
mod child;
mod edit;
mod flow;
mod generate;
mod handler;
mod queue;
mod rerun;
mod retention;
mod time;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use approval::{
    ApprovalClosed, ApprovalEscalated, ApprovalReminded, ApprovalRequested, ApprovalVoted, Closed,
    StepsRewound, Subject,
};
pub use cache::{Bypass, CacheBypassed, CacheMissed, Miss, NotReused, Parts, StepReused};
pub use child::{ChildRunClosed, ChildRunStarted, ChildRunWaiting};
pub use edit::CodeEdited;
pub use flow::{
    BlockStatus, MapExpanded, MapItemClosed, MapItemStarted, RoundClosed, RoundStarted,
};

pub use generate::{Circumstances, CodeGenerated, Cost, Feedback, Phase, Reused, TaskText, Usage};
pub use handler::{HandlerEnded, HandlerNamed, NotificationSent, RunDecided, StepFailure};
pub use queue::{RunQueued, SlotWish, SlotsReleased, StepAdmitted, StepQueued};
pub use rerun::{CopiedItems, PlanMigrated, RunReopened, StepCopied};
pub use retention::FilesRemoved;
pub use time::{DeadlinePassed, RunPaused, SignalConsumed, SignalReceived};

pub use crate::approval::{Answer, ModuleChange, Modules};
use crate::approval::{Bounds, Changed, Covered, Decision, KnownModules, Rules};
use crate::failure::Failure;
use crate::id::{Digest, RunId, StepPath};
use crate::plan::Mode;
use crate::python::analysis::Report;
use crate::python::outcome::{Isolation, Packages};
use crate::time::Timestamp;

/// Values by name, in order.
pub type Values = Map<String, Value>;

/// How a run came to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Trigger {
    /// A person started it.
    Manual,
    /// A step of another run started it.
    Parent {
        /// That run.
        run: RunId,
        /// That step.
        step: StepPath,
    },
    /// It goes on from what another run did.
    Fork {
        /// That run.
        run: RunId,
        /// The last event of that run that it builds on.
        seq: crate::run::Seq,
        /// How many of its steps were copied.
        copied: u32,
    },
}

impl Trigger {
    /// The word that expressions see.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Parent { .. } => "parent",
            Self::Fork { .. } => "fork",
        }
    }
}

/// See [`super::Event::RunCreated`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunCreated {
    /// Name of the workflow.
    pub workflow: String,
    /// The plan, a blob.
    pub plan: Digest,
    /// Version of the engine that created it.
    pub engine: String,
    /// The inputs, checked and complete.
    pub inputs: Values,
    /// How it came to be.
    pub trigger: Trigger,
    /// Folder of the run, relative to the data folder.
    pub folder: String,
    /// Folder of the workflow file, absolute; the code imports its own modules from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_folder: Option<String>,
    /// Where people find the installation in a browser, as it was then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The moment that the run stands for.
    pub scheduled_at: Timestamp,
    /// Whether the person who started it may answer its questions, where a step says nothing.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub allow_self: bool,
    /// Labels of the workflow.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub labels: IndexMap<String, String>,
    /// The name that a program gave to its request, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Thread>,
}

/// The name by which a program finds the run of its request again. No other run has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// The name.
    pub id: String,
    /// Digest of the request: another one under the same name is refused.
    pub request: Digest,
}

fn yes() -> bool {
    true
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_yes(value: &bool) -> bool {
    *value
}

/// End of a run, but for its failure.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RunEnded {
    /// Outputs that could be evaluated.
    #[serde(default)]
    pub outputs: Values,
    /// What a person should know although the run ended so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Why, when there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// See [`super::Event::RunFailed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFailed {
    /// Step of the first failure that nothing tolerated.
    pub step: StepPath,
    /// That failure.
    pub failure: Failure,
    /// Outputs and warnings.
    #[serde(flatten)]
    pub end: RunEnded,
}

/// See [`super::Event::StepReady`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReady {
    /// The step.
    pub step: StepPath,
    /// What the code will see as `context`.
    #[serde(default)]
    pub inputs: Values,
    /// Environment variables of the code.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<String, String>,
    /// What makes the outside world take a repetition for the same; for code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// The condition that let it through, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// What its code shall be written for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskText>,
}

/// A step that ends without having run to its end: skipped, not run, rejected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepBlocked {
    /// The step.
    pub step: StepPath,
    /// Why, one sentence.
    pub why: String,
    /// Whether only skips lie behind it; then a step after it in the list goes on.
    #[serde(default)]
    pub only_skips: bool,
}

/// See [`super::Event::StepSucceeded`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepSucceeded {
    /// The step.
    pub step: StepPath,
    /// Its outputs.
    pub outputs: Values,
}

/// See [`super::Event::StepFailed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepFailed {
    /// The step.
    pub step: StepPath,
    /// Why.
    pub failure: Failure,
}

/// What an attempt may do to the world: it decides what follows a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectClass {
    /// Reads at most: may be done again.
    Read,
    /// May write: never done again without a person.
    Write,
}

/// See [`super::Event::AttemptStarted`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptStarted {
    /// The step.
    pub step: StepPath,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// What it is a try of.
    #[serde(default, skip_serializing_if = "Phase::is_execute")]
    pub phase: Phase,
    /// What runs it: `local` or `container` for Python, the generator for writing code, else the word of the step's kind.
    pub executor: String,
    /// What decided that, for people; none when there was nothing to decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_by: Option<String>,
    /// What it may do.
    pub effect: EffectClass,
    /// The environment that the code runs in; none when no code runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Digest>,
    /// What was approved, or would have been asked: code, inputs, mode, environment, policy. None when no
    /// code runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Digest>,
}

/// An attempt and nothing else to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptEnded {
    /// The step.
    pub step: StepPath,
    /// The attempt.
    pub attempt: u32,
}

/// See [`super::Event::AttemptFailed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptFailed {
    /// The step.
    pub step: StepPath,
    /// The attempt.
    pub attempt: u32,
    /// Why.
    pub failure: Failure,
    /// Whether it counts against the retry policy. A crash of the engine does not.
    pub counted: bool,
}

/// See [`super::Event::AttemptOutcomeUnknown`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptOutcomeUnknown {
    /// The step.
    pub step: StepPath,
    /// The attempt.
    pub attempt: u32,
    /// What was found of it.
    pub evidence: String,
}

/// See [`super::Event::RetryScheduled`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetryScheduled {
    /// The step.
    pub step: StepPath,
    /// The attempt to come.
    pub attempt: u32,
    /// When it may begin.
    pub at: Timestamp,
    /// The delay as drawn, in milliseconds.
    pub delay_ms: u64,
    /// The rule that allowed it.
    pub rule: String,
}

/// See [`super::Event::AnalysisReported`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnalysisReported {
    /// The step.
    pub step: StepPath,
    /// The code that was analysed.
    pub code: Digest,
    /// What the code may do.
    pub mode: Mode,
    /// What the analysis found.
    pub report: Report,
    /// What the policy says, and which line of it decided.
    pub decision: Decision,
    /// The environment that the code would run in.
    pub environment: Digest,
    /// The same for people.
    pub environment_text: String,
    /// Digest over code, inputs, mode, environment, policy and bounds: what an approval is bound to.
    pub subject: Digest,
    /// What that covers beside the bounds, part by part.
    #[serde(default, skip_serializing_if = "Covered::is_empty")]
    pub covered: Covered,
    /// The modules beside the workflow that it covers, one by one, where a person is asked or would have to be.
    #[serde(default, skip_serializing_if = "Modules::is_empty")]
    pub modules: Modules,
    /// What bounds the code; empty in histories from before an approval was bound to it.
    #[serde(default, skip_serializing_if = "Bounds::is_empty")]
    pub bounds: Bounds,
    /// What stands in the files that the step is given, where somebody is asked; an approval is bound to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<InputFile>,
    /// What differs from the analysis before, when the step had one.
    #[serde(default, skip_serializing_if = "Changed::is_empty")]
    pub changed: Changed,
    /// For code that a later run may take again: the same digest with the shapes of the inputs instead of their values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reuse: Option<Digest>,
    /// The newest mark on such code by which an earlier yes ended: a yes that follows is one that came later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Digest>,
    /// Who should answer if it asks, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewers: Option<String>,
    /// The rules of the question, if it asks.
    #[serde(default, skip_serializing_if = "Rules::is_plain")]
    pub rules: Rules,
    /// The notebook that shows what would run, relative to the data folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notebook: Option<String>,
}

impl AnalysisReported {
    /// What is known of the modules beside the workflow.
    #[must_use]
    pub fn known_modules(&self) -> KnownModules<'_> {
        KnownModules {
            covered: &self.covered,
            modules: &self.modules,
        }
    }
}

/// A file that an input of the run names, as it was when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    /// The input.
    pub input: String,
    /// Where it is.
    pub path: String,
    /// Its size.
    #[serde(default)]
    pub bytes: u64,
    /// Its content; none when there is no such file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
}

/// A file that an attempt left, kept as a blob and in the run folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRef {
    /// Path in the run folder, relative to the data folder.
    pub path: String,
    /// Digest of its bytes.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
    /// Its media type.
    pub media_type: String,
    /// What it is: `image`, `table`, `notebook`, `html`, `json` or `file`; empty in older records.
    #[serde(default, rename = "type", skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// What can be said of it at a glance: sizes, first rows, the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Value>,
    /// A short title; empty when none was given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// A longer text; empty when none was given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// See [`super::Event::ResultRecorded`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultRecorded {
    /// The step.
    pub step: StepPath,
    /// The attempt.
    pub attempt: u32,
    /// What the code left in `results`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<Value>,
    /// Pictures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<FileRef>,
    /// Other files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<FileRef>,
    /// The notebook of the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notebook: Option<FileRef>,
    /// Folder of the attempt, relative to the data folder.
    pub folder: String,
    /// Lossy conversions, truncations, oddities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Largest resident set in bytes.
    #[serde(default)]
    pub max_rss_bytes: u64,
    /// Processor time in seconds, user and kernel.
    #[serde(default)]
    pub cpu_seconds: f64,
    /// The key of the cache under which it is kept: what the key covers was the same before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_as: Option<Digest>,
    /// What kept the code apart from the rest of the machine.
    #[serde(default, skip_serializing_if = "Isolation::is_empty")]
    pub isolation: Isolation,
    /// What was installed where the code ran: the list is a blob of that digest. None when nobody could say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<Packages>,
}

/// One condition that a switch tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmTried {
    /// Name of the arm.
    pub arm: String,
    /// What its condition gave.
    pub value: bool,
}

/// See [`super::Event::BranchChosen`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BranchChosen {
    /// The switch.
    pub step: StepPath,
    /// The arm taken.
    pub arm: String,
    /// Every condition that was tried, in order.
    pub tried: Vec<ArmTried>,
}
