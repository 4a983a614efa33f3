//! `stepwell retry`: take an ended run up again.

use clap::Args;

use super::super::error::Error;
use super::super::view::text::line;
use super::super::{Context, Exit, confirm, drive, find, person};
use crate::id::StepPath;
use crate::run::{Command, Reopening, RunState, StepStatus, reopening, run_json};

/// Take an ended run up again: run once more what did not succeed
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The run: its id, the beginning or the end of it, or @last
    #[arg(value_name = "RUN")]
    run: String,
    /// Begin from this step: it and everything that depends on it run again, however they ended
    #[arg(long, value_name = "STEP")]
    from: Vec<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Only record it; nothing runs until `stepwell resume`
    #[arg(long)]
    detach: bool,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: &Arguments,
) -> Result<Exit, Error> {
    let opened = context.open_for_run().await?;
    let state = find::state(&opened, &arguments.run).await?;
    let mut from = Vec::new();
    for word in &arguments.from {
        from.push(find::step(&state, word)?.1.path.clone());
    }
    let chosen = reopening(&state, &from)?;
    show(context, &state, &chosen);
    if !confirm::confirm(context, arguments.yes)? {
        context.output.aside("nothing was done");
        return Ok(Exit::Failed);
    }
    let command = Command::Reopen {
        from,
        by: person::name(),
        reason: arguments.reason.clone(),
        seen: Some(state.seq),
    };
    let after = opened
        .engine
        .command(state.run, person::actor(), command)
        .await?;
    if !arguments.detach {
        return drive::drive_and_tell(context, &opened, state.run).await;
    }
    context.output.result(
        || run_json(&after),
        || {
            let command = format!("resume {}", after.run.short());
            let command = context.settings.command(&command);
            format!("taken up again\nnothing of it runs until you type\n  {command}")
        },
    );
    Ok(Exit::Succeeded)
}

fn show(context: &Context, state: &RunState, chosen: &Reopening) {
    let told = |path: &StepPath| {
        let was = state.step(path).map_or("", |(_, step)| step.status.told());
        let writes = chosen.writes_again.contains(path);
        let loud = if writes { "  this step WRITES and will write again" } else { "" };
        format!("{}  ({was}){loud}", line(path.as_str()))
    };
    let rows = |paths: &[StepPath]| paths.iter().map(told).collect::<Vec<_>>();
    confirm::list(context, "runs again", &rows(&chosen.steps));
    confirm::list(
        context,
        "goes on with what did not succeed in it",
        &rows(&chosen.resumed),
    );
    let stays: Vec<String> = state
        .steps()
        .filter(|(_, step)| {
            step.status == StepStatus::Succeeded
                && !chosen.steps.contains(&step.path)
                && !chosen.resumed.contains(&step.path)
                && !chosen.kept_writes.contains(&step.path)
        })
        .map(|(_, step)| line(step.path.as_str()))
        .collect();
    confirm::list(context, "stays as it is", &stays);
    confirm::list(
        context,
        "stays because it has written; name it with --from to write once more",
        &rows(&chosen.kept_writes),
    );
}
