//! What an attempt left is kept: files become blobs before an event names them, the notebook is written.

use std::sync::Arc;

use super::files::Shown;
use super::folder::RunFolder;
use super::notebook::Left;
use super::secrets::Secrets;
use super::{Error, Shared, cache, files, generate, notebook};
use crate::executor::{Outcome, OutcomeStatus};
use crate::failure::{Failure, FailureKind};
use crate::id::StepPath;
use crate::plan::Step;
use crate::python::reference;
use crate::run::payload::{FileRef, ResultRecorded};
use crate::run::{Command, RunState};

/// The command that follows from the end of an attempt.
pub(super) async fn ended(
    shared: &Arc<Shared>,
    state: &RunState,
    (step, path): (&Step, &StepPath),
    attempt: u32,
    outcome: Outcome,
) -> Command {
    let outcome = Secrets::of(shared, state).await.clean(outcome);
    match keep(shared, state, (step, path), attempt, &outcome).await {
        Ok(mut result) => {
            let failure = match outcome.status {
                OutcomeStatus::Succeeded => {
                    generate::remember(shared, state, step, path).await;
                    None
                }
                OutcomeStatus::Failed(failure) => Some(failure),
            };
            if failure.is_none() {
                result.cached_as = cache::still(shared, state, (step, path)).await;
            }
            Command::AttemptEnded { result, failure }
        }
        Err(error) => not_kept(step, path, attempt, &error),
    }
}

/// The code ran, and what it left could not be kept. A read may be done again; a write must not be by itself.
pub(super) fn not_kept(step: &Step, path: &StepPath, attempt: u32, error: &Error) -> Command {
    let message = format!("what the attempt left could not be kept: {error}");
    if step.kind.writes() {
        return Command::AttemptLost {
            step: path.clone(),
            attempt,
            started: true,
            evidence: format!("it ran to its end, and {message}"),
        };
    }
    let failure = Failure::new(FailureKind::Infrastructure, error.code(), message)
        .hint("its files are still in the folder of the attempt");
    Command::AttemptBroken {
        step: path.clone(),
        attempt,
        failure,
    }
}

async fn keep(
    shared: &Arc<Shared>,
    state: &RunState,
    (step, path): (&Step, &StepPath),
    attempt: u32,
    outcome: &Outcome,
) -> Result<ResultRecorded, Error> {
    let folder = RunFolder::new(&shared.options.data, &state.created.folder);
    let relative = folder.attempt_relative(path, attempt);
    let absolute = folder.attempt(path, attempt);
    let (folders, shown) = ((absolute.as_path(), relative.as_str()), Shown::of(step));
    let code = notebook::code_of(state, step, path)?;
    let (figures, artifacts, left) = tokio::join!(
        files::keep(shared, folders, &outcome.figures, shown),
        files::keep(shared, folders, &outcome.artifacts, shown),
        Left::read(shared, absolute.clone(), code, outcome),
    );
    let left = left?;
    let mut result = ResultRecorded {
        step: path.clone(),
        attempt,
        results: outcome.results.clone(),
        figures: figures?,
        artifacts: artifacts?,
        notebook: None,
        folder: relative.clone(),
        notes: outcome.notes.clone(),
        seconds: outcome.seconds,
        max_rss_bytes: outcome.usage.max_rss_bytes,
        cpu_seconds: outcome.usage.user_seconds + outcome.usage.system_seconds,
        cached_as: None,
        isolation: outcome.isolation.clone(),
        packages: left.packages,
    };
    if let Some(results) = &mut result.results {
        let left = |inside: &str| {
            let path = format!("{relative}/{inside}");
            let file = result.artifacts.iter().find(|file| file.path == path)?;
            Some((path, file.digest, file.bytes))
        };
        reference::settle(results, &left);
    }
    let text = notebook::attempt_text(shared, state, step, (&result, &left), outcome).await?;

    let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
    let (digest, written) = tokio::join!(
        shared.ports.put_blob(text.clone().into_bytes()),
        files::write(absolute.join(NOTEBOOK), text),
    );
    let digest = digest?;
    if let Err(error) = written {
        // The blob has it; the code may have put something else in its place.
        result.notes.push(format!("{NOTEBOOK}: {error}"));
    }
    result.notebook = Some(FileRef {
        path: format!("{relative}/{NOTEBOOK}"),
        digest,
        bytes,
        media_type: "application/x-ipynb+json".to_owned(),
        kind: "notebook".to_owned(),
        preview: None,
        title: String::new(),
        description: String::new(),
    });
    Ok(result)
}

/// Name of the notebook in the folder of an attempt.
const NOTEBOOK: &str = "notebook.ipynb";
