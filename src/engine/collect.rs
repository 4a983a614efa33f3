//! What an attempt left is kept: files become blobs before an event names them, the notebook is written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folder::RunFolder;
use super::options::blocking;
use super::{Error, Shared, notebook};
use crate::artifact::{self, DiskError};
use crate::executor::{Outcome, OutcomeStatus, OutputFile};
use crate::failure::{Failure, FailureKind};
use crate::plan::{Mode, Step, StepKind};
use crate::run::payload::{FileRef, ResultRecorded};
use crate::run::{Command, RunState};

/// The command that follows from the end of an attempt.
pub(super) async fn ended(
    shared: &Arc<Shared>,
    state: &RunState,
    step: &Step,
    attempt: u32,
    outcome: Outcome,
) -> Command {
    match keep(shared, state, step, attempt, &outcome).await {
        Ok(result) => {
            let failure = match outcome.status {
                OutcomeStatus::Succeeded => None,
                OutcomeStatus::Failed(failure) => Some(failure),
            };
            Command::AttemptEnded { result, failure }
        }
        Err(error) => not_kept(step, attempt, &error),
    }
}

/// The code ran, and what it left could not be kept. A read may be done again; a write must not be by itself.
fn not_kept(step: &Step, attempt: u32, error: &Error) -> Command {
    let message = format!("what the attempt left could not be kept: {error}");
    let write = matches!(&step.kind, StepKind::Python(python) if python.mode == Mode::WriteAccess);
    if write {
        return Command::AttemptLost {
            step: step.path.clone(),
            attempt,
            started: true,
            evidence: format!("it ran to its end, and {message}"),
        };
    }
    let failure = Failure::new(FailureKind::Infrastructure, error.code(), message)
        .hint("its files are still in the folder of the attempt");
    Command::AttemptBroken {
        step: step.path.clone(),
        attempt,
        failure,
    }
}

async fn keep(
    shared: &Arc<Shared>,
    state: &RunState,
    step: &Step,
    attempt: u32,
    outcome: &Outcome,
) -> Result<ResultRecorded, Error> {
    let folder = RunFolder::new(&shared.options.data, &state.created.folder);
    let relative = folder.attempt_relative(&step.path, attempt);
    let absolute = folder.attempt(&step.path, attempt);
    let mut result = ResultRecorded {
        step: step.path.clone(),
        attempt,
        results: outcome.results.clone(),
        figures: files(shared, &absolute, &relative, &outcome.figures).await?,
        artifacts: files(shared, &absolute, &relative, &outcome.artifacts).await?,
        notebook: None,
        folder: relative.clone(),
        notes: outcome.notes.clone(),
        seconds: outcome.seconds,
        max_rss_bytes: outcome.usage.max_rss_bytes,
        cpu_seconds: outcome.usage.user_seconds + outcome.usage.system_seconds,
    };
    let text = notebook::attempt_text(shared, state, step, &result, outcome).await?;
    let path = absolute.join(NOTEBOOK);
    write(path.clone(), text).await?;
    let file = OutputFile {
        path: NOTEBOOK.to_owned(),
        title: String::new(),
        description: String::new(),
        media_type: "application/x-ipynb+json".to_owned(),
        bytes: 0,
    };
    result.notebook = files(shared, &absolute, &relative, &[file]).await?.pop();
    Ok(result)
}

/// Name of the notebook in the folder of an attempt.
const NOTEBOOK: &str = "notebook.ipynb";

async fn files(
    shared: &Arc<Shared>,
    absolute: &Path,
    relative: &str,
    files: &[OutputFile],
) -> Result<Vec<FileRef>, Error> {
    let mut kept = Vec::with_capacity(files.len());
    for file in files {
        let path = absolute.join(&file.path);
        let blobs = Arc::clone(&shared.ports.blobs);
        let (digest, bytes) = blocking(move || {
            let digest = blobs.put_file(&path).map_err(Error::Blob)?;
            let bytes = std::fs::metadata(&path)
                .map(|metadata| metadata.len())
                .unwrap_or_default();
            Ok((digest, bytes))
        })
        .await?;
        kept.push(FileRef {
            path: format!("{relative}/{}", file.path),
            digest,
            bytes,
            media_type: file.media_type.clone(),
            title: file.title.clone(),
            description: file.description.clone(),
        });
    }
    Ok(kept)
}

/// Writes a file for people, its folder first.
pub(super) async fn write(path: PathBuf, text: String) -> Result<(), Error> {
    blocking(move || {
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, text));
        written.map_err(|source| {
            Error::Blob(artifact::Error::Disk(DiskError::new(
                "write", &path, source,
            )))
        })
    })
    .await
}
