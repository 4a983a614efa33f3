//! What an attempt printed, raised and left, as notebook outputs.

use serde_json::{Map, Value, json};

use super::cell::lines;
use super::parameters::json_text;
use super::{table, text};
use crate::failure::Failure;

/// Printed text beyond these two is cut out of the middle, in bytes.
const STREAM_HEAD_BYTES_MAX: usize = 48 * 1024;
const STREAM_TAIL_BYTES_MAX: usize = 16 * 1024;
/// Longest traceback shown, in bytes of its end.
const TRACEBACK_BYTES_MAX: usize = 64 * 1024;
/// Results up to this size are kept whole, in bytes of JSON.
const RESULTS_BYTES_MAX: usize = 256 * 1024;
/// Longest plain text of the results, in bytes.
const RESULTS_PLAIN_BYTES_MAX: usize = 8 * 1024;

/// A stream as an output, `name` being `stdout` or `stderr`; nothing when nothing was printed.
pub(super) fn stream(name: &'static str, printed: &str, truncated: bool) -> Option<Value> {
    if printed.is_empty() {
        return None;
    }
    let mut shown = if printed.len() > STREAM_HEAD_BYTES_MAX + STREAM_TAIL_BYTES_MAX {
        let head = text::head(printed, STREAM_HEAD_BYTES_MAX);
        let tail = text::tail(printed, STREAM_TAIL_BYTES_MAX);
        format!("{head}\n… truncated, full text in {name}.log …\n{tail}")
    } else {
        printed.to_owned()
    };
    if truncated {
        if !shown.ends_with('\n') {
            shown.push('\n');
        }
        shown.push_str(&format!(
            "… truncated, {name}.log holds all that was kept\n"
        ));
    }
    Some(json!({"name": name, "output_type": "stream", "text": lines(&shown)}))
}

/// The user's own traceback as an output; nothing for failures that have none.
pub(super) fn error(failure: &Failure) -> Option<Value> {
    let traceback = failure.traceback.as_deref()?;
    let shown = text::tail(traceback, TRACEBACK_BYTES_MAX);
    let (name, message) =
        exception(shown).unwrap_or((failure.code.as_str(), failure.message.as_str()));
    let mut frames: Vec<&str> = shown.lines().collect();
    if shown.len() < traceback.len() {
        frames.insert(0, "… truncated, full text in stderr.log");
    }
    Some(json!({
        "ename": name,
        "evalue": message,
        "output_type": "error",
        "traceback": frames,
    }))
}

/// Name and message of the exception that ends a traceback: the first line that starts at the margin after
/// the last frame.
fn exception(traceback: &str) -> Option<(&str, &str)> {
    let lines: Vec<&str> = traceback.lines().collect();
    let last_frame = lines.iter().rposition(|line| line.starts_with("  File "))?;
    let line = lines
        .iter()
        .skip(last_frame + 1)
        .find(|line| line.starts_with(|c: char| c.is_alphabetic() || c == '_'))?;
    Some(line.split_once(": ").unwrap_or((line, "")))
}

/// The results as the value of a cell: as JSON, as a table and as text.
pub(super) fn results(results: &Value, count: usize) -> Value {
    let full = json_text(results);
    let mut data = Map::new();
    if full.len() <= RESULTS_BYTES_MAX {
        data.insert("application/json".to_owned(), results.clone());
    }
    let html = table::html(results);
    data.insert("text/html".to_owned(), json!(lines(&html)));
    let plain = if full.len() > RESULTS_PLAIN_BYTES_MAX {
        let head = text::head(&full, RESULTS_PLAIN_BYTES_MAX);
        format!("{head}\n… truncated, full text in results.json")
    } else {
        full
    };
    data.insert("text/plain".to_owned(), json!(lines(&plain)));
    json!({
        "data": data,
        "execution_count": count,
        "metadata": {},
        "output_type": "execute_result",
    })
}
