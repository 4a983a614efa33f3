//! The cells of a notebook that is a step: what its author wrote, with what each cell gave out.

use serde_json::{Value, json};

use super::cell::{Cells, Code};
use super::shown::Shown;
use super::{AttemptNotebook, NotebookState, output};
use crate::python::cells::{self, Cell};

/// Adds the cells of the source. Returns how many of them ran.
pub(super) fn add(document: &mut Cells, notebook: &AttemptNotebook<'_>, source: &Value) -> usize {
    let shown = Shown::read(notebook.shown);
    let begun: Vec<usize> = shown.begun().collect();
    let code_cells = cells::split(notebook.code);
    let mut numbered = code_cells.iter().filter(|cell| cell.number.is_some());
    if code_cells.first().is_some_and(|cell| cell.number.is_none()) {
        injected(document, code_cells.first());
    }
    for written in source
        .get("cells")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        if written.get("cell_type").and_then(Value::as_str) != Some("code") {
            prose(document, written);
            continue;
        }
        let Some(cell) = numbered.next() else {
            continue;
        };
        let number = cell.number.unwrap_or_default();
        let count = begun
            .iter()
            .position(|found| *found == number)
            .map(|at| at + 1);
        let failed = failure_here(notebook, &begun, number);
        let mut outputs = shown.of(number, count.unwrap_or_default(), &notebook.figures);
        if let Some(failure) = notebook.failure.filter(|_| failed) {
            let traceback = failure.traceback.as_deref().unwrap_or_default();
            super::attempt::strip_traceback(&mut outputs, traceback);
            outputs.extend(output::error(failure));
        }
        document.code(
            "source",
            &Code {
                source: cell.text.trim_end().to_owned(),
                tags: if failed {
                    vec!["raises-exception"]
                } else {
                    Vec::new()
                },
                count,
                outputs,
                ..Code::default()
            },
        );
        let after = code_cells.iter().skip_while(|found| *found != cell).nth(1);
        injected(document, after.filter(|cell| cell.number.is_none()));
    }
    begun.len()
}

/// Whether it is the cell in which the code ended.
fn failure_here(notebook: &AttemptNotebook<'_>, begun: &[usize], number: usize) -> bool {
    let raised = notebook
        .failure
        .is_some_and(|failure| failure.traceback.is_some());
    raised && notebook.state != NotebookState::Waiting && begun.last() == Some(&number)
}

/// The cell that sets the parameters to the inputs, as it ran.
fn injected(document: &mut Cells, cell: Option<&Cell<'_>>) {
    if let Some(cell) = cell {
        let code = Code {
            source: cell.text.trim_end().to_owned(),
            tags: vec!["injected-parameters"],
            ..Code::default()
        };
        document.code("injected", &code);
    }
}

/// Text between the cells, as its author wrote it.
fn prose(document: &mut Cells, written: &Value) {
    let mut cell = written.clone();
    if let Some(map) = cell.as_object_mut() {
        map.insert("metadata".to_owned(), json!({}));
        let text = cells::source(written);
        map.insert("source".to_owned(), json!(super::cell::lines(&text)));
    }
    document.add("prose", cell);
}
