//! `stepwell resume`: take up one unfinished run, or all of them.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::super::bypass::Bypass;
use super::super::compile::compile_with;
use super::super::error::Error;
use super::super::open::Opened;
use super::super::progress::Watcher;
use super::super::view::Frame;
use super::super::view::outcome;
use super::super::{Context, Exit, confirm, drive, find, person};
use crate::id::RunId;
use crate::run::{Command, Refusal, RunState, compare_plans, run_json};
use crate::workflow::CompileOptions;
use crate::{code, engine, store};

/// Runs that are driven at the same time; their Python steps share the engine's slots.
const RUNS_AT_ONCE: usize = 64;

/// Take up an unfinished run; an ended one only prints its outcome
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The run: its id, the beginning or the end of it, or @last
    #[arg(
        value_name = "RUN",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    run: Option<String>,
    /// Go on with the workflow file as it is now, or with FILE; what has begun must be the same in it
    #[arg(long, value_name = "FILE", num_args = 0..=1, conflicts_with = "all")]
    with_version: Option<Option<PathBuf>>,
    #[command(flatten)]
    cache: Bypass,
    /// All unfinished runs
    #[arg(long)]
    all: bool,
}

/// How one run of many went.
type Ended = (RunId, Result<RunState, engine::Error>);

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: &Arguments,
) -> Result<Exit, Error> {
    if let Some(word) = &arguments.run {
        let opened = context.open_for_run().await?;
        let run = find::run(&opened, word).await?;
        if let Some(by) = opened.store.driver(run) {
            return Err(store::Error::Driven { run, by }.into());
        }
        if let Some(file) = &arguments.with_version {
            migrate(context, &opened, run, file.as_deref()).await?;
        }
        bypass(&opened, run, &arguments.cache).await?;
        return drive::drive_and_tell(context, &opened, run).await;
    }
    if !arguments.cache.is_empty() {
        let message = "--no-cache and --refresh are for one run, not for --all";
        return Err(Error::usage(code::USAGE, message));
    }
    let Some(opened) = context.open_existing().await? else {
        context
            .output
            .result(|| json!({"runs": []}), || "no unfinished runs\n".to_owned());
        return Ok(Exit::Succeeded);
    };
    let runs = opened.engine.unfinished().await?;
    match drive_all(context, &opened, runs).await? {
        Some(ended) => Ok(tell(context, &opened, ended).await),
        None => {
            context
                .output
                .aside(&drive::interrupted(context, "resume --all"));
            Ok(Exit::Interrupted)
        }
    }
}

/// Records what takes no kept result from here on.
async fn bypass(opened: &Opened, run: RunId, cache: &Bypass) -> Result<(), Error> {
    if cache.is_empty() {
        return Ok(());
    }
    let state = opened.engine.state(run).await?;
    let command = Command::BypassCache(cache.wish(&state.plan)?);
    opened.engine.command(run, person::actor(), command).await?;
    Ok(())
}

/// Goes on with another version of the workflow, when nothing that has begun differs in it.
async fn migrate(
    context: &Context,
    opened: &Opened,
    run: RunId,
    file: Option<&Path>,
) -> Result<(), Error> {
    let state = opened.engine.state(run).await?;
    if state.ending.is_some() {
        let status = state.status().as_str();
        return Err(Refusal::Ended { status }.into());
    }
    let recorded = recorded_file(&state);
    // What was said when the run was started holds for its new version too.
    let options = CompileOptions {
        default_mode: state.plan.source.mode,
        default_execution: state.plan.source.execution,
        ..CompileOptions::default()
    };
    let compiled = compile_with(context, file.unwrap_or(&recorded), &options)?;
    context.output.diagnostics(&compiled.warnings);
    let compared = compare_plans(&state, &compiled.plan);
    confirm::list(context, "what is different", &compared.changes);
    if !compared.obstacles.is_empty() {
        let message = format!("{run} can't go on with this version");
        let error = Error::new(Exit::Failed, code::PLAN_DIFFERS, message);
        let obstacles = compared.obstacles.into_iter();
        return Err(obstacles.fold(error, Error::help));
    }
    if compiled.plan.digest() == state.plan_digest() {
        context.output.remark("nothing is different");
        return Ok(());
    }
    let plan = (Arc::new(compiled.plan), compiled.blobs);
    let engine = &opened.engine;
    engine
        .migrate(run, person::actor(), plan, compared.changes)
        .await?;
    Ok(())
}

/// The file that the run was compiled from, where it was then.
fn recorded_file(state: &RunState) -> PathBuf {
    let file = Path::new(&state.plan.source.file);
    let name = file.file_name().map_or(file, Path::new);
    match &state.created.workflow_folder {
        Some(folder) => Path::new(folder).join(name),
        None => file.to_owned(),
    }
}

/// Drives them all; nothing when somebody interrupted.
async fn drive_all(
    context: &Context,
    opened: &Opened,
    runs: Vec<RunId>,
) -> Result<Option<Vec<Ended>>, Error> {
    let mut interrupts = drive::listen()?;
    let mut messages = opened.engine.listen();
    let mut watcher = Watcher::new(&context.output);
    let mut left = VecDeque::from(runs);
    let mut driving = JoinSet::new();
    let mut ended = Vec::new();
    let finished = loop {
        while driving.len() < RUNS_AT_ONCE
            && let Some(run) = left.pop_front()
        {
            let engine = opened.engine.clone();
            driving.spawn(async move { (run, engine.drive(run).await) });
        }
        if driving.is_empty() {
            break true;
        }
        tokio::select! {
            biased;
            message = messages.recv() => drive::hear(&mut watcher, message),
            () = interrupts.next() => break false,
            Some(one) = driving.join_next() => ended.push(one.map_err(|error| {
                Error::new(Exit::Internal, code::INTERNAL, format!("a task of the engine died: {error}"))
            })?),
        }
    };
    drive::drain(&mut watcher, &mut messages);
    watcher.finish();
    ended.sort_by_key(|(run, _)| *run);
    Ok(finished.then_some(ended))
}

async fn tell(context: &Context, opened: &Opened, ended: Vec<Ended>) -> Exit {
    let mut documents: Vec<Value> = Vec::new();
    let mut exits = Vec::new();
    let none = ended.is_empty();
    for (run, result) in ended {
        match result {
            Ok(state) => {
                exits.push(Exit::of(state.status()));
                documents.push(run_json(&state));
                if !context.output.is_json() {
                    let frame = Frame::load(context, opened, &state).await;
                    context.output.text(&format!("{}\n", outcome::text(&frame)));
                }
            }
            Err(error) => {
                let driven = matches!(&error, engine::Error::Store(store::Error::Driven { .. }));
                let error = Error::from(error);
                if !driven {
                    // A run that goes on elsewhere is in good hands.
                    exits.push(Exit::Internal);
                }
                let mut document = error.to_json();
                if let Some(map) = document.as_object_mut() {
                    map.insert("run_id".to_owned(), json!(run));
                }
                documents.push(document);
                if !context.output.is_json() {
                    context.output.error(&error);
                }
            }
        }
    }
    if context.output.is_json() {
        context.output.document(&json!({"runs": documents}));
    } else if none {
        context.output.text("no unfinished runs\n");
    }
    Exit::gravest(exits)
}
