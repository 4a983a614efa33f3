//! Runs inside runs: started once, driven with the run around them, cancelled with it.

use std::sync::Arc;
use std::time::Duration;

use super::follow::{Owner, settle};
use super::history::History;
use super::task::Driver;
use super::{Engine, Error, NewRun, Shared, cache};
use crate::code;
use crate::expression::{DateTime, Lookup, Scope, StepStatusWord, Value};
use crate::failure::{Failure, FailureKind};
use crate::id::{RunId, StepPath};
use crate::plan::{Plan, WorkflowStep, resolve_inputs};
use crate::run::payload::{ChildRunClosed, ChildRunStarted, ChildRunWaiting, Trigger, Values};
use crate::run::{
    Actor, Command, Effect, Life, OpenQuestion, RunState, RunStatus, StepState, effects, summary,
};
use crate::time::{BoxFuture, Timestamp};

/// Starts the run of a step. Its id follows from the step, so that it is started once, whatever happens.
pub(super) async fn start(driver: &Driver, state: &RunState, path: &StepPath) -> Option<Command> {
    let (step, step_state) = state.step(path)?;
    let crate::plan::StepKind::Workflow(workflow) = &step.kind else {
        return None;
    };
    Some(
        match create(&driver.shared, state, step_state, workflow).await {
            Ok(run) => Command::ChildStarted(ChildRunStarted {
                step: path.clone(),
                run,
            }),
            Err(failure) => Command::AnalysisFailed {
                step: path.clone(),
                failure,
            },
        },
    )
}

/// The id of the run that a step starts next.
pub(super) fn next_run(state: &RunState, step_state: &StepState) -> RunId {
    let number = u32::try_from(step_state.children.len()).unwrap_or(u32::MAX);
    let ready_at = step_state.ready_at.unwrap_or(state.updated_at);
    RunId::derive(ready_at, state.run, &step_state.path, number)
}

async fn create(
    shared: &Arc<Shared>,
    state: &RunState,
    step_state: &StepState,
    workflow: &WorkflowStep,
) -> Result<RunId, Failure> {
    let run = next_run(state, step_state);
    if shared
        .ports
        .store
        .read(run, 1, 1)
        .await
        .is_ok_and(|found| !found.is_empty())
    {
        return Ok(run);
    }
    let broken = |error: &Error| {
        let failure = |kind| Failure::new(kind, error.code(), error.to_string());
        if let Error::Action(missing) = error {
            return failure(FailureKind::Configuration).hint(missing.help());
        }
        failure(FailureKind::Infrastructure)
    };
    let plan = super::history::plan_of(shared, workflow.plan)
        .await
        .map_err(|error| broken(&error))?;
    let inputs = inputs(&plan, step_state, state.created.scheduled_at)?;
    let folder = state.created.workflow_folder.as_ref().map(|folder| {
        let folder = std::path::Path::new(folder).join(&workflow.folder);
        folder.to_string_lossy().into_owned()
    });
    let new = NewRun {
        plan,
        blobs: Vec::new(),
        inputs,
        workflow_folder: folder,
        // Whoever started the run around it started this one too.
        actor: state.starter.clone().map_or(Actor::Engine, Actor::User),
        scheduled_at: Some(state.created.scheduled_at),
    };
    let trigger = Trigger::Parent {
        run: state.run,
        step: step_state.path.clone(),
    };
    let bypass = cache::inside(&state.bypass, &step_state.path);
    let engine = Engine::over(shared);
    engine
        .create_as(run, new, trigger, (Vec::new(), bypass))
        .await
        .map_err(|error| broken(&error))?;
    Ok(run)
}

fn inputs(plan: &Plan, step_state: &StepState, scheduled_at: Timestamp) -> Result<Values, Failure> {
    let scope = Before { scheduled_at };
    let inputs = resolve_inputs(plan, step_state.inputs.clone(), &scope).map_err(|faults| {
        let words: Vec<String> = faults.into_iter().map(|fault| fault.message).collect();
        Failure::new(
            FailureKind::Code,
            code::WRONG_TYPE,
            format!("with: {}", words.join("; ")),
        )
        .hint("`with` of a step that runs a workflow holds that workflow's inputs")
    })?;
    Ok(inputs.into_iter().collect())
}

/// What defaults of inputs see.
struct Before {
    scheduled_at: Timestamp,
}

impl Scope for Before {
    fn lookup(&self, path: &[&str]) -> Lookup<'_> {
        match path {
            ["run", "scheduled_at" | "started_at", ..] => Lookup::Value {
                value: Value::DateTime(DateTime::from(self.scheduled_at)),
                used: 2,
            },
            _ => Lookup::Unknown { known: Vec::new() },
        }
    }

    fn status(&self, _step: &str) -> Option<StepStatusWord> {
        None
    }
}

/// Drives the run of a step until it has ended or only people can move it on. `None` = nothing new.
pub(super) async fn attend(
    driver: &Driver,
    state: &RunState,
    path: &StepPath,
    run: RunId,
) -> Option<Command> {
    let child = match drive_child(driver, run, false).await {
        Ok(child) => child,
        Err(error) => return broken(path, run, &error),
    };
    if child.ending.is_some() {
        return Some(closed(path, &child));
    }
    let waiting = ChildRunWaiting {
        step: path.clone(),
        status: child.status(),
        questions: summary(&child).questions,
    };
    let (_, step_state) = state.step(path)?;
    let known = step_state
        .children
        .last()
        .and_then(|child| child.waiting.as_ref());
    (known != Some(&waiting)).then_some(Command::ChildWaits(waiting))
}

/// Sees whether the run of a step, which waited for people, goes on: then this one takes its places again first.
pub(super) async fn look(driver: &Driver, path: &StepPath, run: RunId) -> Option<Command> {
    match History::load(Arc::clone(&driver.shared), run).await {
        Ok(history) if rests(history.state().status()) => None,
        Ok(_) => Some(goes_on(path.clone())),
        Err(error) => broken(path, run, &error),
    }
}

/// Cancels the run of a step and sees that nothing of it lives on.
pub(super) async fn cancel(driver: &Driver, path: &StepPath, run: RunId) -> Option<Command> {
    let ended = match drive_child(driver, run, true).await {
        Ok(child) if child.ending.is_some() => Some(closed(path, &child)),
        Ok(_) => None,
        Err(error) => broken(path, run, &error),
    };
    if ended.is_none() {
        // It stays owed, so it is tried again; not at once, lest it spin.
        let clock = &driver.shared.ports.clock;
        clock.sleep_until(clock.now().plus(DRIVE_AGAIN)).await;
    }
    ended
}

async fn drive_child(driver: &Driver, run: RunId, cancelled: bool) -> Result<RunState, Error> {
    if cancelled {
        let mut history = History::load(Arc::clone(&driver.shared), run).await?;
        if history.state().ending.is_none() {
            let reason = Some("the run around it was stopped".to_owned());
            history
                .submit(Command::Cancel { reason }, Actor::Engine)
                .await?;
        }
    }
    settle(Arc::clone(&driver.shared), run, Owner::Known).await
}

/// How long after a run inside could not be driven it is tried again.
const DRIVE_AGAIN: Duration = Duration::from_secs(1);

/// Returns when somebody moved the run of a step on.
pub(super) async fn news(driver: Driver, state: Arc<RunState>, path: StepPath) -> Option<Command> {
    let run = state
        .step(&path)
        .and_then(|(_, step_state)| step_state.children.last())
        .map(|child| child.run);
    let known = state.step(&path).and_then(|(_, step)| step.waiting_child());
    let known = known.map_or_else(Vec::new, |waiting| waiting.questions.clone());
    if let Some(run) = run
        && let Err(error) = moved(&driver.shared, run, &known).await
    {
        tracing::error!(%run, %error, "a run inside this run can't be listened to");
        std::future::pending::<()>().await;
    }
    let life = Life::of(&state, &path);
    Some(driver.of(life).stamped(goes_on(path)))
}

/// The run of a step may go on: then the one around it does not wait for people any more.
fn goes_on(step: StepPath) -> Command {
    Command::ChildWaits(ChildRunWaiting {
        step,
        status: RunStatus::Running,
        questions: Vec::new(),
    })
}

/// Returns when the run goes on, asks something else than is known, or one of its limits on people has passed.
async fn moved(shared: &Arc<Shared>, run: RunId, known: &[OpenQuestion]) -> Result<(), Error> {
    let mut watch = shared.ports.store.watch(run).await?;
    let mut history = History::load(Arc::clone(shared), run).await?;
    let clock = &shared.ports.clock;
    // An answer and the next question may come in one append.
    let same = |state: &RunState| rests(state.status()) && summary(state).questions == known;
    if !same(history.state()) {
        // It moved on just now, or could not be driven: then not again at once, lest it spin.
        clock.sleep_until(clock.now().plus(DRIVE_AGAIN)).await;
    }
    while same(history.state()) {
        let due = due(shared, Arc::clone(history.state())).await?;
        tokio::select! {
            changed = watch.changed() => {
                if changed.is_err() {
                    std::future::pending::<()>().await;
                }
                history.refresh().await?;
            }
            () = until(shared, due) => return Ok(()),
        }
    }
    Ok(())
}

async fn until(shared: &Shared, due: Option<Timestamp>) {
    match due {
        Some(due) => shared.ports.clock.sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// When the next limit on people passes in a run that rests, or in one of those inside it: nobody drives them, so
/// whoever waits for them looks at the clock for them.
fn due(
    shared: &Arc<Shared>,
    state: Arc<RunState>,
) -> BoxFuture<'_, Result<Option<Timestamp>, Error>> {
    Box::pin(async move {
        let now = shared.ports.clock.now();
        let mut next: Option<Timestamp> = None;
        for effect in effects(&state, now) {
            let at = match effect {
                Effect::WakeAt { at, .. } => Some(at),
                Effect::AttendChild { run, .. } => {
                    let inside = History::load(Arc::clone(shared), run).await?;
                    due(shared, Arc::clone(inside.state())).await?
                }
                Effect::LookUp { .. }
                | Effect::Analyse { .. }
                | Effect::Generate { .. }
                | Effect::Execute { .. }
                | Effect::Act { .. }
                | Effect::Attend { .. }
                | Effect::Kill { .. }
                | Effect::StartChild { .. }
                | Effect::LookAtChild { .. }
                | Effect::CancelChild { .. }
                | Effect::Acquire { .. }
                | Effect::Tell { .. } => None,
            };
            next = next.into_iter().chain(at.filter(|at| *at > now)).min();
        }
        Ok(next)
    })
}

fn rests(status: RunStatus) -> bool {
    matches!(status, RunStatus::Waiting | RunStatus::Paused)
}

/// Its history can't be read or written now: nothing is recorded, so that whoever resumes finds it as it is.
fn broken(path: &StepPath, run: RunId, error: &Error) -> Option<Command> {
    tracing::error!(step = %path, %run, %error, "a run inside this run can't go on");
    None
}

fn closed(path: &StepPath, child: &RunState) -> Command {
    let ending = child.ending.as_ref();
    let failure = ending
        .and_then(|ending| ending.failure.as_ref())
        .map(|(step, failure)| {
            let mut failure = failure.clone();
            failure.message = format!("step `{step}` of {}: {}", child.run, failure.message);
            failure
        });
    let reason = ending.and_then(|ending| ending.reason.clone());
    Command::ChildEnded(ChildRunClosed {
        step: path.clone(),
        status: child.status(),
        outputs: ending
            .map(|ending| ending.outputs.clone())
            .unwrap_or_default(),
        failure,
        reason,
    })
}
