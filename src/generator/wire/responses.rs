//! Responses.

use serde_json::{Map, Value, json};

use super::stream::Gathered;
use super::{Sampling, count, put, schema, text};
use crate::generator::{Answer, Stop};

pub(super) fn body(system: &str, user: &str, sampling: &Sampling<'_>) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(sampling.model));
    body.insert("instructions".to_owned(), json!(system));
    body.insert("input".to_owned(), json!(user));
    body.insert("max_output_tokens".to_owned(), json!(sampling.max_tokens));
    // What was asked belongs to us: the provider need not keep it.
    body.insert("store".to_owned(), json!(false));
    put(
        &mut body,
        "temperature",
        sampling.temperature.map(|t| json!(t)),
    );
    if sampling.structured {
        let format =
            json!({"type": "json_schema", "name": "code", "strict": true, "schema": schema()});
        body.insert("text".to_owned(), json!({"format": format}));
    }
    if sampling.stream {
        body.insert("stream".to_owned(), json!(true));
    }
    body
}

/// A piece of a stream. Its last one says everything once more.
pub(super) fn gather(gathered: &mut Gathered, mut message: Value) {
    let kind = text(&message, "/type").unwrap_or_default();
    match kind.as_str() {
        "response.output_text.delta" => gathered.write(message.get("delta")),
        "response.output_item.done" => gathered.items.extend(taken(&mut message, "item")),
        "response.completed" | "response.incomplete" => {
            gathered.last = taken(&mut message, "response");
            gathered.over = true;
        }
        other if other.starts_with("response.reasoning") && other.ends_with(".delta") => {
            gathered.think(message.get("delta"));
        }
        _ => {}
    }
}

fn taken(message: &mut Value, key: &str) -> Option<Value> {
    message.get_mut(key).map(Value::take)
}

/// What the pieces are together.
pub(super) fn whole(gathered: Gathered) -> Value {
    let mut whole = gathered.last.unwrap_or_default();
    let says_all = whole
        .get("output")
        .and_then(Value::as_array)
        .is_some_and(|items| !items.is_empty());
    if let Some(fields) = whole.as_object_mut().filter(|_| !says_all) {
        // Some gateways leave the output out of the last message.
        let output = if gathered.items.is_empty() {
            let content = json!([{"type": "output_text", "text": gathered.text}]);
            json!([{"type": "message", "content": content}])
        } else {
            Value::Array(gathered.items)
        };
        fields.insert("output".to_owned(), output);
    }
    whole
}

pub(super) fn read(value: &Value) -> Option<Answer> {
    let items = value.get("output")?.as_array()?;
    let mut written = String::new();
    let mut refusal = None;
    // Items of the type `reasoning` are never looked at.
    let messages = items.iter().filter(|item| is_of(item, "message"));
    for part in messages
        .filter_map(|item| item.get("content")?.as_array())
        .flatten()
    {
        if is_of(part, "output_text") {
            written.push_str(&text(part, "/text").unwrap_or_default());
        } else if is_of(part, "refusal") {
            refusal = text(part, "/refusal").or(refusal);
        }
    }
    let status = text(value, "/status").unwrap_or_default();
    let why = text(value, "/incomplete_details/reason").unwrap_or_default();
    let ended = match (refusal, status.as_str(), why.as_str()) {
        (Some(refusal), _, _) => Stop::Refused(refusal),
        (None, "incomplete", "content_filter") => Stop::Refused(why),
        (None, "incomplete", _) => Stop::Length,
        (None, "completed" | "", _) => Stop::End,
        (None, other, _) => Stop::Other(other.to_owned()),
    };
    Some(Answer {
        text: written,
        stop: ended,
        model: text(value, "/model"),
        input_tokens: count(value, "/usage/input_tokens"),
        output_tokens: count(value, "/usage/output_tokens"),
        cached_tokens: count(value, "/usage/input_tokens_details/cached_tokens"),
        reasoning_tokens: count(value, "/usage/output_tokens_details/reasoning_tokens"),
        request_id: text(value, "/id"),
        ..Answer::default()
    })
}

fn is_of(item: &Value, word: &str) -> bool {
    item.get("type").and_then(Value::as_str) == Some(word)
}
