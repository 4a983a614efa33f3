//! The real way out: HTTP/1.1 by reqwest, mail by lettre, both over rustls.
//!
//! Connections are made for one request and closed after it, straight to the host: no pool, no proxy (also
//! none of the environment), no cookies, no compression. What is trusted is what the machine trusts.

mod fault;
mod http;
mod mail;
mod trust;
mod websocket;

use std::fmt;
use std::future::Future;
use std::time::Duration;

use tokio::sync::OnceCell;

use super::{Channel, Message, Request, Response, SEND_TIMEOUT, Taker, Transport, Waits, address};
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::time::BoxFuture;
use trust::Trust;
pub use websocket::{Handshake, MESSAGE_BYTES_MAX, WebSocket};

/// Speaks to the world over the network. Costs nothing until it is used.
#[derive(Default)]
pub struct NetworkTransport {
    authorities: Vec<u8>,
    opened: OnceCell<Opened>,
}

/// What the first use makes: reading the certificates of the machine takes a while.
struct Opened {
    client: reqwest::Client,
    trust: Trust,
}

impl NetworkTransport {
    /// Trusts these authorities too, certificates in PEM.
    #[must_use]
    pub fn trusting(authorities: impl Into<Vec<u8>>) -> Self {
        Self {
            authorities: authorities.into(),
            opened: OnceCell::new(),
        }
    }

    async fn opened(&self) -> Result<&Opened, Failure> {
        self.opened
            .get_or_try_init(|| async {
                let authorities = self.authorities.clone();
                let trust = tokio::task::spawn_blocking(move || Trust::load(&authorities))
                    .await
                    .map_err(|error| {
                        internal("reading the certificates failed").caused_by(&error)
                    })??;
                Ok(Opened {
                    client: http::client(&trust)?,
                    trust,
                })
            })
            .await
    }

    async fn post(
        &self,
        url: String,
        headers: Vec<(String, String)>,
        document: &serde_json::Value,
    ) -> Result<(), Failure> {
        let shown = address::shown(&url);
        let response = self
            .request(Request {
                method: "POST".to_owned(),
                url,
                headers,
                body: Some(document.to_string().into_bytes()),
                timeout: SEND_TIMEOUT,
            })
            .await?;
        if response.is_success() {
            Ok(())
        } else {
            Err(response.refusal(&shown))
        }
    }
}

impl fmt::Debug for NetworkTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkTransport").finish_non_exhaustive()
    }
}

impl Transport for NetworkTransport {
    fn request(&self, request: Request) -> BoxFuture<'_, Result<Response, Failure>> {
        Box::pin(async move {
            let shown = address::shown(&request.url);
            let timeout = request.timeout;
            let work = async { http::exchange(&self.opened().await?.client, request).await };
            in_time(timeout, &shown, work).await
        })
    }

    fn stream<'a>(
        &'a self,
        request: Request,
        waits: Waits,
        taker: Taker<'a>,
    ) -> BoxFuture<'a, Result<Response, Failure>> {
        Box::pin(async move {
            let shown = address::shown(&request.url);
            let timeout = request.timeout;
            let work = async {
                let client = &self.opened().await?.client;
                http::exchange_in_pieces(client, request, waits, taker).await
            };
            in_time(timeout, &shown, work).await
        })
    }

    fn send(&self, channel: Channel, message: Message) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async move {
            match channel {
                Channel::Webhook { url, headers } => {
                    let headers = with_defaults(headers, &message.key);
                    self.post(url, headers, &message.webhook()).await
                }
                Channel::Slack { url } => {
                    let headers = with_defaults(Vec::new(), &message.key);
                    self.post(url, headers, &message.slack()).await
                }
                Channel::Mail(mail) => {
                    let shown = mail.server.clone();
                    let work =
                        async { mail::send(&self.opened().await?.trust, mail, message).await };
                    in_time(SEND_TIMEOUT, &shown, work).await
                }
            }
        })
    }
}

/// The fields that every message has, unless the channel says otherwise.
fn with_defaults(mut headers: Vec<(String, String)>, key: &str) -> Vec<(String, String)> {
    for (name, value) in [
        ("Content-Type", "application/json"),
        ("Idempotency-Key", key),
    ] {
        if !headers
            .iter()
            .any(|(found, _)| found.eq_ignore_ascii_case(name))
        {
            headers.push((name.to_owned(), value.to_owned()));
        }
    }
    headers
}

async fn in_time<T>(
    timeout: Duration,
    shown: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(timeout, work).await {
        Ok(result) => result,
        Err(_) => Err(Failure::new(
            FailureKind::Timeout,
            code::REQUEST_TIMED_OUT,
            format!(
                "{shown} gave no complete answer within {} s",
                timeout.as_secs_f64()
            ),
        )),
    }
}

fn internal(message: &str) -> Failure {
    Failure::new(FailureKind::Internal, code::INTERNAL, message)
}
