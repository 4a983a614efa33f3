//! Models over HTTP.

use std::sync::Arc;
use std::time::Duration;

use super::key::{Environment, Key, KeySource};
use super::wire::stream::Stream;
use super::wire::{self, Dialect, Sampling};
use super::{About, Answer, CodeGenerator, Found, Hearer, Request, Written, fault};
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::time::BoxFuture;
use crate::transport::{self, Response, Transport, Waits, address};

/// Longest time of a look.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// How much of an answer that is none is told, in characters.
const BEGINS_CHARS: usize = 200;

/// Longest silence in the middle of an answer when nothing is configured.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// What config.yml says of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The protocol.
    pub dialect: Dialect,
    /// Where it listens, without `/` at its end.
    pub base_url: String,
    /// The model.
    pub model: String,
    /// Where the key is, if it wants one.
    pub api_key: Option<KeySource>,
    /// How much chance; none = what the provider does by itself.
    pub temperature: Option<f64>,
    /// The same for fresh tries; not used without a temperature.
    pub fresh_temperature: f64,
    /// Most tokens of an answer.
    pub max_tokens: u32,
    /// How the protocol `openai` calls that.
    pub max_tokens_field: String,
    /// What makes chance repeatable, where the provider knows it.
    pub seed: Option<u64>,
    /// Length of the context, for Ollama.
    pub num_ctx: u32,
    /// Whether the answer shall be JSON by a schema.
    pub structured: bool,
    /// Longest time of a call.
    pub timeout: Duration,
    /// Whether the answer shall come in pieces, so that people see it grow.
    pub stream: bool,
    /// Longest time until the first piece; none = that of the whole call.
    pub first_byte_timeout: Option<Duration>,
    /// Longest time between a piece and the next one.
    pub idle_timeout: Duration,
}

impl Settings {
    /// What holds when nothing but the protocol and the model is written.
    #[must_use]
    pub fn new(dialect: Dialect, model: impl Into<String>) -> Self {
        Self {
            dialect,
            base_url: dialect.usual_base_url().to_owned(),
            model: model.into(),
            api_key: None,
            temperature: Some(0.0),
            fresh_temperature: 0.7,
            max_tokens: 4_096,
            max_tokens_field: "max_tokens".to_owned(),
            seed: None,
            num_ctx: 8_192,
            structured: false,
            timeout: super::TIMEOUT,
            stream: true,
            first_byte_timeout: None,
            idle_timeout: IDLE_TIMEOUT,
        }
    }

    fn waits(&self) -> Waits {
        Waits {
            first: self.first_byte_timeout.unwrap_or(self.timeout),
            between: self.idle_timeout,
        }
    }

    fn sampling(&self, request: &Request) -> Sampling<'_> {
        let fresh = |configured: f64| {
            if request.fresh {
                self.fresh_temperature.max(configured)
            } else {
                configured
            }
        };
        // The same seed would draw the same answer again.
        let seed = self
            .seed
            .map(|seed| seed.wrapping_add(u64::from(request.number) - 1));
        Sampling {
            model: &self.model,
            temperature: self.temperature.map(fresh),
            max_tokens: self.max_tokens,
            max_tokens_field: &self.max_tokens_field,
            seed,
            num_ctx: self.num_ctx,
            structured: self.structured,
            stream: self.stream,
        }
    }
}

/// A model over HTTP.
#[derive(Debug)]
pub struct HttpGenerator {
    settings: Settings,
    environment: Environment,
    transport: Arc<dyn Transport>,
}

impl HttpGenerator {
    /// A model that is asked by this transport; keys are looked for in this environment.
    #[must_use]
    pub fn new(
        settings: Settings,
        environment: Environment,
        transport: Arc<dyn Transport>,
    ) -> Self {
        Self {
            settings,
            environment,
            transport,
        }
    }

    async fn ask(&self, request: Request, hearer: Hearer<'_>) -> Result<Answer, Failure> {
        let settings = &self.settings;
        let key = match &settings.api_key {
            Some(source) => Some(source.find(&self.environment).await?),
            None => None,
        };
        let sampling = settings.sampling(&request);
        let body = settings.dialect.body(&request.prompt, &sampling);
        let sent = transport::Request {
            method: "POST".to_owned(),
            url: format!("{}{}", settings.base_url, settings.dialect.path()),
            headers: settings.dialect.headers(key.as_ref().map(Key::reveal)),
            body: Some(body.to_string().into_bytes()),
            timeout: settings.timeout,
        };
        let shown = address::shown(&sent.url);
        let answer = if settings.stream {
            self.listen(sent, &sampling, hearer).await
        } else {
            let response = self.transport.request(sent).await;
            response.and_then(|response| self.read(&response, &shown, &sampling, None))
        };
        answer
            .map_err(|failure| without_key(failure, key.as_ref()))
            .map(|mut answer| {
                if let Some(key) = &key {
                    answer.text = key.clean(&answer.text);
                    answer.raw = key.clean(&answer.raw);
                }
                answer
            })
    }

    /// Takes an answer in pieces.
    async fn listen(
        &self,
        sent: transport::Request,
        sampling: &Sampling<'_>,
        hearer: Hearer<'_>,
    ) -> Result<Answer, Failure> {
        let shown = address::shown(&sent.url);
        let mut stream = Stream::new(self.settings.dialect);
        let mut begun = false;
        let mut taker = |piece: &[u8]| {
            begun = true;
            let flow = stream.take(piece);
            hearer(stream.written());
            flow
        };
        let waits = self.settings.waits();
        let response = self.transport.stream(sent, waits, &mut taker).await;
        match response {
            Ok(response) => self.read(&response, &shown, sampling, Some(stream)),
            Err(failure) if begun => Err(broken(failure, stream.written(), &shown)),
            Err(failure) => Err(failure),
        }
    }

    /// Asks which models there are: no token is spent, and a key is tried.
    async fn look(&self) -> Result<Found, Failure> {
        let settings = &self.settings;
        let key = match &settings.api_key {
            Some(source) => Some(source.find(&self.environment).await?),
            None => None,
        };
        let sent = transport::Request {
            method: "GET".to_owned(),
            url: format!("{}{}", settings.base_url, settings.dialect.models()),
            headers: settings.dialect.headers(key.as_ref().map(Key::reveal)),
            body: None,
            timeout: PROBE_TIMEOUT,
        };
        let shown = address::shown(&sent.url);
        let with_key = if key.is_some() { ", with the key" } else { "" };
        let response = self.transport.request(sent).await?;
        if matches!(response.status, 404 | 405 | 501) {
            let text = format!(
                "{shown} answers{with_key}, and lists no models: the name can't be checked"
            );
            return Ok(Found::doubtful(text));
        }
        if !response.is_success() {
            return Err(without_key(fault::of(&response, &shown), key.as_ref()));
        }
        let names = wire::models(&response.value());
        let model = &settings.model;
        // Ollama says `name:latest` of what is called `name`.
        let listed = |name: &String| name == model || name.strip_suffix(":latest") == Some(model);
        Ok(if names.iter().any(listed) {
            Found::sure(format!(
                "{shown} answers{with_key}, and has the model {model}"
            ))
        } else {
            let few: Vec<&str> = names.iter().take(5).map(String::as_str).collect();
            let few = few.join(", ");
            Found::doubtful(format!(
                "{shown} answers{with_key}, and does not list the model {model}; it lists {few}"
            ))
        })
    }

    fn read(
        &self,
        response: &Response,
        shown: &str,
        sampling: &Sampling<'_>,
        stream: Option<Stream>,
    ) -> Result<Answer, Failure> {
        if !response.is_success() {
            return Err(fault::of(response, shown));
        }
        let dialect = self.settings.dialect;
        let mut answer = match stream {
            Some(stream) => stream.finish(&response.body, sampling.structured, shown)?,
            None if response.truncated => return Err(too_large(shown)),
            None => {
                let read = dialect.read(&response.body, sampling.structured);
                read.map_err(|failure| told(failure, shown, &response.body))?
            }
        };
        let header = |name: &str| response.header(name).map(str::to_owned);
        answer.request_id = header("x-request-id")
            .or_else(|| header("request-id"))
            .or_else(|| header("x-litellm-call-id"))
            .or(answer.request_id);
        answer.cost_usd = header("x-litellm-response-cost").and_then(|cost| cost.parse().ok());
        answer.parameters = sampling.to_json(dialect);
        answer.raw = String::from_utf8_lossy(&response.body).into_owned();
        Ok(answer)
    }
}

/// What became of an answer of which a part had come. Half an answer is none.
fn broken(failure: Failure, written: Written, shown: &str) -> Failure {
    if failure.kind == FailureKind::Timeout {
        let message = format!(
            "{}; {written} had come, and nothing of it is taken",
            failure.message
        );
        return Failure { message, ..failure };
    }
    let mut cut = wire::stream::cut(written, shown);
    cut.cause = std::iter::once(failure.message)
        .chain(failure.cause)
        .collect();
    cut
}

/// An answer that can hold no code that would be taken.
fn too_large(who: &str) -> Failure {
    let message = format!("{who} sent an answer of more than 1 MiB, and code has at most that");
    Failure::new(FailureKind::Code, code::GENERATION_NO_CODE, message)
}

/// The same with whose answer it was, and how that begins: a page of a gateway says what is wrong.
fn told(mut failure: Failure, who: &str, body: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(body);
    let begins: String = text.trim().chars().take(BEGINS_CHARS).collect();
    failure.message = format!("{who}: {}; it begins with {begins:?}", failure.message);
    failure
}

/// Providers repeat what they were sent, keys too.
fn without_key(mut failure: Failure, key: Option<&Key>) -> Failure {
    let Some(key) = key else {
        return failure;
    };
    failure.message = key.clean(&failure.message);
    failure.cause = failure.cause.iter().map(|cause| key.clean(cause)).collect();
    let detail = key.clean(&failure.detail.to_string());
    failure.detail = serde_json::from_str(&detail).unwrap_or_default();
    failure
}

impl CodeGenerator for HttpGenerator {
    fn about(&self) -> About {
        About {
            provider: self.settings.dialect.as_str(),
            model: Some(self.settings.model.clone()),
        }
    }

    fn generate<'a>(
        &'a self,
        request: Request,
        hearer: Hearer<'a>,
    ) -> BoxFuture<'a, Result<Answer, Failure>> {
        Box::pin(self.ask(request, hearer))
    }

    fn probe(&self) -> BoxFuture<'_, Result<Found, Failure>> {
        Box::pin(self.look())
    }
}
