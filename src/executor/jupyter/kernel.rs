//! One kernel: requests to `kernel.py` inside of it, and their answers, over a websocket that may break.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::server::{KernelState, Server};
use super::wire::{self, Heard};
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::transport::network::WebSocket;

/// The other side of this file.
const KERNEL: &str = include_str!("kernel.py");
/// The name under which it lives in the kernel.
const MODULE: &str = "_stepwell_kernel";
/// Longest time of a request that only moves a few bytes.
pub(super) const QUICK: Duration = Duration::from_secs(60);
/// How long one try to open a websocket, or to hear the first answer over it, may take. A server that had to give a
/// kernel other ports while it started holds on to the old ones; asked anew it takes the new ones.
const TRY: Duration = Duration::from_secs(15);
/// Between two tries to get through again, at first; it doubles up to a limit.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(3);
/// How long the answer may come after the word that all is done: they take different ways.
const ANSWER_GRACE: Duration = Duration::from_secs(10);

/// A piece of what the code prints: which stream, from which byte on.
pub(super) struct Piece {
    pub(super) stream: String,
    pub(super) offset: u64,
    pub(super) data: Vec<u8>,
}

/// Takes pieces as they come.
pub(super) type Sink<'s> = &'s mut (dyn FnMut(Piece) + Send);

/// Why a request has no answer.
#[derive(Debug)]
pub(super) enum Fault {
    /// The connection broke; the kernel goes on.
    Broken(Failure),
    /// The kernel is gone, or another one is in its place.
    Died(Failure),
    /// It was interrupted outside of the attempt.
    Interrupted,
    /// The kernel says why not.
    Refused(String),
}

impl Fault {
    pub(super) fn into_failure(self) -> Failure {
        match self {
            Self::Broken(failure) | Self::Died(failure) => failure,
            Self::Interrupted => not_started("the kernel was interrupted"),
            Self::Refused(message) => not_started(&message),
        }
    }
}

/// The kernel did not do what it was to do before the code began.
pub(super) fn not_started(message: &str) -> Failure {
    Failure::new(
        FailureKind::Infrastructure,
        code::KERNEL_NOT_STARTED,
        format!("the kernel could not begin the attempt: {message}"),
    )
}

pub(super) fn died(how: &str) -> Failure {
    Failure::new(
        FailureKind::Infrastructure,
        code::KERNEL_DIED,
        format!("the kernel of the attempt died: {how}"),
    )
}

/// A kernel of a server, connected or not.
pub(super) struct Kernel {
    pub(super) server: Server,
    pub(super) id: String,
    session: String,
    socket: Option<WebSocket>,
    count: u32,
}

impl Kernel {
    pub(super) fn new(server: Server, id: String, session: String) -> Self {
        Self {
            server,
            id,
            session,
            socket: None,
            count: 0,
        }
    }

    /// Opens the websocket if it is not open.
    async fn connect(&mut self) -> Result<&mut WebSocket, Fault> {
        if self.socket.is_none() {
            let opened = self.server.websocket(&self.id, &self.session).await;
            self.socket = Some(opened.map_err(|failure| {
                if failure.code == code::KERNEL_DIED.as_str() {
                    Fault::Died(failure)
                } else {
                    Fault::Broken(failure)
                }
            })?);
        }
        self.socket
            .as_mut()
            .ok_or_else(|| Fault::Broken(not_started("no connection")))
    }

    /// Opens it until `until`, however often that fails. A kernel that the server doesn't know has died.
    pub(super) async fn connect_until(&mut self, until: Instant) -> Result<(), Fault> {
        let mut pause = PAUSE;
        loop {
            // A server opens it when the kernel answers, and a kernel may never do.
            let patience = until.min(Instant::now() + TRY);
            let failure = match timeout_at(patience, self.connect()).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(Fault::Broken(failure))) => failure,
                Ok(Err(fault)) => return Err(fault),
                Err(_) => silent(&self.server.shown()),
            };
            if self.server.kernel(&self.id).await == Ok(KernelState::Gone) {
                let how = "the server has no kernel of that id any more";
                return Err(Fault::Died(died(how)));
            }
            let refused = failure.kind == FailureKind::Configuration;
            if refused || Instant::now() + pause > until {
                return Err(Fault::Broken(failure));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Opens the websocket and brings `kernel.py` there, unless it is there; gives the identity of the kernel's
    /// process and its Python.
    pub(super) async fn greet(&mut self, within: Duration) -> Result<Value, Fault> {
        let source = STANDARD.encode(KERNEL);
        let install = format!(
            "import sys as _s\nif {MODULE:?} not in _s.modules:\n    import types as _t, base64 as _b\n    \
             _m = _t.ModuleType({MODULE:?}); _s.modules[{MODULE:?}] = _m\n    \
             exec(compile(_b.b64decode({source:?}), '<stepwell>', 'exec'), _m.__dict__)\n"
        );
        let until = Instant::now() + within;
        loop {
            self.connect_until(until).await?;
            let patience = TRY.min(until.saturating_duration_since(Instant::now()));
            let hello = json!({"op": "hello"});
            let mut sink = |_| {};
            let greeted = self.request(&install, &hello, Some(patience), &mut sink);
            match greeted.await {
                Err(Fault::Broken(_)) if Instant::now() < until => {}
                greeted => return greeted,
            }
        }
    }

    /// Makes one request and waits for its answer.
    pub(super) async fn ask(
        &mut self,
        order: &Value,
        within: Option<Duration>,
        sink: Sink<'_>,
    ) -> Result<Value, Fault> {
        self.request("", order, within, sink).await
    }

    async fn request(
        &mut self,
        before: &str,
        order: &Value,
        within: Option<Duration>,
        sink: Sink<'_>,
    ) -> Result<Value, Fault> {
        self.count += 1;
        let message = format!("{}-{}", self.session, self.count);
        let text = STANDARD.encode(order.to_string());
        let code =
            format!("{before}__import__('sys').modules[{MODULE:?}].ask({message:?}, {text:?})");
        let cell = wire::execute(&message, &self.session, &code);
        let sent = self.connect().await?.send(cell).await;
        let heard = match sent {
            Ok(()) => self.hear(&message, within, sink).await,
            Err(failure) => Err(Fault::Broken(failure)),
        };
        if matches!(heard, Err(Fault::Broken(_))) {
            self.socket = None;
        }
        heard
    }

    async fn hear(
        &mut self,
        message: &str,
        within: Option<Duration>,
        sink: Sink<'_>,
    ) -> Result<Value, Fault> {
        let mut until = within.map(|within| Instant::now() + within);
        let (mut answer, mut done) = (None, false);
        loop {
            match (answer.take(), done) {
                (Some(answer), true) => return read_answer(&answer),
                (found, _) => answer = found,
            }
            let next = self.connect().await?.next();
            let text = match until {
                None => next.await,
                Some(until) => match timeout_at(until, next).await {
                    Ok(text) => text,
                    Err(_) => return Err(Fault::Broken(silent(&self.server.shown()))),
                },
            };
            match wire::hear(&text.map_err(Fault::Broken)?) {
                Heard::Died(state) => {
                    return Err(Fault::Died(died(&format!("the server says `{state}`"))));
                }
                Heard::Display(mut document) => {
                    if let Some(piece) = piece(&document) {
                        sink(piece);
                    } else if document.get("request").and_then(Value::as_str) == Some(message) {
                        answer = document.get_mut("answer").map(Value::take);
                    }
                }
                Heard::Reply { parent, fault } if parent == message => {
                    if let Some((name, text)) = fault {
                        return Err(broken_off(&name, &text));
                    }
                    done = true;
                    until = Some(Instant::now() + ANSWER_GRACE);
                }
                Heard::Reply { .. } | Heard::Other => {}
            }
        }
    }

    /// Breaks the connection as a network does. The kernel goes on.
    pub(super) fn disconnect(&mut self) {
        self.socket = None;
    }
}

fn read_answer(answer: &Value) -> Result<Value, Fault> {
    if let Some(fault) = answer.get("fault").and_then(Value::as_str) {
        return Err(Fault::Refused(fault.to_owned()));
    }
    Ok(answer.get("ok").cloned().unwrap_or_default())
}

/// A cell that did not come to its end.
fn broken_off(name: &str, text: &str) -> Fault {
    match name {
        "KeyboardInterrupt" => Fault::Interrupted,
        // Only a kernel that was started anew knows nothing of us.
        "KeyError" => Fault::Died(died("another kernel process is in its place")),
        "" => Fault::Interrupted,
        _ => Fault::Refused(format!("{name}: {text}")),
    }
}

fn piece(document: &Value) -> Option<Piece> {
    Some(Piece {
        stream: document.get("stream")?.as_str()?.to_owned(),
        offset: document.get("offset")?.as_u64()?,
        data: STANDARD.decode(document.get("data")?.as_str()?).ok()?,
    })
}

fn silent(shown: &str) -> Failure {
    Failure::new(
        FailureKind::Infrastructure,
        code::WEBSOCKET_CLOSED,
        format!("the kernel at {shown} gave no answer in time"),
    )
}
