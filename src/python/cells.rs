//! A notebook as the code of a step: its cells as one text of Python, with a line before each that says which it is.
//!
//! Only the code cells count: what they printed once, and the text between them, change nothing of what is approved.

use serde_json::{Map, Value, json};

/// What begins the line before a cell; editors know `# %%`.
const MARK: &str = "# %% cell ";
/// The line before the cell that sets the parameters to the inputs of the step.
const INPUTS: &str = "# %% inputs";
/// The ending by which a step is known to be a notebook.
const SUFFIX: &str = ".ipynb";
/// The tag of the cell that sets parameters, as papermill has it.
const PARAMETERS: &str = "parameters";
/// Names that an input may not take: the code finds something else there.
const TAKEN: [&str; 4] = ["context", "save_artifact", "display", "results"];

/// Whether the code under that name stands in cells.
#[must_use]
pub fn is_notebook(file_name: &str) -> bool {
    file_name.ends_with(SUFFIX)
}

/// A notebook that can be a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Its code cells as one text.
    pub code: String,
    /// The notebook without what its cells once gave out.
    pub page: Value,
}

/// Why a file is no notebook that can be a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong, with its cell and line.
    pub message: String,
    /// What to do.
    pub help: &'static str,
}

/// One cell of the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell<'a> {
    /// Its number among the code cells, from 1; none = the one that sets the inputs.
    pub number: Option<usize>,
    /// The line of the code that is its first, from 1.
    pub line: usize,
    /// Its text.
    pub text: &'a str,
}

/// Reads a notebook file. `inputs` are the names that the step gives; they become parameters.
///
/// # Errors
/// The file is no notebook of Python, or a cell is not plain Python.
pub fn read(text: &str, inputs: &[&str]) -> Result<Source, Fault> {
    let fault = |message: String, help| Err(Fault { message, help });
    let Ok(page) = serde_json::from_str::<Value>(text) else {
        let help = "a notebook is a JSON document that Jupyter saves";
        return fault("it is no notebook: not JSON".to_owned(), help);
    };
    let (Some(4), Some(cells)) = (
        page.get("nbformat").and_then(Value::as_u64),
        page.get("cells").and_then(Value::as_array),
    ) else {
        let help = "open it in Jupyter and save it: that writes nbformat 4";
        return fault("it is no notebook of nbformat 4".to_owned(), help);
    };
    let language = [
        "/metadata/language_info/name",
        "/metadata/kernelspec/language",
    ];
    let mut languages = language.iter().filter_map(|at| page.pointer(at)?.as_str());
    if let Some(other) = languages.find(|name| !matches!(*name, "python" | "ipython")) {
        let help = "a step runs Python";
        return fault(format!("its language is {other}"), help);
    }
    let code_cells: Vec<&Value> = cells.iter().filter(|cell| is_code(cell)).collect();
    let tagged = code_cells.iter().position(|cell| has_tag(cell, PARAMETERS));
    let injected = injection(inputs);
    let mut code = String::new();
    if tagged.is_none() {
        code.push_str(&injected);
    }
    for (index, cell) in code_cells.iter().enumerate() {
        let text = source(cell);
        if let Some(found) = not_python(&text) {
            let (line, what) = found;
            let message = format!("cell {}, line {line}: {what}", index + 1);
            return fault(message, "leave the line out, or write it as Python");
        }
        code.push_str(&format!("{MARK}{}\n{}\n", index + 1, text.trim_end()));
        if tagged == Some(index) {
            code.push_str(&injected);
        }
    }
    Ok(Source {
        code,
        page: plain(&page, cells),
    })
}

/// The cell that sets a parameter for each input; empty without any.
fn injection(inputs: &[&str]) -> String {
    let names = inputs.iter().filter(|name| !TAKEN.contains(name));
    let lines: String = names
        .map(|name| format!("{name} = context[\"{name}\"]\n"))
        .collect();
    if lines.is_empty() {
        lines
    } else {
        format!("{INPUTS}\n{lines}")
    }
}

fn is_code(cell: &Value) -> bool {
    cell.get("cell_type").and_then(Value::as_str) == Some("code")
}

fn has_tag(cell: &Value, tag: &str) -> bool {
    let tags = cell.pointer("/metadata/tags").and_then(Value::as_array);
    tags.is_some_and(|tags| tags.iter().any(|found| found == tag))
}

/// The text of a cell: lines or one text.
#[must_use]
pub fn source(cell: &Value) -> String {
    let text = match cell.get("source") {
        Some(Value::Array(lines)) => lines.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {
            String::new()
        }
    };
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// The first line that only IPython understands, or that would be taken for the beginning of a cell.
fn not_python(text: &str) -> Option<(usize, String)> {
    // A line inside of brackets or quotes is never the beginning of a statement: then it may look like anything.
    let first = text.lines().position(|line| !line.trim().is_empty())?;
    for (index, line) in text.lines().enumerate() {
        if is_mark(line) {
            return Some((
                index + 1,
                format!("`{}` is how Stepwell marks a cell", line.trim_end()),
            ));
        }
        if index == first && line.starts_with("%%") {
            let word = line.split_whitespace().next().unwrap_or_default();
            return Some((
                index + 1,
                format!("`{word}` is a magic of IPython, not Python"),
            ));
        }
    }
    None
}

/// What a line that Python can't read is, if it is something that only IPython understands.
#[must_use]
pub fn magic(line: &str) -> Option<&'static str> {
    let line = line.trim();
    match line.chars().next()? {
        '%' => Some("a magic of IPython"),
        '!' => Some("a command of the shell"),
        '?' => Some("a question to IPython"),
        _ if line.ends_with('?') => Some("a question to IPython"),
        _ if line.contains("= !") || line.contains("=!") => Some("a command of the shell"),
        _ if line.contains("= %") => Some("a magic of IPython"),
        _ => None,
    }
}

pub(super) fn is_mark(line: &str) -> bool {
    let number = line.trim_end().strip_prefix(MARK);
    let is_cell =
        number.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
    is_cell || line.trim_end() == INPUTS
}

/// The cells of a code, in order.
#[must_use]
pub fn split(code: &str) -> Vec<Cell<'_>> {
    let mut cells: Vec<Cell<'_>> = Vec::new();
    let (mut at, mut begin) = (0, 0);
    for (index, line) in code.split_inclusive('\n').enumerate() {
        if is_mark(line) {
            if let Some(cell) = cells.last_mut() {
                cell.text = code.get(begin..at).unwrap_or_default();
            }
            begin = at + line.len();
            cells.push(Cell {
                number: line
                    .trim_end()
                    .strip_prefix(MARK)
                    .and_then(|number| number.parse().ok()),
                line: index + 2,
                text: "",
            });
        }
        at += line.len();
    }
    if let Some(cell) = cells.last_mut() {
        cell.text = code.get(begin..).unwrap_or_default();
    }
    cells
}

/// The cell of a line of the code, and the line in it; no number = the cell that sets the inputs.
#[must_use]
pub fn locate(code: &str, line: usize) -> Option<(Option<usize>, usize)> {
    let cells = split(code);
    let cell = cells.iter().rev().find(|cell| cell.line <= line)?;
    Some((cell.number, line - cell.line + 1))
}

/// The cell that sets the inputs, for people.
const OF_INPUTS: &str = "the inputs of the notebook";

/// A line of the code as people know it: `cell 3, line 2`.
#[must_use]
pub fn place(code: &str, line: usize) -> Option<String> {
    let (number, inside) = locate(code, line)?;
    Some(match number {
        Some(number) => format!("cell {number}, line {inside}"),
        None => OF_INPUTS.to_owned(),
    })
}

/// Whether the text begins with what [`place`] gives.
#[must_use]
pub fn begins_with_place(text: &str) -> bool {
    let number = text.strip_prefix("cell ").unwrap_or_default();
    number.starts_with(|letter: char| letter.is_ascii_digit()) || text.starts_with(OF_INPUTS)
}

/// The notebook with what its author wrote, and nothing that it once gave out.
fn plain(page: &Value, cells: &[Value]) -> Value {
    let kept = |cell: &Value| {
        let mut map = Map::new();
        for key in ["cell_type", "id", "attachments"] {
            if let Some(value) = cell.get(key) {
                map.insert(key.to_owned(), value.clone());
            }
        }
        let tags = cell.pointer("/metadata/tags").cloned();
        let metadata = tags.map_or_else(|| json!({}), |tags| json!({"tags": tags}));
        map.insert("metadata".to_owned(), metadata);
        map.insert("source".to_owned(), source(cell).into());
        Value::Object(map)
    };
    json!({
        "cells": cells.iter().map(kept).collect::<Vec<_>>(),
        "nbformat": 4,
        "nbformat_minor": page.get("nbformat_minor").cloned().unwrap_or(json!(5)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(cells: &Value) -> String {
        json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).to_string()
    }

    #[test]
    fn code_cells_become_one_text_whose_lines_have_a_place() {
        let text = page(&json!([
            {"cell_type": "markdown", "metadata": {}, "source": "# Title"},
            {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": ["n = 1\n", "m = 2"], "outputs": [{}]},
            {"cell_type": "code", "metadata": {}, "source": ""},
            {"cell_type": "code", "metadata": {}, "source": "a = n\nb = a\n\n"},
        ]));
        let source = read(&text, &["n", "results"]).unwrap();
        assert_eq!(
            source.code,
            "# %% cell 1\nn = 1\nm = 2\n# %% inputs\nn = context[\"n\"]\n# %% cell 2\n\n# %% cell 3\na = n\nb = a\n"
        );
        assert_eq!(place(&source.code, 10).unwrap(), "cell 3, line 2");
        assert_eq!(
            place(&source.code, 5).unwrap(),
            "the inputs of the notebook"
        );
        let numbers: Vec<_> = split(&source.code)
            .iter()
            .map(|cell| (cell.number, cell.line))
            .collect();
        assert_eq!(
            numbers,
            [(Some(1), 2), (None, 5), (Some(2), 7), (Some(3), 9)]
        );
        assert_eq!(split(&source.code)[3].text, "a = n\nb = a\n");
        assert_eq!(source.page["cells"][1].get("outputs"), None);
    }

    #[test]
    fn outputs_and_text_change_nothing_and_inputs_come_first_without_a_tag() {
        let cell = |outputs: Value| {
            page(&json!([
                {"cell_type": "code", "metadata": {"x": outputs}, "execution_count": 3, "source": "a = 1", "outputs": outputs}
            ]))
        };
        let (one, other) = (
            read(&cell(json!([])), &["day"]),
            read(&cell(json!([1])), &["day"]),
        );
        assert_eq!(one, other);
        assert!(
            one.unwrap()
                .code
                .starts_with("# %% inputs\nday = context[\"day\"]\n# %% cell 1\n")
        );
    }

    #[test]
    fn what_is_no_notebook_of_python_is_refused_with_its_place() {
        let code = |text: &str| {
            page(
                &json!([{"cell_type": "code", "source": "x = 1"}, {"cell_type": "code", "source": text}]),
            )
        };
        let r = json!({"nbformat": 4, "cells": [], "metadata": {"kernelspec": {"language": "R"}}})
            .to_string();
        for (text, said) in [
            ("nothing".to_owned(), "not JSON"),
            ("{\"nbformat\": 3}".to_owned(), "nbformat 4"),
            (r, "its language is R"),
            (code("\n%%bash\nls"), "cell 2, line 2: `%%bash`"),
            (code("a\n# %% cell 9\nb"), "cell 2, line 2: `# %% cell 9`"),
        ] {
            let fault = read(&text, &[]).unwrap_err();
            assert!(fault.message.contains(said), "{}", fault.message);
        }
        for line in ["%matplotlib inline", "!ls", "x?", "files = !ls", "?x"] {
            assert!(magic(line).is_some(), "{line}");
        }
        assert_eq!(magic("x = 1 % 2"), None);
    }
}
