//! The chat of Ollama.

use serde_json::{Map, Value, json};

use super::stream::Gathered;
use super::{Sampling, count, put, schema, stop, text};
use crate::generator::Answer;

pub(super) fn body(system: &str, user: &str, sampling: &Sampling<'_>) -> Map<String, Value> {
    let mut options = Map::new();
    // Without it a longer prompt is cut, and nobody hears of it.
    options.insert("num_ctx".to_owned(), json!(sampling.num_ctx));
    options.insert("num_predict".to_owned(), json!(sampling.max_tokens));
    put(
        &mut options,
        "temperature",
        sampling.temperature.map(|t| json!(t)),
    );
    put(&mut options, "seed", sampling.seed.map(|seed| json!(seed)));
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(sampling.model));
    let messages = json!([
        {"role": "system", "content": system},
        {"role": "user", "content": user},
    ]);
    body.insert("messages".to_owned(), messages);
    // It streams unless it is told not to.
    body.insert("stream".to_owned(), json!(sampling.stream));
    body.insert("options".to_owned(), Value::Object(options));
    if sampling.structured {
        body.insert("format".to_owned(), schema());
    }
    body
}

/// A piece of a stream: one line.
pub(super) fn gather(gathered: &mut Gathered, mut message: Value) {
    gathered.keep(&message, &["model"]);
    gathered.write(message.pointer("/message/content"));
    gathered.think(message.pointer("/message/thinking"));
    if message.get("done").and_then(Value::as_bool) == Some(true) {
        if let Some(fields) = message.as_object_mut() {
            fields.insert("message".to_owned(), json!({"content": gathered.text}));
        }
        gathered.last = Some(message);
        gathered.over = true;
    }
}

/// What the pieces are together.
pub(super) fn whole(gathered: Gathered) -> Value {
    gathered.last.unwrap_or_default()
}

pub(super) fn read(value: &Value) -> Option<Answer> {
    let message = value.get("message")?;
    let word = text(value, "/done_reason").unwrap_or_else(|| "stop".to_owned());
    Some(Answer {
        // `thinking` is never looked at.
        text: text(message, "/content").unwrap_or_default(),
        stop: stop(&word, &["stop"], &["length"], &[]),
        model: text(value, "/model"),
        input_tokens: count(value, "/prompt_eval_count"),
        output_tokens: count(value, "/eval_count"),
        ..Answer::default()
    })
}
