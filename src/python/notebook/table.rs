//! JSON values as tables for people: HTML in outputs, Markdown in the notebook of a run.

use serde_json::{Map, Value};

use super::text;

/// Rows shown of a list or a map.
const ROWS_MAX: usize = 50;
/// Columns shown of a list of maps.
const COLUMNS_MAX: usize = 12;
/// Longest value shown in a cell, in bytes.
const CELL_BYTES_MAX: usize = 200;
/// Items of a list that are shown in a cell.
const ITEMS_MAX: usize = 6;

/// A value as an HTML table: maps by key, lists of maps by row, anything else as text.
pub(super) fn html(value: &Value) -> String {
    match value {
        Value::Object(map) if !map.is_empty() => by_key(map),
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_object) => {
            by_row(items)
        }
        Value::Object(_)
        | Value::Array(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_) => format!("<pre>{}</pre>", text::html(&short(value))),
    }
}

fn by_key(map: &Map<String, Value>) -> String {
    let rows: String = map
        .iter()
        .take(ROWS_MAX)
        .map(|(key, value)| {
            format!(
                "<tr><th>{}</th><td>{}</td></tr>\n",
                text::html(&text::clipped(key, CELL_BYTES_MAX)),
                text::html(&short(value))
            )
        })
        .collect();
    format!("<table>\n{rows}</table>{}", more(map.len()))
}

fn by_row(items: &[Value]) -> String {
    let mut columns: Vec<&str> = Vec::new();
    for key in items
        .iter()
        .take(ROWS_MAX)
        .filter_map(Value::as_object)
        .flat_map(Map::keys)
    {
        if columns.len() < COLUMNS_MAX && !columns.contains(&key.as_str()) {
            columns.push(key);
        }
    }
    let cells = |tag: &str, texts: Vec<String>| -> String {
        let cells: String = texts
            .iter()
            .map(|cell| format!("<{tag}>{}</{tag}>", text::html(cell)))
            .collect();
        format!("<tr>{cells}</tr>\n")
    };
    let header = cells(
        "th",
        columns
            .iter()
            .map(|name| text::clipped(name, CELL_BYTES_MAX))
            .collect(),
    );
    let rows: String = items
        .iter()
        .take(ROWS_MAX)
        .map(|row| {
            let texts = columns
                .iter()
                .map(|name| row.get(name).map(short).unwrap_or_default());
            cells("td", texts.collect())
        })
        .collect();
    format!("<table>\n{header}{rows}</table>{}", more(items.len()))
}

fn more(count: usize) -> String {
    match count.saturating_sub(ROWS_MAX) {
        0 => String::new(),
        hidden => format!("<p>and {hidden} more</p>"),
    }
}

/// A map as a Markdown table of names and values; empty when there is nothing to show.
pub(super) fn markdown(value: &Value) -> String {
    if value.is_null() {
        return String::new();
    }
    let Value::Object(map) = value else {
        return text::markdown_code(&short(value));
    };
    if map.is_empty() {
        return String::new();
    }
    let mut out = "| name | value |\n|---|---|\n".to_owned();
    for (key, value) in map.iter().take(ROWS_MAX) {
        let key = text::markdown(&text::clipped(key, CELL_BYTES_MAX));
        let value = text::markdown_code(&short(value));
        out.push_str(&format!("| {key} | {value} |\n"));
    }
    let hidden = map.len().saturating_sub(ROWS_MAX);
    if hidden > 0 {
        out.push_str(&format!("\nand {hidden} more\n"));
    }
    out
}

/// One value within the width of a cell.
fn short(value: &Value) -> String {
    let full = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.len() > 2 * ITEMS_MAX => {
            let shown: Vec<String> = items
                .iter()
                .take(ITEMS_MAX)
                .map(|item| text::clipped(&item.to_string(), CELL_BYTES_MAX / ITEMS_MAX))
                .collect();
            return format!("[{}, …] ({} items)", shown.join(", "), items.len());
        }
        Value::Array(_) | Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {
            value.to_string()
        }
    };
    text::clipped(&full, CELL_BYTES_MAX)
}
