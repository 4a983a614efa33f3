//! The way to the store: owned, or through its owner. One task looks for the next way when an owner goes.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::sleep;

use super::remote::{NotConnected, RemoteStore};
use super::serve::Server;
use super::{Role, SEARCH_TIME};
use crate::run::Epoch;
use crate::store::sled::{Options, SledStore};
use crate::store::watch::Watches;
use crate::store::{Error, EventStore};

/// First pause between two looks for a way; it doubles.
const PAUSE_MIN: Duration = Duration::from_millis(2);
/// Longest pause between two looks for a way.
const PAUSE_MAX: Duration = Duration::from_millis(100);
/// Shortest time that an owner is given for its greeting.
const GREETING_MIN: Duration = Duration::from_millis(500);
/// Longest time that an owner is given for its greeting.
const GREETING_MAX: Duration = Duration::from_secs(5);

/// A way to the store.
#[derive(Debug, Clone)]
pub(super) struct Linked {
    /// Counts the ways, from 1.
    pub(super) number: u64,
    pub(super) store: Arc<dyn EventStore>,
    pub(super) owned: bool,
}

/// What [`Links::find`] found.
#[derive(Debug)]
pub(super) enum Found {
    /// We own the store. The server goes first when it is dropped.
    Owned(Option<Server>, Arc<SledStore>),
    /// Another process does.
    Remote(Arc<RemoteStore>),
}

#[derive(Debug)]
enum State {
    /// Before the first way.
    Begun,
    Owned {
        server: Option<Server>,
        linked: Linked,
    },
    Remote {
        owner: String,
        linked: Linked,
    },
    /// The owner went; the next one is looked for.
    Searching,
    Failed(Error),
}

/// The ways of this process to its store.
#[derive(Debug)]
pub(super) struct Links {
    data: PathBuf,
    options: Options,
    watches: Arc<Watches>,
    epoch: AtomicU64,
    count: AtomicU64,
    state: watch::Sender<State>,
}

impl Links {
    pub(super) fn new(data: &Path, options: Options, watches: Arc<Watches>) -> Self {
        Self {
            data: data.to_owned(),
            options,
            watches,
            epoch: AtomicU64::new(0),
            count: AtomicU64::new(0),
            state: watch::Sender::new(State::Begun),
        }
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch.load(Ordering::Acquire)
    }

    pub(super) fn role(&self) -> Option<Role> {
        match &*self.state.borrow() {
            State::Owned { server, .. } => Some(Role::Owner {
                serves: server.is_some(),
            }),
            State::Remote { owner, .. } => Some(Role::Guest {
                owner: owner.clone(),
            }),
            State::Begun | State::Searching | State::Failed(_) => None,
        }
    }

    /// A way with a number after that one, as soon as there is one.
    pub(super) async fn linked(&self, after: u64) -> Result<Linked, Error> {
        let mut state = self.state.subscribe();
        let found = state
            .wait_for(|state| match state {
                State::Owned { linked, .. } | State::Remote { linked, .. } => linked.number > after,
                State::Failed(_) => true,
                State::Begun | State::Searching => false,
            })
            .await
            .map_err(|_| Error::Closed)?;
        match &*found {
            State::Owned { linked, .. } | State::Remote { linked, .. } => Ok(linked.clone()),
            State::Failed(error) => Err(error.clone()),
            State::Begun | State::Searching => Err(Error::Closed),
        }
    }

    /// Makes that the way of all calls. The connection to keep, if it is one.
    pub(super) fn publish(&self, found: Found) -> Option<Arc<RemoteStore>> {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let linked = |store: Arc<dyn EventStore>, owned| {
            self.epoch.store(store.epoch(), Ordering::Release);
            Linked {
                number,
                store,
                owned,
            }
        };
        match found {
            Found::Owned(server, store) => {
                let linked = linked(store, true);
                self.state.send_replace(State::Owned { server, linked });
                None
            }
            Found::Remote(remote) => {
                let owner = remote.owner().to_owned();
                let linked = linked(Arc::clone(&remote) as _, false);
                self.state.send_replace(State::Remote { owner, linked });
                Some(remote)
            }
        }
    }

    /// Looks for the next way whenever an owner goes, until this process is the owner or nothing can be found.
    pub(super) async fn keep(&self, first: Arc<RemoteStore>) {
        let mut remote = first;
        loop {
            remote.closed().await;
            self.state.send_replace(State::Searching);
            let found = match self.find(SEARCH_TIME).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::error!(%error, "the store can't be reached any more");
                    self.state.send_replace(State::Failed(error));
                    return;
                }
            };
            self.hear_again(&found).await;
            match self.publish(found) {
                Some(next) => remote = next,
                None => return,
            }
        }
    }

    /// Tells the listeners what was appended while there was no way, and listens on.
    async fn hear_again(&self, found: &Found) {
        for run in self.watches.runs() {
            let heard = match found {
                Found::Owned(_, store) => store.summary(run).await.map(|row| {
                    self.watches.tell(run, row.map_or(0, |row| row.last_seq));
                }),
                Found::Remote(remote) => remote.watch(run).await.map(drop),
            };
            if let Err(error) = heard {
                // The way is gone again, or the run is damaged; whoever reads it next hears of it.
                tracing::debug!(%run, %error, "a run is not listened to");
            }
        }
    }

    /// Becomes the owner or connects to it, within that time.
    pub(super) async fn find(&self, within: Duration) -> Result<Found, Error> {
        let begin = Instant::now();
        let mut pause = PAUSE_MIN;
        loop {
            let (folder, holder) = match self.own().await {
                Err(Error::Locked { folder, holder }) => (folder, holder),
                other => return other,
            };
            let greeting = within.saturating_sub(begin.elapsed());
            let greeting = greeting.clamp(GREETING_MIN, GREETING_MAX);
            let watches = Arc::clone(&self.watches);
            let why = match RemoteStore::connect(&self.data, watches, greeting).await {
                Ok(remote) => return Ok(Found::Remote(Arc::new(remote))),
                Err(NotConnected::Yet(why)) if begin.elapsed() >= within => why,
                Err(NotConnected::Refused(why)) => why,
                Err(NotConnected::Yet(_)) => {
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                    continue;
                }
            };
            return Err(Error::Locked {
                folder,
                holder: format!("{holder}; it can't be asked: {why}"),
            });
        }
    }

    async fn own(&self) -> Result<Found, Error> {
        let (data, watches) = (self.data.clone(), Arc::clone(&self.watches));
        let options = Options {
            lock_wait: Duration::ZERO,
            ..self.options.clone()
        };
        let open = move || SledStore::open_watched(&data, options, watches);
        let opened = tokio::task::spawn_blocking(open).await;
        let store = Arc::new(opened.unwrap_or(Err(Error::Closed))?);
        let weak: Weak<SledStore> = Arc::downgrade(&store);
        let server = match Server::start(&self.data, weak) {
            Ok(server) => Some(server),
            Err(error) => {
                tracing::warn!(%error, "no socket could be made: other processes can't use this data folder meanwhile");
                None
            }
        };
        Ok(Found::Owned(server, store))
    }
}
