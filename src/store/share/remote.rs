//! A store that another process owns, over one connection. When the connection ends, every call says
//! [`Error::Closed`], and nobody here knows whether an append whose answer is missing was made.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::frame::{self, Frame, TAIL_BYTES_MAX};
use super::message::{
    Answer, Ask, Call, Greeting, Hello, NoMessage, PROTOCOL, Say, join, split_new,
};
use super::socket;
use crate::id::RunId;
use crate::run::{Epoch, Record, RunSummary, Seq};
use crate::store::watch::Watches;
use crate::store::{
    Append, AppendError, Appended, Error, EventStore, Lease, ListQuery, Page, Report, Watch, limit,
    seal,
};
use crate::time::BoxFuture;

/// Calls that wait to be sent.
const OUTBOX_MAX: usize = 64;
/// An owner that says nothing for so long while something is asked of it is asked whether it is there.
const PING_AFTER: Duration = Duration::from_secs(5);
/// An owner that says nothing for so long while something is asked of it does not answer any more.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// An answer with its tail.
type Answered = (Answer, Vec<u8>);
/// Who waits for the answer to which call.
type Calls = HashMap<u64, oneshot::Sender<Answered>>;

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum NotConnected {
    /// Perhaps in a moment.
    Yet(String),
    /// The owner will not have us.
    Refused(String),
}

impl From<io::Error> for NotConnected {
    fn from(error: io::Error) -> Self {
        Self::Yet(error.to_string())
    }
}

/// A store behind a connection.
#[derive(Debug)]
pub struct RemoteStore {
    wire: Arc<Wire>,
    data: std::path::PathBuf,
    epoch: Epoch,
    owner: String,
    out: mpsc::Sender<Frame>,
    next: AtomicU64,
    _tasks: JoinSet<()>,
}

/// What the calls and the task that hears the answers share.
#[derive(Debug)]
struct Wire {
    /// The calls that wait for their answers; none when the connection has ended.
    waiting: Mutex<Option<Calls>>,
    /// When the owner last said something.
    heard: Mutex<Instant>,
    watches: Arc<Watches>,
    open: watch::Sender<bool>,
}

impl RemoteStore {
    /// Connects to the process that owns the store of that data folder.
    pub(super) async fn connect(
        data: &Path,
        watches: Arc<Watches>,
        wait: Duration,
    ) -> Result<Self, NotConnected> {
        let greeted = timeout(wait, greet(data)).await;
        let (stream, epoch, owner) =
            greeted.unwrap_or_else(|_| Err(NotConnected::Yet("it does not answer".to_owned())))?;
        let (from, to) = stream.into_split();
        let (out, outbox) = mpsc::channel(OUTBOX_MAX);
        let wire = Arc::new(Wire {
            waiting: Mutex::new(Some(HashMap::new())),
            heard: Mutex::new(Instant::now()),
            watches,
            open: watch::Sender::new(true),
        });
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&wire);
        let unwatch = out.clone();
        tasks.spawn(async move {
            let ended = tokio::select! {
                ended = hear(from, &shared, &unwatch) => ended,
                ended = speak(to, outbox) => ended,
                () = shared.closed() => Ok(()),
            };
            tracing::debug!(?ended, "the connection to the owner of the store ended");
            shared.close();
        });
        Ok(Self {
            wire,
            data: data.to_owned(),
            epoch,
            owner,
            out,
            next: AtomicU64::new(0),
            _tasks: tasks,
        })
    }

    /// Who owns the store, as the owner says.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Returns when the connection has ended.
    pub(super) async fn closed(&self) {
        self.wire.closed().await;
    }

    /// Asks the owner. `None` means that the connection ended before the answer came.
    async fn call(&self, ask: Ask, tail: Vec<u8>) -> Option<Answered> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let ping = matches!(ask, Ask::Ping);
        let frame = match Frame::of(&Call { id, ask }, tail) {
            Ok(frame) => frame,
            Err(error) => {
                tracing::error!(%error, "a call could not be written");
                return None;
            }
        };
        let mut answer = self.wire.expect(id)?;
        self.out.send(frame).await.ok()?;
        if ping {
            return answer.await.ok();
        }
        let asked = Instant::now();
        loop {
            match timeout(PING_AFTER, &mut answer).await {
                Ok(answer) => return answer.ok(),
                Err(_) if self.wire.silence(asked) > SILENCE_MAX => {
                    tracing::warn!(owner = %self.owner, "the owner of the store does not answer");
                    self.wire.close();
                    return None;
                }
                Err(_) => {
                    let id = self.next.fetch_add(1, Ordering::Relaxed);
                    let ping = Frame::of(&Call { id, ask: Ask::Ping }, Vec::new()).ok()?;
                    // When the way out is full, the silence will be heard.
                    let _ = self.out.try_send(ping);
                }
            }
        }
    }

    async fn answer(&self, ask: Ask) -> Result<Answered, Error> {
        match self.call(ask, Vec::new()).await {
            Some((Answer::Failed(error), _)) => Err(self.heard(error.into())),
            Some(answer) => Ok(answer),
            None => Err(Error::Closed),
        }
    }

    /// An owner that lives but has closed its store answers so for ever: the connection is given up, so that the next
    /// way is looked for.
    fn heard(&self, error: Error) -> Error {
        if matches!(error, Error::Closed) {
            tracing::debug!(owner = %self.owner, "the owner has closed the store");
            self.wire.close();
        }
        error
    }

    /// The owner said something that is no answer to what was asked: it can't be trusted any more.
    fn nonsense<T>(&self) -> Result<T, Error> {
        tracing::error!(owner = %self.owner, "the owner of the store answered something else than was asked");
        self.wire.close();
        Err(Error::Closed)
    }

    async fn append_now(&self, append: Append) -> Result<Appended, AppendError> {
        limit::check(&append)?;
        let mut append = append;
        append.summary = limit::bounded(append.summary)?;
        let (records, tail) = split_new(&append.records);
        debug_assert!(tail.len() <= TAIL_BYTES_MAX);
        let ask = Ask::Append {
            run: append.run,
            expected: append.expected,
            records,
            summary: Box::new(append.summary.clone()),
        };
        match self.call(ask, tail).await {
            Some((Answer::Appended { epoch, previous }, _)) => {
                let (records, _) = seal(&append, epoch, previous);
                Ok(Appended {
                    last: append.summary.last_seq,
                    records,
                })
            }
            Some((Answer::NotAppended(error), _)) => {
                let error = AppendError::from(error);
                if matches!(error, AppendError::Closed) {
                    self.heard(Error::Closed);
                }
                Err(error)
            }
            Some((Answer::Failed(error), _)) => Err(self.heard(error.into()).into()),
            Some(_) => self.nonsense().map_err(Into::into),
            None => Err(AppendError::Closed),
        }
    }

    async fn read_now(&self, run: RunId, from: Seq, limit: usize) -> Result<Vec<Record>, Error> {
        let mut all: Vec<Record> = Vec::new();
        loop {
            let from = from.max(1).saturating_add(all.len() as u64);
            let left = limit.saturating_sub(all.len());
            let ask = Ask::Read {
                run,
                from,
                limit: left,
            };
            let (Answer::Records { heads, more }, tail) = self.answer(ask).await? else {
                return self.nonsense();
            };
            let Ok(records) = join(run, heads, &tail) else {
                return self.nonsense();
            };
            let none = records.is_empty();
            all.extend(records);
            if !more || none {
                return Ok(all);
            }
        }
    }

    async fn watch_now(&self, run: RunId) -> Result<Watch, Error> {
        let watch = self.wire.watches.watch(run);
        let (Answer::Watched { last }, _) = self.answer(Ask::Watch { run }).await? else {
            return self.nonsense();
        };
        self.wire.watches.tell(run, last);
        Ok(watch)
    }
}

impl Wire {
    fn waiting<T>(&self, look: impl FnOnce(&mut Option<Calls>) -> T) -> T {
        look(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn expect(&self, id: u64) -> Option<oneshot::Receiver<Answered>> {
        let (sender, answer) = oneshot::channel();
        self.waiting(|waiting| waiting.as_mut().map(|waiting| waiting.insert(id, sender)))?;
        Some(answer)
    }

    /// How long the owner has said nothing, since that moment or later.
    fn silence(&self, since: Instant) -> Duration {
        let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.max(since).elapsed()
    }

    /// Ends the connection: who waits hears that no answer comes.
    fn close(&self) {
        self.waiting(Option::take);
        self.open.send_replace(false);
    }

    async fn closed(&self) {
        let mut open = self.open.subscribe();
        // The sender lives as long as this does.
        let _ = open.wait_for(|open| !open).await;
    }
}

async fn greet(data: &Path) -> Result<(UnixStream, Epoch, String), NotConnected> {
    let mut stream = socket::connect(data).await?;
    if !socket::is_ours(&stream) {
        return Err(NotConnected::Refused(
            "it belongs to another user".to_owned(),
        ));
    }
    let hello = Hello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let refused = |error: NoMessage| NotConnected::Refused(error.to_string());
    let hello = Frame::of(&hello, Vec::new()).map_err(refused)?;
    frame::write(&mut stream, &hello).await?;
    let greeting = frame::read(&mut stream).await?;
    let greeting = greeting.ok_or_else(|| NotConnected::Yet("it went away".to_owned()))?;
    match greeting.message().map_err(refused)? {
        Greeting::Welcome { epoch, owner } => Ok((stream, epoch, owner)),
        Greeting::Refused { why } => Err(NotConnected::Refused(why)),
    }
}

async fn speak(mut to: OwnedWriteHalf, mut outbox: mpsc::Receiver<Frame>) -> io::Result<()> {
    while let Some(frame) = outbox.recv().await {
        frame::write(&mut to, &frame).await?;
    }
    Ok(())
}

async fn hear(
    mut from: OwnedReadHalf,
    wire: &Wire,
    unwatch: &mpsc::Sender<Frame>,
) -> io::Result<()> {
    let invalid = |error: NoMessage| io::Error::new(io::ErrorKind::InvalidData, error);
    while let Some(frame) = frame::read(&mut from).await? {
        *wire.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        match frame.message().map_err(invalid)? {
            Say::Answer { id, answer } => {
                let waits =
                    wire.waiting(|waiting| waiting.as_mut().and_then(|calls| calls.remove(&id)));
                if let Some(waits) = waits {
                    // Whoever asked may be gone.
                    let _ = waits.send((answer, frame.tail));
                }
            }
            Say::Notice { run, last } => {
                if !wire.watches.tell(run, last) {
                    let ask = Ask::Unwatch { run };
                    let call = Call { id: u64::MAX, ask };
                    let frame = Frame::of(&call, Vec::new()).map_err(invalid)?;
                    // When the way out is full, the next notice brings it up again.
                    let _ = unwatch.try_send(frame);
                }
            }
        }
    }
    Ok(())
}

impl EventStore for RemoteStore {
    fn epoch(&self) -> Epoch {
        self.epoch
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
        Box::pin(self.read_now(run, from, limit))
    }

    fn summary(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunSummary>, Error>> {
        Box::pin(async move {
            match self.answer(Ask::Summary { run }).await? {
                (Answer::Summary(row), _) => Ok(row.map(|row| *row)),
                _ => self.nonsense(),
            }
        })
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, Error>> {
        Box::pin(async move {
            match self.answer(Ask::List { query }).await? {
                (Answer::Page(page), _) => Ok(page),
                _ => self.nonsense(),
            }
        })
    }

    fn resolve<'a>(
        &'a self,
        abbreviation: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<RunId>, Error>> {
        let ask = Ask::Resolve {
            abbreviation: abbreviation.to_owned(),
            limit,
        };
        Box::pin(async move {
            match self.answer(ask).await? {
                (Answer::Runs(runs), _) => Ok(runs),
                _ => self.nonsense(),
            }
        })
    }

    fn verify(&self, run: Option<RunId>) -> BoxFuture<'_, Result<Report, Error>> {
        Box::pin(async move {
            match self.answer(Ask::Verify { run }).await? {
                (Answer::Report(report), _) => Ok(report),
                _ => self.nonsense(),
            }
        })
    }

    fn watch(&self, run: RunId) -> BoxFuture<'_, Result<Watch, Error>> {
        Box::pin(self.watch_now(run))
    }

    fn lease(&self, run: RunId) -> BoxFuture<'_, Result<Lease, Error>> {
        let data = self.data.clone();
        Box::pin(async move {
            let task = tokio::task::spawn_blocking(move || Lease::take(&data, run));
            task.await.unwrap_or(Err(Error::Closed))
        })
    }
}
