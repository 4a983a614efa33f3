//! One request and its answer.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue, LOCATION, USER_AGENT};
use reqwest::{Client, Method, StatusCode, Url, redirect};

use super::trust::Trust;
use super::{fault, internal};
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::transport::{BODY_BYTES_MAX, REDIRECTS_MAX, Request, Response, Taker, Waits, address};

/// Who we say that we are.
const AGENT: &str = concat!("stepwell/", env!("CARGO_PKG_VERSION"));

/// Fields that another host may see: they say what is understood, not who asks.
const HARMLESS: [&str; 3] = ["accept", "accept-language", "user-agent"];

/// A client that does nothing by itself: no redirects, no second tries, no proxies, no kept connections.
pub(super) fn client(trust: &Trust) -> Result<Client, Failure> {
    Client::builder()
        .tls_backend_preconfigured(trust.config()?)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .pool_max_idle_per_host(0)
        .build()
        .map_err(|error| internal("the HTTP client can't be set up").caused_by(&error))
}

/// Makes the request, and the next one when a GET is sent elsewhere.
pub(super) async fn exchange(client: &Client, request: Request) -> Result<Response, Failure> {
    let (answer, shown) = head(client, request).await?;
    read(answer, &shown).await
}

/// The same, with the body of a success handed over while it comes.
pub(super) async fn exchange_in_pieces(
    client: &Client,
    request: Request,
    waits: Waits,
    taker: Taker<'_>,
) -> Result<Response, Failure> {
    let host = address::shown(&request.url);
    let beginning = async {
        let (mut answer, shown) = head(client, request).await?;
        if !answer.status().is_success() {
            return Ok((read(answer, &shown).await?, None));
        }
        let first = chunk(&mut answer, &shown).await?;
        Ok((described(&answer), first.map(|first| (answer, first))))
    };
    let begun = tokio::time::timeout(waits.first, beginning).await;
    let silent = |after: Duration, what: &str| {
        let seconds = after.as_secs_f64();
        let message = format!("{host} sent {what} within {seconds} s");
        Failure::new(FailureKind::Timeout, code::REQUEST_TIMED_OUT, message)
    };
    let (mut response, pieces) = begun.map_err(|_| silent(waits.first, "nothing"))??;
    let Some((mut answer, mut piece)) = pieces else {
        return Ok(response);
    };
    loop {
        let room = BODY_BYTES_MAX - response.body.len();
        response.body.extend(piece.iter().take(room));
        response.truncated |= piece.len() > room;
        if taker(&piece).is_break() {
            return Ok(response);
        }
        let next = tokio::time::timeout(waits.between, chunk(&mut answer, &host)).await;
        let next = next.map_err(|_| silent(waits.between, "nothing more of its answer"))?;
        match next? {
            Some(next) => piece = next,
            None => return Ok(response),
        }
    }
}

/// The answer without its body, and who gave it.
async fn head(client: &Client, request: Request) -> Result<(reqwest::Response, String), Failure> {
    let mut hop = Hop::new(request)?;
    for _ in 0..=REDIRECTS_MAX {
        let answer = hop.make(client).await?;
        match hop.elsewhere(&answer)? {
            Some(url) => hop.go_to(url),
            None => return Ok((answer, hop.shown())),
        }
    }
    Err(refused_redirect(format!(
        "{} led elsewhere more than {REDIRECTS_MAX} times",
        hop.shown()
    )))
}

/// The request as it is made next.
struct Hop {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

impl Hop {
    fn new(request: Request) -> Result<Self, Failure> {
        let url = address::parse(&request.url).map_err(invalid)?;
        let method = Method::from_bytes(request.method.as_bytes())
            .ok()
            .filter(|method| *method != Method::CONNECT)
            .ok_or_else(|| invalid(format!("`{}` is no method of HTTP", request.method)))?;
        if let Some(body) = &request.body
            && body.len() > BODY_BYTES_MAX
        {
            return Err(Failure::new(
                FailureKind::Resources,
                code::BODY_TOO_LARGE,
                format!(
                    "the body has {} bytes, at most {BODY_BYTES_MAX} can be sent",
                    body.len()
                ),
            ));
        }
        Ok(Self {
            method,
            url,
            headers: headers(&request.headers)?,
            body: request.body,
        })
    }

    fn shown(&self) -> String {
        address::shown(self.url.as_str())
    }

    async fn make(&self, client: &Client) -> Result<reqwest::Response, Failure> {
        let mut builder = client
            .request(self.method.clone(), self.url.clone())
            .headers(self.headers.clone());
        if let Some(body) = &self.body {
            builder = builder.body(body.clone());
        }
        builder
            .send()
            .await
            .map_err(|error| fault::of_http(error, &self.shown()))
    }

    /// Where an answer sends a GET; none = it is the answer.
    fn elsewhere(&self, answer: &reqwest::Response) -> Result<Option<Url>, Failure> {
        let redirects = matches!(
            answer.status(),
            StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT
        );
        let location = answer.headers().get(LOCATION);
        let (true, true, Some(location)) = (self.method == Method::GET, redirects, location) else {
            return Ok(None);
        };
        let shown = self.shown();
        let url = location
            .to_str()
            .ok()
            .and_then(|text| self.url.join(text).ok())
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| {
                refused_redirect(format!("{shown} led to something that is no HTTP address"))
            })?;
        if self.url.scheme() == "https" && url.scheme() == "http" {
            return Err(refused_redirect(format!(
                "{shown} led to {}, which is not encrypted",
                address::shown(url.as_str())
            )));
        }
        Ok(Some(url))
    }

    /// Another host gets nothing that could be a secret.
    fn go_to(&mut self, url: Url) {
        if url.origin() != self.url.origin() {
            self.body = None;
            self.headers = std::mem::take(&mut self.headers)
                .into_iter()
                .filter_map(|(name, value)| Some((name?, value)))
                .filter(|(name, _)| HARMLESS.contains(&name.as_str()))
                .collect();
        }
        self.url = url;
    }
}

fn headers(written: &[(String, String)]) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in written {
        let (field, value) = address::header(name, value).map_err(invalid)?;
        headers.append(field, value);
    }
    if !headers.contains_key(USER_AGENT) {
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    }
    Ok(headers)
}

async fn read(mut answer: reqwest::Response, shown: &str) -> Result<Response, Failure> {
    let mut response = described(&answer);
    while let Some(chunk) = chunk(&mut answer, shown).await? {
        let room = BODY_BYTES_MAX - response.body.len();
        response.body.extend(chunk.iter().take(room));
        if chunk.len() > room {
            response.truncated = true;
            break;
        }
    }
    Ok(response)
}

async fn chunk(answer: &mut reqwest::Response, shown: &str) -> Result<Option<Vec<u8>>, Failure> {
    match answer.chunk().await {
        Ok(chunk) => Ok(chunk.map(|chunk| chunk.to_vec())),
        Err(error) => Err(fault::of_http(error, shown)),
    }
}

/// Status and header fields.
fn described(answer: &reqwest::Response) -> Response {
    let headers = answer.headers().iter();
    let headers = headers.map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())));
    Response {
        status: answer.status().as_u16(),
        headers: headers.collect(),
        ..Response::default()
    }
}

fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Configuration, code::REQUEST_INVALID, message)
}

fn refused_redirect(message: String) -> Failure {
    Failure::new(FailureKind::Configuration, code::REDIRECT_REFUSED, message)
}
