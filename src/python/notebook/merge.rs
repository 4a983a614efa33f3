//! Notebooks of several steps put together into one.

use serde_json::{Value, json};

use super::cell::Cells;
use super::run::{EMBEDDED_BYTES_MAX, section};
use super::{MergedNotebook, parameters, text};

/// Puts notebooks together: the title, then each step with its cells as they ran, or with a line that says why
/// it has none.
#[must_use]
pub fn merged(page: &MergedNotebook<'_>) -> Value {
    let mut cells = Cells::default();
    let title = format!(
        "# {}\n\n{}, run {}\n",
        text::markdown(page.title),
        text::markdown(page.workflow),
        text::markdown_code(page.run)
    );
    cells.markdown("title", &title);
    if page.steps.iter().any(|step| step.notebook.is_some()) {
        cells.code("helper", &parameters::helper());
    }
    let mut left = EMBEDDED_BYTES_MAX;
    for (number, step) in (1..).zip(&page.steps) {
        section(&mut cells, number, step, &mut left);
    }
    cells.into_document(&json!({"run": page.run, "workflow": page.workflow}))
}
