//! `stepwell run`: compile, create, drive, tell.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::super::bypass::Bypass;
use super::super::compile::{Compiled, compile_with};
use super::super::error::Error;
use super::super::inputs::{self, Given, Ground};
use super::super::{Context, Exit, drive, person};
use super::analyze::mode;
use crate::engine::NewRun;
use crate::plan::{Execution, Mode};
use crate::run::run_json;
use crate::time::{Clock as _, SystemClock};
use crate::workflow::CompileOptions;

/// Run a workflow in the foreground
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The workflow file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// An input, by its declared type; lists and maps as JSON; @FILE reads the value from a file
    #[arg(short, long = "input", value_name = "NAME=VALUE")]
    input: Vec<String>,
    /// Inputs as a JSON object; -i goes before it
    #[arg(long, value_name = "FILE.json")]
    inputs: Option<PathBuf>,
    /// Mode of the Python steps that name none: read_only or write_access
    #[arg(long, value_parser = mode)]
    mode: Option<Mode>,
    /// Where Python steps run that name no place: local, container or auto
    #[arg(long, value_parser = execution)]
    execution: Option<Execution>,
    #[command(flatten)]
    cache: Bypass,
    /// Only create the run; nothing of it runs until `stepwell resume`
    #[arg(long)]
    detach: bool,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: Arguments,
) -> Result<Exit, Error> {
    let options = CompileOptions {
        default_mode: arguments.mode,
        default_execution: arguments.execution,
        ..CompileOptions::default()
    };
    let compiled = compile_with(context, &arguments.file, &options)?;
    context.output.diagnostics(&compiled.warnings);
    let scheduled_at = SystemClock.now();
    let given = Given {
        pairs: &arguments.input,
        file: arguments.inputs.as_deref(),
    };
    let inputs = inputs::resolve(context, Ground::new(&compiled), &given, scheduled_at)?;
    let bypass = arguments.cache.wish(&compiled.plan)?;
    let opened = context.open().await?;
    let Compiled {
        plan,
        blobs,
        folder,
        ..
    } = compiled;
    let run = opened
        .engine
        .create_with(
            NewRun {
                plan: Arc::new(plan),
                blobs,
                inputs,
                workflow_folder: Some(folder.display().to_string()),
                actor: person::actor(),
                scheduled_at: Some(scheduled_at),
            },
            bypass,
        )
        .await?;
    if !arguments.detach {
        context.output.remark(&format!("· {run}"));
        return drive::drive_and_tell(context, &opened, run).await;
    }
    let state = opened.engine.state(run).await?;
    context.output.result(
        || run_json(&state),
        || {
            let command = context.settings.command(&format!("resume {}", run.short()));
            format!("created {run}\nnothing of it runs until you type\n  {command}")
        },
    );
    Ok(Exit::Succeeded)
}

/// The value of `--execution`.
fn execution(word: &str) -> Result<Execution, String> {
    Execution::parse(word).ok_or_else(|| "it is local, container or auto".to_owned())
}
