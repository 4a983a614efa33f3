//! The owner's side: whoever holds the store answers others of the same user on its socket.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::frame::{self, Frame};
use super::message::{Answer, Ask, Call, Greeting, Hello, PROTOCOL, Say, join_new, split};
use super::socket::{self, SocketFile};
use crate::id::RunId;
use crate::run::Record;
use crate::store::limit::WATCHES_MAX;
use crate::store::lock::introduction;
use crate::store::{Append, AppendError, Error, EventStore};

/// Processes that are served at the same time.
const CONNECTIONS_MAX: usize = 256;
/// Calls of one connection that are worked on at the same time.
const CALLS_MAX: usize = 64;
/// Messages that wait for a slow reader; then its calls wait.
const OUTBOX_MAX: usize = 64;
/// A connection says who it is within this time.
const HELLO_TIME: Duration = Duration::from_secs(5);
/// Pause after a connection could not be taken, for example for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Records that are read for one answer.
const READ_RECORDS_MAX: usize = 512;
/// Bytes of bodies after which an answer takes no further record: 16 MiB.
const READ_BYTES_MAX: usize = 16 << 20;

/// A store that is served. It ends when this is dropped; the store itself belongs to somebody else.
#[derive(Debug)]
pub(super) struct Server {
    _tasks: JoinSet<()>,
    _file: SocketFile,
}

impl Server {
    /// Serves the store in that data folder, of which the caller is the owner.
    pub(super) fn start(data: &Path, store: Weak<dyn EventStore>) -> io::Result<Self> {
        let (listener, file) = socket::bind(data)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, store));
        Ok(Self {
            _tasks: tasks,
            _file: file,
        })
    }
}

async fn accept(listener: UnixListener, store: Weak<dyn EventStore>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                // Whoever comes when the house is full is sent away and comes again.
                Ok(_) if connections.len() >= CONNECTIONS_MAX => {}
                Ok((stream, _)) => {
                    let store = Weak::clone(&store);
                    connections.spawn(async move {
                        if let Err(error) = serve(stream, store).await {
                            tracing::debug!(%error, "a connection to the store ended");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection to the store could not be taken");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves one process until it goes, or says what nobody understands.
async fn serve(mut stream: UnixStream, store: Weak<dyn EventStore>) -> io::Result<()> {
    let ours = socket::is_ours(&stream);
    let greeting = match timeout(HELLO_TIME, frame::read(&mut stream)).await {
        Ok(hello) => greet(hello?, ours, &store)?,
        Err(_) => return Err(io::ErrorKind::TimedOut.into()),
    };
    let welcome = matches!(greeting, Greeting::Welcome { .. });
    frame::write(&mut stream, &pack(&greeting, Vec::new())?).await?;
    if !welcome {
        return Ok(());
    }
    let (from, to) = stream.into_split();
    let (out, outbox) = mpsc::channel(OUTBOX_MAX);
    tokio::select! {
        ended = listen(from, store, out) => ended,
        ended = speak(to, outbox) => ended,
    }
}

fn greet(hello: Option<Frame>, ours: bool, store: &Weak<dyn EventStore>) -> io::Result<Greeting> {
    let hello: Hello = hello
        .ok_or(io::ErrorKind::UnexpectedEof)?
        .message()
        .map_err(invalid)?;
    let us = env!("CARGO_PKG_VERSION");
    let store = store.upgrade().ok_or(io::ErrorKind::NotConnected)?;
    Ok(if !ours {
        Greeting::Refused {
            why: "it belongs to another user".to_owned(),
        }
    } else if hello.protocol != PROTOCOL {
        Greeting::Refused {
            why: format!(
                "it is stepwell {us}, which does not understand stepwell {}",
                hello.version
            ),
        }
    } else {
        Greeting::Welcome {
            epoch: store.epoch(),
            owner: introduction(),
        }
    })
}

fn pack(message: &impl serde::Serialize, tail: Vec<u8>) -> io::Result<Frame> {
    Frame::of(message, tail).map_err(invalid)
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

async fn speak(mut to: OwnedWriteHalf, mut outbox: mpsc::Receiver<Frame>) -> io::Result<()> {
    while let Some(frame) = outbox.recv().await {
        frame::write(&mut to, &frame).await?;
    }
    Ok(())
}

async fn listen(
    mut from: OwnedReadHalf,
    store: Weak<dyn EventStore>,
    out: mpsc::Sender<Frame>,
) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(CALLS_MAX));
    let mut client = Client {
        store,
        out,
        tasks: JoinSet::new(),
        watched: HashMap::new(),
    };
    while let Some(frame) = frame::read(&mut from).await? {
        let Call { id, ask } = frame.message().map_err(invalid)?;
        while client.tasks.try_join_next().is_some() {}
        match &ask {
            Ask::Ping => client.answer(id, Answer::Done).await?,
            Ask::Watch { run } => {
                let answer = client.watch(*run).await.unwrap_or_else(failed);
                client.answer(id, answer).await?;
            }
            Ask::Unwatch { run } => {
                if let Some(task) = client.watched.remove(run) {
                    task.abort();
                }
                client.answer(id, Answer::Done).await?;
            }
            Ask::Append { .. }
            | Ask::Read { .. }
            | Ask::Summary { .. }
            | Ask::List { .. }
            | Ask::Resolve { .. }
            | Ask::Verify { .. } => {
                let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
                    return Ok(());
                };
                let (store, out) = (Weak::clone(&client.store), client.out.clone());
                client.tasks.spawn(async move {
                    let (answer, tail) = perform(&store, ask, frame.tail).await;
                    // A client that is gone hears nothing.
                    let _ = say(&out, &Say::Answer { id, answer }, tail).await;
                    drop(permit);
                });
            }
        }
    }
    Ok(())
}

/// One process that is served. What it left under way ends with it, but an append that was handed to the store.
struct Client {
    store: Weak<dyn EventStore>,
    out: mpsc::Sender<Frame>,
    tasks: JoinSet<()>,
    watched: HashMap<RunId, AbortHandle>,
}

impl Client {
    async fn answer(&self, id: u64, answer: Answer) -> io::Result<()> {
        say(&self.out, &Say::Answer { id, answer }, Vec::new()).await
    }

    /// Listens no more to runs that have ended: who still waits for one of them has heard so.
    async fn forget_ended(&mut self, store: &dyn EventStore) {
        let mut ended = Vec::new();
        for run in self.watched.keys() {
            let row = store.summary(*run).await.ok().flatten();
            if row.is_some_and(|row| row.status.is_terminal()) {
                ended.push(*run);
            }
        }
        for task in ended.iter().filter_map(|run| self.watched.remove(run)) {
            task.abort();
        }
    }

    /// Sends a notice for every append to that run from now on.
    async fn watch(&mut self, run: RunId) -> Result<Answer, Error> {
        let store = self.store.upgrade().ok_or(Error::Closed)?;
        self.watched.retain(|_, task| !task.is_finished());
        if self.watched.len() >= WATCHES_MAX {
            self.forget_ended(&*store).await;
        }
        if !self.watched.contains_key(&run) {
            if self.watched.len() >= WATCHES_MAX {
                return Err(Error::TooManyWatches { limit: WATCHES_MAX });
            }
            let mut heard = store.watch(run).await?;
            let out = self.out.clone();
            let task = self.tasks.spawn(async move {
                while heard.changed().await.is_ok() {
                    let last = *heard.borrow_and_update();
                    let notice = Say::Notice { run, last };
                    if say(&out, &notice, Vec::new()).await.is_err() {
                        return;
                    }
                }
            });
            self.watched.insert(run, task);
        }
        let last = store.summary(run).await?.map_or(0, |row| row.last_seq);
        Ok(Answer::Watched { last })
    }
}

async fn say(out: &mpsc::Sender<Frame>, message: &Say, tail: Vec<u8>) -> io::Result<()> {
    let frame = pack(message, tail)?;
    let gone = |_| io::ErrorKind::BrokenPipe.into();
    out.send(frame).await.map_err(gone)
}

fn failed(error: Error) -> Answer {
    Answer::Failed(error.into())
}

async fn perform(store: &Weak<dyn EventStore>, ask: Ask, tail: Vec<u8>) -> (Answer, Vec<u8>) {
    let Some(store) = store.upgrade() else {
        return (failed(Error::Closed), Vec::new());
    };
    let answer = match ask {
        Ask::Read { run, from, limit } => {
            return read(&*store, run, from, limit)
                .await
                .unwrap_or_else(|error| (failed(error), Vec::new()));
        }
        Ask::Append {
            run,
            expected,
            records,
            summary,
        } => match join_new(records, &tail) {
            Ok(records) => {
                let append = Append {
                    run,
                    expected,
                    records,
                    summary: *summary,
                };
                drop(tail);
                appended(store.append(append).await)
            }
            Err(_) => appended(Err(AppendError::Invalid("its bodies are cut"))),
        },
        Ask::Summary { run } => store
            .summary(run)
            .await
            .map_or_else(failed, |row| Answer::Summary(row.map(Box::new))),
        Ask::List { query } => store.list(query).await.map_or_else(failed, Answer::Page),
        Ask::Resolve {
            abbreviation,
            limit,
        } => store
            .resolve(&abbreviation, limit)
            .await
            .map_or_else(failed, Answer::Runs),
        Ask::Verify { run } => store.verify(run).await.map_or_else(failed, Answer::Report),
        // Served where they come in.
        Ask::Watch { .. } | Ask::Unwatch { .. } | Ask::Ping => Answer::Done,
    };
    (answer, Vec::new())
}

fn appended(result: Result<crate::store::Appended, AppendError>) -> Answer {
    let first = |records: &[Record]| records.first().map(|first| (first.epoch, first.previous));
    match result.map(|appended| first(&appended.records)) {
        Ok(Some((epoch, previous))) => Answer::Appended { epoch, previous },
        Ok(None) => Answer::NotAppended(AppendError::Closed.into()),
        Err(error) => Answer::NotAppended(error.into()),
    }
}

async fn read(
    store: &dyn EventStore,
    run: RunId,
    from: u64,
    limit: usize,
) -> Result<(Answer, Vec<u8>), Error> {
    let asked = limit.min(READ_RECORDS_MAX);
    let records = store.read(run, from, asked).await?;
    let (heads, tail) = split(&records, READ_BYTES_MAX);
    let more = heads.len() < records.len() || (records.len() == asked && asked < limit);
    Ok((Answer::Records { heads, more }, tail))
}
