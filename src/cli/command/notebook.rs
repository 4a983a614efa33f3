//! `stepwell notebook`: where a notebook is, or a copy of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use serde_json::json;

use super::super::error::Error;
use super::super::open::Opened;
use super::super::view::text::line;
use super::super::{Context, Exit, find};
use crate::code;
use crate::id::Digest;
use crate::python::notebook;
use crate::run::RunState;

/// Print where the notebook of a run or of a step is, write it as a page, or copy it
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The run: its id, the beginning or the end of it, or @last
    #[arg(value_name = "RUN")]
    run: String,
    /// The notebook of this step instead of the whole run's
    #[arg(value_name = "STEP")]
    step: Option<String>,
    /// Copy it there; a name that ends in `.html` gets the page
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print where the page is that shows it without Jupyter
    #[arg(long)]
    html: bool,
    /// Open that page in the browser
    #[arg(long)]
    open: bool,
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
    if arguments.output.is_none() && !path.is_file() {
        return Err(none(context, &state, &path));
    }
    let bytes = content(&opened, (&path, digest)).await?;
    let (path, page) = places(context, arguments, path);
    if arguments.output.is_some() && page != path {
        write(&path, &bytes)?;
    }
    let title = title(&state, arguments.step.as_deref());
    let notebook = serde_json::from_slice(&bytes).unwrap_or_default();
    let is_page = arguments.html || arguments.open || page == path;
    let text = notebook::page(&notebook, &title);
    match write(&page, text.as_bytes()) {
        // Where nothing may be written the notebook is there all the same.
        Err(fault) if !is_page && arguments.output.is_none() => {
            tracing::debug!(?fault, "the page could not be written");
        }
        written => written?,
    }
    if arguments.open {
        open(&page)?;
    }
    let shown = if is_page { &page } else { &path };
    context.output.result(
        || {
            json!({
                "run_id": state.run, "step": arguments.step,
                "notebook": path.display().to_string(), "html": page.display().to_string(),
            })
        },
        || context.settings.shown(shown),
    );
    Ok(Exit::Succeeded)
}

/// Where the notebook and its page are: beside each other, or where they are wanted.
fn places(context: &Context, arguments: &Arguments, path: PathBuf) -> (PathBuf, PathBuf) {
    let path = arguments
        .output
        .as_ref()
        .map_or(path, |target| context.settings.absolute(target));
    let is_page = path.extension().is_some_and(|suffix| suffix == "html");
    let page = if is_page {
        path.clone()
    } else {
        // The code may have left a `notebook.html` of its own.
        let mut name = path.clone().into_os_string();
        name.push(".html");
        PathBuf::from(name)
    };
    (path, page)
}

fn title(state: &RunState, step: Option<&str>) -> String {
    match step {
        Some(step) => format!("{step} · {}", state.plan.name),
        None => state.plan.name.clone(),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    std::fs::write(path, bytes).map_err(|error| Error::unwritable(path, &error))
}

/// Hands the page to what opens pages on this system.
fn open(page: &Path) -> Result<(), Error> {
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let ran = Command::new(opener)
        .arg(page)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match ran {
        Ok(status) if status.success() => Ok(()),
        Ok(_) | Err(_) => {
            let message = format!(
                "`{opener}` could not open {}",
                line(&page.display().to_string())
            );
            Err(Error::usage(code::NOTHING_RECORDED, message)
                .help("open the file in a browser by hand; it needs no network"))
        }
    }
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

/// The stored bytes, which nobody can have edited since; a notebook that is only a view is read as it is.
async fn content(
    opened: &Opened,
    (path, digest): (&Path, Option<Digest>),
) -> Result<Vec<u8>, Error> {
    match digest {
        Some(digest) => Ok(opened.engine.blob(digest).await?),
        None => std::fs::read(path).map_err(|error| Error::unreadable(path, &error)),
    }
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
