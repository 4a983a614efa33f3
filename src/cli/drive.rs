//! Runs driven in the foreground, with progress, until they end, wait for people, or somebody interrupts.

use std::pin::pin;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::error::Error;
use super::interrupt::Interrupts;
use super::open::Opened;
use super::packages;
use super::progress::Watcher;
use super::view::{self, Frame};
use super::{Context, Exit};
use crate::code;
use crate::engine::Progress;
use crate::id::RunId;
use crate::run::payload::Trigger;
use crate::run::{Reveal, RunState, run_json, run_json_with};

/// How driving ended.
#[derive(Debug)]
pub(super) enum Driven {
    /// The run has ended or only people can move it on.
    Settled(Box<RunState>),
    /// Somebody interrupted; the run is as its history says.
    Interrupted,
}

/// The run that goes on when this one does: itself, or the unfinished run around all others that it is part of.
pub(super) async fn outermost(opened: &Opened, state: &RunState) -> Result<RunId, Error> {
    let (mut run, mut trigger) = (state.run, state.created.trigger.clone());
    while let Trigger::Parent { run: around, .. } = trigger {
        let outer = opened.engine.state(around).await?;
        if outer.ending.is_some() {
            break;
        }
        run = around;
        trigger = outer.created.trigger;
    }
    Ok(run)
}

/// Drives one run and prints what became of it.
pub(super) async fn drive_and_tell(
    context: &Context,
    opened: &Opened,
    run: RunId,
) -> Result<Exit, Error> {
    match drive(context, opened, run).await? {
        Driven::Settled(state) => tell(context, opened, &state).await,
        Driven::Interrupted => {
            context
                .output
                .aside(&interrupted(context, &format!("resume {}", run.short())));
            if context.output.is_json() {
                let state = opened.engine.state(run).await?;
                context.output.document(&run_json(&state));
            }
            Ok(Exit::Interrupted)
        }
    }
}

/// What a person should know after an interruption.
pub(super) fn interrupted(context: &Context, command: &str) -> String {
    format!(
        "interrupted: nothing is lost. A step that runs goes on in the background and is adopted when you type\n  {}",
        context.settings.command(command)
    )
}

/// Prints where the run stands: the document of the run, or its outcome and its open questions.
pub(super) async fn tell(
    context: &Context,
    opened: &Opened,
    state: &RunState,
) -> Result<Exit, Error> {
    tell_with(context, opened, state, Reveal::No).await
}

/// The same, with sensitive outputs when somebody asks for them.
pub(super) async fn tell_with(
    context: &Context,
    opened: &Opened,
    state: &RunState,
    reveal: Reveal,
) -> Result<Exit, Error> {
    if context.output.is_json() {
        let mut document = run_json_with(state, reveal);
        packages::list(opened, state, &mut document).await;
        context.output.document(&document);
    } else {
        let mut frame = Frame::load(context, opened, state).await;
        frame.reveal = reveal;
        context.output.text(&view::outcome::text(&frame));
    }
    Ok(Exit::of(state.status()))
}

/// Drives one run, or follows it while another process drives it, showing progress.
pub(super) async fn drive(context: &Context, opened: &Opened, run: RunId) -> Result<Driven, Error> {
    let mut interrupts = listen()?;
    let mut messages = opened.engine.listen();
    let mut watcher = Watcher::new(&context.output);
    let mut driving = pin!(opened.engine.settle(run));
    let driven = loop {
        tokio::select! {
            biased;
            message = messages.recv() => hear(&mut watcher, message),
            () = interrupts.next() => break Driven::Interrupted,
            state = &mut driving => break Driven::Settled(Box::new(state?)),
        }
    };
    drain(&mut watcher, &mut messages);
    watcher.finish();
    Ok(driven)
}

/// Listens for Ctrl-C and its kind.
pub(super) fn listen() -> Result<Interrupts, Error> {
    Interrupts::listen().map_err(|error| {
        Error::new(
            Exit::Internal,
            code::INTERNAL,
            format!("signals can't be heard: {error}"),
        )
    })
}

/// Takes one message; when some were lost, the history has them all the same.
pub(super) fn hear(watcher: &mut Watcher, message: Result<Progress, RecvError>) {
    match message {
        Ok(message) => watcher.take(&message),
        Err(RecvError::Lagged(_) | RecvError::Closed) => {}
    }
}

/// Takes what has been said already.
pub(super) fn drain(watcher: &mut Watcher, messages: &mut Receiver<Progress>) {
    loop {
        match messages.try_recv() {
            Ok(message) => watcher.take(&message),
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return,
        }
    }
}
