//! The store as the rest of the house sees it: appends go through a queue to the writer, reads to blocking tasks.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::open::{self, Options, Shared};
use super::writer::{QUEUE_MAX, Request, Writer};
use crate::artifact::Blobs;
use crate::artifact::disk::DiskError;
use crate::id::RunId;
use crate::run::{Epoch, Record, RunSummary, Seq};
use crate::store::watch::Watches;
use crate::store::{
    Append, AppendError, Appended, Error, EventStore, Lease, ListQuery, Page, Report, Watch, codec,
    limit,
};
use crate::time::BoxFuture;

/// The store on disk. Reads may show an append shortly before it is durable and acknowledged.
///
/// Dropping it waits until the writer has ended, and gives the data folder free.
#[derive(Debug)]
pub struct SledStore {
    shared: Arc<Shared>,
    queue: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
}

impl SledStore {
    /// Opens the store of that data folder, or makes it, and becomes its only writer. Blocks: for a locked folder as
    /// long as `options` say.
    pub fn open(data: &Path, options: Options) -> Result<Self, Error> {
        Self::open_watched(data, options, Arc::default())
    }

    /// As [`SledStore::open`]; appends are told to those listeners.
    pub(crate) fn open_watched(
        data: &Path,
        options: Options,
        watches: Arc<Watches>,
    ) -> Result<Self, Error> {
        let (shared, disk) = open::open(data, &options, watches)?;
        let shared = Arc::new(shared);
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        let writer = Writer::new(Arc::clone(&shared), disk, options);
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(requests))
            .map_err(|source| DiskError::new("start the writer of", data, source))?;
        Ok(Self {
            shared,
            queue: Some(queue),
            writer: Some(writer),
        })
    }

    /// The files beside the events: large bodies, and whatever the rest of the house keeps there.
    #[must_use]
    pub fn blobs(&self) -> &Blobs {
        &self.shared.blobs
    }

    /// Runs a call that may touch the disk where it blocks nobody.
    async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Shared) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let shared = Arc::clone(&self.shared);
        let task = tokio::task::spawn_blocking(move || {
            let result = call(&shared);
            // Before the answer: whoever has it may drop the store and open it again at once.
            drop(shared);
            result
        });
        // The call does not panic by itself; a runtime that shuts down drops it.
        task.await.unwrap_or(Err(Error::Closed))
    }

    async fn append_now(&self, append: Append) -> Result<Appended, AppendError> {
        limit::check(&append)?;
        let mut append = append;
        append.summary = limit::bounded(append.summary)?;
        let (append, files) = if append.records.iter().any(codec::needs_file) {
            self.blocking(move |shared| keep_bodies(&shared.blobs, append))
                .await?
        } else {
            let none = vec![None; append.records.len()];
            (append, none)
        };
        let (answer, answered) = oneshot::channel();
        let request = Request {
            append,
            files,
            answer,
        };
        let queue = self.queue.as_ref().ok_or(AppendError::Closed)?;
        // The writer lives as long as this does, unless it died; then nobody knows whether this was appended.
        let died = || AppendError::from(Error::WriterDied("open the store anew".to_owned()));
        queue.send(request).await.map_err(|_| died())?;
        answered.await.unwrap_or_else(|_| Err(died()))
    }
}

/// Keeps long bodies as files, durable before the event that names them.
fn keep_bodies(
    blobs: &Blobs,
    append: Append,
) -> Result<(Append, Vec<Option<crate::id::Digest>>), Error> {
    let mut files = Vec::with_capacity(append.records.len());
    for record in &append.records {
        files.push(if codec::needs_file(record) {
            Some(blobs.put(&record.body)?)
        } else {
            None
        });
    }
    Ok((append, files))
}

impl Drop for SledStore {
    fn drop(&mut self) {
        // The writer ends when nobody can send any more.
        self.queue = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the writer of the store panicked");
        }
    }
}

impl EventStore for SledStore {
    fn epoch(&self) -> Epoch {
        self.shared.epoch
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
        Box::pin(self.blocking(move |shared| shared.records(run, from, limit)))
    }

    fn summary(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunSummary>, Error>> {
        Box::pin(self.blocking(move |shared| shared.row(run)))
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, Error>> {
        Box::pin(self.blocking(move |shared| shared.page(&query)))
    }

    fn resolve<'a>(
        &'a self,
        abbreviation: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<RunId>, Error>> {
        let abbreviation = abbreviation.to_owned();
        Box::pin(self.blocking(move |shared| shared.resolve(&abbreviation, limit)))
    }

    fn verify(&self, run: Option<RunId>) -> BoxFuture<'_, Result<Report, Error>> {
        Box::pin(self.blocking(move |shared| shared.verify(run)))
    }

    fn watch(&self, run: RunId) -> BoxFuture<'_, Result<Watch, Error>> {
        Box::pin(async move { Ok(self.shared.watches.watch(run)) })
    }

    fn lease(&self, run: RunId) -> BoxFuture<'_, Result<Lease, Error>> {
        Box::pin(self.blocking(move |shared| Lease::take(&shared.data, run)))
    }
}

#[cfg(test)]
mod tests;
