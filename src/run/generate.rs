//! Code that a generator writes: whether there is some, whether it must be written anew, when that is given up.

use std::sync::Arc;

use super::payload::{AnalysisReported, CodeGenerated, Feedback, Phase, TaskText};
use super::record::Seq;
use super::state::{Attempt, AttemptStatus, StepState, StepStatus};
use crate::approval::Verdict;
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::id::Digest;
use crate::plan::{Mode, PythonStep, Step};

/// The first generation that is a fresh try, without sight of what failed: a model that sees its own fault a second
/// time tends to repeat it.
const FRESH_FROM: u32 = 3;

/// One time that code was written, or taken again.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// The event.
    pub seq: Seq,
    /// What it says.
    pub record: Arc<CodeGenerated>,
    /// How many attempts the step had by then.
    pub(super) after: usize,
}

/// Where the code of a ready step stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// It is there.
    There,
    /// It is to be written.
    Due(Due),
    /// It was written as often as it may be, and this is what the last one failed with.
    Spent(Failure),
}

/// Code that is to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// Which time it is, from 1.
    pub number: u32,
    /// How often it may be written.
    pub max: u32,
    /// What the last one was wrong with.
    pub feedback: Feedback,
    /// The same in detail.
    pub failure: Option<Failure>,
}

impl Due {
    /// Whether the generator shall try again without sight of what failed.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.number >= FRESH_FROM
    }
}

impl StepState {
    /// Generations since the step began, or began anew.
    #[must_use]
    pub fn current_generations(&self) -> &[Generation] {
        self.generations
            .get(self.generated_from..)
            .unwrap_or_default()
    }

    /// The newest of them.
    #[must_use]
    pub fn generation(&self) -> Option<&Generation> {
        self.current_generations().last()
    }

    /// The code that the step runs, once there is some.
    #[must_use]
    pub fn code(&self, python: &PythonStep) -> Option<Digest> {
        let edited = self.edit.as_ref().map(|edit| edit.code);
        edited
            .or_else(|| python.code())
            .or_else(|| self.generation().and_then(|newest| newest.record.code))
    }

    /// How often its code was run, or the outside was acted on.
    #[must_use]
    pub fn tries(&self) -> usize {
        let tries = self.attempts.iter();
        tries
            .filter(|attempt| attempt.phase == Phase::Execute)
            .count()
    }

    /// The newest attempt that ran code or acted on the outside.
    #[must_use]
    pub fn ran_last(&self) -> Option<&Attempt> {
        let attempts = self.attempts.iter();
        attempts
            .rev()
            .find(|attempt| attempt.phase == Phase::Execute)
    }

    /// Takes what its code shall be written for. Code that was written for something else is none.
    pub(super) fn give_task(&mut self, task: Option<&TaskText>) {
        if self.task.as_deref() != task {
            self.generated_from = self.generations.len();
            self.task = task.cloned().map(Arc::new);
        }
    }

    /// Code that people wanted different is written anew.
    pub(super) fn write_anew(&mut self) {
        self.generated_from = self.generations.len();
    }

    /// The first generation that still counts when the step begins anew: its code stays unless it was at fault.
    pub(super) fn kept_from(&self) -> usize {
        let all = self.generations.len();
        let of_code = |failure: &Failure| match failure.kind {
            FailureKind::Code | FailureKind::Policy | FailureKind::Safety | FailureKind::Limits => {
                true
            }
            FailureKind::Infrastructure
            | FailureKind::Timeout
            | FailureKind::Resources
            | FailureKind::Configuration
            | FailureKind::Cancelled
            | FailureKind::Internal => false,
        };
        let refused = self.status == StepStatus::Rejected;
        let at_fault = refused || self.failure.as_deref().is_some_and(of_code);
        let has_code = self
            .generation()
            .is_some_and(|newest| newest.record.code.is_some());
        if has_code && !at_fault {
            all.saturating_sub(1)
        } else {
            all
        }
    }

    /// What its code shall be written for.
    #[must_use]
    pub fn task(&self) -> Option<&TaskText> {
        self.task.as_deref()
    }
}

/// Where the code of a step stands that is ready.
#[must_use]
pub fn standing(step: &Step, state: &StepState) -> Standing {
    let Some((python, task)) = step
        .kind
        .as_python()
        .and_then(|python| Some((python, python.task()?)))
    else {
        return Standing::There;
    };
    let Some((feedback, failure)) = wanted(python, state) else {
        return Standing::There;
    };
    let written = state.current_generations().iter();
    let written = written.filter(|generation| generation.record.reused.is_none());
    let written = u32::try_from(written.count()).unwrap_or(u32::MAX);
    match failure {
        Some(failure) if written >= task.max_generations => {
            Standing::Spent(given_up(failure, written))
        }
        failure => Standing::Due(Due {
            number: written.saturating_add(1),
            max: task.max_generations,
            feedback,
            failure,
        }),
    }
}

fn given_up(failure: Failure, written: u32) -> Failure {
    let times = if written == 1 {
        "once".to_owned()
    } else {
        format!("{written} times")
    };
    let said = failure
        .hint
        .clone()
        .map_or_else(String::new, |hint| format!("; {hint}"));
    failure.hint(format!(
        "code was written {times}, which is as often as `max_generations` allows{said}"
    ))
}

/// Why code is to be written, if it is.
fn wanted(python: &PythonStep, state: &StepState) -> Option<(Feedback, Option<Failure>)> {
    let Some(newest) = state.generation() else {
        return Some((Feedback::None, None));
    };
    if let Some(failure) = &newest.record.failure {
        return Some((Feedback::Answer, Some(failure.clone())));
    }
    let analysis = state.analysis.as_ref();
    if let Some(analysis) = analysis.filter(|analysis| can_be_mended(analysis)) {
        return Some((Feedback::Findings, Some(super::blocked(analysis))));
    }
    let since = state.attempts.get(newest.after..).unwrap_or_default();
    let ran = since
        .iter()
        .rposition(|attempt| attempt.phase == Phase::Execute)?;
    let failure = failed_by_its_code(since.get(ran)?)?;
    // A write that failed half-way is made again only where the step's own retry says so, by other code too.
    let written_since = since.len() > ran + 1;
    let again = python.mode == Mode::ReadOnly || state.retry.is_some() || written_since;
    again.then(|| (Feedback::Failure, Some(failure.clone())))
}

/// What a policy, a guard or a limit refused is never written anew: nobody shall try around them.
fn failed_by_its_code(attempt: &Attempt) -> Option<&Failure> {
    match &attempt.status {
        AttemptStatus::Failed {
            failure,
            counted: true,
        } if failure.kind == FailureKind::Code => Some(failure),
        AttemptStatus::Failed { .. }
        | AttemptStatus::Open
        | AttemptStatus::Succeeded
        | AttemptStatus::Unknown { .. } => None,
    }
}

/// Whether other code may do: it could not be read, or imports what is not there, which says nothing about what it wants.
fn can_be_mended(analysis: &AnalysisReported) -> bool {
    let mendable = [code::CODE_UNREADABLE, code::MODULE_MISSING].map(code::Code::as_str);
    let word = analysis.decision.code.as_deref();
    analysis.decision.verdict == Verdict::Block && word.is_some_and(|word| mendable.contains(&word))
}
