//! A notebook as one page that opens anywhere: no network, no script, no Python.
//!
//! Everything in a notebook may come from somebody's code. Text is escaped; tables are rebuilt from known elements; any
//! other HTML is shown in a frame that runs nothing, loads nothing and reaches nothing. The page has a policy that says
//! the same once more: no script at all.

mod markdown;
mod safe;

use serde_json::Value;

use super::cell::role;
use super::text;

/// Everything that the page looks like.
const STYLE: &str = include_str!("style.css");
/// Height of a frame for each line of its source, and the most, in pixels.
const FRAME_LINE: usize = 18;
const FRAME_MAX: usize = 600;

/// The page of a notebook.
#[must_use]
pub fn page(notebook: &Value, title: &str) -> String {
    let cells = notebook.get("cells").and_then(Value::as_array);
    let body: String = cells.into_iter().flatten().map(cell).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n\
         </head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        text::html(&text::clipped(title, 200))
    )
}

fn cell(cell: &Value) -> String {
    let source = joined(cell.get("source"));
    match cell.get("cell_type").and_then(Value::as_str) {
        Some("markdown") => format!(
            "<section class=\"text\">\n{}</section>\n",
            markdown::html(&source)
        ),
        Some("code") => code(cell, &source),
        _ => format!(
            "<section class=\"text\"><pre>{}</pre></section>\n",
            text::html(&source)
        ),
    }
}

fn code(cell: &Value, source: &str) -> String {
    let count = cell.get("execution_count").and_then(Value::as_u64);
    let outputs = cell.get("outputs").and_then(Value::as_array);
    let outputs: String = outputs.into_iter().flatten().map(output).collect();
    let number = count.map_or_else(|| " ".to_owned(), |count| count.to_string());
    let shown = format!(
        "<pre class=\"code\"><code>{}</code></pre>",
        text::html(source.trim_end())
    );
    let source = if matches!(role(cell), "helper" | "surroundings") {
        format!("<details><summary>what lets this notebook run again</summary>{shown}</details>")
    } else {
        shown
    };
    format!(
        "<section class=\"cell\"><div class=\"count\">{number}</div><div class=\"inside\">{source}\n{outputs}</div></section>\n"
    )
}

fn output(output: &Value) -> String {
    let get = |key: &str| joined(output.get(key));
    match output.get("output_type").and_then(Value::as_str) {
        Some("stream") => {
            let name = if get("name") == "stderr" {
                "stderr"
            } else {
                "stdout"
            };
            format!(
                "<pre class=\"{name}\">{}</pre>\n",
                text::html(&plain(&get("text")))
            )
        }
        Some("error") => {
            let frames = output.get("traceback").and_then(Value::as_array);
            let frames: Vec<&str> = frames
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let told = plain(&frames.join("\n"));
            format!("<pre class=\"error\">{}</pre>\n", text::html(&told))
        }
        Some("display_data" | "execute_result") => data(output.get("data").unwrap_or(&Value::Null)),
        _ => String::new(),
    }
}

/// A value in the best of its forms.
fn data(data: &Value) -> String {
    let get = |kind: &str| data.get(kind).map(|value| joined(Some(value)));
    let alt = get("text/plain").unwrap_or_default();
    for kind in ["image/png", "image/jpeg", "image/gif"] {
        if let Some(base64) = get(kind) {
            return picture(kind, &base64, &alt);
        }
    }
    if let Some(svg) = get("image/svg+xml") {
        use base64::Engine as _;
        // As an image, a drawing can neither run scripts nor load anything.
        let source = base64::engine::general_purpose::STANDARD.encode(svg);
        return picture("image/svg+xml", &source, &alt);
    }
    if let Some(html) = get("text/html") {
        return safe::rebuilt(&html).map_or_else(
            || frame(&html),
            |table| format!("<div class=\"rich\">{table}</div>\n"),
        );
    }
    if let Some(text) = get("text/markdown") {
        return format!("<div class=\"text\">{}</div>\n", markdown::html(&text));
    }
    format!("<pre class=\"value\">{}</pre>\n", text::html(&plain(&alt)))
}

fn picture(kind: &str, base64: &str, alt: &str) -> String {
    let source: String = base64
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='))
        .collect();
    let alt = text::html(&text::clipped(alt, 200)).replace('\n', " ");
    format!(
        "<figure><img alt=\"{alt}\" src=\"data:{kind};base64,{source}\"><figcaption>{alt}</figcaption></figure>\n"
    )
}

/// HTML of unknown kind, in a frame that runs nothing, loads nothing and reaches nothing.
fn frame(html: &str) -> String {
    const POLICY: &str = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">";
    let inside = text::html(&format!("{POLICY}{html}"));
    let height = (html.lines().count() * FRAME_LINE).clamp(120, FRAME_MAX);
    format!(
        "<iframe sandbox=\"\" title=\"output\" style=\"height:{height}px\" srcdoc=\"{inside}\"></iframe>\n"
    )
}

/// Text as nbformat keeps it: one text or lines.
fn joined(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(lines)) => lines.iter().filter_map(Value::as_str).collect(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {
            String::new()
        }
    }
}

/// Text without the codes that colour terminals.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        out.push_str(before);
        let codes = after.strip_prefix('[').unwrap_or(after);
        let end = codes
            .find(|c: char| c.is_ascii_alphabetic())
            .map_or(codes.len(), |at| at + 1);
        rest = codes.get(end..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests;
