//! `stepwell logs`: what the code of steps printed.

use std::collections::HashMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::follow::Follower;
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
    /// Go on with what comes, until the run has ended
    #[arg(long, short)]
    follow: bool,
}

/// How often the files of running code are looked at: nobody tells of what a program prints.
const LOOK_EVERY: Duration = Duration::from_millis(200);

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
    if arguments.follow {
        return follow(context, &opened, arguments).await;
    }
    let state = find::state(&opened, &arguments.run).await?;
    let logs: Vec<Log> = match &arguments.step {
        Some(word) => {
            let (_, step_state) = find::step(&state, word)?;
            find::files_kept(&state, step_state)?;
            let log = newest(&opened, &state, &step_state.path, step_state)
                .ok_or_else(|| none(&state, word))?;
            vec![log]
        }
        None => state
            .steps()
            .filter(|(_, step_state)| step_state.files_removed.is_none())
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
    if let Some(reused) = &step_state.look.reused {
        // What the code printed when it ran.
        let folder = opened.engine.in_data(&reused.result.folder);
        return Some(log_in(&folder, step, reused.result.attempt));
    }
    let attempt = step_state.ran_last()?.number;
    Some(log(opened, state, step, attempt))
}

fn log(opened: &Opened, state: &RunState, step: &StepPath, attempt: u32) -> Log {
    let folder = opened.engine.folder(state).attempt(step, attempt);
    log_in(&folder, step, attempt)
}

fn log_in(folder: &Path, step: &StepPath, attempt: u32) -> Log {
    Log {
        step: step.clone(),
        attempt,
        stdout: folder.join("stdout.log"),
        stderr: folder.join("stderr.log"),
    }
}

/// Prints what every attempt prints while it does, until the run has ended.
async fn follow(context: &Context, opened: &Opened, arguments: &Arguments) -> Result<Exit, Error> {
    let run = find::run(opened, &arguments.run).await?;
    let mut follower = Follower::of(opened, run).await?;
    let mut tail = Tail::default();
    loop {
        let state = opened.engine.state(run).await?;
        let only = match &arguments.step {
            Some(word) => Some(find::step(&state, word)?.1.path.clone()),
            None => None,
        };
        let steps = state.steps().filter(|(_, step_state)| {
            let path = &step_state.path;
            only.as_ref().is_none_or(|only| only == path)
        });
        let logs: Vec<Log> = steps
            .flat_map(|(_, step_state)| {
                let attempts = step_state.attempts.iter();
                attempts.map(|attempt| log(opened, &state, &step_state.path, attempt.number))
            })
            .collect();
        loop {
            for log in &logs {
                tail.print(context, log, arguments.stderr);
            }
            if state.ending.is_some() || context.output.reader_left() {
                return Ok(Exit::Succeeded);
            }
            match tokio::time::timeout(LOOK_EVERY, follower.news()).await {
                Err(_nothing_yet) => {}
                Ok(true) => break,
                Ok(false) => return Ok(Exit::Succeeded),
            }
        }
    }
}

/// How far each log was printed, and which was the last.
#[derive(Default)]
struct Tail {
    shown: HashMap<(StepPath, u32), u64>,
    last: Option<(StepPath, u32)>,
}

impl Tail {
    /// Prints what was added since; with `--json` a document on a line.
    fn print(&mut self, context: &Context, log: &Log, stderr: bool) {
        let (stream, path) = if stderr {
            ("stderr", &log.stderr)
        } else {
            ("stdout", &log.stdout)
        };
        let key = (log.step.clone(), log.attempt);
        let shown = self.shown.entry(key.clone()).or_default();
        let mut added = read_from(path, *shown).unwrap_or_default();
        // A letter that is not there whole yet comes with the next look.
        if let Err(error) = std::str::from_utf8(&added)
            && error.error_len().is_none()
            && context.output.is_json()
        {
            added.truncate(error.valid_up_to());
        }
        if added.is_empty() {
            return;
        }
        *shown += added.len() as u64;
        if context.output.is_json() {
            context.output.line(&json!({
                "step": log.step, "attempt": log.attempt, "stream": stream,
                "text": String::from_utf8_lossy(&added),
            }));
            return;
        }
        if self.last.as_ref() != Some(&key) {
            let head = format!("── {} (attempt {})", log.step, log.attempt);
            context.output.remark(&head);
            self.last = Some(key);
        }
        context.output.raw(&added);
    }
}

fn none(state: &RunState, word: &str) -> Error {
    Error::usage(
        code::NOTHING_RECORDED,
        format!("the step `{word}` has run no code in {}", state.run),
    )
    .help("only Python steps that began leave logs; `stepwell show RUN` says where it stands")
}

/// The whole stream.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    read_from(path, 0)
}

/// The stream from that byte on. It lies where the code could reach it, so it may be anything by now.
fn read_from(path: &Path, from: u64) -> std::io::Result<Vec<u8>> {
    let mut file = open_plain(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
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
