//! From what came home to the outcome: the same reading of the same files as on this machine.

use std::io;
use std::sync::Mutex;

use super::home::{End, ExitWord, StopWord};
use super::log::Logs;
use crate::code;
use crate::executor::local::folder::{Folder, read_at_most};
use crate::executor::local::held_back::held_back;
use crate::executor::local::{clean, collect};
use crate::executor::report::{REPORT_BYTES_MAX, Report};
use crate::executor::verdict::{Exit, Seen, Stop, attempt_tampered, judge};
use crate::executor::{Job, Limits, Outcome, OutcomeStatus, StreamFile, Usage};
use crate::failure::{Failure, FailureKind};
use crate::python::outcome::{Isolation, Layer};
use crate::redact::Redactor;

/// Bytes of the end of standard error that go into a failure without a traceback.
const STDERR_TAIL_BYTES: usize = 4_000;
/// How many times larger results may be once they are free of secrets.
const MASKS_FACTOR: u64 = 4;

/// The outcome of an attempt that the kernel saw to its end.
pub(super) fn conclude(
    folder: &Folder,
    (job, redactor): (&Job, &Redactor),
    end: End,
    (logs, stop, too_large): (Logs, Option<Stop>, Option<Failure>),
) -> Outcome {
    let mut notes = Vec::new();
    let (stdout, out_fault) = logs.stdout.finish(end.stdout.bytes, &mut notes);
    let (stderr, err_fault) = logs.stderr.finish(end.stderr.bytes, &mut notes);
    let mut said = Vec::new();
    clean::folder(folder, redactor, &mut said);
    let report = read_report(folder, &mut said);
    said.extend(report.iter().flat_map(|report| report.notes.clone()));
    said.extend(
        end.notes
            .iter()
            .map(|note| redactor.text(note).into_owned()),
    );
    said.append(&mut notes);
    let mut notes = said;
    let tail = tail(folder, job.limits.stderr_bytes_max);
    let seen = Seen {
        exit: exit(end.exit),
        // Whoever asked the kernel to stop knows why better than the kernel.
        stop: end.stop.map(|word| stop.unwrap_or(stop_of(word))),
        begun: end.begun.is_some(),
        report: report.as_ref(),
        launch_error: end.launch_error.as_deref(),
        stderr_tail: &tail,
        timeout_seconds: job.timeout.as_secs_f64(),
        limits: job.limits,
    };
    let stopped_by = seen.stop;
    let mut failure = judge(&seen, &mut notes);
    let mut results_max = job.limits.results_bytes_max;
    if !redactor.is_empty() {
        results_max = results_max.saturating_mul(MASKS_FACTOR);
    }
    let (results, unreadable) = read_results(folder, results_max);
    let named = report.map(|report| report.files).unwrap_or_default();
    let collected = collect::collect(
        folder.root(),
        (&named, &job.artifacts),
        &job.limits,
        &mut notes,
    );
    if too_large.is_some() {
        notes.push("not every file of the attempt was fetched".to_owned());
    }
    let disk = out_fault.or(err_fault).map(|error| disk_failure(&error));
    let guarded = held_back(folder, failure.as_ref()).filter(|_| stopped_by != Some(Stop::Cancel));
    failure = guarded
        .or(failure)
        .or(unreadable)
        .or(too_large)
        .or(collected.failure)
        .or(disk);
    Outcome {
        status: failure.map_or(OutcomeStatus::Succeeded, OutcomeStatus::Failed),
        results,
        figures: collected.figures,
        artifacts: collected.artifacts,
        stdout,
        stderr,
        notes,
        seconds: end.seconds,
        usage: end.usage,
        python: end.begun.unwrap_or_default(),
        isolation: isolation(),
        start: None,
        packages: end.packages,
    }
}

/// The code has put something else in the place of the folder in which its end is written down: nothing but what it
/// printed so far is known of it.
pub(super) fn tampered(folder: &Folder, redactor: &Redactor, end: &End, logs: Logs) -> Outcome {
    let mut notes = end.notes.clone();
    clean::folder(folder, redactor, &mut notes);
    let (stdout, _) = logs.stdout.finish(end.stdout.bytes, &mut notes);
    let (stderr, _) = logs.stderr.finish(end.stderr.bytes, &mut notes);
    Outcome {
        status: OutcomeStatus::Failed(attempt_tampered()),
        stdout,
        stderr,
        notes,
        seconds: end.seconds,
        usage: end.usage,
        isolation: isolation(),
        packages: end.packages,
        ..stopped(Stop::Cancel, None, None)
    }
}

fn exit(word: ExitWord) -> Exit {
    match word {
        ExitWord::Status(status) => Exit::Status(status),
        ExitWord::Signal(signal) => Exit::Signal(signal),
    }
}

fn stop_of(word: StopWord) -> Stop {
    match word {
        StopWord::Timeout => Stop::Timeout,
        StopWord::Cancel => Stop::Cancel,
    }
}

fn isolation() -> Isolation {
    let reason =
        "a kernel of its own on a Jupyter server; what that keeps out is for whoever runs it";
    Isolation {
        layers: vec![Layer {
            name: "container".to_owned(),
            held: true,
            reason: reason.to_owned(),
        }],
    }
}

/// The outcome of an attempt of which nothing came home.
pub(super) fn stopped(stop: Stop, job: Option<&Job>, note: Option<&str>) -> Outcome {
    let seen = Seen {
        exit: Exit::Status(0),
        stop: Some(stop),
        begun: false,
        report: None,
        launch_error: None,
        stderr_tail: "",
        timeout_seconds: job.map_or(0.0, |job| job.timeout.as_secs_f64()),
        limits: job.map_or_else(Limits::default, |job| job.limits),
    };
    let failure = judge(&seen, &mut Vec::new());
    let stream = |name: &str| StreamFile {
        path: name.to_owned(),
        ..StreamFile::default()
    };
    Outcome {
        status: failure.map_or(OutcomeStatus::Succeeded, OutcomeStatus::Failed),
        results: None,
        figures: Vec::new(),
        artifacts: Vec::new(),
        stdout: stream("stdout.log"),
        stderr: stream("stderr.log"),
        notes: note.into_iter().map(str::to_owned).collect(),
        seconds: 0.0,
        usage: Usage::default(),
        python: String::new(),
        isolation: Isolation::default(),
        start: None,
        packages: None,
    }
}

fn read_report(folder: &Folder, notes: &mut Vec<String>) -> Option<Report> {
    let text = read_at_most(&folder.internal("report.json"), REPORT_BYTES_MAX).ok()?;
    match Report::parse(&text) {
        Ok(report) => Some(report),
        Err(error) => {
            notes.push(format!(
                "the report of the interpreter can't be read: {error}"
            ));
            None
        }
    }
}

fn read_results(folder: &Folder, bytes_max: u64) -> (Option<serde_json::Value>, Option<Failure>) {
    let parsed = match read_at_most(&folder.internal("results.json"), bytes_max) {
        Ok(text) => serde_json::from_slice(&text).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return (None, None),
        Err(error) => Err(error),
    };
    match parsed {
        Ok(value) => (Some(value), None),
        Err(error) => {
            let message = format!("results.json can't be read: {error}");
            let failure = Failure::new(FailureKind::Code, code::RESULTS_INVALID, message)
                .hint("assign to `results`; leave the file alone");
            (None, Some(failure))
        }
    }
}

fn tail(folder: &Folder, bytes_max: u64) -> String {
    let text = read_at_most(&folder.file("stderr.log"), bytes_max).unwrap_or_default();
    let start = text.len().saturating_sub(STDERR_TAIL_BYTES);
    String::from_utf8_lossy(text.get(start..).unwrap_or_default()).into_owned()
}

fn disk_failure(error: &io::Error) -> Failure {
    Failure::new(
        FailureKind::Infrastructure,
        code::ATTEMPT_FOLDER,
        format!("the output of the code could not be written: {error}"),
    )
}

/// Why somebody asked for the end, when somebody has.
pub(super) fn asked(why: &Mutex<Option<Stop>>) -> Option<Stop> {
    *why.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
