//! One data folder, several processes. Whoever gets the lock owns the store and serves the others on a socket;
//! the others ask it, and when it goes, one of them is the next owner.
//!
//! No event is lost or doubled on the way. An append whose answer is missing is made again at the same place: if
//! that place is taken, what stands there is compared with what was to be appended, under the writer that it was
//! sent to. The same: it had been made, and is durable, since only what is durable makes a conflict. Otherwise
//! somebody else was faster, and the caller decides anew.

mod fault;
mod frame;
mod link;
mod message;
mod remote;
mod serve;
mod socket;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use self::link::{Linked, Links};
pub use self::remote::RemoteStore;
use super::sled::Options;
use super::watch::Watches;
use super::{
    Append, AppendError, Appended, Error, EventStore, Lease, ListQuery, Page, Report, Watch, limit,
};
use crate::id::RunId;
use crate::run::{Epoch, Record, RunSummary, Seq};
use crate::time::BoxFuture;

/// How often one call may lose its owner before it gives up.
const OWNERS_LOST_MAX: usize = 100;

/// A store that processes share. Each has one of these, and all can do the same.
#[derive(Debug)]
pub struct SharedStore {
    links: Arc<Links>,
    data: PathBuf,
    _keeper: JoinSet<()>,
}

/// How this process reaches the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// It owns it, and others can reach it or not.
    Owner {
        /// Whether others are served.
        serves: bool,
    },
    /// It asks the owner.
    Guest {
        /// Process number, since when, and command, as the owner says.
        owner: String,
    },
}

impl SharedStore {
    /// Opens the store of that data folder, or connects to the process that has it open. Waits as long as `options`
    /// say for an owner that is just coming up or going.
    pub async fn open(data: &Path, options: Options) -> Result<Self, Error> {
        let wait = options.lock_wait;
        let watches = Arc::new(Watches::default());
        let links = Arc::new(Links::new(data, options, watches));
        let first = links.find(wait).await?;
        let mut keeper = JoinSet::new();
        let keep = links.publish(first);
        if let Some(remote) = keep {
            let links = Arc::clone(&links);
            keeper.spawn(async move { links.keep(remote).await });
        }
        Ok(Self {
            links,
            data: data.to_owned(),
            _keeper: keeper,
        })
    }

    /// How this process reaches the store now.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        self.links.role()
    }

    /// Who drives a run, as they wrote it; nobody when nobody does.
    #[must_use]
    pub fn driver(&self, run: RunId) -> Option<String> {
        Lease::holder(&self.data, run)
    }

    /// Makes a call; when its owner goes, makes it again with the next one.
    async fn ask<T>(
        &self,
        call: impl for<'a> Fn(&'a dyn EventStore) -> BoxFuture<'a, Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut after = 0;
        for _ in 0..OWNERS_LOST_MAX {
            let Linked {
                number,
                store,
                owned,
            } = self.links.linked(after).await?;
            match call(&*store).await {
                Err(Error::Closed) if !owned => after = number,
                other => return other,
            }
        }
        Err(Error::Closed)
    }

    async fn append_now(&self, append: Append) -> Result<Appended, AppendError> {
        limit::check(&append)?;
        let mut after = 0;
        let mut sent_to: Vec<Epoch> = Vec::new();
        for _ in 0..OWNERS_LOST_MAX {
            let Linked {
                number,
                store,
                owned,
            } = self.links.linked(after).await?;
            match store.append(append.clone()).await {
                Err(AppendError::Closed) if !owned => {
                    tracing::debug!(run = %append.run, "the answer to an append was lost");
                    sent_to.push(store.epoch());
                    after = number;
                }
                Err(AppendError::Conflict { actual }) if !sent_to.is_empty() => {
                    let made = self.made(&append, actual, &sent_to).await?;
                    return made.ok_or(AppendError::Conflict { actual });
                }
                other => return other,
            }
        }
        Err(AppendError::Closed)
    }

    /// Whether what stands at the place of that append is what was sent to one of those writers.
    async fn made(
        &self,
        append: &Append,
        actual: Seq,
        sent_to: &[Epoch],
    ) -> Result<Option<Appended>, Error> {
        let last = append.summary.last_seq;
        if actual < last {
            return Ok(None);
        }
        let records = self
            .read(append.run, append.expected + 1, append.records.len())
            .await?;
        let same = records.len() == append.records.len()
            && records
                .iter()
                .zip(&append.records)
                .all(|(found, sent)| found.content == *sent && sent_to.contains(&found.epoch));
        Ok(same.then_some(Appended { last, records }))
    }
}

impl EventStore for SharedStore {
    /// The number of the present owner.
    fn epoch(&self) -> Epoch {
        self.links.epoch()
    }

    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(self.append_now(append))
    }

    fn read(
        &self,
        run: RunId,
        from: Seq,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Record>, Error>> {
        Box::pin(self.ask(move |store| store.read(run, from, limit)))
    }

    fn summary(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunSummary>, Error>> {
        Box::pin(self.ask(move |store| store.summary(run)))
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, Error>> {
        Box::pin(self.ask(move |store| store.list(query.clone())))
    }

    fn resolve<'a>(
        &'a self,
        abbreviation: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<RunId>, Error>> {
        let abbreviation = abbreviation.to_owned();
        Box::pin(self.ask(move |store| {
            let abbreviation = abbreviation.clone();
            Box::pin(async move { store.resolve(&abbreviation, limit).await })
        }))
    }

    fn verify(&self, run: Option<RunId>) -> BoxFuture<'_, Result<Report, Error>> {
        Box::pin(self.ask(move |store| store.verify(run)))
    }

    fn watch(&self, run: RunId) -> BoxFuture<'_, Result<Watch, Error>> {
        Box::pin(self.ask(move |store| store.watch(run)))
    }

    fn lease(&self, run: RunId) -> BoxFuture<'_, Result<Lease, Error>> {
        let data = self.data.clone();
        Box::pin(async move {
            let task = tokio::task::spawn_blocking(move || Lease::take(&data, run));
            task.await.unwrap_or(Err(Error::Closed))
        })
    }
}

/// How long a process looks for the next owner, or tries to become it, before its calls fail.
const SEARCH_TIME: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
