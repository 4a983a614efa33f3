//! `stepwell pause` and `stepwell unpause`: hold a run, and let it go on.

use clap::Args;

use super::super::error::Error;
use super::super::{Context, Exit, drive, find, person};
use crate::run::{Command, RunState, run_json};

/// Hold a run: nothing new of it begins, what runs comes to its end
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The run: its id, the beginning or the end of it, or @last
    #[arg(value_name = "RUN")]
    run: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Let a run go on that was paused
#[derive(Debug, Args)]
pub(in crate::cli) struct Unpause {
    /// The run: its id, the beginning or the end of it, or @last
    #[arg(value_name = "RUN")]
    run: String,
    /// Go on in the foreground at once
    #[arg(long)]
    resume: bool,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: Arguments,
) -> Result<Exit, Error> {
    let opened = context.open().await?;
    let run = find::run(&opened, &arguments.run).await?;
    let reason = arguments.reason;
    let state = opened
        .engine
        .command(run, person::actor(), Command::Pause { reason })
        .await?;
    if context.output.is_json() {
        context.output.document(&run_json(&state));
        return Ok(Exit::Succeeded);
    }
    let mut text = format!("{} is paused\n", state.run);
    for step in under_way(&state) {
        text.push_str(&format!("  still runs: {step}\n"));
    }
    let command = context
        .settings
        .command(&format!("unpause {}", run.short()));
    text.push_str(&format!("let it go on with\n  {command}\n"));
    context.output.text(&text);
    Ok(Exit::Succeeded)
}

fn under_way(state: &RunState) -> Vec<String> {
    let open = state
        .steps()
        .filter(|(_, step)| step.open_attempt().is_some());
    open.map(|(_, step)| step.path.to_string()).collect()
}

pub(in crate::cli) async fn unpause(context: &Context, arguments: Unpause) -> Result<Exit, Error> {
    let opened = if arguments.resume {
        context.open_for_run().await?
    } else {
        context.open().await?
    };
    let run = find::run(&opened, &arguments.run).await?;
    let state = opened
        .engine
        .command(run, person::actor(), Command::Unpause)
        .await?;
    if arguments.resume {
        return drive::drive_and_tell(context, &opened, run).await;
    }
    if context.output.is_json() {
        context.output.document(&run_json(&state));
        return Ok(Exit::Succeeded);
    }
    let command = context.settings.command(&format!("resume {}", run.short()));
    let text = format!("{run} may go on; if nothing drives it, type\n  {command}\n");
    context.output.text(&text);
    Ok(Exit::Succeeded)
}
