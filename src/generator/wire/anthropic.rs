//! Messages.

use serde_json::{Map, Value, json};

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
    body
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
        .map(|read| read + cached.unwrap_or(0) + stored.unwrap_or(0));
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
