//! One run, driven: effects are performed, their completions become commands, until nothing is owed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinError, JoinSet};

use super::Error;
use super::history::History;
use super::key::Key;
use super::perform::perform;
use super::task::{Driver, Input};
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::id::StepPath;
use crate::run::{Actor, Command, Effect, Refusal, RunState, effects};
use crate::time::BoxFuture;

/// Inputs that may wait for the driver.
const INPUTS_MAX: usize = 64;

/// Drives until the run has ended or only people can move it on.
pub(super) async fn drive(mut history: History) -> Result<RunState, Error> {
    let (sender, mut inputs) = mpsc::channel(INPUTS_MAX);
    let driver = Driver {
        shared: Arc::clone(history.shared()),
        inputs: sender,
    };
    let mut tasks: JoinSet<(Key, Option<Command>)> = JoinSet::new();
    let mut under_way: UnderWay = HashMap::new();
    // Runs inside this one that only people can move on: they are not looked at again and again.
    let mut resting: HashSet<Key> = HashSet::new();
    history.submit_unless_ended(Command::Start).await?;
    loop {
        history.advance().await?;
        let now = driver.shared.ports.clock.now();
        let owed: Vec<(Key, Effect)> = effects(history.state(), now)
            .into_iter()
            .map(|effect| (Key::of(&effect), effect))
            .collect();
        let needed: HashSet<&Key> = owed.iter().map(|(key, _)| key).collect();
        under_way.retain(|key, task| {
            let keep = needed.contains(key) || !key.only_waits();
            if !keep {
                task.abort();
            }
            keep
        });
        drop(needed);
        for (key, effect) in owed {
            if under_way.contains_key(&key) || resting.contains(&key) {
                continue;
            }
            let_go(&effect, history.state(), &mut under_way);
            let work = perform(driver.clone(), Arc::clone(history.state()), effect);
            let named = key.clone();
            let handle = tasks.spawn(async move { (named, work.await) });
            under_way.insert(key, handle);
        }
        if under_way.keys().all(Key::is_idle) {
            return Ok(history.into_state());
        }
        let input = tokio::select! {
            Some(input) = inputs.recv() => input,
            Some(done) = tasks.join_next() => match ended(done, &under_way, history.state()) {
                Some(input) => input,
                None => continue,
            },
        };
        match input {
            Input::Submit { command, reply } => {
                let result = history.submit(command, worker()).await;
                settle(result, reply)?;
            }
            Input::Done { key, command } => {
                under_way.remove(&key);
                if command.is_none() && matches!(key, Key::Child(_)) {
                    resting.insert(key);
                }
                if let Some(command) = command {
                    take(&mut history, command).await?;
                }
            }
        }
    }
}

/// Drives a run inside another. Its type is spelled out, since a run may hold runs that hold runs.
pub(super) fn drive_inside(history: History) -> BoxFuture<'static, Result<RunState, Error>> {
    Box::pin(drive(history))
}

/// What goes on for the run.
type UnderWay = HashMap<Key, AbortHandle>;

/// Ends the task that an effect is to put an end to, where that is a matter of the task alone.
fn let_go(effect: &Effect, state: &RunState, under_way: &mut UnderWay) {
    let is_action = |path: &StepPath| {
        let step = state.step(path);
        step.is_some_and(|(step, _)| step.kind.is_action())
    };
    let key = if let Effect::CancelChild { step, .. } = effect {
        // Whoever drives it lets go; what it has under way is taken over by whoever cancels it.
        Key::Child(step.clone())
    } else if let Effect::Kill { step, attempt } = effect
        && is_action(step)
    {
        // An act goes on nowhere but in its task.
        Key::Work(step.clone(), *attempt)
    } else {
        return;
    };
    if let Some(task) = under_way.remove(&key) {
        task.abort();
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

fn worker() -> Actor {
    Actor::Worker("local".to_owned())
}

/// A completion that comes too late changes nothing: what it speaks of was decided otherwise meanwhile.
async fn take(history: &mut History, command: Command) -> Result<(), Error> {
    match history.submit(command, worker()).await {
        Err(Error::Refused(refusal)) => {
            tracing::debug!(run = %history.state().run, %refusal, "a completion was stale");
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
    under_way: &UnderWay,
    state: &RunState,
) -> Option<Input> {
    Some(match done {
        Ok((key, command)) => Input::Done { key, command },
        Err(error) if error.is_cancelled() => return None,
        Err(error) => {
            let found = under_way
                .iter()
                .find(|(_, handle)| handle.id() == error.id())
                .map(|(key, _)| key.clone());
            let key = found.unwrap_or_else(|| Key::Work(StepPath::new(""), 0));
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
                Key::Child(_)
                | Key::CancelChild(_)
                | Key::Acquire(_)
                | Key::Kill(..)
                | Key::Sleep(..)
                | Key::Doze(..) => None,
            };
            Input::Done { key, command }
        }
    })
}
