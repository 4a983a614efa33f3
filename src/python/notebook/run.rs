//! The notebook of a whole run: its steps in order, each with the cells of its last attempt.

use serde_json::{Value, json};

use super::cell::{Cells, role};
use super::text::Climbs;
use super::{RunNotebook, StepSection, parameters, table, text};

/// Attempts beyond this sum are left to their own notebooks, in bytes of text.
pub(super) const EMBEDDED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Makes the notebook of a run, in any status.
#[must_use]
pub fn run(run: &RunNotebook<'_>) -> Value {
    let mut cells = Cells::default();
    cells.markdown("title", &title(run));
    let inputs = table::markdown(run.inputs);
    if !inputs.is_empty() {
        cells.markdown("inputs", &format!("## Inputs\n\n{inputs}"));
    }
    if run.steps.iter().any(|step| step.notebook.is_some()) {
        cells.code("helper", &parameters::helper());
    }
    let mut left = EMBEDDED_BYTES_MAX;
    for (number, step) in (1..).zip(&run.steps) {
        section(&mut cells, number, step, &mut left);
    }
    let outputs = table::markdown(run.outputs);
    if !outputs.is_empty() {
        cells.markdown("outputs", &format!("## Outputs of the run\n\n{outputs}"));
    }
    cells.into_document(&json!({"run": run.run, "status": run.status, "workflow": run.title}))
}

fn title(run: &RunNotebook<'_>) -> String {
    let mut out = format!(
        "# {}\n\nRun {}: **{}**\n",
        text::markdown(run.title),
        text::markdown_code(run.run),
        text::markdown(run.status)
    );
    if !run.steps.is_empty() {
        out.push_str("\n| step | kind | status | |\n|---|---|---|---|\n");
    }
    for step in &run.steps {
        out.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            text::markdown(step.heading),
            text::markdown(step.kind),
            text::markdown(step.status),
            text::markdown(step.note)
        ));
    }
    out
}

pub(super) fn section(cells: &mut Cells, number: usize, step: &StepSection<'_>, left: &mut usize) {
    let weight = step.notebook.as_ref().map_or(0, weight);
    let fits = weight <= *left;
    let mut heading = format!(
        "## {}\n\n{}, **{}**",
        text::markdown(step.heading),
        text::markdown(step.kind),
        text::markdown(step.status)
    );
    let note = text::markdown(step.note);
    if !note.is_empty() {
        heading.push_str(&format!(": {note}"));
    }
    if !fits {
        heading.push_str("\n\nToo long to repeat here: see the notebook of this step.");
    }
    let outputs = match (&step.notebook, step.outputs) {
        (None, Some(outputs)) => table::markdown(outputs),
        (Some(_), _) | (None, None) => String::new(),
    };
    if !outputs.is_empty() {
        heading.push_str(&format!("\n\n{outputs}"));
    }
    cells.markdown("step", &heading);
    let embedded = step.notebook.as_ref().filter(|_| fits);
    let Some(inner) = embedded.and_then(|notebook| notebook.get("cells")?.as_array()) else {
        return;
    };
    *left -= weight;
    let shown = inner
        .iter()
        .filter(|cell| !matches!(role(cell), "title" | "helper"));
    for (place, cell) in (1..).zip(shown) {
        let mut cell = demoted(cell);
        moved(&mut cell, step.folder);
        cells.adopt(cell, format!("step-{number}-cell-{place}"));
    }
}

/// The cell with its heading one level deeper, below the heading of the step.
fn demoted(cell: &Value) -> Value {
    let mut cell = cell.clone();
    let is_markdown = cell.get("cell_type").and_then(Value::as_str) == Some("markdown");
    let first = cell.pointer_mut("/source/0").filter(|_| is_markdown);
    if let Some(Value::String(line)) = first
        && line.starts_with("## ")
    {
        line.insert(0, '#');
    }
    cell
}

/// The cell as it must be in another folder: what it names lies in that of the attempt.
fn moved(cell: &mut Value, folder: &str) {
    match role(cell) {
        "surroundings" => parameters::moved(cell, folder),
        "artifacts" => {
            let lines = cell.get_mut("source").and_then(Value::as_array_mut);
            for line in lines.into_iter().flatten() {
                // Brackets of the titles are references of characters: this can only be a link.
                if let (Value::String(text), Some(prefix)) = (line, text::link(folder, Climbs::Yes))
                {
                    *text = text.replace("](", &format!("]({prefix}/"));
                }
            }
        }
        _ => {}
    }
}

/// About how many bytes of text a value holds.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| key.len() + weight(value))
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}
