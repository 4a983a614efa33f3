//! Values as text: the one form for `${{ }}` inside text, for `str()` and for `json()`.

use super::duration::format_signed;
use super::error::Fault;
use super::item::{Item, List, Map};
use super::limit::RESULT_BYTES_MAX;

/// The text of a value: `true`, `1.5`, `2026-03-01`, `1h30m`, strings as they are, the rest as JSON.
pub(super) fn plain(item: &Item<'_>) -> Result<String, Fault> {
    match item {
        Item::Null => Err(Fault::wrong_type("null has no text")
            .help("write `default(..., \"...\")` for what is missing, or `x if x is not None else \"...\"`")),
        Item::Text(text) => Ok(text.as_str().to_owned()),
        Item::Bool(_)
        | Item::Int(_)
        | Item::Float(_)
        | Item::Date(_)
        | Item::DateTime(_)
        | Item::Duration(_) => Ok(scalar(item)),
        Item::List(_) | Item::Map(_) => json(item),
    }
}

/// Compact JSON.
pub(super) fn json(item: &Item<'_>) -> Result<String, Fault> {
    let mut out = String::new();
    write_json(item, &mut out)?;
    Ok(out)
}

fn write_json(item: &Item<'_>, out: &mut String) -> Result<(), Fault> {
    match item {
        Item::Null => out.push_str("null"),
        Item::Bool(_) | Item::Int(_) | Item::Float(_) => out.push_str(&scalar(item)),
        Item::Date(_) | Item::DateTime(_) | Item::Duration(_) => quote(&scalar(item), out),
        Item::Text(text) => quote(text.as_str(), out),
        Item::List(list) => write_list(list, out)?,
        Item::Map(map) => write_map(map, out)?,
    }
    if out.len() > RESULT_BYTES_MAX {
        return Err(Fault::too_large(format!(
            "the text is longer than {RESULT_BYTES_MAX} bytes"
        )));
    }
    Ok(())
}

fn write_list(list: &List<'_>, out: &mut String) -> Result<(), Fault> {
    out.push('[');
    for (index, item) in list.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_json(&item?, out)?;
    }
    out.push(']');
    Ok(())
}

fn write_map(map: &Map<'_>, out: &mut String) -> Result<(), Fault> {
    out.push('{');
    for (index, entry) in map.iter().enumerate() {
        let (key, item) = entry?;
        if index > 0 {
            out.push(',');
        }
        quote(key.as_str(), out);
        out.push(':');
        write_json(&item, out)?;
    }
    out.push('}');
    Ok(())
}

fn quote(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

fn scalar(item: &Item<'_>) -> String {
    match item {
        Item::Null | Item::List(_) | Item::Map(_) => String::new(),
        Item::Bool(value) => value.to_string(),
        Item::Int(value) => value.to_string(),
        Item::Float(value) => float(*value),
        Item::Text(text) => text.as_str().to_owned(),
        Item::Date(date) => date.to_string(),
        Item::DateTime(datetime) => datetime.to_string(),
        Item::Duration(duration) => format_signed(*duration),
    }
}

/// The shortest text that reads back as the same float, in Python's notation: `1.0`, `1e-05`, `1e+16`.
pub(super) fn float(value: f64) -> String {
    const EXPONENT_MIN: i32 = -4;
    const EXPONENT_END: i32 = 16;
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (EXPONENT_MIN..EXPONENT_END).contains(&exponent) {
        return format!("{value:?}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}
