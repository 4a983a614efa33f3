//! Code whose yes is no more: somebody said no to it, or it failed when it was taken again.
//!
//! A mark on the code, by its digest, is durable before the event that it comes from. A crash between the two costs a
//! question; the other way round, code would run that nobody wants. Hints and runs that took the code name the mark that
//! they saw, and count only while it is the newest: a yes that comes later sees the later mark.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::reuse::FOLDER;
use crate::approval::Answer;
use crate::artifact::{self, DiskError, disk};
use crate::canonical::canonical_json;
use crate::engine::options::blocking;
use crate::engine::{Error, Shared};
use crate::executor::make_dir;
use crate::failure::FailureKind;
use crate::id::{Digest, StepPath};
use crate::run::payload::{AttemptFailed, Phase, Subject};
use crate::run::{Event, RunState};

/// The code that this event speaks against; `state` is that before it.
pub(in crate::engine) fn withdrawn_by(state: &RunState, event: &Event) -> Option<Digest> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "nothing else says no to code"
    )]
    match event {
        Event::ApprovalVoted(vote) => {
            let asked = &state.approvals.get(&vote.approval)?.request;
            let no = match vote.answer {
                Answer::Reject | Answer::RequestChanges => true,
                Answer::Approve => false,
            };
            (no && asked.subject == Subject::Code).then_some(())?;
            written(state, &asked.step)
        }
        // Who puts something else in its place does not want it as it is.
        Event::CodeEdited(edited) => written(state, &edited.step),
        Event::AttemptFailed(failed) => at_fault(state, failed),
        _ => None,
    }
}

/// The code of a step, where a generator wrote it.
fn written(state: &RunState, path: &StepPath) -> Option<Digest> {
    let (step, step_state) = state.step(path)?;
    let python = step.kind.as_python()?;
    python.task()?;
    step_state.code(python)
}

/// Code of an earlier run that failed here by its own fault.
fn at_fault(state: &RunState, failed: &AttemptFailed) -> Option<Digest> {
    let (_, step_state) = state.step(&failed.step)?;
    let attempts = step_state.attempts.iter();
    let ran = attempts
        .rev()
        .find(|attempt| attempt.number == failed.attempt)?;
    let by_code = failed.failure.kind == FailureKind::Code && ran.phase == Phase::Execute;
    (by_code && step_state.edit.is_none()).then_some(())?;
    let newest = &step_state.generations.last()?.record;
    newest.reused.as_ref().and(newest.code)
}

/// Puts a mark on code. Each is another than those before it.
///
/// # Errors
/// It can't be written; then what it comes from must not be recorded either.
pub(in crate::engine) async fn mark(shared: &Shared, code: Digest) -> Result<(), Error> {
    let file = file(shared, code);
    let now = shared.ports.clock.now().to_string();
    blocking(move || {
        let before = read(&file)?;
        let mark = Digest::of(&canonical_json(
            &serde_json::json!({"before": before, "at": now}),
        ));
        let fault = |error| Error::Blob(artifact::Error::Disk(error));
        let folder = file.parent().unwrap_or(&file);
        make_dir(folder).map_err(|source| fault(DiskError::new("create", folder, source)))?;
        let mut draft = disk::Draft::new(folder).map_err(fault)?;
        draft.write(mark.hex().as_bytes()).map_err(fault)?;
        draft.publish(&file).map_err(fault)
    })
    .await
}

/// The newest mark on code.
///
/// # Errors
/// It can't be read: then the code is not taken.
pub(super) async fn newest(shared: &Shared, code: Digest) -> Result<Option<Digest>, Error> {
    let file = file(shared, code);
    blocking(move || read(&file)).await
}

fn read(file: &std::path::Path) -> Result<Option<Digest>, Error> {
    match std::fs::read(file) {
        // Whatever stands there is a mark.
        Ok(bytes) => Ok(Some(Digest::of(&bytes))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Blob(artifact::Error::Disk(DiskError::new(
            "read", file, source,
        )))),
    }
}

fn file(shared: &Shared, code: Digest) -> PathBuf {
    let folder = shared.options.data.join(FOLDER);
    folder.join(format!("{}.withdrawn", code.hex()))
}
