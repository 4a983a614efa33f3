//! `stepwell notebook`: where a notebook is, or a copy of it.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::super::error::Error;
use super::super::open::Opened;
use super::super::view::text::line;
use super::super::{Context, Exit, find};
use crate::code;
use crate::id::Digest;
use crate::run::RunState;

/// Print where the notebook of a run or of a step is, or copy it
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The run: its id, the beginning or the end of it, or @last
    #[arg(value_name = "RUN")]
    run: String,
    /// The notebook of this step instead of the whole run's
    #[arg(value_name = "STEP")]
    step: Option<String>,
    /// Copy it there
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: &Arguments,
) -> Result<Exit, Error> {
    let opened = context.open_for_run().await?;
    let state = find::state(&opened, &arguments.run).await?;
    let (path, digest) = match &arguments.step {
        None => {
            find::own_files_kept(&state)?;
            (opened.engine.folder(&state).notebook(), None)
        }
        Some(word) => of_step(context, &state, word)?,
    };
    if !path.is_file() && digest.is_none() {
        return Err(none(context, &state, &path));
    }
    if let Some(word) = &arguments.step
        && let Some(reused) = &find::step(&state, word)?.1.look.reused
    {
        context.output.remark(&reused.told());
    }
    let path = match &arguments.output {
        None if path.is_file() => path,
        None => return Err(none(context, &state, &path)),
        Some(target) => {
            let target = context.settings.absolute(target);
            copy(&opened, (&path, digest), &target).await?;
            target
        }
    };
    context.output.result(
        || json!({"run_id": state.run, "step": arguments.step, "notebook": path.display().to_string()}),
        || context.settings.shown(&path),
    );
    Ok(Exit::Succeeded)
}

/// The notebook of the newest attempt; of code that waits, the one that shows what would run.
fn of_step(
    context: &Context,
    state: &RunState,
    word: &str,
) -> Result<(PathBuf, Option<Digest>), Error> {
    let (step, step_state) = find::step(state, word)?;
    find::files_kept(state, step_state)?;
    let recorded = step_state
        .result
        .as_ref()
        .and_then(|result| result.notebook.as_ref());
    let waiting = step_state
        .analysis
        .as_ref()
        .and_then(|analysis| analysis.notebook.as_ref());
    match (recorded, waiting) {
        (Some(file), _) => Ok((context.settings.data.join(&file.path), Some(file.digest))),
        (None, Some(path)) => Ok((context.settings.data.join(path), None)),
        (None, None) => {
            let message = format!("the step `{}` has no notebook in {}", step.path, state.run);
            Err(Error::usage(code::NOTHING_RECORDED, message).help(
                "Python steps have one when an attempt ended or when their code waits for a person",
            ))
        }
    }
}

/// Copies the stored bytes, which nobody can have edited since; a notebook that is only a view is copied as it is.
async fn copy(
    opened: &Opened,
    (path, digest): (&Path, Option<Digest>),
    target: &Path,
) -> Result<(), Error> {
    let bytes = match digest {
        Some(digest) => opened.engine.blob(digest).await?,
        None => std::fs::read(path).map_err(|error| Error::unreadable(path, &error))?,
    };
    std::fs::write(target, bytes).map_err(|error| Error::unwritable(target, &error))
}

fn none(context: &Context, state: &RunState, path: &Path) -> Error {
    let message = format!(
        "there is no notebook at {}",
        line(&context.settings.shown(path))
    );
    Error::usage(code::NOTHING_RECORDED, message).help(format!(
        "the run is {}; its notebook is written when it stops",
        state.status().as_str()
    ))
}
