//! Places in groups and locks, across all runs of a data folder: who holds what stands in the histories, and
//! a file lock makes looking and taking one act for all processes.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use super::options::blocking;
use super::progress::{Note, Progress};
use super::queue::{LINE_FOLDER, Ticket};
use super::task::Driver;
use super::{Engine, Error, Shared};
use crate::id::{RunId, StepPath};
use crate::plan::WhenFull;
use crate::run::payload::Trigger;
use crate::run::{Actor, Command, RunState, Slots};

/// How long a queued step waits at most before it looks again; somebody who lets go in this process wakes it at once.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Name of the lock file in the data folder.
const LOCK_FILE: &str = "slots.lock";

/// Waits until the run, or a step of it, can have all that it wishes, and takes it.
pub(super) async fn acquire(
    driver: &Driver,
    state: &RunState,
    step: Option<&StepPath>,
) -> Option<Command> {
    let shared = &driver.shared;
    let slots = match step {
        None => state.slots.as_ref()?,
        Some(path) => state.step(path)?.1.slots.as_ref()?,
    };
    let now = shared.ports.clock.now();
    let mut ticket = shared.queue.enter(&slots.wishes, now);
    let mut told = Told::default();
    loop {
        let released = shared.queue.released();
        match attempt(driver, state, (step, slots), &mut ticket).await {
            Ok(Attempt::Taken) => return None,
            Ok(Attempt::Refused(why)) => {
                return Some(match step {
                    None => Command::Cancel { reason: Some(why) },
                    Some(step) => Command::SlotRefused {
                        step: step.clone(),
                        why,
                    },
                });
            }
            Ok(Attempt::Full) => {}
            Ok(Attempt::Held { key, by }) => told.tell(shared, (state.run, step), &key, by).await,
            Err(error) => tracing::warn!(run = %state.run, %error, "the groups can't be looked at"),
        }
        let again = shared.ports.clock.now().plus(LOOK_AGAIN);
        tokio::select! {
            () = released => {}
            () = shared.ports.clock.sleep_until(again) => {}
        }
    }
}

enum Attempt {
    Taken,
    Full,
    /// Another run has it.
    Held {
        key: String,
        by: RunId,
    },
    Refused(String),
}

/// How many looks lie between two at the process of whoever holds what is waited for.
const LOOKS_PER_DRIVER: u32 = 20;

/// What people were told of who is waited for.
#[derive(Default)]
struct Told {
    text: String,
    looks: u32,
}

impl Told {
    /// Says who has it; and when nobody drives that run, how to let it go on: else one could wait for ever.
    async fn tell(
        &mut self,
        shared: &Arc<Shared>,
        (run, step): (RunId, Option<&StepPath>),
        key: &str,
        by: RunId,
    ) {
        self.looks += 1;
        if self.looks % LOOKS_PER_DRIVER != 1 {
            return;
        }
        let what = key.replacen(':', " ", 1);
        let mut text = format!("waits for {what}, which run {} holds", by.short());
        // Taken for an instant only: a run that somebody drives does not give it.
        if shared.ports.store.lease(by).await.is_ok() {
            let resume = format!("; nobody drives that run: `stepwell resume {}`", by.short());
            text.push_str(&resume);
        }
        if text != self.text {
            let step = step.cloned();
            self.text.clone_from(&text);
            shared.tell(Progress::Note(Note { run, step, text }));
        }
    }
}

async fn attempt(
    driver: &Driver,
    state: &RunState,
    (step, slots): (Option<&StepPath>, &Slots),
    ticket: &mut Ticket<'_>,
) -> Result<Attempt, Error> {
    // Who came before in this process is before us in the whole line; only to show ourselves is the line needed.
    let first_here = ticket.is_first_here();
    if !first_here && ticket.unshown().is_none() {
        return Ok(Attempt::Full);
    }
    let shared = &driver.shared;
    let (lock, first) = look(shared, ticket).await?;
    if !first_here || !first {
        return Ok(Attempt::Full);
    }
    let (wishes, again) = (&slots.wishes, slots.again);
    let others = holders(shared, state).await?;
    let mut room = Vec::new();
    for wish in wishes {
        let held: Vec<RunId> = others
            .iter()
            .filter(|(_, key)| *key == wish.key)
            .map(|(run, _)| *run)
            .collect();
        let taken = u32::try_from(held.len()).unwrap_or(u32::MAX);
        if taken < wish.limit {
            room.push(wish.limit - taken);
            continue;
        }
        match if again {
            WhenFull::Queue
        } else {
            wish.when_full
        } {
            WhenFull::Queue => {
                let key = wish.key.clone();
                let first = held.first().copied();
                return Ok(first.map_or(Attempt::Full, |by| Attempt::Held { key, by }));
            }
            WhenFull::CancelNew => {
                let name = wish.key.trim_start_matches("group:");
                return Ok(Attempt::Refused(format!("the group `{name}` is full")));
            }
            WhenFull::CancelRunning => {
                drop(lock);
                cancel_oldest(shared, &held, &wish.key).await;
                return Ok(Attempt::Full);
            }
        }
    }
    let step = step.cloned();
    // Whether other steps of the same run hold it the run itself knows best.
    let taken = driver.submit(Command::Admit { step, room }).await.is_ok();
    drop(lock);
    Ok(if taken { Attempt::Taken } else { Attempt::Full })
}

/// Takes the lock of the places, shows the ticket to all processes, and sees whether it is the first of the line.
async fn look(shared: &Arc<Shared>, ticket: &mut Ticket<'_>) -> Result<(File, bool), Error> {
    let path = shared.options.data.join(LOCK_FILE);
    let line = shared.options.data.join(LINE_FOLDER);
    let (unshown, place) = (ticket.unshown(), ticket.place());
    let (lock, shown, first) = blocking(move || {
        let looked = File::create(&path).and_then(|file| {
            file.lock()?;
            let shown = unshown.map(|unshown| unshown.show(&line)).transpose()?;
            let first = place.is_first(&line)?;
            Ok((file, shown, first))
        });
        looked.map_err(|error| Error::Internal(format!("{}: {error}", path.display())))
    })
    .await?;
    if let Some((path, file)) = shown {
        ticket.shown(path, file);
    }
    Ok((lock, first))
}

/// What every other unfinished run holds.
async fn holders(shared: &Arc<Shared>, state: &RunState) -> Result<Vec<(RunId, String)>, Error> {
    let engine = Engine::over(shared);
    let mut held = Vec::new();
    // What the runs around this one hold they hold for it too.
    let family = family(&engine, state).await?;
    for other in engine.unfinished_rows().await? {
        if family.contains(&other.run) || !other.holds {
            continue;
        }
        let state = super::history::replay(shared, other.run, crate::run::Seq::MAX).await?;
        held.extend(state.held().map(|(_, wish)| (other.run, wish.key.clone())));
    }
    Ok(held)
}

/// The run and those around it.
async fn family(engine: &Engine, state: &RunState) -> Result<Vec<RunId>, Error> {
    let mut family = vec![state.run];
    let mut trigger = state.created.trigger.clone();
    while let Trigger::Parent { run, .. } = trigger {
        family.push(run);
        trigger = engine.state(run).await?.created.trigger;
    }
    Ok(family)
}

/// Asks the run that has held the key longest to stop.
async fn cancel_oldest(shared: &Arc<Shared>, held: &[RunId], key: &str) {
    let Some(oldest) = held.iter().min() else {
        return;
    };
    let reason = Some(format!(
        "a newer run took its place in `{}`",
        key.trim_start_matches("group:")
    ));
    let engine = Engine::over(shared);
    if let Err(error) = engine
        .command(*oldest, Actor::Engine, Command::Cancel { reason })
        .await
    {
        tracing::warn!(run = %oldest, %error, "a run could not be cancelled for a newer one");
    }
}
