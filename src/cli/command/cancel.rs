//! `stepwell cancel`: stop a run, and see that nothing of it lives on.

use clap::Args;

use super::super::error::Error;
use super::super::{Context, Exit, drive, find, person};
use crate::run::{Command, RunStatus};

/// Stop a run; returns when no process of it is alive
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The run: its id, the beginning or the end of it, or @last
    #[arg(value_name = "RUN")]
    run: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: Arguments,
) -> Result<Exit, Error> {
    let opened = context.open_for_run().await?;
    let run = find::run(&opened, &arguments.run).await?;
    let command = Command::Cancel {
        reason: arguments.reason,
    };
    opened.engine.command(run, person::actor(), command).await?;
    match drive::drive(context, &opened, run).await? {
        drive::Driven::Settled(state) => {
            let exit = drive::tell(context, &opened, &state).await?;
            // The command did what it was asked; that a cancelled run counts as 1 is for `run` and `resume`.
            Ok(if state.status() == RunStatus::Cancelled {
                Exit::Succeeded
            } else {
                exit
            })
        }
        drive::Driven::Interrupted => {
            let command = format!("cancel {}", run.short());
            context.output.aside(&drive::interrupted(context, &command));
            Ok(Exit::Interrupted)
        }
    }
}
