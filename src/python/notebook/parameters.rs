//! The cells that make the code of a step run in Jupyter: the helper, the surroundings and the inputs.

use serde_json::Value;

use super::cell::Code;
use super::text::turns_direction;
use crate::id::Digest;

/// Inputs longer than this are read from `context.json` beside the notebook, in bytes of JSON.
const CONTEXT_BYTES_MAX: usize = 256 * 1024;

/// JSON up to this length stays on one line, in bytes.
const ONE_LINE_BYTES_MAX: usize = 88;

/// What makes the names that the code finds, the same text as in a run, and what stands in for the engine.
const STAND_IN: &str = include_str!("rerun.py");

/// The hidden cell that defines `Context`, `save_artifact` and what loads the inputs.
pub(super) fn helper() -> Code {
    let context = crate::python::CONTEXT;
    // Its first line says what it is; that is said here in other words.
    let context = context.split_once("\n\n").map_or(context, |(_, rest)| rest);
    Code {
        source: format!(
            "# What Stepwell gives to the code of a step, so that this notebook runs again in Jupyter.\n{}",
            context.to_owned() + STAND_IN.trim_end()
        ),
        tags: vec!["hide-input", "stepwell-helper"],
        hidden: true,
        ..Code::default()
    }
}

/// The hidden cell that makes a fresh folder for the step and sets its variables. Its first line names the folder of the
/// attempt as seen from the notebook: [`moved`] writes it anew.
pub(super) fn surroundings(variables: &[(&str, String)], modules: Option<&str>) -> Code {
    let lines: String = variables
        .iter()
        .map(|(name, value)| format!("        {}: {},\n", literal(name), literal(value)))
        .collect();
    let modules = modules.map_or_else(|| "None".to_owned(), literal);
    Code {
        source: format!(
            "{BEGIN}{},\n    variables={{\n{lines}    }},\n    modules={modules},\n)",
            literal("")
        ),
        tags: vec!["hide-input", "stepwell-helper"],
        hidden: true,
        ..Code::default()
    }
}

/// What the cell of the surroundings begins with.
const BEGIN: &str = "_stepwell.begin(\n    folder=";

/// The cell of the surroundings for a notebook in another folder.
pub(super) fn moved(cell: &mut Value, folder: &str) {
    if let Some(line) = cell.pointer_mut("/source/1") {
        *line = Value::from(format!("    folder={},\n", literal(folder)));
    }
}

/// The text as Python writes it. JSON has the same escapes, as long as it needs no pairs of surrogates.
fn literal(text: &str) -> String {
    for_raw_string(&Value::from(text).to_string())
}

/// The inputs as they lie in the folder of the attempt.
#[must_use]
pub fn context_file(context: &Value) -> Vec<u8> {
    context.to_string().into_bytes()
}

/// Whether the inputs are read from their file, since they are too long for a cell.
#[must_use]
pub fn context_is_long(context: &Value) -> bool {
    json_text(context).len() > CONTEXT_BYTES_MAX
}

/// The cell that loads `context`.
pub(super) fn parameters(context: &Value) -> Code {
    let source = if context_is_long(context) {
        let digest = Digest::of(&context_file(context)).hex();
        format!(
            "# The inputs are long: they are in context.json, in the folder of the attempt.\n\
             context = _stepwell.inputs_from_file(sha256=\"{digest}\")"
        )
    } else {
        format!(
            "context = _stepwell.inputs(r'''\n{}\n''')",
            for_raw_string(&json_text(context))
        )
    };
    Code {
        source,
        tags: vec!["parameters"],
        ..Code::default()
    }
}

/// JSON for people: short values on one line, else one line for each key of the outermost map.
pub(super) fn json_text(value: &Value) -> String {
    let short = value.to_string();
    let Value::Object(map) = value else {
        return short;
    };
    if short.len() <= ONE_LINE_BYTES_MAX {
        return short;
    }
    let entries: Vec<String> = map
        .iter()
        .map(|(key, value)| format!("  {}: {value}", Value::from(key.as_str())))
        .collect();
    format!("{{\n{}\n}}", entries.join(",\n"))
}

/// JSON that can stand between `r'''` and `'''`. The escapes are JSON's own, so the value stays the same.
fn for_raw_string(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.replace("'''", r"\u0027\u0027\u0027").chars() {
        if turns_direction(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}
