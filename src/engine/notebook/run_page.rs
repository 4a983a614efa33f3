//! The notebook of a whole run, and its summary.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::super::folder::RunFolder;
use super::super::options::blocking;
use super::super::{Shared, files, folder, modules};
use super::{source, unrun_text};
use crate::id::Digest;
use crate::plan::{Step, StepKind};
use crate::python::notebook::{self, RunNotebook, StepSection};
use crate::run::{ApprovalState, Reveal, RunState, StepState, StepStatus, run_json, shown_outputs};

/// Writes `run.ipynb` and `summary.json`. What can't be written is said in the log and made again next time.
pub(in crate::engine) async fn write_run(shared: &Arc<Shared>, state: &RunState) {
    let folder = RunFolder::new(&shared.options.data, &state.created.folder);
    let document = run_json(state);
    let mut notebooks = Vec::with_capacity(state.plan.steps.len());
    let kept = kept(shared, state).await;
    for (step, step_state) in state.steps() {
        let notebook = match recorded(step, step_state) {
            Some(digest) => kept.get(&digest).cloned(),
            None => unrun_notebook(shared, state, step, step_state).await,
        };
        let place = attempt_place(state, &state.created.folder, step_state);
        notebooks.push((notebook, place));
    }
    let text = run_text(state, &document, notebooks);
    let summary = serde_json::to_string_pretty(&document).unwrap_or_default() + "\n";
    for (path, text) in [(folder.notebook(), text), (folder.summary(), summary)] {
        if let Err(error) = files::write(path, text).await {
            tracing::warn!(run = %state.run, %error, "a view of the run could not be written");
        }
    }
}

/// Where the files of the newest attempt of a step are, as seen from the folder `from`, relative to the data folder.
pub(in crate::engine) fn attempt_place(
    state: &RunState,
    from: &str,
    step_state: &StepState,
) -> String {
    let recorded = step_state
        .result
        .as_ref()
        .map(|result| result.folder.clone());
    let waiting = || {
        format!(
            "{}/{}",
            state.created.folder,
            folder::step_name(&step_state.path)
        )
    };
    folder::way(from, &recorded.unwrap_or_else(waiting))
}

/// The notebook of the last attempt of a step, when it is a part of that of the run.
fn recorded(step: &Step, step_state: &StepState) -> Option<Digest> {
    if is_left_out(step, step_state) {
        return None;
    }
    let result = step_state.result.as_ref()?;
    result.notebook.as_ref().map(|file| file.digest)
}

/// The notebooks of steps that ran, read in one go.
async fn kept(shared: &Shared, state: &RunState) -> HashMap<Digest, Value> {
    let steps = state.steps();
    let digests: Vec<_> = steps.filter_map(|(step, of)| recorded(step, of)).collect();
    let blobs = Arc::clone(&shared.ports.blobs);
    let read = blocking(move || {
        let read = |digest: Digest| {
            let bytes = blobs.get(&digest).ok()?;
            Some((digest, serde_json::from_slice(&bytes).ok()?))
        };
        Ok(digests.into_iter().filter_map(read).collect())
    });
    read.await.unwrap_or_default()
}

/// A notebook that only merges those of others holds nothing of its own, and removed files are gone.
fn is_left_out(step: &Step, step_state: &StepState) -> bool {
    matches!(step.kind, StepKind::Notebook(_)) || step_state.files_removed.is_some()
}

async fn unrun_notebook(
    shared: &Arc<Shared>,
    state: &RunState,
    step: &Step,
    step_state: &StepState,
) -> Option<Value> {
    if is_left_out(step, step_state) {
        return None;
    }
    let analysis = step_state.analysis.as_ref()?;
    let path = shared.options.data.join(analysis.notebook.as_ref()?);
    let code = shared.ports.get_blob(analysis.code).await.ok()?;
    let source = source::of_step(shared, step).await;
    let code = String::from_utf8_lossy(&code);
    let modules = modules::kept(shared, &analysis.modules).await;
    let text = unrun_text(
        shared,
        state,
        (step, analysis),
        (&code, source.as_ref(), &modules),
    )?;
    let page = serde_json::from_str(&text).ok();
    // It was written when the question was asked; by now somebody may have said no.
    if let Err(error) = files::write(path, text).await {
        tracing::warn!(run = %state.run, step = %step_state.path, %error, "a notebook could not be written");
    }
    page
}

fn run_text(state: &RunState, document: &Value, notebooks: Vec<(Option<Value>, String)>) -> String {
    let null = Value::Null;
    let outputs: Vec<Option<Value>> = state
        .steps()
        .map(|(step, step_state)| {
            let outputs = step_state.outputs.as_ref()?;
            Some(Value::Object(shown_outputs(step, outputs, Reveal::No)))
        })
        .collect();
    let notes: Vec<String> = state.steps().map(|(_, step)| note(state, step)).collect();
    let (notebooks, places): (Vec<_>, Vec<String>) = notebooks.into_iter().unzip();
    let shown = state.steps().zip(notebooks).zip(&places).zip(&outputs);
    let sections = shown.zip(&notes).map(
        |(((((step, step_state), notebook), folder), outputs), note)| StepSection {
            heading: step_state.path.as_str(),
            kind: step.kind.as_str(),
            status: step_state.status.as_str(),
            note,
            notebook,
            folder,
            outputs: outputs.as_ref(),
        },
    );
    let run = state.run.to_string();
    let page = RunNotebook {
        title: &state.plan.name,
        run: &run,
        status: state.status().as_str(),
        inputs: document.get("inputs").unwrap_or(&null),
        outputs: document.get("outputs").unwrap_or(&null),
        steps: sections.collect(),
    };
    notebook::to_text(&notebook::run(&page))
}

fn note(state: &RunState, step: &StepState) -> String {
    if let Some(branch) = &step.branch {
        return format!("took the arm {}", branch.arm);
    }
    if step.status == StepStatus::Waiting
        && let Some(asked) = step
            .approval
            .as_ref()
            .and_then(|id| state.approvals.get(id))
    {
        return question(asked);
    }
    let failure = step.failure.as_ref().map(|failure| failure.message.clone());
    step.why.clone().or(failure).unwrap_or_default()
}

fn question(asked: &ApprovalState) -> String {
    format!(
        "{} {} ({})",
        asked.request.approval, asked.request.title, asked.request.reason
    )
}
