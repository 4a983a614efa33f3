//! One event on one line: place, time, cause, name, and the facts that people look for.

use serde_json::Value;

use super::text::{cut, dim, line};
use crate::run::{Event, Record, Recorded};

/// Longest fact, in characters.
const FACT_CHARS_MAX: usize = 100;

/// Where the facts stand in the bodies of events, in the order in which they are shown.
const FACTS: &[&str] = &[
    "/step",
    "/attempt",
    "/steps",
    "/resumed",
    "/changes",
    "/workflow",
    "/kind",
    "/about",
    "/occasion",
    "/channel",
    "/status",
    "/arm",
    "/decision/verdict",
    "/effect",
    "/approval",
    "/answer",
    "/person",
    "/outcome",
    "/by",
    "/title",
    "/comment",
    "/reason",
    "/why",
    "/failure/code",
    "/failure/message",
    "/evidence",
    "/at",
    "/delay_ms",
    "/seconds",
    "/outputs",
];

/// The body of a record as JSON; damaged bodies are shown as text.
pub(in crate::cli) fn body(record: &Record) -> Value {
    serde_json::from_slice(&record.content.body)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&record.content.body)))
}

/// The name of a record's kind; a newer one has only its number.
pub(in crate::cli) fn name(record: &Record) -> String {
    match Event::kind_name(record.content.kind) {
        "Unknown" => format!(
            "kind {} version {}",
            record.content.kind, record.content.version
        ),
        known => known.to_owned(),
    }
}

/// The line of a record; `width` is that of the largest place.
pub(in crate::cli) fn row(record: &Record, width: usize) -> String {
    let body = body(record);
    let facts: Vec<String> = FACTS
        .iter()
        .filter_map(|at| Some((at, body.pointer(at)?)))
        .filter_map(fact)
        .chain(cache_told(record))
        .collect();
    let clock: String = record
        .content
        .time
        .to_string()
        .chars()
        .skip(11)
        .take(12)
        .collect();
    format!(
        "{:>width$}  {}  {}  {}  {}",
        record.seq,
        dim(&clock),
        line(&record.content.actor.to_string()),
        name(record),
        facts.join("  ")
    )
    .trim_end()
    .to_owned()
}

/// What the cache had for a step, in words.
fn cache_told(record: &Record) -> Option<String> {
    let recorded = Recorded::from_record(record).ok()?;
    if let Event::StepReused(reused) = recorded.event {
        return Some(reused.told());
    }
    if let Event::CacheMissed(missed) = recorded.event {
        return Some(missed.reason.told());
    }
    None
}

fn fact((at, value): (&&str, &Value)) -> Option<String> {
    let label = at.rsplit('/').next().unwrap_or_default();
    let text = match value {
        Value::Null => return None,
        Value::Object(map) if map.is_empty() => return None,
        // Why the cache had nothing; it has words of its own.
        Value::Object(_) if label == "reason" => return None,
        Value::String(text) => cut(&line(text), FACT_CHARS_MAX),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            cut(&line(&value.to_string()), FACT_CHARS_MAX)
        }
    };
    Some(if label == "step" {
        text
    } else {
        format!("{label}={text}")
    })
}
