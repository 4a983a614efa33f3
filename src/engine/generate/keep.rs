//! What was asked and answered: blobs for the log, files for people.

use std::path::PathBuf;

use super::Place;
use crate::engine::folder::RunFolder;
use crate::engine::task::Driver;
use crate::engine::{Error, files};
use crate::id::{Digest, StepPath};
use crate::run::payload::CodeGenerated;
use crate::run::{Command, RunState};

/// Folder of prompts and answers in the folder of an attempt.
const PROMPTS: &str = "prompts";
/// What the event will say, for an engine that dies before it is written.
const WHOLE: &str = "generated.json";

/// Where the files of one writing go.
pub(super) struct Kept<'a> {
    place: &'a Place<'a>,
    folder: PathBuf,
}

impl<'a> Kept<'a> {
    pub(super) fn of(place: &'a Place<'a>) -> Self {
        let path = &place.step_state.path;
        Self {
            folder: folder(place.shared, place.state, path, place.attempt),
            place,
        }
    }

    /// Keeps a text: a blob, and a file beside it for people.
    pub(super) async fn text(&self, name: &str, text: &str) -> Result<Digest, Error> {
        let digest = self
            .place
            .shared
            .ports
            .put_blob(text.as_bytes().to_vec())
            .await?;
        self.file(name, text.to_owned()).await;
        Ok(digest)
    }

    /// The event itself, written when everything that it names is durable.
    pub(super) async fn whole(&self, generated: &CodeGenerated) {
        match serde_json::to_string_pretty(generated) {
            Ok(text) => self.file(WHOLE, text).await,
            Err(error) => tracing::warn!(%error, "what was generated could not be written"),
        }
    }

    /// The blob has it, so a file that can't be written costs nobody anything but a look.
    async fn file(&self, name: &str, text: String) {
        if let Err(error) = files::write(self.folder.join(name), text).await {
            tracing::warn!(run = %self.place.state.run, name, %error, "a file of prompts could not be written");
        }
    }
}

fn folder(
    shared: &crate::engine::Shared,
    state: &RunState,
    path: &StepPath,
    attempt: u32,
) -> PathBuf {
    RunFolder::new(&shared.options.data, &state.created.folder)
        .attempt(path, attempt)
        .join(PROMPTS)
}

/// Finds out what became of a call that an earlier engine made. An answer that was kept is taken; otherwise the
/// generator will be asked again, since nobody can know whether it heard.
pub(in crate::engine) async fn adopt(
    driver: &Driver,
    state: &RunState,
    path: &StepPath,
    attempt: u32,
) -> Command {
    let shared = &driver.shared;
    let file = folder(shared, state, path, attempt).join(WHOLE);
    let read = tokio::task::spawn_blocking(move || std::fs::read(file)).await;
    let found = read.ok().and_then(Result::ok);
    let found = found.and_then(|bytes| serde_json::from_slice::<CodeGenerated>(&bytes).ok());
    if let Some(generated) = found
        && generated.step == *path
        && generated.attempt == Some(attempt)
        && is_kept(shared, &generated).await
    {
        return Command::Generated(generated);
    }
    Command::AttemptLost {
        step: path.clone(),
        attempt,
        started: true,
        evidence: "the engine stopped before the generator's answer was recorded; it may have to be paid for twice"
            .to_owned(),
    }
}

async fn is_kept(shared: &crate::engine::Shared, generated: &CodeGenerated) -> bool {
    let named = [generated.prompt, generated.answer, generated.code];
    for digest in named.into_iter().flatten() {
        if shared.ports.get_blob(digest).await.is_err() {
            return false;
        }
    }
    true
}
