//! A transport without a network, for tests: closures say what comes back.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::{Channel, Message, Request, Response, Taker, Transport, Waits};
use crate::failure::Failure;
use crate::time::BoxFuture;

/// Size of the pieces of an answer that is asked for in pieces.
const PIECE_BYTES: usize = 7;

/// How a fake request or message goes.
#[derive(Debug, Clone, PartialEq)]
pub enum FakeAnswer<T> {
    /// This comes back.
    Gives(T),
    /// It fails so.
    Fails(Failure),
    /// Nothing ever comes back: the engine has to cancel it or to crash.
    Hangs,
}

impl FakeAnswer<Response> {
    /// An answer with that status and that JSON.
    #[must_use]
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::Gives(Response {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_string().into_bytes(),
            truncated: false,
        })
    }
}

type OnRequest = dyn Fn(&Request) -> FakeAnswer<Response> + Send + Sync;
type OnSend = dyn Fn(&Channel, &Message) -> FakeAnswer<()> + Send + Sync;

/// A transport that follows a script and remembers what it was asked.
pub struct FakeTransport {
    on_request: Box<OnRequest>,
    on_send: Box<OnSend>,
    asked: Mutex<Asked>,
}

#[derive(Default)]
struct Asked {
    requests: Vec<Request>,
    sent: Vec<(Channel, Message)>,
}

impl Default for FakeTransport {
    /// Every request gets an empty 200, every message is taken.
    fn default() -> Self {
        Self {
            on_request: Box::new(|_| {
                FakeAnswer::Gives(Response {
                    status: 200,
                    ..Response::default()
                })
            }),
            on_send: Box::new(|_, _| FakeAnswer::Gives(())),
            asked: Mutex::default(),
        }
    }
}

impl FakeTransport {
    /// Says what comes back to a request.
    #[must_use]
    pub fn on_request(
        mut self,
        answer: impl Fn(&Request) -> FakeAnswer<Response> + Send + Sync + 'static,
    ) -> Self {
        self.on_request = Box::new(answer);
        self
    }

    /// Says what becomes of a message.
    #[must_use]
    pub fn on_send(
        mut self,
        answer: impl Fn(&Channel, &Message) -> FakeAnswer<()> + Send + Sync + 'static,
    ) -> Self {
        self.on_send = Box::new(answer);
        self
    }

    /// Every request, in order, whatever became of it.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.with(|asked| asked.requests.clone())
    }

    /// Every message, in order, whatever became of it.
    #[must_use]
    pub fn sent(&self) -> Vec<(Channel, Message)> {
        self.with(|asked| asked.sent.clone())
    }

    fn with<T>(&self, look: impl FnOnce(&mut Asked) -> T) -> T {
        look(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for FakeTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeTransport").finish_non_exhaustive()
    }
}

impl Transport for FakeTransport {
    fn request(&self, request: Request) -> BoxFuture<'_, Result<Response, Failure>> {
        let answer = (self.on_request)(&request);
        self.with(|asked| asked.requests.push(request));
        Box::pin(given(answer))
    }

    fn stream<'a>(
        &'a self,
        request: Request,
        _: Waits,
        taker: Taker<'a>,
    ) -> BoxFuture<'a, Result<Response, Failure>> {
        let answer = self.request(request);
        Box::pin(async move {
            let response = answer.await?;
            if response.is_success() {
                let mut pieces = response.body.chunks(PIECE_BYTES);
                while pieces
                    .next()
                    .is_some_and(|piece| taker(piece).is_continue())
                {}
            }
            Ok(response)
        })
    }

    fn send(&self, channel: Channel, message: Message) -> BoxFuture<'_, Result<(), Failure>> {
        let answer = (self.on_send)(&channel, &message);
        self.with(|asked| asked.sent.push((channel, message)));
        Box::pin(given(answer))
    }
}

async fn given<T>(answer: FakeAnswer<T>) -> Result<T, Failure> {
    match answer {
        FakeAnswer::Gives(value) => Ok(value),
        FakeAnswer::Fails(failure) => Err(failure),
        FakeAnswer::Hangs => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn it_answers_by_its_script_and_remembers() {
        let fake = FakeTransport::default()
            .on_request(|request| FakeAnswer::json(404, &json!({"asked": request.url})));
        let request = Request {
            method: "GET".to_owned(),
            url: "http://a.example".to_owned(),
            headers: Vec::new(),
            body: None,
            timeout: Duration::from_secs(1),
        };
        let response = fake.request(request.clone()).await.unwrap();
        assert_eq!((response.status, response.is_success()), (404, false));
        assert_eq!(response.value(), json!({"asked": "http://a.example"}));
        assert_eq!(fake.requests(), [request]);
        let channel = Channel::Slack { url: String::new() };
        let message = Message {
            title: "t".to_owned(),
            text: String::new(),
            key: String::new(),
            facts: Value::Null,
        };
        fake.send(channel.clone(), message.clone()).await.unwrap();
        assert_eq!(fake.sent(), [(channel, message)]);
    }
}
