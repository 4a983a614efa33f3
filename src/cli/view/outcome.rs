//! Where a run stands: its steps, what it gives out, what it waits for, why it failed.

use std::fmt::Write as _;

use serde_json::Value;

use super::text::{bold, dim, elapsed, indented, line, painted_mark, size, value};
use super::{Frame, question, steps, table};
use crate::failure::Failure;
use crate::id::StepPath;
use crate::plan::StepKind;
use crate::run::payload::{ChildRunWaiting, FileRef, Trigger};
use crate::run::{Reveal, RunState, RunStatus, StepStatus, shown_run_outputs};

/// Figures and artifacts that are listed by name.
const FILES_MAX: usize = 20;
/// Longest tail of a traceback that is shown, in lines.
const TRACEBACK_LINES_MAX: usize = 60;

/// Everything, for people: the run, and what to type next.
pub(in crate::cli) fn text(frame: &Frame<'_>) -> String {
    let mut text = past(frame);
    if let Some(notebook) = frame.notebook() {
        let _infallible = writeln!(text, "  notebook  {}", frame.settings.shown(&notebook));
    }
    for asked in frame.state.open_approvals() {
        let _infallible = write!(text, "\n{}", question::text(frame, asked));
    }
    for (step, waiting) in inside(frame.state) {
        for asked in &waiting.questions {
            let answer = frame
                .settings
                .command(&format!("approve {} --resume", asked.approval));
            let (step, title) = (line(step), line(&asked.title));
            let _infallible = write!(text, "\n? {title}  {step}/{}\n  {answer}\n", asked.step);
        }
    }
    for (step, signal) in signals(frame.state) {
        let send = format!("signal {} {signal} --resume", frame.state.run.short());
        let send = frame.settings.command(&send);
        let _infallible = write!(
            text,
            "\n? step {} waits for the signal {signal}\n  {send}\n",
            line(step)
        );
    }
    if let Some(next) = next(frame) {
        let _infallible = writeln!(text, "\n{next}");
    }
    text
}

/// Runs of steps that only people can move on, with the step.
fn inside(state: &RunState) -> impl Iterator<Item = (&str, &ChildRunWaiting)> {
    let steps = state.steps();
    steps.filter_map(|(_, step)| Some((step.path.as_str(), step.waiting_child()?)))
}

/// Signals that are waited for, with the step.
fn signals(state: &RunState) -> impl Iterator<Item = (&str, &str)> {
    state.steps().filter_map(|(step, step_state)| {
        let StepKind::Wait(wait) = &step.kind else {
            return None;
        };
        let waits = step_state.status == StepStatus::Waiting;
        Some((step_state.path.as_str(), wait.signal().filter(|_| waits)?))
    })
}

/// The run as it was at some moment: nothing that is about now.
pub(in crate::cli) fn past(frame: &Frame<'_>) -> String {
    let state = frame.state;
    let mut text = format!("{}\n", head(state));
    text.push_str(&origin(state));
    text.push_str(&steps::tree(state, 2));
    if let Some(ending) = &state.ending {
        section(&mut text, "outputs", &outputs(state, frame.reveal));
        files(frame, &mut text);
        let warnings: String = ending
            .warnings
            .iter()
            .map(|warning| format!("    ! {}\n", line(warning)))
            .collect();
        section(&mut text, "warnings", &warnings);
        if let Some((step, failure)) = &ending.failure {
            text.push_str(&failed(frame, step, failure));
        }
    }
    notes(state, &mut text);
    text
}

fn head(state: &RunState) -> String {
    let status = state.status();
    let (mark, words) = match status {
        RunStatus::Pending => ("·", "is created; nothing of it has begun"),
        RunStatus::Running => ("•", "is unfinished"),
        RunStatus::Waiting
            if state.open_approvals().next().is_none() && inside(state).next().is_none() =>
        {
            ("?", "waits for a signal")
        }
        RunStatus::Waiting => ("?", "waits for a person"),
        RunStatus::Paused => ("?", "is paused"),
        RunStatus::Succeeded => ("✓", "succeeded"),
        RunStatus::Failed => ("✗", "failed"),
        RunStatus::Rejected => ("✗", "was rejected"),
        RunStatus::Cancelled => ("–", "was cancelled"),
    };
    let begun = state.started_at.unwrap_or(state.created_at);
    let took = state
        .ending
        .as_ref()
        .map(|ending| format!(" in {}", elapsed(ending.at.since(begun))));
    format!(
        "{} {} {words}{}  {}",
        painted_mark(mark),
        bold(&line(&state.plan.name)),
        took.unwrap_or_default(),
        state.run
    )
}

/// What came before: the run that it was forked from, ends that were taken back, versions.
fn origin(state: &RunState) -> String {
    let mut text = String::new();
    if let Trigger::Fork { run, seq, copied } = &state.created.trigger {
        let _infallible = writeln!(
            text,
            "  forked from {run} at event {seq}, {copied} steps copied"
        );
    }
    match state.reopenings {
        0 => {}
        1 => text.push_str("  retried once\n"),
        times => {
            let _infallible = writeln!(text, "  retried {times} times");
        }
    }
    for version in &state.versions {
        let _infallible = writeln!(
            text,
            "  another version: {}",
            line(&version.changes.join("; "))
        );
    }
    text
}

fn section(text: &mut String, title: &str, body: &str) {
    if !body.is_empty() {
        let _infallible = write!(text, "  {title}\n{body}");
    }
}

fn outputs(state: &RunState, reveal: Reveal) -> String {
    let Some(ending) = &state.ending else {
        return String::new();
    };
    let shown = shown_run_outputs(state, &ending.outputs, reveal);
    let rows: Vec<(String, String)> = shown
        .iter()
        .map(|(name, output)| (line(name), value(output)))
        .collect();
    table::pairs(&rows, 4)
}

fn files(frame: &Frame<'_>, text: &mut String) {
    let results = || {
        frame
            .state
            .steps()
            .filter(|(_, state)| state.files_removed.is_none())
            .filter_map(|(_, state)| state.result.as_ref())
    };
    let listed = |files: Vec<&FileRef>| {
        let rows: Vec<(String, String)> = files
            .iter()
            .take(FILES_MAX)
            .map(|file| (frame.shown(&file.path), about(file)))
            .collect();
        let more = files.len().saturating_sub(FILES_MAX);
        let rest = if more > 0 {
            format!("    and {more} more\n")
        } else {
            String::new()
        };
        table::pairs(&rows, 4) + &rest
    };
    section(
        text,
        "figures",
        &listed(results().flat_map(|result| &result.figures).collect()),
    );
    section(
        text,
        "artifacts",
        &listed(results().flat_map(|result| &result.artifacts).collect()),
    );
}

/// What a file is, how large, and its title.
fn about(file: &FileRef) -> String {
    let seen = |key: &str| file.preview.as_ref().and_then(|preview| preview.get(key));
    let count = |key: &str| seen(key).and_then(Value::as_array).map(Vec::len);
    let said = match file.kind.as_str() {
        "image" => seen("width")
            .zip(seen("height"))
            .map(|(width, height)| format!("{} × {}", value(width), value(height))),
        "table" => seen("row_count")
            .zip(count("columns"))
            .map(|(rows, columns)| format!("{rows} rows × {columns} columns")),
        "notebook" => seen("cells").map(|cells| format!("{cells} cells")),
        _ => seen("shape")
            .zip(seen("dtype"))
            .map(|(shape, dtype)| format!("{} {}", value(dtype), value(shape))),
    };
    let kind = Some(file.kind.clone()).filter(|kind| !kind.is_empty());
    let parts = [kind, Some(size(file.bytes)), said];
    let parts: Vec<String> = parts
        .into_iter()
        .flatten()
        .map(|part| line(&part))
        .collect();
    let parts = dim(&parts.join(", "));
    match line(&file.title) {
        title if title.is_empty() => parts,
        title => format!("{title}  {parts}"),
    }
}

fn notes(state: &RunState, text: &mut String) {
    let notes: String = state
        .steps()
        .filter_map(|(step, state)| Some((step, state.result.as_ref()?)))
        .flat_map(|(step, result)| result.notes.iter().map(move |note| (step, note)))
        .map(|(step, note)| format!("    {}: {}\n", step.path, line(note)))
        .collect();
    section(text, "notes", &notes);
}

fn failed(frame: &Frame<'_>, step: &StepPath, failure: &Failure) -> String {
    let mut text = format!(
        "  failure: step {step} ({}, {})\n    {}\n",
        failure.kind.as_str(),
        line(&failure.code),
        line(&failure.message)
    );
    if let Some(traceback) = &failure.traceback {
        let lines: Vec<&str> = traceback.lines().collect();
        let skipped = lines.len().saturating_sub(TRACEBACK_LINES_MAX);
        if skipped > 0 {
            let _infallible = writeln!(text, "      … {skipped} lines before these");
        }
        let tail: Vec<&str> = lines.into_iter().skip(skipped).collect();
        text.push_str(&indented(&tail.join("\n"), 6));
    }
    text.push_str(&said(failure));
    for cause in &failure.cause {
        let _infallible = writeln!(text, "    because: {}", line(cause));
    }
    if let Some(hint) = &failure.hint {
        let _infallible = writeln!(text, "    help: {}", line(hint));
    }
    if has_log(frame, step) {
        let command = format!("logs {} {step}", frame.state.run.short());
        let _infallible = writeln!(
            text,
            "    what it printed: {}",
            frame.settings.command(&command)
        );
    }
    text
}

/// The end of what a program said that failed.
fn said(failure: &Failure) -> String {
    let said = failure.detail.get("stderr").and_then(Value::as_str);
    let lines: Vec<&str> = said.unwrap_or_default().lines().collect();
    // One line stands in the message already.
    if lines.len() < 2 {
        return String::new();
    }
    let skipped = lines.len().saturating_sub(TRACEBACK_LINES_MAX);
    let tail: Vec<&str> = lines.into_iter().skip(skipped).collect();
    format!(
        "    the end of its error stream:\n{}",
        indented(&tail.join("\n"), 6)
    )
}

/// Whether the newest attempt that ran something left what it printed: the writing of code prints nothing.
fn has_log(frame: &Frame<'_>, step: &StepPath) -> bool {
    let Some((_, state)) = frame.state.step(step) else {
        return false;
    };
    let ran = state.ran_last().map(|attempt| {
        let folder = frame.folder.attempt(step, attempt.number);
        ["stdout.log", "stderr.log"].map(|name| folder.join(name).is_file())
    });
    ran.is_some_and(|there| there.contains(&true))
}

/// What to type when the run is unfinished and no question says it already.
fn next(frame: &Frame<'_>) -> Option<String> {
    let state = frame.state;
    let command = |words: &str| {
        frame
            .settings
            .command(&format!("{words} {}", state.run.short()))
    };
    match state.status() {
        RunStatus::Pending => Some(format!(
            "nothing runs until you type\n  {}",
            command("resume")
        )),
        RunStatus::Running | RunStatus::Paused => {
            let under_way = state
                .steps()
                .any(|(_, step)| step.status == StepStatus::Running);
            let words = if under_way {
                "take it up again with"
            } else {
                "go on with"
            };
            Some(format!("{words}\n  {}", command("resume")))
        }
        RunStatus::Waiting
        | RunStatus::Succeeded
        | RunStatus::Failed
        | RunStatus::Rejected
        | RunStatus::Cancelled => None,
    }
}
