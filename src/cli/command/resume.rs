//! `stepwell resume`: take up one unfinished run, or all of them.

use std::collections::VecDeque;

use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::super::error::Error;
use super::super::open::Opened;
use super::super::progress::Watcher;
use super::super::view::Frame;
use super::super::view::outcome;
use super::super::{Context, Exit, drive, find};
use crate::id::RunId;
use crate::run::{RunState, run_json};
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
        return drive::drive_and_tell(context, &opened, run).await;
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
