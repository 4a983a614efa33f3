//! One run, driven: effects are performed, their completions become commands, until nothing is owed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tracing::Instrument as _;

use super::cache;
use super::child;
use super::history::History;
use super::key::Key;
use super::orphan;
use super::perform::perform;
use super::task::{Driver, Input};
use super::{Error, Shared};
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::id::StepPath;
use crate::run::payload::{CacheMissed, Miss, Parts};
use crate::run::{Actor, Command, Effect, Refusal, RunState, effects};
use crate::store::Watch;

/// Inputs that may wait for the driver.
const INPUTS_MAX: usize = 64;

/// Drives until the run has ended or only people can move it on. The caller has the lease of the run; `foreign` tells
/// what others append to it meanwhile.
pub(super) async fn drive(mut history: History, mut foreign: Watch) -> Result<RunState, Error> {
    let (sender, mut inputs) = mpsc::channel(INPUTS_MAX);
    let driver = Driver {
        shared: Arc::clone(history.shared()),
        inputs: sender,
        life: None,
    };
    let mut tasks: JoinSet<(Key, Option<Command>)> = JoinSet::new();
    let mut under_way: HashMap<Key, AbortHandle> = HashMap::new();
    // Runs inside this one that only people can move on: they are not looked at again and again.
    let mut resting: HashSet<Key> = HashSet::new();
    history.submit_unless_ended(Command::Start).await?;
    loop {
        history.advance().await?;
        if history.state().ending.is_some() {
            // Nothing of an ended run is alive; a task that still sleeps or looks at code has nothing to do.
            return Ok(history.into_state());
        }
        let now = driver.shared.ports.clock.now();
        let owed = effects(history.state(), now);
        let owed: Vec<(Key, Effect)> = owed
            .into_iter()
            .map(|effect| (Key::of(&effect), effect))
            .collect();
        give_up(&under_way, owed.iter().map(|(key, _)| key).collect());
        for (key, effect) in owed {
            let waits = key.waits_for().any(|other| under_way.contains_key(&other));
            if waits || under_way.contains_key(&key) || resting.contains(&key) {
                continue;
            }
            let work = perform(driver.clone(), Arc::clone(history.state()), effect);
            begin(&mut tasks, &mut under_way, key, work);
        }
        if *foreign.borrow_and_update() > history.state().seq {
            history.refresh().await?;
            continue;
        }
        if under_way.keys().all(Key::is_idle) {
            return Ok(history.into_state());
        }
        let input = tokio::select! {
            Some(input) = inputs.recv() => input,
            Some(done) = tasks.join_next() => ended(done, &under_way, history.state()),
            Ok(()) = foreign.changed() => continue,
        };
        match input {
            Input::Submit { command, reply } => {
                let result = history.submit(command, worker(&driver.shared)).await;
                settle(result, reply)?;
            }
            Input::Done { key, command } => {
                under_way.remove(&key);
                if let Key::News(step) = &key {
                    resting.remove(&Key::Child(step.clone()));
                }
                if let Some(command) = command {
                    let kept = cache::to_keep(&command);
                    take(&mut history, command).await?;
                    if let Some(step) = kept {
                        cache::keep(&driver.shared, history.state(), &step).await;
                    }
                } else if let Key::Child(step) = &key {
                    let news =
                        child::news(driver.clone(), Arc::clone(history.state()), step.clone());
                    begin(&mut tasks, &mut under_way, Key::News(step.clone()), news);
                    resting.insert(key);
                }
            }
        }
    }
}

/// Begins a task of that name.
fn begin(
    tasks: &mut JoinSet<(Key, Option<Command>)>,
    under_way: &mut HashMap<Key, AbortHandle>,
    key: Key,
    work: impl Future<Output = Option<Command>> + Send + 'static,
) {
    let named = key.clone();
    let handle = tasks.spawn(async move { (named, work.await) }.in_current_span());
    under_way.insert(key, handle);
}

/// Stops tasks that have nothing to do any more, perhaps since somebody else appended: waits that nobody needs, and work
/// that is to be stopped, which must not start a process afterwards.
fn give_up(under_way: &HashMap<Key, AbortHandle>, owed: HashSet<&Key>) {
    for (key, task) in under_way {
        if key.only_waits() && !owed.contains(key) {
            task.abort();
        }
    }
    for other in owed.into_iter().flat_map(Key::waits_for) {
        if let Some(task) = under_way.get(&other) {
            task.abort();
        }
    }
}

impl History {
    async fn submit_unless_ended(&mut self, command: Command) -> Result<(), Error> {
        if self.state().ending.is_some() {
            return Ok(());
        }
        self.submit(command, Actor::Engine).await
    }
}

fn worker(shared: &Shared) -> Actor {
    Actor::Worker(shared.options.worker.clone())
}

/// A completion that comes too late changes nothing: what it speaks of was decided otherwise meanwhile.
async fn take(history: &mut History, command: Command) -> Result<(), Error> {
    let made = orphan::made_by(&command);
    let worker = worker(history.shared());
    match history.submit(command, worker).await {
        Err(Error::Refused(refusal)) => {
            tracing::debug!(run = %history.state().run, %refusal, "a completion was stale");
            if let Some(run) = made {
                orphan::put_down(history.shared(), run).await;
            }
            Ok(())
        }
        other => other,
    }
}

/// Tells the task how its command went; anything but a refusal ends the drive.
fn settle(
    result: Result<(), Error>,
    reply: oneshot::Sender<Result<(), Refusal>>,
) -> Result<(), Error> {
    let (answer, error) = match result {
        Ok(()) => (Ok(()), None),
        Err(Error::Refused(refusal)) => (Err(refusal), None),
        Err(error) => (Err(Refusal::Stale(error.to_string())), Some(error)),
    };
    // The task may be gone; then nobody waits for the answer.
    let _ = reply.send(answer);
    error.map_or(Ok(()), Err)
}

/// The end of a task; one that panicked leaves an internal failure, not a run without a reason to wait.
fn ended(
    done: Result<(Key, Option<Command>), JoinError>,
    under_way: &HashMap<Key, AbortHandle>,
    state: &RunState,
) -> Input {
    match done {
        Ok((key, command)) => Input::Done { key, command },
        Err(error) => {
            let found = under_way
                .iter()
                .find(|(_, handle)| handle.id() == error.id())
                .map(|(key, _)| key.clone());
            let key = found.unwrap_or_else(|| Key::Work(StepPath::new(""), 0));
            if error.is_cancelled() {
                return Input::Done { key, command: None };
            }
            let evidence = format!("a task of the engine died: {error}");
            let open = |step: &StepPath| {
                let (_, step_state) = state.step(step)?;
                step_state.open_attempt().map(|open| open.number)
            };
            let command = match &key {
                // Its code may have begun, and may go on.
                Key::Work(step, attempt) if open(step) == Some(*attempt) => {
                    Some(Command::AttemptLost {
                        step: step.clone(),
                        attempt: *attempt,
                        started: true,
                        evidence,
                    })
                }
                Key::Work(step, _) => Some(Command::AnalysisFailed {
                    step: step.clone(),
                    failure: Failure::new(FailureKind::Internal, code::INTERNAL, evidence),
                }),
                // The code runs, then.
                Key::LookUp(step) => Some(Command::Missed(CacheMissed {
                    step: step.clone(),
                    key: None,
                    parts: Parts::new(),
                    reason: Miss::Lost {
                        run: None,
                        why: evidence,
                    },
                })),
                Key::Child(_)
                | Key::News(_)
                | Key::CancelChild(_)
                | Key::Acquire(_)
                | Key::Tell(..)
                | Key::Kill(..)
                | Key::Sleep(..)
                | Key::Doze(..) => None,
            };
            Input::Done { key, command }
        }
    }
}
