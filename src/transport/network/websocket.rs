//! A websocket: text both ways, over the same trust as every other request.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Url;
use reqwest::header::HeaderMap;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message, http};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::trust::Trust;
use super::{NetworkTransport, fault, in_time};
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::transport::{Response, address};

/// Largest message that is read, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How long nothing may come before the other side is asked whether it is there.
const QUIET: Duration = Duration::from_secs(20);
/// How often it is asked before it counts as gone.
const ASKED_MAX: u32 = 3;

/// Where a websocket goes.
#[derive(Clone)]
pub struct Handshake {
    /// The address, `http` or `https`; it becomes `ws` or `wss`.
    pub url: String,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// Longest time until it is open.
    pub timeout: Duration,
}

/// Something that bytes go through.
trait Pipe: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Pipe for T {}

/// An open websocket.
pub struct WebSocket {
    stream: WebSocketStream<Box<dyn Pipe>>,
    shown: String,
}

impl std::fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WebSocket({})", self.shown)
    }
}

impl NetworkTransport {
    /// Opens a websocket. An answer other than a websocket is a failure with `status` in its detail.
    ///
    /// # Errors
    /// The other side can't be reached, or refuses.
    pub async fn websocket(&self, handshake: Handshake) -> Result<WebSocket, Failure> {
        let shown = address::shown(&handshake.url);
        let timeout = handshake.timeout;
        let work = async { open(&self.opened().await?.trust, handshake).await };
        in_time(timeout, &shown, work).await
    }
}

async fn open(trust: &Trust, handshake: Handshake) -> Result<WebSocket, Failure> {
    let shown = address::shown(&handshake.url);
    let url = address::parse(&handshake.url).map_err(|message| {
        Failure::new(FailureKind::Configuration, code::REQUEST_INVALID, message)
    })?;
    let request = request(&url, &handshake.headers)?;
    let pipe = pipe(trust, &url, &shown).await?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    match client_async_with_config(request, pipe, Some(config)).await {
        Ok((stream, _)) => Ok(WebSocket { stream, shown }),
        Err(tungstenite::Error::Http(answer)) => Err(refused(*answer, &shown)),
        Err(error) => Err(fault::of_error(&error, &shown)),
    }
}

fn request(url: &Url, headers: &[(String, String)]) -> Result<http::Request<()>, Failure> {
    let invalid =
        |message: String| Failure::new(FailureKind::Configuration, code::REQUEST_INVALID, message);
    let text = url.as_str();
    let address = match text.strip_prefix("https") {
        Some(rest) => format!("wss{rest}"),
        None => format!("ws{}", text.strip_prefix("http").unwrap_or(text)),
    };
    let mut request = address
        .into_client_request()
        .map_err(|_| invalid("the address of the websocket can't be used".to_owned()))?;
    let mut fields = HeaderMap::new();
    for (name, value) in headers {
        let (name, value) = address::header(name, value).map_err(invalid)?;
        fields.append(name, value);
    }
    request.headers_mut().extend(fields);
    Ok(request)
}

async fn pipe(trust: &Trust, url: &Url, shown: &str) -> Result<Box<dyn Pipe>, Failure> {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_or_known_default().unwrap_or(80);
    let addresses: Vec<_> = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| fault::unknown_host(shown).caused_by(&error))?
        .collect();
    let tcp = TcpStream::connect(addresses.as_slice())
        .await
        .map_err(|error| fault::of_error(&error, shown))?;
    // Small requests, each waited for: nothing is gained by collecting them.
    let _best_effort = tcp.set_nodelay(true);
    if url.scheme() == "http" {
        return Ok(Box::new(tcp));
    }
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| fault::unknown_host(shown).caused_by(&error))?;
    let tls = TlsConnector::from(std::sync::Arc::new(trust.config()?))
        .connect(name, tcp)
        .await
        .map_err(|error| fault::of_error(&error, shown))?;
    Ok(Box::new(tls))
}

fn refused(answer: http::Response<Option<Vec<u8>>>, shown: &str) -> Failure {
    let (head, body) = answer.into_parts();
    let response = Response {
        status: head.status.as_u16(),
        body: body.unwrap_or_default(),
        ..Response::default()
    };
    response.refusal(shown)
}

impl WebSocket {
    /// Sends one message.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn send(&mut self, text: String) -> Result<(), Failure> {
        let sent = self.stream.send(Message::text(text)).await;
        sent.map_err(|error| closed(&self.shown).caused_by(&error))
    }

    /// The next message. May be dropped and called again without losing any.
    ///
    /// # Errors
    /// The connection is gone, or nothing has come for a minute although the other side was asked.
    pub async fn next(&mut self) -> Result<String, Failure> {
        let mut asked = 0;
        loop {
            match tokio::time::timeout(QUIET, self.stream.next()).await {
                Err(_) if asked < ASKED_MAX => {
                    asked += 1;
                    let sent = self.stream.send(Message::Ping(Vec::new().into())).await;
                    sent.map_err(|error| closed(&self.shown).caused_by(&error))?;
                }
                Err(_) => return Err(closed(&self.shown)),
                Ok(None) => return Err(closed(&self.shown)),
                Ok(Some(Err(error))) => return Err(closed(&self.shown).caused_by(&error)),
                Ok(Some(Ok(Message::Text(text)))) => return Ok(text.as_str().to_owned()),
                Ok(Some(Ok(Message::Close(_)))) => return Err(closed(&self.shown)),
                Ok(Some(Ok(
                    Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_),
                ))) => asked = 0,
            }
        }
    }

    /// Says goodbye, for as long as that takes no time.
    pub async fn close(mut self) {
        let _gone = tokio::time::timeout(Duration::from_secs(1), self.stream.close(None)).await;
    }
}

fn closed(shown: &str) -> Failure {
    Failure::new(
        FailureKind::Infrastructure,
        code::WEBSOCKET_CLOSED,
        format!("the websocket to {shown} broke"),
    )
}
