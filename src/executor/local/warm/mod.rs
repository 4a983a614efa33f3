//! Warm interpreters: parents that have imported what steps of one kind import, from which a step is forked.
//!
//! The engine asks a parent for pairs of processes, one of them ahead (`parent.rs`); the first becomes the supervisor of
//! an attempt, the second its child, which goes behind the walls and runs the code (`fork.rs`, `harness/warm.py`). Whatever goes
//! wrong before the code begins ends in a fresh interpreter, once. docs/adr/016-warm-interpreters.md says why so.

mod fork;
mod kind;
mod parent;
mod template;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

pub(super) use fork::{Origin, Streams};
pub(super) use kind::Kind;
pub(super) use template::Template;

use super::folder::Folder;
use super::sandbox::Outline;
use crate::id::Digest;
use parent::{Pair, Parent};

/// The sign that an attempt was given to a fresh interpreter, after a warm one did not come.
pub(super) const FRESH: &str = "fresh";
/// What a supervisor says to the engine: it has the attempt.
const TAKEN: u8 = b't';
/// The code may run.
const BEGUN: u8 = b'b';
/// The outcome is written, and this was its last attempt.
const DONE: u8 = b'd';
/// The outcome is written, and it waits for another attempt.
const WAITS: u8 = b'w';
/// How long a supervisor may take to come.
const TAKE_TIMEOUT: Duration = Duration::from_secs(2);
/// Kinds that are remembered.
const KINDS_MAX: usize = 200;

/// Which warm interpreters there are, and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarmOptions {
    /// Whether there are any.
    pub enabled: bool,
    /// A parent is started in the background with the step of a kind that has this number, counted from 1.
    pub from: u32,
    /// How long a step waits for a parent that is being started.
    pub patience: Duration,
    /// Most parents at a time.
    pub parents_max: usize,
    /// Pairs of processes that each parent has forked ahead, for the next steps.
    pub ahead: usize,
    /// Whether the supervisor of an attempt waits for another one, with a new copy of its template.
    pub copies: bool,
    /// Attempts that are forked from one parent before another takes its place.
    pub forks_max: u32,
    /// Bytes of memory beyond which another takes its place.
    pub memory_max: u64,
    /// A parent that was not asked for so long is ended.
    pub idle: Duration,
    /// How long after a parent could not be had the next one is tried.
    pub again: Duration,
}

impl Default for WarmOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            from: 2,
            patience: Duration::ZERO,
            parents_max: 4,
            ahead: 1,
            copies: true,
            forks_max: 200,
            memory_max: 1 << 30,
            idle: Duration::from_secs(300),
            again: Duration::from_secs(600),
        }
    }
}

/// What parents are made of.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub program: PathBuf,
    pub data: PathBuf,
    /// Whether templates may be copied.
    pub copies: bool,
    pub inherited: BTreeMap<String, String>,
}

impl World {
    pub(super) fn tools(&self) -> PathBuf {
        self.data.join("tools")
    }

    /// What matplotlib remembers of fonts, for all attempts of an environment.
    pub(super) fn matplotlib(&self, environment: Digest) -> PathBuf {
        self.data.join("cache/matplotlib").join(environment.short())
    }
}

/// The parents of one process.
#[derive(Debug)]
pub(super) struct Pool {
    options: WarmOptions,
    world: World,
    kinds: Mutex<HashMap<Kind, Known>>,
}

/// What is known of a kind of steps.
#[derive(Debug)]
struct Known {
    /// Steps of the kind so far.
    steps: u32,
    used: Instant,
    /// The walls of the newest of them: those of the next one, most likely.
    outline: Option<Outline>,
    slot: Slot,
    /// Tells those who wait for the slot.
    changed: Arc<Notify>,
}

#[derive(Debug)]
enum Slot {
    Empty,
    Starting,
    Ready(Parent),
    /// There was none to be had, at that time.
    Refused(String, Instant),
}

impl Pool {
    pub(super) fn new(options: WarmOptions, world: World) -> Arc<Self> {
        Arc::new(Self {
            options,
            world,
            kinds: Mutex::default(),
        })
    }

    /// Runs the attempt whose folder is ready from its beginning to the end of its supervisor; or says why it is for a
    /// fresh interpreter. Then nothing of it has begun, and nobody but the caller will begin it.
    pub(super) async fn run(
        self: &Arc<Self>,
        kind: &Kind,
        (folder, outline): (&Folder, &Outline),
    ) -> Result<(), String> {
        let (mut stream, parent) = self.ask(kind, (folder, outline)).await?;
        let mut word = [0; 1];
        let heard = tokio::time::timeout(TAKE_TIMEOUT, stream.read(&mut word)).await;
        let taken = matches!(heard, Ok(Ok(1)));
        if !taken {
            // It hangs, or it died with the order in its queue: the next step is not to ask it again.
            self.forget(kind);
        }
        if !taken && revoke(folder).map_err(|error| error.to_string())? {
            return Err("the warm interpreter did not start it".to_owned());
        }
        // Its supervisor says when the outcome is written; one that ends before that has none to be waited for. When it
        // was late, its first word comes only now.
        let mut is_next_ready = false;
        while matches!(stream.read(&mut word).await, Ok(1)) {
            // While the code runs nothing else has to be done for it: the time of the next pair to get ready.
            if word != [TAKEN] && !is_next_ready {
                is_next_ready = true;
                self.prepare_next(kind, parent, outline);
            }
            match word {
                [WAITS] => {
                    self.take_back(kind, parent, Pair::of(stream));
                    break;
                }
                [DONE] => break,
                _ => {}
            }
        }
        Ok(())
    }

    /// Has a pair waiting for the next attempt, when the parent is still the one of the kind; or another parent, when it
    /// can't have one.
    fn prepare_next(self: &Arc<Self>, kind: &Kind, parent: u32, outline: &Outline) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = kinds.get_mut(kind) else {
            return;
        };
        if let Slot::Ready(ready) = &mut known.slot
            && ready.pid == parent
            && ready
                .fork_ahead(&self.world, outline, self.options.ahead)
                .is_err()
        {
            known.slot = Slot::Empty;
            self.start(&mut kinds, kind);
        }
    }

    /// Keeps a pair for another attempt, when its parent is still the one of the kind.
    fn take_back(&self, kind: &Kind, parent: u32, pair: io::Result<Pair>) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kinds.get_mut(kind)
            && let Slot::Ready(ready) = &mut known.slot
            && let Ok(pair) = pair
            && ready.pid == parent
        {
            ready.take_back(pair, self.options.ahead);
        }
    }

    /// Has the pair of processes forked, waiting for a parent as long as the options say.
    async fn ask(
        self: &Arc<Self>,
        kind: &Kind,
        attempt: (&Folder, &Outline),
    ) -> Result<(UnixStream, u32), String> {
        let until = Instant::now() + self.options.patience;
        let mut first = true;
        loop {
            let changed = match self.look(kind, attempt, first) {
                Look::Forked(stream, parent) => return Ok((stream, parent)),
                Look::None(reason) => return Err(reason),
                Look::Starting(changed) => changed,
            };
            first = false;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || tokio::time::timeout(left, changed).await.is_err() {
                return Err("the warm interpreter of its kind is being started".to_owned());
            }
        }
    }

    fn look(
        self: &Arc<Self>,
        kind: &Kind,
        (folder, outline): (&Folder, &Outline),
        first: bool,
    ) -> Look {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kinds.entry(kind.clone()).or_insert_with(Known::new);
        known.used = Instant::now();
        known.steps = known.steps.saturating_add(u32::from(first));
        known.outline = Some(outline.clone());
        if let Slot::Refused(_, since) = &known.slot
            && first
            && since.elapsed() >= self.options.again
        {
            known.slot = Slot::Empty;
        }
        match &mut known.slot {
            Slot::Refused(reason, _) => {
                Look::None(format!("there is no warm interpreter: {reason}"))
            }
            Slot::Starting => Look::Starting(Arc::clone(&known.changed).notified_owned()),
            Slot::Empty if known.steps < self.options.from => {
                Look::None("it is the first of its kind in this process".to_owned())
            }
            Slot::Empty => {
                let changed = Arc::clone(&known.changed).notified_owned();
                self.start(&mut kinds, kind);
                Look::Starting(changed)
            }
            Slot::Ready(parent) => {
                let taken = parent.hand_over(&self.world, folder, outline);
                let pid = parent.pid;
                let worn = parent.forks >= self.options.forks_max
                    || parent.memory() > self.options.memory_max;
                if taken.is_err() || worn {
                    known.slot = Slot::Empty;
                    self.start(&mut kinds, kind);
                }
                match taken {
                    Ok(stream) => Look::Forked(stream, pid),
                    Err(error) => Look::None(format!("the warm interpreter is gone: {error}")),
                }
            }
        }
    }

    /// Starts a parent in the background.
    fn start(self: &Arc<Self>, kinds: &mut HashMap<Kind, Known>, kind: &Kind) {
        make_room(kinds, kind, self.options.parents_max);
        if let Some(known) = kinds.get_mut(kind) {
            known.slot = Slot::Starting;
        }
        let (pool, kind) = (Arc::downgrade(self), kind.clone());
        let world = self.world.clone();
        #[expect(
            clippy::disallowed_methods,
            reason = "no step waits for it: it goes on while steps start fresh"
        )]
        tokio::spawn(async move {
            let started = Parent::start(&world, &kind).await;
            let Some(idle) = settle(&pool, &kind, started) else {
                return;
            };
            watch_idle(pool, kind, idle).await;
        });
    }

    /// Ends the parent of the kind, which does not answer.
    fn forget(&self, kind: &Kind) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kinds.get_mut(kind)
            && let Slot::Ready(parent) = std::mem::replace(&mut known.slot, Slot::Empty)
        {
            parent.end();
        }
    }
}

/// What was found for an attempt.
enum Look {
    /// And the number of the parent.
    Forked(UnixStream, u32),
    Starting(OwnedNotified),
    None(String),
}

impl Known {
    fn new() -> Self {
        Self {
            steps: 0,
            used: Instant::now(),
            outline: None,
            slot: Slot::Empty,
            changed: Arc::default(),
        }
    }
}

/// Puts a parent that was started into its place. Returns how long it may be idle.
fn settle(pool: &Weak<Pool>, kind: &Kind, started: Result<Parent, String>) -> Option<Duration> {
    let pool = pool.upgrade()?;
    let mut kinds = pool.kinds.lock().unwrap_or_else(PoisonError::into_inner);
    let known = kinds.get_mut(kind)?;
    let started = started.and_then(|mut parent| {
        if let Some(outline) = &known.outline {
            let forked = parent.fork_ahead(&pool.world, outline, pool.options.ahead);
            forked.map_err(|error| error.to_string())?;
        }
        Ok(parent)
    });
    let ready = started.is_ok();
    let refused = |reason| Slot::Refused(reason, Instant::now());
    known.slot = started.map_or_else(refused, Slot::Ready);
    known.changed.notify_waiters();
    ready.then_some(pool.options.idle)
}

/// Ends the parent when nobody has asked for it for so long.
async fn watch_idle(pool: Weak<Pool>, kind: Kind, idle: Duration) {
    let mut left = idle;
    loop {
        tokio::time::sleep(left).await;
        let Some(pool) = pool.upgrade() else {
            return;
        };
        let mut kinds = pool.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = kinds.get_mut(&kind) else {
            return;
        };
        left = idle.saturating_sub(known.used.elapsed());
        if left.is_zero() {
            known.slot = Slot::Empty;
            return;
        }
    }
}

/// Ends parents that were not used for the longest time, and forgets kinds.
fn make_room(kinds: &mut HashMap<Kind, Known>, kind: &Kind, parents_max: usize) {
    let oldest = |kinds: &HashMap<Kind, Known>, parents: bool| {
        kinds
            .iter()
            .filter(|(other, known)| {
                *other != kind && matches!(known.slot, Slot::Ready(_)) == parents
            })
            .filter(|(_, known)| !matches!(known.slot, Slot::Starting))
            .min_by_key(|(_, known)| known.used)
            .map(|(other, _)| other.clone())
    };
    let is_parent = |known: &Known| matches!(known.slot, Slot::Ready(_) | Slot::Starting);
    while kinds.values().filter(|known| is_parent(known)).count() >= parents_max.max(1) {
        let Some(known) = oldest(kinds, true).and_then(|other| kinds.get_mut(&other)) else {
            break;
        };
        known.slot = Slot::Empty;
    }
    while kinds.len() > KINDS_MAX {
        let Some(other) = oldest(kinds, false) else {
            break;
        };
        kinds.remove(&other);
    }
}

/// Takes the attempt back from a supervisor that has not come. False when it has come after all.
fn revoke(folder: &Folder) -> io::Result<bool> {
    let Some(_lock) = folder.try_lock()? else {
        return Ok(false);
    };
    if folder.has_started() {
        return Ok(false);
    }
    // One that is only now getting up finds this under the same lock, and goes.
    folder.put(FRESH, false)?;
    Ok(true)
}
