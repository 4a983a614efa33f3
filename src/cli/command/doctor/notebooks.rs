//! Notebooks of the newest runs: written, valid, and where their links lead.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::check::Check;
use crate::cli::error::Error;
use crate::cli::open::Opened;
use crate::cli::view::text::line;
use crate::cli::{Context, find};
use crate::run::RunState;

/// The newest runs whose notebooks are looked at.
const LOOKED_AT_RUNS: usize = 20;

/// Whether the notebooks that runs name are there and can be read.
pub(super) async fn notebooks(context: &Context, opened: &Opened) -> Result<Vec<Check>, Error> {
    let mut sound = 0_usize;
    let mut checks = Vec::new();
    for row in find::rows(opened, &[], LOOKED_AT_RUNS).await? {
        // What is wrong with a history is said where the store is checked.
        let Ok(state) = opened.engine.state(row.run).await else {
            continue;
        };
        for path in named(context, opened, &state) {
            match fault(&path) {
                None => sound += 1,
                Some(fault) => checks.push(
                    Check::fail(
                        "notebooks",
                        format!("{}: {fault}", line(&path.display().to_string())),
                    )
                    .help("`stepwell notebook RUN STEP -o FILE` writes it from what is stored"),
                ),
            }
        }
    }
    if checks.is_empty() {
        let message = match sound {
            0 => "none yet".to_owned(),
            sound => {
                format!("the {sound} of the newest {LOOKED_AT_RUNS} runs open without Jupyter")
            }
        };
        checks.push(Check::ok("notebooks", message));
    }
    Ok(checks)
}

/// The notebooks that a run names: its steps' and, once it has rested, its own.
fn named(context: &Context, opened: &Opened, state: &RunState) -> Vec<PathBuf> {
    let data = &context.settings.data;
    let results = state.steps().filter_map(|(_, step)| step.result.as_ref());
    let files = results.filter_map(|result| result.notebook.as_ref());
    let mut paths: Vec<PathBuf> = files.map(|file| data.join(&file.path)).collect();
    if state.ending.is_some() {
        paths.push(opened.engine.folder(state).notebook());
    }
    paths
}

/// What is wrong with a notebook.
fn fault(path: &Path) -> Option<String> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return Some(format!("it can't be read: {error}")),
    };
    let notebook: Value = match serde_json::from_slice(&bytes) {
        Ok(notebook) => notebook,
        Err(error) => return Some(format!("it is no JSON: {error}")),
    };
    let cells = notebook.get("cells").and_then(Value::as_array);
    match cells {
        Some(cells)
            if cells
                .iter()
                .all(|cell| cell.get("id").is_some_and(Value::is_string)) =>
        {
            None
        }
        Some(_) => Some("a cell has no id".to_owned()),
        None => Some("it has no cells".to_owned()),
    }
}
