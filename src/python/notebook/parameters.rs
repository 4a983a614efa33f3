//! The two cells that make the code of a step run in Jupyter: the helper and the inputs.

use serde_json::Value;

use super::cell::Code;
use super::text::turns_direction;

/// Inputs longer than this are read from `context.json` beside the notebook, in bytes of JSON.
const CONTEXT_BYTES_MAX: usize = 256 * 1024;

/// JSON up to this length stays on one line, in bytes.
const ONE_LINE_BYTES_MAX: usize = 88;

const HELPER: &str = r#"# What Stepwell gives to the code of a step, so that this notebook runs again in Jupyter.
import json


class Context(dict):
    """The inputs of the step: `context.name` and `context["name"]` are the same."""

    def __getattribute__(self, name):
        if dict.__contains__(self, name):
            return self[name]
        return dict.__getattribute__(self, name)


def save_artifact(obj, title="", description=""):
    """Keeps a file in a run; here it only says so."""
    print(f"save_artifact: {title or type(obj).__name__} is not kept outside a run")"#;

/// The hidden cell that defines `Context` and `save_artifact`.
pub(super) fn helper() -> Code {
    Code {
        source: HELPER.to_owned(),
        tags: vec!["hide-input", "stepwell-helper"],
        hidden: true,
        ..Code::default()
    }
}

/// The cell that loads `context`.
pub(super) fn parameters(context: &Value) -> Code {
    let text = json_text(context);
    let source = if text.len() > CONTEXT_BYTES_MAX {
        "# The inputs are long: they are in the folder of the attempt.\n\
         with open(\"context.json\", encoding=\"utf-8\") as file:\n    \
         context = json.load(file, object_hook=Context)"
            .to_owned()
    } else {
        format!(
            "context = json.loads(r'''\n{}\n''', object_hook=Context)",
            for_raw_string(&text)
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
