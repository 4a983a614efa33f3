//! `stepwell show`: one run, whole.

use clap::Args;

use super::super::error::Error;
use super::super::{Context, Exit, drive, find};
use crate::run::Reveal;

/// Show a run: steps, outputs, open questions, failure
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The run: its id, the beginning or the end of it, or @last
    #[arg(value_name = "RUN")]
    run: String,
    /// Show sensitive outputs too
    #[arg(long)]
    reveal: bool,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: &Arguments,
) -> Result<Exit, Error> {
    let opened = context.open_for_run().await?;
    let state = find::state(&opened, &arguments.run).await?;
    let reveal = if arguments.reveal {
        Reveal::Yes
    } else {
        Reveal::No
    };
    drive::tell_with(context, &opened, &state, reveal).await?;
    Ok(Exit::Succeeded)
}
