//! `stepwell logs`: what the code of steps printed.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::open::Opened;
use super::super::{Context, Exit, find};
use crate::artifact::disk::open_plain;
use crate::code;
use crate::id::StepPath;
use crate::run::{RunState, StepState};

/// Print what the code of a run's steps printed
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The run: its id, the beginning or the end of it, or @last
    #[arg(value_name = "RUN")]
    run: String,
    /// Only this step
    #[arg(value_name = "STEP")]
    step: Option<String>,
    /// Standard error instead of standard output
    #[arg(long)]
    stderr: bool,
}

/// The streams of one attempt.
struct Log {
    step: StepPath,
    attempt: u32,
    stdout: PathBuf,
    stderr: PathBuf,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: &Arguments,
) -> Result<Exit, Error> {
    let opened = context.open_for_run().await?;
    let state = find::state(&opened, &arguments.run).await?;
    let logs: Vec<Log> = match &arguments.step {
        Some(word) => {
            let (_, step_state) = find::step(&state, word)?;
            let log = newest(&opened, &state, &step_state.path, step_state)
                .ok_or_else(|| none(&state, word))?;
            vec![log]
        }
        None => state
            .steps()
            .filter_map(|(_, step_state)| newest(&opened, &state, &step_state.path, step_state))
            .collect(),
    };
    if context.output.is_json() {
        let logs: Vec<Value> = logs.iter().map(document).collect();
        context
            .output
            .document(&json!({"run_id": state.run, "logs": logs}));
        return Ok(Exit::Succeeded);
    }
    for log in &logs {
        if arguments.step.is_none() {
            context
                .output
                .remark(&format!("── {} (attempt {})", log.step, log.attempt));
        }
        let bytes = read(if arguments.stderr {
            &log.stderr
        } else {
            &log.stdout
        });
        context.output.raw(&bytes.unwrap_or_default());
    }
    Ok(Exit::Succeeded)
}

fn newest(
    opened: &Opened,
    state: &RunState,
    step: &StepPath,
    step_state: &StepState,
) -> Option<Log> {
    let attempt = step_state.attempts.last()?.number;
    let folder = opened.engine.folder(state).attempt(step, attempt);
    Some(Log {
        step: step.clone(),
        attempt,
        stdout: folder.join("stdout.log"),
        stderr: folder.join("stderr.log"),
    })
}

fn none(state: &RunState, word: &str) -> Error {
    Error::usage(
        code::NOTHING_RECORDED,
        format!("the step `{word}` has run no code in {}", state.run),
    )
    .help("only Python steps that began leave logs; `stepwell show RUN` says where it stands")
}

/// The whole stream. It lies where the code could reach it, so it may be anything by now.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_plain(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn document(log: &Log) -> Value {
    let text = |path: &Path| {
        read(path)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .ok()
    };
    json!({
        "step": log.step,
        "attempt": log.attempt,
        "stdout": text(&log.stdout),
        "stderr": text(&log.stderr),
    })
}
