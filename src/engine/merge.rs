//! The notebooks of several steps, put together into one that is kept.

use serde_json::{Value, json};

use super::act::{Done, Place};
use super::{Error, files, notebook as notebook_page};
use crate::plan::NotebookStep;
use crate::python::notebook::{self, MergedNotebook, StepSection};
use crate::run::{NodeId, RunState, StepState};

/// Merges the notebooks of the named steps as they stand.
pub(super) async fn merge(place: &Place<'_>, step: &NotebookStep) -> Result<Done, Error> {
    let state = place.state;
    let mut nodes: Vec<NodeId> = Vec::new();
    for path in &step.merge {
        let index = state.plan.steps.position(path);
        let frame = place.step_state.node.frame;
        if let Some(node) = index.and_then(|index| state.seen_from(frame, index)) {
            nodes.extend(state.work_inside(node));
        }
    }
    let mut found = Vec::with_capacity(nodes.len());
    for (step, step_state) in nodes.iter().filter_map(|node| state.node(*node)) {
        let notebook = ran(place, step_state).await?;
        let note = note(state, step_state, notebook.is_some());
        let own = place
            .folder()
            .attempt_relative(&place.step_state.path, place.attempt);
        let way = notebook_page::attempt_place(state, &own, step_state);
        found.push((step, step_state, notebook, note, way));
    }
    let sections = found
        .iter_mut()
        .map(|(step, step_state, notebook, note, way)| StepSection {
            heading: step_state.path.as_str(),
            kind: step.kind.as_str(),
            status: step_state.status.as_str(),
            note,
            notebook: notebook.take(),
            folder: way,
            outputs: None,
        });
    let run = state.run.to_string();
    let title = match place.text("title") {
        "" => place.step.title(),
        title => title,
    };
    let page = MergedNotebook {
        title,
        workflow: &state.plan.name,
        run: &run,
        steps: sections.collect(),
    };
    let bytes = notebook::to_text(&notebook::merged(&page)).into_bytes();
    let mut done = Done::default();
    let name = ("notebook.ipynb", "application/x-ipynb+json");
    let file = files::keep_bytes(place, name, bytes, &mut done.notes).await?;
    done.results = Some(json!({"notebook": file.path}));
    done.notebook = Some(file);
    Ok(done)
}

/// The notebook of the newest attempt of which something was kept.
async fn ran(place: &Place<'_>, step_state: &StepState) -> Result<Option<Value>, Error> {
    let result = step_state.result.as_ref();
    let Some(file) = result.and_then(|result| result.notebook.as_ref()) else {
        return Ok(None);
    };
    let bytes = place.shared.ports.get_blob(file.digest).await?;
    let read = serde_json::from_slice(&bytes);
    read.map(Some)
        .map_err(|error| Error::Internal(format!("{}: {error}", file.path)))
}

/// Why a step has nothing to show.
fn note(state: &RunState, step_state: &StepState, has_notebook: bool) -> String {
    if has_notebook {
        return String::new();
    }
    let is_container = state
        .node(step_state.node)
        .is_some_and(|(step, _)| step.kind.is_container());
    let what = if is_container {
        "nothing inside it ran"
    } else if step_state.attempts.is_empty() {
        "it did not run"
    } else {
        "it left no notebook"
    };
    let failure = step_state.failure.as_ref();
    let why = step_state
        .why
        .clone()
        .or_else(|| failure.map(|failure| failure.message.clone()));
    match why {
        Some(why) => format!("{what}: {why}"),
        None => what.to_owned(),
    }
}
