//! Attempts: begun only when their start is durable, seen to their end, adopted after a crash, killed.

use std::path::PathBuf;
use std::time::Duration;

use super::analyse::{self, Prepared};
use super::folder::RunFolder;
use super::progress::{Note, Progress};
use super::secrets::Secrets;
use super::task::Driver;
use super::{Shared, act, collect, generate, given, inputs};
use crate::approval::Verdict;
use crate::code;
use crate::executor::{Adoption, Job, Outcome};
use crate::failure::Failure;
use crate::id::StepPath;
use crate::plan::{Mode, PythonStep, Step, StepKind};
use crate::run::payload::{AnalysisReported, AttemptStarted, EffectClass, Phase};
use crate::run::{Command, RunState, StepState};

/// Begins an attempt and sees it to its end.
pub(super) async fn execute(
    driver: &Driver,
    state: &RunState,
    path: &StepPath,
    attempt: u32,
) -> Option<Command> {
    let shared = &driver.shared;
    let (step, step_state) = state.step(path)?;
    let StepKind::Python(python) = &step.kind else {
        return None;
    };
    let _slot = shared.slots.acquire().await.ok()?;
    let analysis = step_state.analysis.as_ref()?;
    // What would run now must be what was analysed, and approved if it had to be.
    let prepared =
        match analyse::prepare_again(shared, state, (step, step_state, python), analysis).await {
            Ok(prepared) => prepared,
            Err(failure) => {
                return Some(Command::AnalysisFailed {
                    step: path.clone(),
                    failure,
                });
            }
        };
    let of_step = (step_state, python);
    let carried = generate::still_carried((shared, state), of_step, prepared.reuse, analysis);
    if analysis.subject != prepared.subject || !carried.await {
        return analyse::analyse(driver, state, path).await;
    }
    let started = started((path, attempt, python.mode), &prepared);
    if let Err(refusal) = driver.submit(Command::BeginAttempt(started)).await {
        tracing::debug!(run = %state.run, step = %path, %refusal, "an attempt was not begun");
        return None;
    }
    see_through(driver, state, path, (attempt, prepared)).await
}

/// Hands in the report of an analysis. Where it lets the code run and there is room, the attempt begins in the same
/// durable write, with what was just looked at.
pub(super) async fn at_once(
    driver: &Driver,
    state: &RunState,
    report: AnalysisReported,
    prepared: Prepared,
) -> Option<Command> {
    let room = driver.shared.slots.try_acquire();
    let (Verdict::Pass, Ok(_slot)) = (report.decision.verdict, room) else {
        return Some(Command::Analysed(report));
    };
    let path = report.step.clone();
    let (_, step_state) = state.step(&path)?;
    let attempt = u32::try_from(step_state.attempts.len()).unwrap_or(u32::MAX);
    let attempt = attempt.saturating_add(1);
    let started = started((&path, attempt, report.mode), &prepared);
    let state = driver.begin(report, started).await?;
    see_through(driver, &state, &path, (attempt, prepared)).await
}

fn started((path, attempt, mode): (&StepPath, u32, Mode), prepared: &Prepared) -> AttemptStarted {
    AttemptStarted {
        step: path.clone(),
        attempt,
        phase: Phase::Execute,
        executor: prepared.placed.method.as_str().to_owned(),
        placed_by: Some(prepared.placed.rule.clone()),
        effect: effect_class(mode),
        environment: Some(prepared.identity.digest),
        subject: Some(prepared.subject),
    }
}

/// Carries out an attempt whose beginning is durable.
async fn see_through(
    driver: &Driver,
    state: &RunState,
    path: &StepPath,
    (attempt, prepared): (u32, Prepared),
) -> Option<Command> {
    let shared = &driver.shared;
    let (step, step_state) = state.step(path)?;
    let python = step.kind.as_python()?;
    let carried = carry_out(
        driver,
        state,
        step,
        (step_state, python),
        (attempt, prepared),
    )
    .await;
    Some(match carried {
        Ok(outcome) => collect::ended(shared, state, (step, path), attempt, outcome).await,
        Err(Broken::Changed(what)) => Command::AttemptLost {
            step: path.clone(),
            attempt,
            started: false,
            evidence: format!("{what} changed before the code began"),
        },
        Err(Broken::Failed(failure)) => {
            failed(driver, state, (path, attempt, python.mode), failure).await
        }
    })
}

/// What follows when an attempt that was begun could not be carried out to its end.
async fn failed(
    driver: &Driver,
    state: &RunState,
    (path, attempt, mode): (&StepPath, u32, Mode),
    failure: Failure,
) -> Command {
    let lost = failure.code == code::SUPERVISOR_LOST.as_str();
    let looked = if lost || mode == Mode::WriteAccess {
        // Nobody has said how far the code came: look, as after a crash.
        adopt(driver, state, path, attempt).await
    } else {
        None
    };
    looked
        .filter(|found| lost || !matches!(found, Command::AttemptLost { started: false, .. }))
        .unwrap_or_else(|| Command::AttemptBroken {
            step: path.clone(),
            attempt,
            failure,
        })
}

/// Why an attempt that was begun has no outcome.
enum Broken {
    /// This is not what was looked at; nothing was started.
    Changed(&'static str),
    /// Something failed, before the code ran or after.
    Failed(Failure),
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

fn effect_class(mode: Mode) -> EffectClass {
    match mode {
        Mode::ReadOnly => EffectClass::Read,
        Mode::WriteAccess => EffectClass::Write,
    }
}

/// Tells people what is going on that the log does not record.
pub(super) fn note(shared: &Shared, state: &RunState, step_state: &StepState, text: &str) {
    shared.tell(Progress::Note(Note {
        run: state.run,
        step: Some(step_state.path.clone()),
        text: text.to_owned(),
    }));
}

async fn carry_out(
    driver: &Driver,
    state: &RunState,
    step: &Step,
    (step_state, python): (&StepState, &PythonStep),
    (attempt, prepared): (u32, Prepared),
) -> Result<Outcome, Broken> {
    let shared = &driver.shared;
    let progress = |text: &str| note(shared, state, step_state, text);
    let environment = shared
        .ports
        .executor
        .prepare(&prepared.spec, &progress)
        .await?;
    if environment.digest != prepared.identity.digest {
        return Err(Broken::Changed("its environment"));
    }
    // To make an environment takes minutes.
    if !given::same(&prepared.files).await? {
        return Err(Broken::Changed("a file that it is given"));
    }
    let secrets = Secrets::of(shared, state).await;
    let mut env = shared.options.mode_environment.of(python.mode).clone();
    env.extend(
        step_state
            .env
            .iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    // After the step's own: a step does not choose another way to the control system.
    env.extend(shared.options.gateways.of(python.mode).clone());
    if let Some(key) = &step_state.idempotency_key {
        env.insert(IDEMPOTENCY_KEY.to_owned(), key.clone());
    }
    let (context, files) = inputs::bring(shared, step_state).await?;
    let job = Job {
        run: state.run,
        step: step_state.path.clone(),
        attempt,
        folder: attempt_folder(shared, state, &step_state.path, attempt),
        code: prepared.code,
        file_name: python.file_name.clone(),
        context,
        mode: python.mode,
        environment,
        env,
        secrets: secrets.of_step(step, &step_state.env)?,
        timeout: prepared.held.timeout,
        limits: prepared.held.limits,
        protection: prepared.held.protection,
        nan: python.nan,
        artifacts: step.artifacts.clone(),
        source_folder: state.created.workflow_folder.as_ref().map(PathBuf::from),
        modules: Some(prepared.modules),
        files,
    };
    Ok(shared.ports.executor.execute(job).await?)
}

/// Finds out what became of an attempt that an earlier engine began.
pub(super) async fn adopt(
    driver: &Driver,
    state: &RunState,
    path: &StepPath,
    attempt: u32,
) -> Option<Command> {
    let shared = &driver.shared;
    let (step, step_state) = state.step(path)?;
    if step.kind.is_action() {
        return Some(act::lost(path, attempt));
    }
    if writes_code(step_state) {
        return Some(generate::adopt(driver, state, path, attempt).await);
    }
    let folder = attempt_folder(shared, state, path, attempt);
    let adoption = shared.ports.executor.adopt(&folder).await;
    if let Adoption::Lost { started: true, .. } = &adoption {
        // A supervisor that was killed had no time for it. Without the values nothing can be done, nor is anything read.
        let secrets = Secrets::of(shared, state).await;
        shared
            .ports
            .executor
            .clean(&folder, secrets.redactor())
            .await;
    }
    Some(match adoption {
        Adoption::Finished(outcome) => {
            collect::ended(shared, state, (step, path), attempt, outcome).await
        }
        Adoption::Lost { started, evidence } => Command::AttemptLost {
            step: path.clone(),
            attempt,
            started,
            evidence,
        },
    })
}

/// Stops an attempt of a cancelled run. It counts as stopped only when no process of it is alive.
pub(super) async fn kill(
    driver: &Driver,
    state: &RunState,
    path: &StepPath,
    attempt: u32,
) -> Option<Command> {
    let folder = attempt_folder(&driver.shared, state, path, attempt);
    let shared = &driver.shared;
    let (step, step_state) = state.step(path)?;
    if step.kind.is_action() || writes_code(step_state) {
        // The driver has dropped whatever was under way.
        return Some(Command::AttemptKilled {
            step: path.clone(),
            attempt,
        });
    }
    match shared.ports.executor.kill(&folder).await {
        Ok(()) => {
            let secrets = Secrets::of(shared, state).await;
            shared
                .ports
                .executor
                .clean(&folder, secrets.redactor())
                .await;
            Some(Command::AttemptKilled {
                step: path.clone(),
                attempt,
            })
        }
        Err(failure) => {
            tracing::error!(run = %state.run, step = %path, %failure.message, "an attempt could not be stopped");
            // The effect stays owed, so it is tried again; not at once, lest it spin.
            let clock = &shared.ports.clock;
            clock.sleep_until(clock.now().plus(KILL_AGAIN)).await;
            None
        }
    }
}

/// Whether the attempt that is under way has code written.
fn writes_code(step_state: &StepState) -> bool {
    let open = step_state.open_attempt();
    open.is_some_and(|open| open.phase == Phase::Generate)
}

/// The variable by which code learns what makes the outside world take a repetition for the same.
const IDEMPOTENCY_KEY: &str = "STEPWELL_IDEMPOTENCY_KEY";

/// How long after a failed stop of an attempt it is tried again.
const KILL_AGAIN: Duration = Duration::from_secs(1);

fn attempt_folder(shared: &Shared, state: &RunState, path: &StepPath, attempt: u32) -> PathBuf {
    RunFolder::new(&shared.options.data, &state.created.folder).attempt(path, attempt)
}
