//! One run, driven: effects are performed, their completions become commands, until nothing is owed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tracing::Instrument as _;

use super::cache;
use super::child;
use super::history::History;
use super::key::Key;
use super::orphan;
use super::perform::perform;
use super::task::{Driver, Durable, Input};
use super::{Error, Shared};
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::id::StepPath;
use crate::run::payload::{AttemptStarted, CacheMissed, Miss, Parts};
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
        durable: Durable::default(),
    };
    let mut work = Work::default();
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
        give_up(&work.under_way, owed.iter().map(|(key, _)| key).collect());
        for (key, effect) in owed {
            if !work.is_free_for(&key) {
                continue;
            }
            let performed = perform(driver.clone(), Arc::clone(history.state()), effect);
            work.begin(key, performed);
        }
        if *foreign.borrow_and_update() > history.state().seq {
            history.refresh().await?;
            continue;
        }
        if work.under_way.keys().all(Key::is_idle) {
            return Ok(history.into_state());
        }
        let input = tokio::select! {
            Some(input) = inputs.recv() => input,
            Some(done) = work.tasks.join_next_with_id() => ended(done, &work.under_way, history.state()),
            Ok(()) = foreign.changed() => continue,
        };
        take_in(&driver, &mut history, &mut work, input).await?;
    }
}

/// What goes on for a run.
#[derive(Default)]
struct Work {
    tasks: JoinSet<Option<Command>>,
    under_way: HashMap<Key, AbortHandle>,
    /// Runs inside this one that only people can move on: they are not looked at again and again.
    resting: HashSet<Key>,
}

/// What a task has said becomes durable.
async fn take_in(
    driver: &Driver,
    history: &mut History,
    work: &mut Work,
    input: Input,
) -> Result<(), Error> {
    match input {
        Input::Submit { command, reply } => {
            let result = history.submit(command, worker(&driver.shared)).await;
            settle(result, reply)?;
        }
        Input::Begin {
            analysed,
            started,
            reply,
        } => {
            let begun = begin_next(history, (analysed, &started)).await?;
            if begun {
                work.rename(&started);
            }
            // The task may be gone: what it has begun is then looked for.
            let _ = reply.send(begun.then(|| Arc::clone(history.state())));
        }
        Input::Done { key, command } => {
            work.under_way.remove(&key);
            if let Key::News(step) = &key {
                work.resting.remove(&Key::Child(step.clone()));
            }
            if let Some(command) = command {
                let kept = cache::to_keep(&command);
                take(driver, history, work, command).await?;
                if let Some(step) = kept {
                    cache::keep(&driver.shared, history.state(), &step).await;
                }
            } else if let Key::Child(step) = &key {
                let news = child::news(driver.clone(), Arc::clone(history.state()), step.clone());
                work.begin(Key::News(step.clone()), news);
                work.resting.insert(key);
            }
        }
    }
    Ok(())
}

impl Work {
    /// Whether the work of that name goes on nowhere, and what must have ended before it has.
    fn is_free_for(&self, key: &Key) -> bool {
        let mut before = key.waits_for();
        !before.any(|other| self.under_way.contains_key(&other))
            && !self.under_way.contains_key(key)
            && !self.resting.contains(key)
    }

    /// Begins a task of that name.
    fn begin(&mut self, key: Key, work: impl Future<Output = Option<Command>> + Send + 'static) {
        let handle = self.tasks.spawn(work.in_current_span());
        self.under_way.insert(key, handle);
    }

    /// Begins to analyse code of a state that is not durable: it is only looked at until the channel says that the state
    /// is.
    fn look_ahead(&mut self, driver: &Driver, state: &Arc<RunState>) -> watch::Sender<bool> {
        let (sender, durable) = Durable::not_yet();
        for effect in effects(state, driver.shared.ports.clock.now()) {
            let key = Key::of(&effect);
            if matches!(effect, Effect::Analyse { .. }) && self.is_free_for(&key) {
                let driver = Driver {
                    durable: durable.clone(),
                    ..driver.clone()
                };
                self.begin(key, perform(driver, Arc::clone(state), effect));
            }
        }
        sender
    }

    /// The task that has analysed the code goes on with its attempt.
    fn rename(&mut self, started: &AttemptStarted) {
        let (step, attempt) = (started.step.clone(), started.attempt);
        if let Some(handle) = self.under_way.remove(&Key::Work(step.clone(), 0)) {
            self.under_way.insert(Key::Work(step, attempt), handle);
        }
    }
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

/// Makes the report of an analysis durable, and the beginning of its attempt with it; whether that was begun. A report
/// that comes too late changes nothing.
async fn begin_next(
    history: &mut History,
    (analysed, started): (Command, &AttemptStarted),
) -> Result<bool, Error> {
    let worker = worker(history.shared());
    match history.submit_with(analysed, Some(started), worker).await {
        Err(Error::Refused(refusal)) => {
            tracing::debug!(run = %history.state().run, %refusal, "a completion was stale");
            Ok(false)
        }
        other => other,
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

/// A completion that comes too late changes nothing: what it speaks of was decided otherwise meanwhile. While it becomes
/// durable, the code of what follows is looked at.
async fn take(
    driver: &Driver,
    history: &mut History,
    work: &mut Work,
    command: Command,
) -> Result<(), Error> {
    let made = orphan::made_by(&command);
    let worker = worker(history.shared());
    let look = |state: &Arc<RunState>| work.look_ahead(driver, state);
    match history.submit_and_look(command, worker, look).await {
        Ok(looked) => {
            // Those who have looked at what never came to be hear the end of theirs.
            if let Some(durable) = looked {
                let _nobody = durable.send(true);
            }
            Ok(())
        }
        Err(Error::Refused(refusal)) => {
            tracing::debug!(run = %history.state().run, %refusal, "a completion was stale");
            if let Some(run) = made {
                orphan::put_down(history.shared(), run).await;
            }
            Ok(())
        }
        Err(error) => Err(error),
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
    done: Result<(Id, Option<Command>), JoinError>,
    under_way: &HashMap<Key, AbortHandle>,
    state: &RunState,
) -> Input {
    let id = done.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
    let mut named = under_way.iter().filter(|(_, handle)| handle.id() == id);
    let key = named.next().map(|(key, _)| key.clone());
    let key = key.unwrap_or_else(|| Key::Work(StepPath::new(""), 0));
    match done {
        Ok((_, command)) => Input::Done { key, command },
        Err(error) => {
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
