//! Messages.

use serde_json::{Map, Value, json};

use super::stream::Gathered;
use super::{Sampling, count, put, schema, stop, text};
use crate::generator::Answer;

pub(super) fn body(system: &str, user: &str, sampling: &Sampling<'_>) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(sampling.model));
    body.insert("max_tokens".to_owned(), json!(sampling.max_tokens));
    body.insert("system".to_owned(), json!(system));
    body.insert(
        "messages".to_owned(),
        json!([{"role": "user", "content": user}]),
    );
    put(
        &mut body,
        "temperature",
        sampling.temperature.map(|t| json!(t)),
    );
    if sampling.structured {
        let format = json!({"type": "json_schema", "schema": schema()});
        body.insert("output_config".to_owned(), json!({"format": format}));
    }
    if sampling.stream {
        body.insert("stream".to_owned(), json!(true));
    }
    body
}

/// A piece of a stream.
pub(super) fn gather(gathered: &mut Gathered, message: &Value) {
    let kind = text(message, "/type").unwrap_or_default();
    match kind.as_str() {
        "message_start" => {
            let begun = message.get("message").unwrap_or(message);
            gathered.keep(begun, &["id", "model"]);
            gathered.usage(begun.get("usage"));
        }
        "content_block_start" => gathered.write(message.pointer("/content_block/text")),
        "content_block_delta" => {
            gathered.write(message.pointer("/delta/text"));
            gathered.think(message.pointer("/delta/thinking"));
        }
        "message_delta" => {
            let word = text(message, "/delta/stop_reason");
            gathered.finish = word.or(gathered.finish.take());
            gathered.usage(message.get("usage"));
        }
        "message_stop" => gathered.over = true,
        _ => {}
    }
}

/// What the pieces are together.
pub(super) fn whole(gathered: Gathered) -> Value {
    let mut whole = gathered.fields;
    let content = json!([{"type": "text", "text": gathered.text}]);
    whole.insert("content".to_owned(), content);
    whole.insert("stop_reason".to_owned(), json!(gathered.finish));
    Value::Object(whole)
}

pub(super) fn read(value: &Value) -> Option<Answer> {
    let blocks = value.get("content")?.as_array()?;
    // Blocks of thinking, and of tools, are never looked at.
    let texts = blocks
        .iter()
        .filter(|block| block.get("type").and_then(Value::as_str) == Some("text"));
    let written: String = texts.filter_map(|block| text(block, "/text")).collect();
    let word = text(value, "/stop_reason").unwrap_or_else(|| "end_turn".to_owned());
    let ended = stop(
        &word,
        &["end_turn", "stop_sequence"],
        &["max_tokens", "model_context_window_exceeded"],
        &["refusal"],
    );
    let cached = count(value, "/usage/cache_read_input_tokens");
    let stored = count(value, "/usage/cache_creation_input_tokens");
    // Here those of the cache are not among the ones that were read.
    let input = count(value, "/usage/input_tokens")
        .map(|read| read.saturating_add(cached.unwrap_or(0)))
        .map(|read| read.saturating_add(stored.unwrap_or(0)));
    Some(Answer {
        text: written,
        stop: ended,
        model: text(value, "/model"),
        input_tokens: input,
        output_tokens: count(value, "/usage/output_tokens"),
        cached_tokens: cached,
        request_id: text(value, "/id"),
        ..Answer::default()
    })
}
