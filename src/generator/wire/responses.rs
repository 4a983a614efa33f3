//! Responses.

use serde_json::{Map, Value, json};

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
    body
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
