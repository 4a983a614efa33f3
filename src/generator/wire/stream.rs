//! Answers that come in pieces: server-sent events, and JSON line by line. Pure.
//!
//! The pieces are put together into the shape of a whole answer, which is then read as one that came at once. An answer
//! is whole when the protocol says so, never because nothing more came.

use std::ops::ControlFlow;

use serde_json::{Map, Value};

use super::{Dialect, anthropic, invalid, ollama, openai, responses};
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::generator::{Answer, Written, fault};

/// Longest line of a stream, in bytes.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What begins a stream may have, and is no part of it.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// An answer while it comes.
#[derive(Debug)]
pub struct Stream {
    dialect: Dialect,
    shape: Shape,
    /// The line that has not ended.
    line: Vec<u8>,
    /// Whether the last byte was a carriage return: a line feed behind it ends no second line.
    after_return: bool,
    /// The data of the event that has not ended.
    data: Option<String>,
    gathered: Gathered,
    fault: Option<Fault>,
}

/// In which form the answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Nothing has come.
    Unknown,
    /// Events, or lines.
    Pieces,
    /// At once, although pieces were asked for.
    Whole,
}

/// Why there will be no answer.
#[derive(Debug)]
enum Fault {
    /// The other side says so, in these words.
    Said(Value),
    /// What came is not of the protocol.
    Invalid(String),
}

/// What has come so far.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// The text, without reasoning.
    pub(super) text: String,
    /// The words of a refusal.
    pub(super) refusal: String,
    /// How much that is. The text of reasoning is never looked at.
    written: Written,
    /// The word for why it ended.
    pub(super) finish: Option<String>,
    /// What is said once: id, model, usage.
    pub(super) fields: Map<String, Value>,
    /// Parts that came whole.
    pub(super) items: Vec<Value>,
    /// The last message, where that one says everything once more.
    pub(super) last: Option<Value>,
    /// Nothing more is to come.
    pub(super) over: bool,
}

impl Gathered {
    /// Keeps the first thing that is said of each.
    pub(super) fn keep(&mut self, message: &Value, keys: &[&str]) {
        for key in keys {
            if let Some(value) = message.get(key).filter(|value| !value.is_null()) {
                self.fields
                    .entry((*key).to_owned())
                    .or_insert_with(|| value.clone());
            }
        }
    }

    /// What is said of the usage, later words over earlier ones.
    pub(super) fn usage(&mut self, usage: Option<&Value>) {
        let Some(said) = usage.and_then(Value::as_object) else {
            return;
        };
        let known = self
            .fields
            .entry("usage")
            .or_insert_with(|| Map::new().into());
        if let Some(known) = known.as_object_mut() {
            let said = said.iter().filter(|(_, value)| !value.is_null());
            known.extend(said.map(|(key, value)| (key.clone(), value.clone())));
        }
    }

    /// Text that was added.
    pub(super) fn write(&mut self, text: Option<&Value>) {
        let text = text.and_then(Value::as_str).unwrap_or_default();
        let ends = text.bytes().filter(|byte| *byte == b'\n').count();
        let begins = self.text.is_empty() && !text.is_empty();
        self.text.push_str(text);
        self.written.chars += chars(text);
        self.written.bytes += size(text.len());
        self.written.lines += size(ends) + u64::from(begins);
    }

    /// Reasoning that was added.
    pub(super) fn think(&mut self, thought: Option<&Value>) {
        let thought = thought.and_then(Value::as_str).unwrap_or_default();
        self.written.thought_chars += chars(thought);
        self.written.bytes += size(thought.len());
    }
}

fn chars(text: &str) -> u64 {
    size(text.chars().count())
}

fn size(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

impl Stream {
    /// Nothing has come yet.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            shape: Shape::Unknown,
            line: Vec::new(),
            after_return: false,
            data: None,
            gathered: Gathered::default(),
            fault: None,
        }
    }

    /// How far it is.
    #[must_use]
    pub fn written(&self) -> Written {
        self.gathered.written
    }

    /// Takes what came next, cut wherever the network cut it. `Break`: nothing more is wanted.
    pub fn take(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        if self.shape == Shape::Unknown {
            self.line.extend_from_slice(bytes);
            if BOM.starts_with(&self.line) {
                return ControlFlow::Continue(());
            }
            let begun = std::mem::take(&mut self.line);
            let start = begun.strip_prefix(BOM).unwrap_or(&begun);
            let Some(first) = start.iter().find(|byte| !byte.is_ascii_whitespace()) else {
                return ControlFlow::Continue(());
            };
            let is_json = matches!(first, b'{' | b'[' | b'<');
            self.shape = match self.dialect {
                Dialect::Ollama => Shape::Pieces,
                Dialect::OpenAi | Dialect::OpenAiResponses | Dialect::Anthropic if is_json => {
                    Shape::Whole
                }
                Dialect::OpenAi | Dialect::OpenAiResponses | Dialect::Anthropic => Shape::Pieces,
            };
            return self.take_lines(start);
        }
        self.take_lines(bytes)
    }

    fn take_lines(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        for byte in bytes {
            if self.shape != Shape::Pieces {
                break;
            }
            match byte {
                b'\n' if self.after_return => self.after_return = false,
                b'\n' | b'\r' => {
                    self.after_return = *byte == b'\r';
                    self.end_line();
                }
                other => {
                    self.after_return = false;
                    self.line.push(*other);
                }
            }
            if self.line.len() > LINE_BYTES_MAX {
                let message = format!("a line of the answer is longer than {LINE_BYTES_MAX} bytes");
                self.fault = Some(Fault::Invalid(message));
            }
            if self.gathered.over || self.fault.is_some() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let Ok(line) = String::from_utf8(line) else {
            self.fault = Some(Fault::Invalid("the answer is no UTF-8".to_owned()));
            return;
        };
        match self.dialect {
            Dialect::Ollama => self.json_line(&line),
            Dialect::OpenAi | Dialect::OpenAiResponses | Dialect::Anthropic => {
                self.field_line(&line);
            }
        }
    }

    /// A line that is a message.
    fn json_line(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        match serde_json::from_str(line) {
            Ok(message) => self.message(message),
            // A whole answer may be indented over lines.
            Err(_) if self.gathered.fields.is_empty() => self.shape = Shape::Whole,
            Err(error) => self.not_json(&error),
        }
    }

    /// A line of an event: `data: …`, `event: …`, a comment, or its end.
    fn field_line(&mut self, line: &str) {
        if line.is_empty() {
            return self.end_event();
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            // Some servers say it so.
            "error" => {
                let said = serde_json::from_str(value);
                let said = said.unwrap_or_else(|_| Value::String(value.to_owned()));
                self.fault = Some(Fault::Said(said));
            }
            // A comment, which keeps the connection alive, or what the message says itself.
            _ => {}
        }
    }

    fn end_event(&mut self) {
        let Some(data) = self.data.take().filter(|data| !data.trim().is_empty()) else {
            return;
        };
        if data.trim() == "[DONE]" {
            self.gathered.over = true;
            return;
        }
        match serde_json::from_str(&data) {
            Ok(message) => self.message(message),
            Err(error) => self.not_json(&error),
        }
    }

    fn not_json(&mut self, error: &serde_json::Error) {
        self.fault = Some(Fault::Invalid(format!("a piece of it is no JSON: {error}")));
    }

    fn message(&mut self, message: Value) {
        if let Some(error) = error_of(&message) {
            self.fault = Some(Fault::Said(error.clone()));
            return;
        }
        let gathered = &mut self.gathered;
        match self.dialect {
            Dialect::OpenAi => openai::gather(gathered, &message),
            Dialect::OpenAiResponses => responses::gather(gathered, message),
            Dialect::Anthropic => anthropic::gather(gathered, &message),
            Dialect::Ollama => ollama::gather(gathered, message),
        }
    }

    /// Reads the answer when no more of it comes. `body` is what came, for one that came at once; `who` is the other
    /// side.
    ///
    /// # Errors
    /// Not all of it came, the other side says that it failed, or it is none of the protocol.
    pub fn finish(mut self, body: &[u8], structured: bool, who: &str) -> Result<Answer, Failure> {
        if self.shape == Shape::Pieces && !self.gathered.over && self.fault.is_none() {
            // The end of a stream ends its last line and event too, when they are complete.
            self.end_line();
            self.end_event();
            if matches!(self.fault, Some(Fault::Invalid(_))) {
                self.fault = None;
            }
        }
        match &self.fault {
            Some(Fault::Said(error)) => return Err(fault::said(error, who)),
            Some(Fault::Invalid(message)) => return Err(invalid(format!("{who}: {message}"))),
            None => {}
        }
        if self.shape != Shape::Pieces {
            return self.dialect.read(body, structured);
        }
        if !(self.gathered.over || self.gathered.finish.is_some()) {
            return Err(cut(self.written(), who));
        }
        let whole = match self.dialect {
            Dialect::OpenAi => openai::whole(self.gathered),
            Dialect::OpenAiResponses => responses::whole(self.gathered),
            Dialect::Anthropic => anthropic::whole(self.gathered),
            Dialect::Ollama => ollama::whole(self.gathered),
        };
        self.dialect.read_value(&whole, structured)
    }
}

/// What says that the other side failed in the middle of its answer.
fn error_of(message: &Value) -> Option<&Value> {
    let kind = message.get("type").and_then(Value::as_str);
    let error = message.get("error").filter(|error| !error.is_null());
    match kind {
        Some("error") => Some(error.unwrap_or(message)),
        Some("response.failed") => message.pointer("/response/error").or(Some(message)),
        Some(_) | None => error,
    }
}

/// The answer broke off. What came is thrown away: half an answer is none.
#[must_use]
pub fn cut(written: Written, who: &str) -> Failure {
    let after = if written == Written::default() {
        "before its first word".to_owned()
    } else {
        format!("after {written}")
    };
    let message = format!("the answer of {who} broke off {after}; nothing of it is taken");
    Failure::new(
        FailureKind::Infrastructure,
        code::GENERATOR_STREAM_CUT,
        message,
    )
}
