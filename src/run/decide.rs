//! Commands become events, or are refused. Pure: what it needs of the world is in the [`Moment`].

mod vote;

use serde_json::Value;

use super::command::{ANSWER_DONE, ANSWER_RUN_AGAIN, Command, Refusal, UNKNOWN_ANSWER};
use super::event::{Empty, Event, RunCancelRequested};
use super::payload::{
    AnalysisReported, ApprovalRequested, AttemptEnded, AttemptFailed, AttemptOutcomeUnknown,
    AttemptStarted, EffectClass, ResultRecorded, StepFailed, StepSucceeded, Subject, Values,
};
use super::retry::{self, Moment};
use super::state::{AttemptStatus, RunState, StepState, StepStatus};
use crate::approval::Verdict;
use crate::code::{self, Code};
use crate::failure::{Failure, FailureKind};
use crate::id::{ApprovalId, StepPath};
use crate::plan::{self, Field, FieldType, OnReject, Step, StepKind};

/// How often the engine may die under one step before the step fails instead of being tried again.
pub const INTERRUPTIONS_MAX: usize = 10;

/// Decides what a command means for a run.
///
/// # Errors
/// The command is refused; nothing happens.
pub fn decide(state: &RunState, command: Command, moment: Moment) -> Result<Vec<Event>, Refusal> {
    if let Some(ending) = &state.ending {
        return Err(Refusal::Ended {
            status: ending.status.as_str(),
        });
    }
    match command {
        Command::Start if state.started_at.is_some() => Ok(Vec::new()),
        Command::Start => Ok(vec![Event::RunStarted(Empty {})]),
        Command::Cancel { .. } if state.cancel.is_some() => Ok(Vec::new()),
        Command::Cancel { reason } => Ok(vec![Event::RunCancelRequested(RunCancelRequested {
            reason,
        })]),
        Command::Vote(vote) => vote::decide(state, vote),
        Command::Analysed { report, reviewers } => analysed(state, &report, reviewers),
        Command::AnalysisFailed { step, failure } => {
            let (_, step_state) = find(state, &step)?;
            expect(&step, step_state, &[StepStatus::Ready])?;
            Ok(vec![Event::StepFailed(StepFailed { step, failure })])
        }
        Command::BeginAttempt(started) => begin(state, started),
        Command::AttemptEnded { result, failure } => ended(state, result, failure, moment),
        Command::AttemptBroken {
            step,
            attempt,
            failure,
        } => {
            let (plan_step, step_state) = open_attempt(state, &step, attempt)?;
            Ok(failed(state, plan_step, step_state, failure, moment))
        }
        Command::AttemptLost {
            step,
            attempt,
            started,
            evidence,
        } => {
            let (_, step_state) = open_attempt(state, &step, attempt)?;
            Ok(lost(state, &step, step_state, started, evidence))
        }
        Command::AttemptKilled { step, attempt } => {
            open_attempt(state, &step, attempt)?;
            let failure = Failure::new(
                FailureKind::Cancelled,
                code::CANCELLED,
                "the run was cancelled",
            );
            Ok(vec![Event::AttemptFailed(AttemptFailed {
                step,
                attempt,
                failure,
                counted: false,
            })])
        }
    }
}

fn find<'a>(state: &'a RunState, path: &StepPath) -> Result<(&'a Step, &'a StepState), Refusal> {
    state
        .step(path)
        .ok_or_else(|| Refusal::Stale(format!("the run has no step `{path}`")))
}

fn expect(path: &StepPath, state: &StepState, allowed: &[StepStatus]) -> Result<(), Refusal> {
    if allowed.contains(&state.status) {
        return Ok(());
    }
    Err(Refusal::Stale(format!(
        "step `{path}` is {}",
        state.status.as_str()
    )))
}

fn open_attempt<'a>(
    state: &'a RunState,
    path: &StepPath,
    number: u32,
) -> Result<(&'a Step, &'a StepState), Refusal> {
    let (step, step_state) = find(state, path)?;
    match step_state.open_attempt() {
        Some(attempt) if attempt.number == number => Ok((step, step_state)),
        Some(_) | None => Err(Refusal::Stale(format!(
            "attempt {number} of step `{path}` is not under way"
        ))),
    }
}

fn analysed(
    state: &RunState,
    report: &AnalysisReported,
    reviewers: Option<String>,
) -> Result<Vec<Event>, Refusal> {
    let (step, step_state) = find(state, &report.step)?;
    expect(&report.step, step_state, &[StepStatus::Ready])?;
    let approved = step_state.code_approved
        && step_state
            .analysis
            .as_ref()
            .is_some_and(|old| old.subject == report.subject);
    let verdict = report.decision.verdict;
    let mut events = vec![Event::AnalysisReported(report.clone())];
    match verdict {
        Verdict::Pass => {}
        Verdict::Ask if approved => {}
        Verdict::Ask => {
            let request = ApprovalRequested {
                approval: next_approval(state, &step.path, step_state),
                step: step.path.clone(),
                subject: Subject::Code,
                subject_digest: report.subject,
                title: format!(
                    "Run the code of step `{}` in mode {}?",
                    step.path, report.mode
                ),
                reason: format!("{} ({})", report.decision.reason, report.decision.rule),
                reviewers,
                form: indexmap::IndexMap::new(),
                show: Values::new(),
                on_reject: OnReject::Reject,
            };
            events.push(Event::ApprovalRequested(request));
        }
        Verdict::Block => {
            let message = format!("the code may not run: {}", report.decision.reason);
            let word = report.decision.code.as_deref().and_then(Code::find);
            let word = word.unwrap_or(code::CODE_REFUSED);
            let failure = Failure::new(FailureKind::Policy, word, message)
                .hint(format!("decided by {}", report.decision.rule));
            events.push(Event::StepFailed(StepFailed {
                step: step.path.clone(),
                failure,
            }));
        }
    }
    Ok(events)
}

/// The id of the next question of a step.
pub(super) fn next_approval(state: &RunState, path: &StepPath, step: &StepState) -> ApprovalId {
    ApprovalId::derive(state.run, path, step.questions + 1)
}

fn begin(state: &RunState, started: AttemptStarted) -> Result<Vec<Event>, Refusal> {
    let (_, step_state) = find(state, &started.step)?;
    expect(&started.step, step_state, &[StepStatus::Ready])?;
    if state.cancel.is_some() {
        return Err(Refusal::Stale("the run is being cancelled".to_owned()));
    }
    let allowed = step_state.analysis.as_ref().is_some_and(|analysis| {
        analysis.subject == started.subject
            && (analysis.decision.verdict == Verdict::Pass || step_state.code_approved)
    });
    if !allowed {
        return Err(Refusal::Stale(format!(
            "step `{}` has no yes for exactly this code, inputs, mode, environment and policy",
            started.step
        )));
    }
    Ok(vec![Event::AttemptStarted(started)])
}

fn ended(
    state: &RunState,
    result: ResultRecorded,
    failure: Option<Failure>,
    moment: Moment,
) -> Result<Vec<Event>, Refusal> {
    let (step, step_state) = open_attempt(state, &result.step, result.attempt)?;
    let ended = AttemptEnded {
        step: result.step.clone(),
        attempt: result.attempt,
    };
    let outputs = match failure {
        Some(failure) => Err(failure),
        None => outputs_of(step, result.results.as_ref()),
    };
    let mut events = vec![Event::ResultRecorded(result)];
    match outputs {
        Ok(outputs) => {
            let step = ended.step.clone();
            events.push(Event::AttemptSucceeded(ended));
            events.push(Event::StepSucceeded(StepSucceeded { step, outputs }));
        }
        Err(failure) => events.extend(failed(state, step, step_state, failure, moment)),
    }
    Ok(events)
}

/// The outputs that a results document gives: all its keys, or the declared ones, checked.
fn outputs_of(step: &Step, results: Option<&Value>) -> Result<Values, Failure> {
    let given = match results {
        None => Values::new(),
        Some(Value::Object(map)) => map.clone(),
        Some(other) => Values::from_iter([("value".to_owned(), other.clone())]),
    };
    let Some(declared) = &step.outputs else {
        return Ok(given);
    };
    let mut outputs = Values::new();
    for (name, field) in declared {
        match given.get(name) {
            Some(value) => {
                let checked = plan::check(field, value.clone(), &format!("outputs.{name}"))
                    .map_err(|fault| bad_output(&format!("{}: {}", fault.at, fault.message)))?;
                outputs.insert(name.clone(), checked);
            }
            None if field.required => {
                let known: Vec<&str> = given.keys().map(String::as_str).collect();
                let message = format!(
                    "the declared output `{name}` is missing from `results`, which has: {}",
                    if known.is_empty() {
                        "nothing".to_owned()
                    } else {
                        known.join(", ")
                    }
                );
                return Err(bad_output(&message));
            }
            None => {}
        }
    }
    Ok(outputs)
}

fn bad_output(message: &str) -> Failure {
    Failure::new(FailureKind::Code, code::BAD_OUTPUT, message)
        .hint("the step declares its outputs; `results` must hold each of them with that type")
}

/// A failed attempt: tried again, or the end of the step.
fn failed(
    state: &RunState,
    step: &Step,
    step_state: &StepState,
    failure: Failure,
    moment: Moment,
) -> Vec<Event> {
    let attempt = step_state
        .open_attempt()
        .map_or(0, |attempt| attempt.number);
    let path = step.path.clone();
    let mut events = vec![Event::AttemptFailed(AttemptFailed {
        step: path.clone(),
        attempt,
        failure: failure.clone(),
        counted: true,
    })];
    match retry::next(step, step_state, &failure, moment).filter(|_| state.cancel.is_none()) {
        Some(retry) => events.push(Event::RetryScheduled(retry)),
        None if failure.kind == FailureKind::Cancelled => {}
        None => events.push(Event::StepFailed(StepFailed {
            step: path,
            failure,
        })),
    }
    events
}

/// An attempt that nobody watched to its end and that left nothing.
fn lost(
    state: &RunState,
    path: &StepPath,
    step: &StepState,
    started: bool,
    evidence: String,
) -> Vec<Event> {
    let Some(open) = step.open_attempt() else {
        return Vec::new();
    };
    let number = open.number;
    if open.effect == EffectClass::Write && started {
        let subject = step.analysis.as_ref().map(|analysis| analysis.subject);
        let request = ApprovalRequested {
            approval: next_approval(state, path, step),
            step: path.clone(),
            subject: Subject::UnknownOutcome,
            subject_digest: subject.unwrap_or(super::Record::CHAIN_START),
            title: format!(
                "Attempt {number} of `{path}` was interrupted while it may have written. What now?"
            ),
            reason: format!("a write is never repeated by itself; found: {evidence}"),
            reviewers: None,
            form: unknown_form(),
            show: Values::new(),
            on_reject: OnReject::Fail,
        };
        let unknown = AttemptOutcomeUnknown {
            step: path.clone(),
            attempt: number,
            evidence,
        };
        return vec![
            Event::AttemptOutcomeUnknown(unknown),
            Event::ApprovalRequested(request),
        ];
    }
    let failure = interrupted(&evidence);
    let mut events = vec![Event::AttemptFailed(AttemptFailed {
        step: path.clone(),
        attempt: number,
        failure: failure.clone(),
        counted: false,
    })];
    if step.attempts.len() >= INTERRUPTIONS_MAX {
        let failure = failure.hint(format!(
            "the engine died {INTERRUPTIONS_MAX} times while this step ran; it is not tried again by itself"
        ));
        events.push(Event::StepFailed(StepFailed {
            step: path.clone(),
            failure,
        }));
    }
    events
}

fn interrupted(evidence: &str) -> Failure {
    Failure::new(
        FailureKind::Infrastructure,
        code::ATTEMPT_INTERRUPTED,
        format!("the attempt was interrupted: {evidence}"),
    )
}

fn unknown_form() -> indexmap::IndexMap<String, Field> {
    let mut answer = Field::of(FieldType::String);
    answer.choices = vec![Value::from(ANSWER_DONE), Value::from(ANSWER_RUN_AGAIN)];
    answer.description =
        "done: the write took place, go on; run_again: make it again. A rejection fails the step."
            .to_owned();
    indexmap::IndexMap::from_iter([(UNKNOWN_ANSWER.to_owned(), answer)])
}

/// What a rejection of this step does to the run.
pub(super) fn on_reject(step: &Step) -> OnReject {
    match &step.kind {
        StepKind::Approval(approval) => approval.on_reject,
        StepKind::Python(_) | StepKind::Set(_) | StepKind::Switch(_) => OnReject::Reject,
    }
}

/// Whether the newest attempt of a step is of unknown outcome.
pub(super) fn is_unknown(state: &StepState) -> bool {
    state
        .attempts
        .last()
        .is_some_and(|attempt| matches!(attempt.status, AttemptStatus::Unknown { .. }))
}
