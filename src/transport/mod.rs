//! The way out: the port through which the engine makes one HTTP request and tells people, and its adapters.
//!
//! An adapter does what it is asked once: it never tries again by itself, since it can't know whether doing
//! something twice is harmless. What goes wrong is a [`Failure`] whose kind a retry policy understands. Its
//! text names a host at most, never a path, a query or a header: those may be secret.

pub mod address;
pub mod fake;
pub mod message;
pub mod network;

use std::fmt;
use std::ops::ControlFlow;
use std::time::Duration;

pub use message::{Channel, Mail, MailTls, Message};

use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::time::BoxFuture;

/// Largest body, of a request and of an answer, in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Longest time that telling somebody may take.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// Most redirects that a GET follows. Other methods follow none: their answer is the redirect itself.
pub const REDIRECTS_MAX: usize = 5;

/// How much of the answer stands in the detail of a failure, in characters.
const BODY_SHOWN_CHARS_MAX: usize = 2_000;
/// How much of the answer stands in the sentence of a failure, in characters.
const LINE_CHARS_MAX: usize = 200;

/// Speaks to the world outside.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Makes one request and gives what came back, whatever its status says. `Err` means that there was no
    /// answer. Dropping the future closes the connection; the other side may have acted all the same.
    fn request(&self, request: Request) -> BoxFuture<'_, Result<Response, Failure>>;

    /// As [`Transport::request`], but hands the body of a success over while it comes, in pieces of any size. When the
    /// taker says `Break`, the connection is closed and that is the end. The body of the answer is what came, at most
    /// [`BODY_BYTES_MAX`] of it; the pieces have no such bound.
    fn stream<'a>(
        &'a self,
        request: Request,
        waits: Waits,
        taker: Taker<'a>,
    ) -> BoxFuture<'a, Result<Response, Failure>>;

    /// Tells somebody. `Ok` means that the other side took the message.
    fn send(&self, channel: Channel, message: Message) -> BoxFuture<'_, Result<(), Failure>>;
}

/// Takes the pieces of a body.
pub type Taker<'a> = &'a mut (dyn FnMut(&[u8]) -> ControlFlow<()> + Send);

/// How long an answer in pieces may keep silent, beside the time for all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// Until the first byte of the body.
    pub first: Duration,
    /// Between a piece and the next one.
    pub between: Duration,
}

/// One HTTP request.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// Where to: `http` or `https`.
    pub url: String,
    /// Header fields, in this order. They go to this host only, even when it redirects.
    pub headers: Vec<(String, String)>,
    /// The body, at most [`BODY_BYTES_MAX`].
    pub body: Option<Vec<u8>>,
    /// Longest time until the answer is complete, redirects included.
    pub timeout: Duration,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &address::shown(&self.url))
            .field("headers", &names)
            .field("body_bytes", &self.body.as_ref().map(Vec::len))
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header fields, names in small letters. Values that are no text are read as Latin-1.
    pub headers: Vec<(String, String)>,
    /// The body, or its first [`BODY_BYTES_MAX`] bytes.
    pub body: Vec<u8>,
    /// Whether the body was longer than that.
    pub truncated: bool,
}

impl Response {
    /// The first header field of that name, in whatever letters.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether the status is one of 200 to 299.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What a status that is no success means: whose fault it is, and whether it may pass. `who` is the other
    /// side, for people. The detail has `status`, the start of the `body`, and `retry_after` as it was written.
    #[must_use]
    pub fn refusal(&self, who: &str) -> Failure {
        let kind = match self.status {
            408 | 425 | 429 | 500..=599 => FailureKind::Infrastructure,
            _ => FailureKind::Configuration,
        };
        let start: String = String::from_utf8_lossy(&self.body)
            .chars()
            .take(BODY_SHOWN_CHARS_MAX)
            .collect();
        let mut message = format!("{who} answered {}", self.status);
        let line = start.split_whitespace().collect::<Vec<_>>().join(" ");
        if !line.is_empty() {
            message.push_str(": ");
            message.extend(line.chars().take(LINE_CHARS_MAX));
        }
        let mut detail = serde_json::json!({ "status": self.status, "body": start });
        if let (Some(fields), Some(after)) = (detail.as_object_mut(), self.header("retry-after")) {
            fields.insert("retry_after".to_owned(), after.into());
        }
        Failure::new(kind, code::HTTP_STATUS, message).detail(detail)
    }

    /// The body as JSON when it says that it is JSON and is, as text otherwise. Bytes that are no UTF-8
    /// become the replacement character.
    #[must_use]
    pub fn value(&self) -> serde_json::Value {
        let says_json = self
            .header("content-type")
            .and_then(|kind| kind.split(';').next())
            .map(|kind| kind.trim().to_ascii_lowercase())
            .is_some_and(|kind| kind == "application/json" || kind.ends_with("+json"));
        if says_json
            && !self.truncated
            && let Ok(value) = serde_json::from_slice(&self.body)
        {
            return value;
        }
        serde_json::Value::String(String::from_utf8_lossy(&self.body).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn response(kind: &str, body: &[u8]) -> Response {
        Response {
            status: 200,
            headers: vec![("content-type".to_owned(), kind.to_owned())],
            body: body.to_vec(),
            truncated: false,
        }
    }

    #[test]
    fn a_body_is_json_only_when_it_says_so_and_is() {
        let body = br#"{"a": 1}"#;
        let text = json!("{\"a\": 1}");
        assert_eq!(
            response("application/json; charset=utf-8", body).value(),
            json!({"a": 1})
        );
        assert_eq!(
            response("Application/Problem+JSON", body).value(),
            json!({"a": 1})
        );
        assert_eq!(response("text/plain", body).value(), text);
        assert_eq!(response("application/json", b"{").value(), json!("{"));
        let mut cut = response("application/json", b"12");
        cut.truncated = true;
        assert_eq!(cut.value(), json!("12"), "the number may go on");
        assert_eq!(response("", b"a\xff").value(), json!("a\u{fffd}"));
    }

    #[test]
    fn what_is_printed_of_a_request_has_no_secret() {
        let request = Request {
            method: "POST".to_owned(),
            url: "https://me:pass@host.example/services/T0/secret?key=hidden".to_owned(),
            headers: vec![("Authorization".to_owned(), "Bearer hidden".to_owned())],
            body: Some(b"hidden".to_vec()),
            timeout: Duration::from_secs(1),
        };
        let printed = format!("{request:?}");
        assert!(printed.contains("https://host.example"), "{printed}");
        assert!(printed.contains("Authorization"), "{printed}");
        for secret in ["hidden", "secret", "pass"] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }
}
