//! Chat Completions.

use serde_json::{Map, Value, json};

use super::stream::Gathered;
use super::{Sampling, count, put, schema, stop, text};
use crate::generator::{Answer, Stop};

pub(super) fn body(system: &str, user: &str, sampling: &Sampling<'_>) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(sampling.model));
    let messages = json!([
        {"role": "system", "content": system},
        {"role": "user", "content": user},
    ]);
    body.insert("messages".to_owned(), messages);
    body.insert(
        sampling.max_tokens_field.to_owned(),
        json!(sampling.max_tokens),
    );
    // Some models refuse the field, so nothing is said unless somebody said something.
    put(
        &mut body,
        "temperature",
        sampling.temperature.map(|t| json!(t)),
    );
    put(&mut body, "seed", sampling.seed.map(|seed| json!(seed)));
    if sampling.structured {
        let schema = json!({"name": "code", "strict": true, "schema": schema()});
        body.insert(
            "response_format".to_owned(),
            json!({"type": "json_schema", "json_schema": schema}),
        );
    }
    if sampling.stream {
        body.insert("stream".to_owned(), json!(true));
        // Without it a stream says nothing of its tokens.
        body.insert("stream_options".to_owned(), json!({"include_usage": true}));
    }
    body
}

/// A piece of a stream.
pub(super) fn gather(gathered: &mut Gathered, message: &Value) {
    gathered.keep(message, &["id", "model"]);
    gathered.usage(message.get("usage"));
    let Some(choice) = message.pointer("/choices/0") else {
        return;
    };
    if let Some(delta) = choice.get("delta") {
        gathered.write(delta.get("content"));
        gathered.think(delta.get("reasoning_content").or(delta.get("reasoning")));
        gathered.refusal += &text(delta, "/refusal").unwrap_or_default();
    }
    gathered.finish = text(choice, "/finish_reason").or(gathered.finish.take());
}

/// What the pieces are together.
pub(super) fn whole(gathered: Gathered) -> Value {
    let mut whole = gathered.fields;
    let message = json!({"content": gathered.text, "refusal": gathered.refusal});
    let choice = json!({"message": message, "finish_reason": gathered.finish});
    whole.insert("choices".to_owned(), json!([choice]));
    Value::Object(whole)
}

pub(super) fn read(value: &Value) -> Option<Answer> {
    let message = value.pointer("/choices/0/message")?;
    // `reasoning_content` and its kind are never looked at.
    let refusal = text(message, "/refusal").filter(|refusal| !refusal.is_empty());
    let word = text(value, "/choices/0/finish_reason").unwrap_or_else(|| "stop".to_owned());
    let ended = stop(&word, &["stop"], &["length"], &["content_filter"]);
    Some(Answer {
        text: text(message, "/content").unwrap_or_default(),
        stop: refusal.map_or(ended, Stop::Refused),
        model: text(value, "/model"),
        input_tokens: count(value, "/usage/prompt_tokens"),
        output_tokens: count(value, "/usage/completion_tokens"),
        cached_tokens: count(value, "/usage/prompt_tokens_details/cached_tokens"),
        reasoning_tokens: count(value, "/usage/completion_tokens_details/reasoning_tokens"),
        request_id: text(value, "/id"),
        ..Answer::default()
    })
}
