//! What a file is and what can be said of it at a glance. Somebody's code wrote it: every reading is bounded, and what
//! can't be read has no preview.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::disk::open_plain;

/// Bytes of the beginning that are looked at.
const HEAD_BYTES: usize = 64 << 10;
/// Largest table whose rows are counted, in bytes.
const COUNTED_BYTES_MAX: u64 = 64 << 20;
/// Largest document of which more than its beginning is read, in bytes.
const DOCUMENT_BYTES_MAX: u64 = 4 << 20;
/// Rows, columns and characters of a preview.
const ROWS_MAX: usize = 5;
const COLUMNS_MAX: usize = 12;
const CELL_CHARS_MAX: usize = 60;
const TEXT_CHARS_MAX: usize = 400;

/// The type of a file by its media type: `image`, `table`, `notebook`, `html`, `json` or `file`.
#[must_use]
pub fn kind(media_type: &str) -> &'static str {
    match media_type {
        "text/csv" | "text/tab-separated-values" | "application/vnd.apache.parquet" => "table",
        "application/x-ipynb+json" => "notebook",
        "text/html" => "html",
        "application/json" => "json",
        image if image.starts_with("image/") => "image",
        _ => "file",
    }
}

/// What can be said of the file: sizes of pictures, first rows of tables, the beginning of text.
#[must_use]
pub fn preview(path: &Path, media_type: &str) -> Option<Value> {
    let file = open_plain(path).ok()?;
    let bytes = file.metadata().ok()?.len();
    match media_type {
        "text/csv" => table(file, bytes, ','),
        "text/tab-separated-values" => table(file, bytes, '\t'),
        "application/json" => document(file, bytes),
        "application/x-ipynb+json" => notebook(file, bytes),
        "application/x-npy" => array(&head(file)?),
        "image/png" | "image/gif" | "image/jpeg" | "image/svg+xml" => {
            picture(&head(file)?, media_type)
        }
        text if text.starts_with("text/") => beginning(&head(file)?),
        _ => None,
    }
}

fn head(file: File) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    file.take(HEAD_BYTES as u64).read_to_end(&mut head).ok()?;
    Some(head)
}

fn cut(text: &str, chars_max: usize) -> String {
    let mut shown: String = text.chars().take(chars_max).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// The columns and the first rows; how many there are, when the file is not too long to count them.
fn table(file: File, bytes: u64, separator: char) -> Option<Value> {
    let mut lines = Vec::new();
    let mut reader = BufReader::new(file.take(COUNTED_BYTES_MAX));
    let mut count = 0_u64;
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).ok()? > 0 {
        if lines.len() <= ROWS_MAX {
            let whole = String::from_utf8_lossy(line.get(..line.len().min(HEAD_BYTES))?);
            lines.push(cells(whole.trim_end_matches(['\n', '\r']), separator));
        }
        count += 1;
        line.clear();
    }
    let mut rows = lines.into_iter();
    let columns = rows.next()?;
    let mut about = json!({"columns": columns, "rows": rows.collect::<Vec<_>>()});
    if bytes <= COUNTED_BYTES_MAX
        && let Some(fields) = about.as_object_mut()
    {
        fields.insert("row_count".to_owned(), json!(count.saturating_sub(1)));
    }
    Some(about)
}

/// The cells of a line. A cell over several lines ends with its first: it is a preview.
fn cells(line: &str, separator: char) -> Vec<String> {
    let (mut found, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c == separator && !quoted => {
                found.push(cut(&std::mem::take(&mut cell), CELL_CHARS_MAX));
            }
            c => cell.push(c),
        }
        if found.len() == COLUMNS_MAX {
            return found;
        }
    }
    found.push(cut(&cell, CELL_CHARS_MAX));
    found
}

fn parsed(file: File, bytes: u64) -> Option<Value> {
    (bytes <= DOCUMENT_BYTES_MAX).then(|| serde_json::from_reader(BufReader::new(file)).ok())?
}

fn document(file: File, bytes: u64) -> Option<Value> {
    let found = parsed(file, bytes)?;
    Some(match &found {
        Value::Object(map) => {
            let keys: Vec<String> = map
                .keys()
                .take(COLUMNS_MAX)
                .map(|key| cut(key, CELL_CHARS_MAX))
                .collect();
            json!({"keys": keys, "count": map.len()})
        }
        Value::Array(items) => {
            let first = items
                .first()
                .map(|item| cut(&item.to_string(), TEXT_CHARS_MAX));
            json!({"first": first, "count": items.len()})
        }
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            json!({"value": cut(&plain.to_string(), TEXT_CHARS_MAX)})
        }
    })
}

fn notebook(file: File, bytes: u64) -> Option<Value> {
    let found = parsed(file, bytes)?;
    let cells = found.get("cells")?.as_array()?;
    Some(json!({"cells": cells.len()}))
}

/// Shape and type of an array, from the header that numpy writes: a Python map as text.
fn array(head: &[u8]) -> Option<Value> {
    let head = head.strip_prefix(b"\x93NUMPY")?;
    let start = if *head.first()? == 1 { 4 } else { 6 };
    let text = String::from_utf8_lossy(head.get(start..)?);
    let text = text.split('\n').next()?;
    let after = |key: &str, from: char, to: char| {
        let rest = text.split_once(key)?.1.split_once(from)?.1;
        rest.split_once(to)
            .map(|(found, _)| cut(found, CELL_CHARS_MAX))
    };
    let shape: Vec<u64> = after("'shape':", '(', ')')?
        .split(',')
        .filter_map(|number| number.trim().parse().ok())
        .collect();
    Some(json!({"dtype": after("'descr':", '\'', '\'')?, "shape": shape}))
}

fn picture(head: &[u8], media_type: &str) -> Option<Value> {
    let (width, height) = match media_type {
        "image/png" if head.starts_with(b"\x89PNG") => (number(head, 16, 4)?, number(head, 20, 4)?),
        "image/gif" if head.starts_with(b"GIF8") => (little(head, 6)?, little(head, 8)?),
        "image/jpeg" if head.starts_with(b"\xff\xd8") => jpeg(head)?,
        "image/svg+xml" => return drawing(head),
        _ => return None,
    };
    Some(json!({"width": width, "height": height}))
}

fn number(bytes: &[u8], at: usize, count: usize) -> Option<u64> {
    let digits = bytes.get(at..at.checked_add(count)?)?;
    Some(
        digits
            .iter()
            .fold(0, |sum, byte| (sum << 8) | u64::from(*byte)),
    )
}

fn little(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(*bytes.get(at)?) | (u64::from(*bytes.get(at + 1)?) << 8))
}

/// The frame header of a JPEG, found by going from one segment to the next.
fn jpeg(bytes: &[u8]) -> Option<(u64, u64)> {
    let mut at = 2;
    loop {
        let marker = number(bytes, at, 2)?;
        let is_frame =
            (0xffc0..=0xffcf).contains(&marker) && ![0xffc4, 0xffc8, 0xffcc].contains(&marker);
        if is_frame {
            return Some((number(bytes, at + 7, 2)?, number(bytes, at + 5, 2)?));
        }
        at += 2 + usize::try_from(number(bytes, at + 2, 2)?).ok()?;
    }
}

/// What a drawing says of its size, with the units of its author.
fn drawing(head: &[u8]) -> Option<Value> {
    let text = String::from_utf8_lossy(head);
    let tag = text.split_once("<svg")?.1.split('>').next()?.to_owned();
    let mut about = Map::new();
    for name in ["width", "height"] {
        let value = tag
            .split_once(&format!(" {name}=\""))
            .and_then(|(_, rest)| rest.split('"').next());
        if let Some(value) = value {
            about.insert(name.to_owned(), cut(value, CELL_CHARS_MAX).into());
        }
    }
    (!about.is_empty()).then_some(Value::Object(about))
}

fn beginning(head: &[u8]) -> Option<Value> {
    let text = String::from_utf8_lossy(head);
    let text = text.trim();
    (!text.is_empty()).then(|| json!({"text": cut(text, TEXT_CHARS_MAX)}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(media_type: &str, bytes: &[u8]) -> Option<Value> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        preview(&path, media_type)
    }

    #[test]
    fn tables_tell_columns_rows_and_how_many() {
        let text = "x,\"a, b\"\n1,\"é, 2\"\n".to_owned() + &"3,4\n".repeat(9);
        let seen = of("text/csv", text.as_bytes()).unwrap();
        assert_eq!(seen["columns"], json!(["x", "a, b"]));
        assert_eq!(seen["rows"].as_array().unwrap().len(), ROWS_MAX);
        assert_eq!(seen["rows"][0], json!(["1", "é, 2"]));
        assert_eq!(seen["row_count"], 10);
        assert_eq!(of("text/csv", b""), None);
    }

    #[test]
    fn pictures_tell_their_size() {
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        png.extend([0, 0, 2, 128, 0, 0, 1, 224]);
        assert_eq!(
            of("image/png", &png),
            Some(json!({"width": 640, "height": 480}))
        );
        assert_eq!(
            of("image/gif", b"GIF89a\x02\x01\x03\0"),
            Some(json!({"width": 258, "height": 3}))
        );
        let jpeg = [
            0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 1, 0xff, 0xc0, 0, 11, 8, 0, 5, 0, 7,
        ];
        assert_eq!(
            of("image/jpeg", &jpeg),
            Some(json!({"width": 7, "height": 5}))
        );
        let svg = b"<?xml?>\n<svg xmlns='x' width=\"10pt\" height=\"2cm\"><g/></svg>";
        assert_eq!(
            of("image/svg+xml", svg),
            Some(json!({"width": "10pt", "height": "2cm"}))
        );
    }

    #[test]
    fn arrays_documents_notebooks_and_text_tell_what_they_are() {
        let npy =
            b"\x93NUMPY\x01\0v\0{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }   \n";
        assert_eq!(
            of("application/x-npy", npy),
            Some(json!({"dtype": "<f8", "shape": [3, 4]}))
        );
        assert_eq!(
            of("application/json", b"{\"a\": 1}"),
            Some(json!({"keys": ["a"], "count": 1}))
        );
        assert_eq!(
            of("application/json", b"[[1], 2]"),
            Some(json!({"first": "[1]", "count": 2}))
        );
        assert_eq!(
            of("application/x-ipynb+json", b"{\"cells\": [{}]}"),
            Some(json!({"cells": 1}))
        );
        assert_eq!(
            of("text/plain", b" hello\n"),
            Some(json!({"text": "hello"}))
        );
        assert_eq!(of("application/octet-stream", b"x"), None);
    }

    #[test]
    fn what_is_broken_has_no_preview_and_breaks_nothing() {
        let types = [
            "text/csv",
            "application/json",
            "application/x-ipynb+json",
            "application/x-npy",
            "image/png",
            "image/gif",
            "image/jpeg",
            "image/svg+xml",
        ];
        for media_type in types {
            for bytes in [
                &b""[..],
                b"\xff",
                b"\xff\xd8\xff",
                b"\x93NUMPY",
                b"<svg",
                b"{",
                &[0xff; 300],
                b"\x93NUMPY\x01\0{'shape': (",
            ] {
                let seen = of(media_type, bytes);
                assert!(
                    seen.is_none() || media_type == "text/csv",
                    "{media_type} {seen:?}"
                );
            }
        }
        let long = of("text/plain", "é".repeat(100_000).as_bytes()).unwrap();
        assert_eq!(
            long["text"].as_str().unwrap().chars().count(),
            TEXT_CHARS_MAX + 1
        );
    }
}
