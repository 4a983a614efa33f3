//! Commands become events, or are refused. Only the fact itself is decided here; what follows from it is
//! bookkeeping ([`super::advance`]).

mod cache;
mod child;
mod edit;
mod queue;
mod signal;
mod vote;

use serde_json::json;

use super::command::{Command, Refusal};
use super::event::{Empty, Event, RunCancelRequested};
use super::frame::Stop;
use super::generate::{Standing, standing};
use super::outputs::outputs_of;
use super::payload::{
    AnalysisReported, AttemptEnded, AttemptFailed, AttemptOutcomeUnknown, AttemptStarted,
    CodeGenerated, EffectClass, NotificationSent, Phase, PlanMigrated, ResultRecorded, RunPaused,
    RunReopened, StepFailed,
};
use super::rerun::reopening;
use super::state::{AttemptStatus, Ending, RunState, StepState, StepStatus};
use crate::approval::Verdict;
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::id::{ApprovalId, StepPath};
use crate::plan::{OnReject, OnUnknown, Step, StepKind};

/// How often the engine may die while the code of one step runs before the step fails instead of being tried again.
pub const INTERRUPTIONS_MAX: usize = 10;

/// How often one engine may begin a step whose code then never runs before the step fails: something is in the way that
/// does not pass, and each try writes to the log.
pub const FALSE_STARTS_MAX: usize = 10;

/// Decides what a command means for a run.
///
/// # Errors
/// The command is refused; nothing happens.
pub fn decide(state: &RunState, command: Command) -> Result<Vec<Event>, Refusal> {
    if let Command::Since(life, command) = command {
        life.check(state)?;
        return decide(state, *command);
    }
    if let Some(ending) = &state.ending {
        return after_the_end(state, ending, command);
    }
    match command {
        Command::Start if state.started_at.is_some() => Ok(Vec::new()),
        Command::Start if state.is_half_copied() => Err(Refusal::Stale(
            "not every step was copied into this fork: its creation was cut short; fork again"
                .to_owned(),
        )),
        Command::Start => Ok(vec![Event::RunStarted(Empty {})]),
        Command::Cancel { reason } => cancel(state, reason),
        Command::Reopen { .. } | Command::RemoveFiles(_) => Err(Refusal::NotEnded),
        Command::Migrate(migrated) => migrate(state, migrated),
        Command::Pause { .. } if state.paused.is_some() => Ok(Vec::new()),
        Command::Pause { reason } => Ok(vec![Event::RunPaused(RunPaused { reason })]),
        Command::Unpause if state.paused.is_none() => Ok(Vec::new()),
        Command::Unpause => Ok(vec![Event::RunUnpaused(Empty {})]),
        Command::Signal { name, payload, key } => signal::decide(state, name, payload, key),
        Command::Vote(vote) => vote::decide(state, vote),
        Command::Edit(edited) => edit::decide(state, *edited),
        Command::Analysed(report) => analysed(state, report),
        Command::Generated(generated) => generated_code(state, generated),
        Command::Reused(reused) => cache::reused(state, *reused),
        Command::Missed(missed) => cache::missed(state, missed),
        Command::BypassCache(wish) => Ok(cache::bypass(state, wish)),
        Command::AnalysisFailed { step, failure } => {
            let (_, step_state) = find(state, &step)?;
            expect(&step, step_state, &[StepStatus::Ready])?;
            Ok(vec![Event::StepFailed(StepFailed { step, failure })])
        }
        Command::Admit { step, room } => queue::admit(state, step, &room),
        Command::SlotRefused { step, why } => queue::refuse(state, step, why),
        Command::ChildStarted(started) => child::started(state, started),
        Command::ChildWaits(waiting) => child::waits(state, waiting),
        Command::ChildEnded(closed) => child::ended(state, closed),
        Command::Told(sent) => Ok(told(state, sent)),
        Command::BeginAttempt(started) => begin(state, started),
        Command::AttemptEnded { result, failure } => ended(state, result, failure),
        Command::AttemptBroken {
            step,
            attempt,
            failure,
        } => {
            open_attempt(state, &step, attempt)?;
            Ok(vec![attempt_failed(step, attempt, failure, true)])
        }
        Command::AttemptLost {
            step,
            attempt,
            started,
            evidence,
        } => {
            let at = open_attempt(state, &step, attempt)?;
            Ok(vec![lost(at, attempt, started, evidence)])
        }
        Command::AttemptKilled { step, attempt } => killed(state, step, attempt),
        Command::Since(..) => Ok(Vec::new()),
    }
}

/// A message that is recorded already is not recorded again.
fn told(state: &RunState, sent: NotificationSent) -> Vec<Event> {
    let key = (sent.occasion.clone(), sent.channel.clone());
    let asked = state.approvals.get(&sent.approval);
    if asked.is_none_or(|asked| asked.told.contains(&key)) {
        return Vec::new();
    }
    vec![Event::NotificationSent(sent)]
}

/// What an ended run still answers.
fn after_the_end(
    state: &RunState,
    ending: &Ending,
    command: Command,
) -> Result<Vec<Event>, Refusal> {
    match command {
        // What was decided before the end is answered as decided, so that the same answer twice is no error.
        Command::Vote(vote) if vote::is_decided(state, &vote) => vote::decide(state, vote),
        Command::Reopen {
            from,
            by,
            reason,
            seen,
            bypass,
        } => {
            if seen.is_some_and(|seen| seen != state.seq) {
                return Err(Refusal::Changed);
            }
            let mut events = reopen(state, &from, by, reason)?;
            events.extend(cache::bypass(state, bypass));
            Ok(events)
        }
        Command::RemoveFiles(removed) => Ok(vec![Event::FilesRemoved(removed)]),
        Command::Edit(edited) if edit::is_recorded(state, &edited) => Ok(Vec::new()),
        Command::Vote(_)
        | Command::Edit(_)
        | Command::Migrate(_)
        | Command::Start
        | Command::Cancel { .. }
        | Command::Pause { .. }
        | Command::Unpause
        | Command::Signal { .. }
        | Command::Generated(_)
        | Command::Analysed { .. }
        | Command::Reused(_)
        | Command::Missed(_)
        | Command::BypassCache(_)
        | Command::AnalysisFailed { .. }
        | Command::Admit { .. }
        | Command::SlotRefused { .. }
        | Command::ChildStarted(_)
        | Command::ChildWaits(_)
        | Command::ChildEnded(_)
        | Command::Told(_)
        | Command::BeginAttempt(_)
        | Command::AttemptEnded { .. }
        | Command::AttemptBroken { .. }
        | Command::AttemptLost { .. }
        | Command::AttemptKilled { .. }
        | Command::Since(..) => Err(Refusal::Ended {
            status: ending.status.as_str(),
        }),
    }
}

fn reopen(
    state: &RunState,
    from: &[StepPath],
    by: String,
    reason: Option<String>,
) -> Result<Vec<Event>, Refusal> {
    let chosen = reopening(state, from)?;
    Ok(vec![Event::RunReopened(RunReopened {
        steps: chosen.steps,
        resumed: chosen.resumed,
        by,
        reason,
    })])
}

fn migrate(state: &RunState, migrated: PlanMigrated) -> Result<Vec<Event>, Refusal> {
    if state.has_open_attempt() {
        let why = "an attempt is under way: let it end first".to_owned();
        return Err(Refusal::Stale(why));
    }
    Ok(vec![Event::PlanMigrated(migrated)])
}

fn killed(state: &RunState, step: StepPath, attempt: u32) -> Result<Vec<Event>, Refusal> {
    let at @ (_, step_state) = open_attempt(state, &step, attempt)?;
    let stop = state.stop_of(step_state.node);
    let open = step_state.open_attempt();
    let write = open.is_some_and(|open| open.effect == EffectClass::Write);
    if write && matches!(stop, Some(Stop::Rewound { .. })) {
        // The step will begin anew: a person must know how far the write came.
        let evidence = "it was stopped because changes were asked for".to_owned();
        return Ok(vec![lost(at, attempt, true, evidence)]);
    }
    let stop = stop.map(Stop::why);
    let why = stop.unwrap_or_else(|| "it was stopped".to_owned());
    let failure = Failure::new(FailureKind::Cancelled, code::CANCELLED, why);
    Ok(vec![attempt_failed(step, attempt, failure, false)])
}

fn cancel(state: &RunState, reason: Option<String>) -> Result<Vec<Event>, Refusal> {
    if state.cancel.is_some() {
        return Ok(Vec::new());
    }
    if state.decided.is_some() {
        let why = "the run has come to its result; only its handlers go on";
        return Err(Refusal::Stale(why.to_owned()));
    }
    let request = RunCancelRequested { reason };
    Ok(vec![Event::RunCancelRequested(request)])
}

fn attempt_failed(step: StepPath, attempt: u32, failure: Failure, counted: bool) -> Event {
    Event::AttemptFailed(AttemptFailed {
        step,
        attempt,
        failure,
        counted,
    })
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

fn analysed(state: &RunState, report: AnalysisReported) -> Result<Vec<Event>, Refusal> {
    let (_, step_state) = find(state, &report.step)?;
    expect(&report.step, step_state, &[StepStatus::Ready])?;
    let edit = step_state.edit.as_ref();
    if edit.is_some_and(|edit| edit.code != report.code) {
        let why = format!("a person changed the code of step `{}` since", report.step);
        return Err(Refusal::Stale(why));
    }
    Ok(vec![Event::AnalysisReported(report)])
}

fn generated_code(state: &RunState, generated: CodeGenerated) -> Result<Vec<Event>, Refusal> {
    let path = &generated.step;
    match generated.attempt {
        Some(attempt) => {
            open_attempt(state, path, attempt)?;
        }
        None => {
            let (step, step_state) = find(state, path)?;
            expect(path, step_state, &[StepStatus::Ready])?;
            let due = matches!(standing(step, step_state), Standing::Due(_));
            let stopped = state.stop_of(step_state.node).is_some() || state.paused.is_some();
            if !due || stopped || step_state.generation().is_some() {
                let why = format!("step `{path}` is not to take code now");
                return Err(Refusal::Stale(why));
            }
        }
    }
    Ok(vec![Event::CodeGenerated(generated)])
}

/// The id of the next question of a step.
pub(super) fn next_approval(state: &RunState, path: &StepPath, step: &StepState) -> ApprovalId {
    ApprovalId::derive(state.run, path, step.questions + 1)
}

fn begin(state: &RunState, started: AttemptStarted) -> Result<Vec<Event>, Refusal> {
    let (step, step_state) = find(state, &started.step)?;
    expect(&started.step, step_state, &[StepStatus::Ready])?;
    if state.stop_of(step_state.node).is_some() || state.paused.is_some() {
        let why = format!("step `{}` is not to begin now", started.step);
        return Err(Refusal::Stale(why));
    }
    let next = u32::try_from(step_state.attempts.len()).unwrap_or(u32::MAX) + 1;
    if started.attempt != next {
        let why = format!("attempt {next} of step `{}` is the next one", started.step);
        return Err(Refusal::Stale(why));
    }
    if started.phase == Phase::Generate {
        // It needs no place; but one that is waited for is waited for.
        let waits = step_state.slots.as_ref();
        if waits.is_some_and(|slots| !slots.admitted) {
            let why = format!("step `{}` waits for a place or a lock", started.step);
            return Err(Refusal::Stale(why));
        }
        return match standing(step, step_state) {
            Standing::Due(_) => Ok(vec![Event::AttemptStarted(started)]),
            Standing::There | Standing::Spent(_) => Err(Refusal::Stale(format!(
                "no code is to be written for step `{}`",
                started.step
            ))),
        };
    }
    let has = step_state
        .slots
        .as_ref()
        .map_or(!step.wants_places(), |slots| slots.admitted);
    if !has || state.is_held_back(step_state.node) {
        let why = format!("step `{}` waits for a place or a lock", started.step);
        return Err(Refusal::Stale(why));
    }
    let there = standing(step, step_state) == Standing::There;
    let allowed = there
        && step_state.analysis.as_ref().is_some_and(|analysis| {
            started.subject == Some(analysis.subject)
                && (analysis.decision.verdict == Verdict::Pass || step_state.code_approved)
        });
    if !allowed && !step.kind.is_action() {
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
) -> Result<Vec<Event>, Refusal> {
    let (step, _) = open_attempt(state, &result.step, result.attempt)?;
    let ended = AttemptEnded {
        step: result.step.clone(),
        attempt: result.attempt,
    };
    let failure = failure.or_else(|| outputs_of(step, result.results.as_ref()).err());
    Ok(vec![
        Event::ResultRecorded(result),
        match failure {
            None => Event::AttemptSucceeded(ended),
            Some(failure) => attempt_failed(ended.step, ended.attempt, failure, true),
        },
    ])
}

/// What an attempt is whose engine died: of unknown outcome when it may have written or the author wants that
/// to be known, else interrupted.
fn lost(
    (step, step_state): (&Step, &StepState),
    attempt: u32,
    started: bool,
    evidence: String,
) -> Event {
    let open = step_state.open_attempt();
    let write = open.is_some_and(|open| open.effect == EffectClass::Write);
    let wished = match step.on_unknown {
        Some(OnUnknown::Ask | OnUnknown::Fail) => {
            open.is_some_and(|open| open.phase == Phase::Execute)
        }
        Some(OnUnknown::Retry) | None => false,
    };
    let step = step_state.path.clone();
    if started && (write || wished) {
        return Event::AttemptOutcomeUnknown(AttemptOutcomeUnknown {
            step,
            attempt,
            evidence,
        });
    }
    attempt_failed(step, attempt, interrupted_after(&evidence, started), false)
}

/// The failure of an interrupted attempt; `started` = its work may have begun.
pub(super) fn interrupted_after(evidence: &str, started: bool) -> Failure {
    interrupted(evidence).detail(json!({STARTED: started}))
}

/// Detail of an interrupted attempt: whether its code may have begun.
const STARTED: &str = "started";

/// Whether the work of an interrupted attempt may have begun, by its failure.
#[must_use]
pub fn may_have_begun(failure: &Failure) -> bool {
    failure.detail.get(STARTED) != Some(&json!(false))
}

/// How many attempts were interrupted while their code ran. One that never began says nothing about the step, and
/// a person who wants a write run again is no interruption.
pub(super) fn interruptions(state: &StepState) -> usize {
    let under_way = state.current_attempts().iter().filter(|attempt| {
        matches!(&attempt.status, AttemptStatus::Failed { failure, counted: false }
            if failure.detail.get(STARTED) == Some(&json!(true)))
    });
    under_way.count()
}

/// How many attempts in a row, the newest included, the same engine has begun without their code ever running.
pub(super) fn false_starts(state: &StepState) -> usize {
    let newest = state.current_attempts().last().map(|attempt| attempt.epoch);
    let backwards = state.current_attempts().iter().rev();
    let in_a_row = backwards.take_while(|attempt| {
        Some(attempt.epoch) == newest
            && matches!(&attempt.status, AttemptStatus::Failed { failure, counted: false }
                if !may_have_begun(failure))
    });
    in_a_row.count()
}

pub(super) fn interrupted(evidence: &str) -> Failure {
    Failure::new(
        FailureKind::Infrastructure,
        code::ATTEMPT_INTERRUPTED,
        format!("the attempt was interrupted: {evidence}"),
    )
}

/// What a rejection of this step does to the run.
pub(super) fn on_reject(step: &Step) -> OnReject {
    if let StepKind::Approval(approval) = &step.kind {
        approval.on_reject
    } else {
        OnReject::Reject
    }
}

/// Whether the newest attempt of a step is of unknown outcome.
pub(super) fn is_unknown(state: &StepState) -> bool {
    state
        .current_attempts()
        .last()
        .is_some_and(|attempt| matches!(attempt.status, AttemptStatus::Unknown { .. }))
}
