//! What can be asked of a run. A command may be refused; an event is a fact.

use serde_json::Value;

use super::payload::{
    AnalysisReported, Answer, AttemptStarted, CacheBypassed, CacheMissed, ChildRunClosed,
    ChildRunStarted, ChildRunWaiting, CodeEdited, CodeGenerated, FilesRemoved, NotificationSent,
    PlanMigrated, ResultRecorded, StepReused, Values,
};
use super::record::Seq;
use super::state::RunState;
use crate::approval::Denied;
use crate::code::{self, Code};
use crate::failure::Failure;
use crate::id::{ApprovalId, Digest, StepPath};

/// A request to a run, from a person or from the engine.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Begin work.
    Start,
    /// Stop it.
    Cancel {
        /// Why, in the person's words.
        reason: Option<String>,
    },
    /// Go on after the end.
    Reopen {
        /// Steps to begin from; none = what did not succeed.
        from: Vec<StepPath>,
        /// Who wants it.
        by: String,
        /// Why, in the person's words.
        reason: Option<String>,
        /// The last event when what would begin anew was shown, if it was.
        seen: Option<Seq>,
        /// What takes no result from the cache from here on.
        bypass: CacheBypassed,
    },
    /// Go on with another version of the plan, which the caller has compared with this one.
    Migrate(PlanMigrated),
    /// Begin nothing new.
    Pause {
        /// Why, in the person's words.
        reason: Option<String>,
    },
    /// Go on.
    Unpause,
    /// Hand a signal to whoever waits for it, now or later.
    Signal {
        /// Its name.
        name: String,
        /// What it carries.
        payload: Values,
        /// What makes a repetition the same signal.
        key: Option<String>,
    },
    /// Answer a question.
    Vote(Vote),
    /// Change the code that a question is about.
    Edit(Box<CodeEdited>),
    /// Code was written for a step, or taken from an earlier run.
    Generated(CodeGenerated),
    /// The analysis of a step's code is there, with the policy's decision.
    Analysed(AnalysisReported),
    /// An earlier result stands for what the code of a step would leave.
    Reused(Box<StepReused>),
    /// None was taken.
    Missed(CacheMissed),
    /// Let code run although a result may be kept.
    BypassCache(CacheBypassed),
    /// The analysis could not be made.
    AnalysisFailed {
        /// The step.
        step: StepPath,
        /// Why.
        failure: Failure,
    },
    /// A run or a step can have the places and locks that it waits for.
    Admit {
        /// The step; none = the run itself.
        step: Option<StepPath>,
        /// For each wish, how many places other runs leave free.
        room: Vec<u32>,
    },
    /// A group is full, and the step says that it then does not run.
    SlotRefused {
        /// The step.
        step: StepPath,
        /// Why.
        why: String,
    },
    /// A step's own run exists.
    ChildStarted(ChildRunStarted),
    /// Only people can move that run on.
    ChildWaits(ChildRunWaiting),
    /// That run has ended.
    ChildEnded(ChildRunClosed),
    /// A channel was told of a question, or could not be.
    Told(NotificationSent),
    /// An attempt is about to begin.
    BeginAttempt(AttemptStarted),
    /// The time of files is over: see [`FilesRemoved`].
    RemoveFiles(FilesRemoved),
    /// An attempt ended and left this.
    AttemptEnded {
        /// What it left.
        result: ResultRecorded,
        /// Why it failed, if it did.
        failure: Option<Failure>,
    },
    /// An attempt could not be carried out at all.
    AttemptBroken {
        /// The step.
        step: StepPath,
        /// The attempt.
        attempt: u32,
        /// Why.
        failure: Failure,
    },
    /// An attempt that an earlier engine began left nothing.
    AttemptLost {
        /// The step.
        step: StepPath,
        /// The attempt.
        attempt: u32,
        /// Whether its code may have begun.
        started: bool,
        /// What was found.
        evidence: String,
    },
    /// No process of a cancelled attempt is alive any more.
    AttemptKilled {
        /// The step.
        step: StepPath,
        /// The attempt.
        attempt: u32,
    },
    /// What came of work for a step: refused when the step has begun anew since, or follows another plan.
    Since(Life, Box<Command>),
}

/// Which life of a step some work was begun for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// The step.
    pub step: StepPath,
    /// How often it had begun anew.
    pub number: u32,
    /// How often the run had changed its plan.
    pub version: usize,
}

impl Life {
    /// The present life of a step.
    #[must_use]
    pub fn of(state: &RunState, step: &StepPath) -> Option<Self> {
        let (_, step_state) = state.step(step)?;
        Some(Self {
            step: step.clone(),
            number: step_state.lives,
            version: state.versions.len(),
        })
    }

    /// Refuses what was made for another life.
    pub(super) fn check(&self, state: &RunState) -> Result<(), Refusal> {
        if Self::of(state, &self.step).as_ref() == Some(self) {
            return Ok(());
        }
        let why = format!("step `{}` has begun anew since", self.step);
        Err(Refusal::Stale(why))
    }
}

/// A person's answer to a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Vote {
    /// The question.
    pub approval: ApprovalId,
    /// Who answers.
    pub person: String,
    /// The roles that config.yml gives to that person; the engine fills them in.
    pub roles: Vec<String>,
    /// On whose keyboard, when somebody speaks for another.
    pub typed_by: Option<String>,
    /// The answer.
    pub answer: Answer,
    /// Values of the form, as given.
    pub form: Values,
    /// Why, in the person's words.
    pub comment: Option<String>,
    /// Digest of what the person was shown, when the caller knows it.
    pub seen: Option<Digest>,
}

/// Why a command was refused. Nothing was recorded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The run has ended.
    #[error("the run has ended: {status}")]
    Ended {
        /// Its final status.
        status: &'static str,
    },
    /// The run goes on, so it can't be taken up again.
    #[error("the run has not ended")]
    NotEnded,
    /// Nothing of the run can begin anew.
    #[error("{0}")]
    NothingAgain(String),
    /// The command speaks of something that is no longer so.
    #[error("{0}")]
    Stale(String),
    /// There is no such question.
    #[error("there is no question {0} in this run")]
    UnknownApproval(ApprovalId),
    /// The question is decided.
    #[error("already decided: {outcome} by {by}")]
    Decided {
        /// How.
        outcome: &'static str,
        /// By whom.
        by: String,
    },
    /// What was shown is not what is asked.
    #[error("what is asked about has changed since it was shown to you")]
    Changed,
    /// A value of the form does not fit.
    #[error("{message}")]
    Form {
        /// Which and why.
        message: String,
        /// The form's field names.
        fields: Vec<String>,
    },
    /// No step of the workflow waits for such a signal.
    #[error("no step waits for a signal `{name}`; the workflow knows: {known}")]
    UnknownSignal {
        /// The name.
        name: String,
        /// The names that it knows.
        known: String,
    },
    /// What the signal carries does not fit.
    #[error("signal `{name}`: {message}")]
    BadSignal {
        /// The name.
        name: String,
        /// Which and why.
        message: String,
    },
    /// A no needs a reason.
    #[error("a rejection, or a wish for changes, needs a comment")]
    CommentMissing,
    /// The code can't be changed like this.
    #[error("the code was not changed: {0}")]
    NotEditable(String),
    /// This person may not give this answer.
    #[error("{0}")]
    NotAllowed(Denied),
}

impl Refusal {
    /// Its code in the error catalogue.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Ended { .. } => code::RUN_ENDED,
            Self::NotEnded => code::RUN_NOT_ENDED,
            Self::NothingAgain(_) => code::NOTHING_AGAIN,
            Self::Stale(_) => code::STALE_COMMAND,
            Self::UnknownApproval(_) => code::UNKNOWN_APPROVAL,
            Self::Decided { .. } => code::ALREADY_DECIDED,
            Self::Changed => code::APPROVAL_CHANGED,
            Self::Form { .. } => code::FORM_INVALID,
            Self::UnknownSignal { .. } => code::UNKNOWN_SIGNAL,
            Self::BadSignal { .. } => code::BAD_SIGNAL,
            Self::NotEditable(_) => code::EDIT_REFUSED,
            Self::CommentMissing => code::COMMENT_MISSING,
            Self::NotAllowed(denied) => denied.code(),
        }
    }
}

/// The value of a form field that answers "what became of the interrupted write?".
pub const UNKNOWN_ANSWER: &str = "answer";
/// The write took place; the step counts as done.
pub const ANSWER_DONE: &str = "done";
/// The write shall be made again.
pub const ANSWER_RUN_AGAIN: &str = "run_again";

/// The text of a form value, when it is text.
#[must_use]
pub(super) fn text_of<'a>(form: &'a Values, name: &str) -> Option<&'a str> {
    form.get(name).and_then(Value::as_str)
}
