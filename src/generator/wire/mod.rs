//! The protocols that models are spoken to with: what is sent, and what the answer means. Pure.

mod anthropic;
mod ollama;
mod openai;
mod responses;
pub mod stream;

use serde_json::{Map, Value, json};

use super::{Answer, Prompt, Stop};
use crate::code;
use crate::failure::{Failure, FailureKind};

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Chat Completions of OpenAI, and everything that is compatible with it.
    OpenAi,
    /// Responses of OpenAI.
    OpenAiResponses,
    /// Messages of Anthropic.
    Anthropic,
    /// The chat of Ollama.
    Ollama,
}

impl Dialect {
    /// Every protocol.
    pub const ALL: [Self; 4] = [
        Self::OpenAi,
        Self::OpenAiResponses,
        Self::Anthropic,
        Self::Ollama,
    ];

    /// Its word in config.yml.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::OpenAiResponses => "openai_responses",
            Self::Anthropic => "anthropic",
            Self::Ollama => "ollama",
        }
    }

    /// Where the provider itself listens.
    #[must_use]
    pub fn usual_base_url(self) -> &'static str {
        match self {
            Self::OpenAi | Self::OpenAiResponses => "https://api.openai.com/v1",
            Self::Anthropic => "https://api.anthropic.com/v1",
            Self::Ollama => "http://127.0.0.1:11434",
        }
    }

    /// What stands behind the base address.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::OpenAi => "/chat/completions",
            Self::OpenAiResponses => "/responses",
            Self::Anthropic => "/messages",
            Self::Ollama => "/api/chat",
        }
    }

    /// Where the list of its models is, behind the base address.
    #[must_use]
    pub fn models(self) -> &'static str {
        match self {
            Self::OpenAi | Self::OpenAiResponses | Self::Anthropic => "/models",
            Self::Ollama => "/api/tags",
        }
    }

    /// The header fields of a request.
    #[must_use]
    pub fn headers(self, key: Option<&str>) -> Vec<(String, String)> {
        let field = |name: &str, value: String| (name.to_owned(), value);
        let mut headers = vec![field("Content-Type", "application/json".to_owned())];
        match self {
            Self::Anthropic => {
                headers.push(field("anthropic-version", "2023-06-01".to_owned()));
                headers.extend(key.map(|key| field("x-api-key", key.to_owned())));
            }
            Self::OpenAi | Self::OpenAiResponses | Self::Ollama => {
                headers.extend(key.map(|key| field("Authorization", format!("Bearer {key}"))));
            }
        }
        headers
    }

    /// The body of a request.
    #[must_use]
    pub fn body(self, prompt: &Prompt, sampling: &Sampling<'_>) -> Value {
        let system = if sampling.structured {
            format!("{}\n\n{STRUCTURED}", prompt.system)
        } else {
            prompt.system.clone()
        };
        let body = match self {
            Self::OpenAi => openai::body(&system, &prompt.user, sampling),
            Self::OpenAiResponses => responses::body(&system, &prompt.user, sampling),
            Self::Anthropic => anthropic::body(&system, &prompt.user, sampling),
            Self::Ollama => ollama::body(&system, &prompt.user, sampling),
        };
        Value::Object(body)
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// It is no answer of this protocol.
    pub fn read(self, body: &[u8], structured: bool) -> Result<Answer, Failure> {
        let value: Value = serde_json::from_slice(body).map_err(|error| not_understood(&error))?;
        self.read_value(&value, structured)
    }

    fn read_value(self, value: &Value, structured: bool) -> Result<Answer, Failure> {
        let answer = match self {
            Self::OpenAi => openai::read(value),
            Self::OpenAiResponses => responses::read(value),
            Self::Anthropic => anthropic::read(value),
            Self::Ollama => ollama::read(value),
        };
        let mut answer = answer.ok_or_else(|| {
            let message = format!(
                "the answer is JSON, and none of the {} protocol",
                self.as_str()
            );
            invalid(message)
        })?;
        if structured && let Some(code) = code_of(&answer.text) {
            answer.text = code;
            answer.is_code = true;
        }
        Ok(answer)
    }
}

/// How a model is asked to answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling<'a> {
    /// The model.
    pub model: &'a str,
    /// How much chance; none = what the provider does by itself.
    pub temperature: Option<f64>,
    /// Most tokens of the answer.
    pub max_tokens: u32,
    /// How the protocol `openai` calls that.
    pub max_tokens_field: &'a str,
    /// What makes chance repeatable, where the provider knows it.
    pub seed: Option<u64>,
    /// Length of the context, for Ollama.
    pub num_ctx: u32,
    /// Whether the answer shall be JSON by a schema.
    pub structured: bool,
    /// Whether the answer shall come in pieces.
    pub stream: bool,
}

impl Sampling<'_> {
    /// What is recorded of it.
    #[must_use]
    pub fn to_json(&self, dialect: Dialect) -> Value {
        let mut told = Map::new();
        told.insert("max_tokens".to_owned(), json!(self.max_tokens));
        if let Some(temperature) = self.temperature {
            told.insert("temperature".to_owned(), json!(temperature));
        }
        if let Some(seed) = self.seed.filter(|_| takes_seed(dialect)) {
            told.insert("seed".to_owned(), json!(seed));
        }
        if dialect == Dialect::Ollama {
            told.insert("num_ctx".to_owned(), json!(self.num_ctx));
        }
        if self.structured {
            told.insert("structured".to_owned(), json!(true));
        }
        Value::Object(told)
    }
}

/// Whether the protocol has a seed.
#[must_use]
pub fn takes_seed(dialect: Dialect) -> bool {
    match dialect {
        Dialect::OpenAi | Dialect::Ollama => true,
        Dialect::OpenAiResponses | Dialect::Anthropic => false,
    }
}

const STRUCTURED: &str =
    "Instead of a fenced block, answer with JSON that has the code under the key `code`.";

/// The schema of a structured answer.
fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {"code": {"type": "string"}},
        "required": ["code"],
        "additionalProperties": false,
    })
}

fn code_of(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text.trim()).ok()?;
    value.get("code")?.as_str().map(str::to_owned)
}

fn not_understood(error: &serde_json::Error) -> Failure {
    invalid(format!(
        "the answer is no JSON, or not all of it came: {error}"
    ))
}

/// Something came between, or broke off: trying again may help.
fn invalid(message: String) -> Failure {
    Failure::new(
        FailureKind::Infrastructure,
        code::GENERATOR_ANSWER_INVALID,
        message,
    )
}

fn text(value: &Value, at: &str) -> Option<String> {
    value.pointer(at)?.as_str().map(str::to_owned)
}

fn count(value: &Value, at: &str) -> Option<u64> {
    value.pointer(at)?.as_u64()
}

/// Inserts where there is something to insert.
fn put(body: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        body.insert(key.to_owned(), value);
    }
}

/// The word of a protocol for why an answer ended, where it is not the usual end.
fn stop(word: &str, complete: &[&str], length: &[&str], refused: &[&str]) -> Stop {
    if complete.contains(&word) {
        Stop::End
    } else if length.contains(&word) {
        Stop::Length
    } else if refused.contains(&word) {
        Stop::Refused(word.to_owned())
    } else {
        Stop::Other(word.to_owned())
    }
}

/// The names in a list of models.
#[must_use]
pub fn models(list: &Value) -> Vec<String> {
    let rows = ["data", "models"]
        .iter()
        .filter_map(|key| list.get(key)?.as_array());
    let names = rows.flatten().filter_map(|row| {
        let name = ["id", "model", "name"].iter().find_map(|key| row.get(key));
        name?.as_str().map(str::to_owned)
    });
    names.collect()
}
