//! The process that watches one attempt. It is in a session of its own and outlives the engine: it keeps the
//! time, the limits and the output, sees every process of the attempt to its end, and writes the outcome.

use std::ffi::{CString, OsString};
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use nix::sys::prctl;
use nix::sys::stat::{Mode as FileMode, umask};
use nix::unistd::{Pid, setsid};

use super::clean;
use super::collect::{Collected, collect};
use super::descriptors::close_inherited;
use super::folder::{Folder, Order, read_at_most};
use super::held_back::held_back;
use super::leftover;
use super::sandbox::Entered;
use super::spent::Clock;
use super::warm::{Origin, Template};
use super::watch::{Ended, Watch};
use crate::code;
use crate::executor::report::{REPORT_BYTES_MAX, Report};
use crate::executor::verdict::{Exit, Seen, Stop, attempt_tampered, judge};
use crate::executor::{Isolation, JobSecrets, Limits, Outcome, OutcomeStatus, StreamFile, Usage};
use crate::failure::{Failure, FailureKind};
use crate::plan::Mode;
use crate::redact::Redactor;

/// Bytes of the end of standard error that go into a failure without a traceback.
const STDERR_TAIL_BYTES: usize = 4_000;
/// Most bytes of the secrets of an attempt, as JSON: hundreds of the largest.
const SECRETS_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How many times larger results may be once they are free of secrets.
const MASKS_FACTOR: u64 = 4;
/// Longest version of Python or error of the launcher, in bytes.
const WORD_BYTES_MAX: u64 = 4_000;

/// `__supervise FOLDER`: runs the attempt of the folder to its end and writes `outcome.json`. What follows says how the
/// interpreter comes to be: see [`Asked`]. With `ahead` the folder is that of the data, for people who look at the
/// list of processes: that of the attempt comes later.
#[must_use]
pub fn supervise(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(folder) = args.next() else {
        return ExitCode::from(2);
    };
    let Some(asked) = Asked::read(args) else {
        return ExitCode::from(2);
    };
    match run(folder, asked) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error is a file of the attempt; when that can't be written, the exit status is left.
            let _unwritable = io::stderr().write_all(error.to_string().as_bytes());
            ExitCode::FAILURE
        }
    }
}

/// What a supervisor is started for.
enum Asked {
    /// One attempt, with an interpreter that is started anew: because of this, when there are warm ones.
    Fresh(Option<String>),
    /// Attempts that are named later, with copies of this process.
    Ahead(Pid),
}

impl Asked {
    /// What the engine, or the process that became this one, has said: nothing, `fresh REASON`, or `ahead TEMPLATE`.
    fn read(mut args: impl Iterator<Item = OsString>) -> Option<Self> {
        let Some(word) = args.next() else {
            return Some(Self::Fresh(None));
        };
        let rest = args.next()?.into_string().ok()?;
        match word.to_str()? {
            "fresh" => Some(Self::Fresh(Some(rest))),
            "ahead" => Some(Self::Ahead(Pid::from_raw(rest.parse().ok()?))),
            _ => None,
        }
    }
}

fn run(named: OsString, asked: Asked) -> io::Result<()> {
    close_inherited();
    // Secrets go through its memory: nobody reads it, its environment or its files, and no core of it is written.
    prctl::set_dumpable(false)?;
    // Fails only for the leader of a group, which is what it is for.
    let _already_leader = setsid();
    umask(FileMode::from_bits_truncate(0o077));
    prctl::set_child_subreaper(true)?;
    let mut template = match asked {
        Asked::Fresh(reason) => {
            let origin = Origin::Fresh(reason);
            return attend(&Folder::new(named), origin, None).map(|_| ());
        }
        Asked::Ahead(pid) => Template::new(pid, named.into())?,
    };
    while let Some((folder, twin)) = template.next()? {
        let origin = Origin::Warm(Box::new(twin));
        if !attend(&folder, origin, template.pid())? {
            break;
        }
        template.rest()?;
    }
    Ok(())
}

/// Sees the attempt from its beginning to its end; the template is no process of it. True = this process
/// then waits for another one.
fn attend(folder: &Folder, origin: Origin, template: Option<Pid>) -> io::Result<bool> {
    prctl::set_name(&CString::new(folder.supervisor_name())?)?;
    let _lock = folder.lock()?;
    if folder.has("abandoned") || folder.has_started() || origin.is_overtaken(folder) {
        // Somebody has already told the engine what became of this attempt: it must not begin any more.
        return Ok(false);
    }
    let teller = origin.teller();
    teller.say_taken();
    let order = folder.order()?;
    let secrets = read_secrets(&order)?;
    let redactor = Redactor::new(&secrets.values).map_err(io::Error::other)?;
    let control = super::control::open(folder)?;
    let writes = order.job.mode == Mode::WriteAccess;
    if folder.is_to_cancel() {
        folder.write_outcome(&never_started(), writes)?;
        return Ok(false);
    }
    Folder::make_temporary(&order.temporary)?;
    let _kept = leftover::keep(&order.temporary)?;
    folder.start(b"", writes)?;
    let clock = Clock::start();
    let own = folder.inner_identity()?;
    let mut waits = false;
    let outcome = match Watch::start(
        folder,
        &order,
        (&secrets, &redactor),
        (control, origin, template),
    ) {
        Ok(watch) => {
            let ended = watch.finish()?;
            if folder.inner_identity().ok() == Some(own) {
                waits = ended.is_clean() && template.is_some();
                conclude(folder, (&order, &redactor), ended, &clock)
            } else {
                // Nothing is read or written through what stands there now.
                folder.renew_inner()?;
                tampered(folder, &redactor, ended, &clock)
            }
        }
        Err(error) => failed(Failure::new(
            FailureKind::Infrastructure,
            code::SPAWN_FAILED,
            format!("the interpreter could not be started: {error}"),
        )),
    };
    // What can't be removed costs space and nothing else.
    let _left_behind = fs::remove_dir_all(&order.temporary);
    let _left_behind = fs::remove_file(folder.internal("control"));
    let outcome = Outcome {
        packages: order.job.environment.packages,
        ..outcome
    };
    folder.write_outcome(&outcome, writes)?;
    folder.show("outcome.json");
    folder.show("results.json");
    teller.say_done(waits);
    Ok(waits)
}

/// The code has put something else in the place of the folder in which its end is written down.
fn tampered(folder: &Folder, redactor: &Redactor, ended: Ended, clock: &Clock) -> Outcome {
    let mut notes = ended.notes;
    clean::folder(folder, redactor, &mut notes);
    Outcome {
        stdout: ended.stdout,
        stderr: ended.stderr,
        notes,
        seconds: clock.seconds(),
        usage: clock.usage(None),
        isolation: Isolation {
            layers: ended.entered.layers,
        },
        start: ended.start,
        ..failed(attempt_tampered())
    }
}

/// The code has written to the pipe of this process, as whoever wants its end does.
fn meddled() -> Failure {
    let what = "the code has written to `.attempt/control`, by which Stepwell is asked to end an attempt; nobody has asked";
    Failure {
        message: what.to_owned(),
        ..attempt_tampered()
    }
}

/// The secrets of the attempt. An engine that died before it had said them all has begun nothing.
fn read_secrets(order: &Order) -> io::Result<JobSecrets> {
    if !order.secrets_follow {
        return Ok(JobSecrets::default());
    }
    let mut text = Vec::new();
    io::stdin().take(SECRETS_BYTES_MAX).read_to_end(&mut text)?;
    serde_json::from_slice(&text).map_err(|_| io::Error::other("the secrets did not arrive"))
}

fn conclude(
    folder: &Folder,
    (order, redactor): (&Order, &Redactor),
    ended: Ended,
    clock: &Clock,
) -> Outcome {
    let mut notes = Vec::new();
    clean::folder(folder, redactor, &mut notes);
    let report = read_report(folder, &mut notes);
    if let Some(report) = &report {
        notes.extend(report.notes.iter().cloned());
    }
    notes.extend(ended.notes);
    let tail = tail(folder, order.job.limits.stderr_bytes_max);
    let launch_error = read_word(folder, "launch_error");
    let python = read_word(folder, "begun");
    let seen = Seen {
        exit: ended.exit,
        stop: ended.stop,
        begun: python.is_some(),
        report: report.as_ref(),
        launch_error: launch_error.as_deref(),
        stderr_tail: &tail,
        timeout_seconds: order.job.timeout.as_secs_f64(),
        limits: order.job.limits,
    };
    let mut failure = judge(&seen, &mut notes);
    let mut results_max = order.job.limits.results_bytes_max;
    if !redactor.is_empty() {
        // The harness has held the bound; what stands for a secret may be longer than it.
        results_max = results_max.saturating_mul(MASKS_FACTOR);
    }
    let (results, unreadable) = read_results(folder, results_max);
    let peak_kib = report.as_ref().and_then(|report| report.peak_kib);
    let named = report.map(|report| report.files).unwrap_or_default();
    let Collected {
        figures,
        artifacts,
        failure: too_much,
    } = collect(
        folder.root(),
        (&named, &order.job.artifacts),
        &order.job.limits,
        &mut notes,
    );
    let disk = ended.stream_fault.as_ref().map(disk_failure);
    let held_back =
        held_back(folder, failure.as_ref()).filter(|_| ended.stop != Some(Stop::Cancel));
    let is_cancelled = ended.stop == Some(Stop::Cancel);
    let forged = (ended.meddled && !is_cancelled).then(meddled);
    failure = refused(&ended.entered)
        .or(held_back)
        .or(forged)
        .or(failure)
        .or(unreadable)
        .or(too_much)
        .or(disk);
    Outcome {
        status: failure.map_or(OutcomeStatus::Succeeded, OutcomeStatus::Failed),
        results,
        figures,
        artifacts,
        stdout: ended.stdout,
        stderr: ended.stderr,
        notes,
        seconds: clock.seconds(),
        usage: clock.usage(peak_kib),
        python: python.unwrap_or_default(),
        isolation: Isolation {
            layers: ended.entered.layers,
        },
        start: ended.start,
        packages: None,
    }
}

/// Somebody asked for every layer, and one is missing: the code was not begun.
fn refused(entered: &Entered) -> Option<Failure> {
    let missing = entered.refused.as_ref()?;
    let failure = Failure::new(
        FailureKind::Configuration,
        code::ISOLATION_MISSING,
        format!("`isolation: require`, and this machine can't give every layer: {missing}"),
    );
    Some(failure.hint(
        "run on a machine whose kernel has them (see docs/security.md), or write `isolation: prefer`",
    ))
}

/// A short text that was left in the internal folder.
fn read_word(folder: &Folder, name: &str) -> Option<String> {
    let text = read_at_most(&folder.internal(name), WORD_BYTES_MAX).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
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
    let read = read_at_most(&folder.internal("results.json"), bytes_max);
    let parsed = match read {
        Ok(text) => serde_json::from_slice(&text).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return (None, None),
        Err(error) => Err(error),
    };
    match parsed {
        Ok(value) => (Some(value), None),
        Err(error) => {
            let message = format!("results.json can't be read: {error}");
            let failure = Failure::new(FailureKind::Code, code::RESULTS_INVALID, message);
            (
                None,
                Some(failure.hint("assign to `results`; leave the file alone")),
            )
        }
    }
}

fn disk_failure(error: &io::Error) -> Failure {
    let full = matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    );
    let code = if full {
        code::DISK_FULL
    } else {
        code::ATTEMPT_FOLDER
    };
    Failure::new(
        FailureKind::Infrastructure,
        code,
        format!("the output of the code could not be written: {error}"),
    )
}

fn tail(folder: &Folder, bytes_max: u64) -> String {
    let text = read_at_most(&folder.file("stderr.log"), bytes_max).unwrap_or_default();
    let start = text.len().saturating_sub(STDERR_TAIL_BYTES);
    String::from_utf8_lossy(text.get(start..).unwrap_or_default()).into_owned()
}

fn never_started() -> Outcome {
    let seen = Seen {
        exit: Exit::Status(0),
        stop: Some(Stop::Cancel),
        begun: false,
        report: None,
        launch_error: None,
        stderr_tail: "",
        timeout_seconds: 0.0,
        limits: Limits::default(),
    };
    judge(&seen, &mut Vec::new()).map_or_else(|| empty(OutcomeStatus::Succeeded), failed)
}

fn failed(failure: Failure) -> Outcome {
    empty(OutcomeStatus::Failed(failure))
}

fn empty(status: OutcomeStatus) -> Outcome {
    let stream = |name: &str| StreamFile {
        path: name.to_owned(),
        ..StreamFile::default()
    };
    Outcome {
        status,
        results: None,
        figures: Vec::new(),
        artifacts: Vec::new(),
        stdout: stream("stdout.log"),
        stderr: stream("stderr.log"),
        notes: Vec::new(),
        seconds: 0.0,
        usage: Usage::default(),
        python: String::new(),
        isolation: Isolation::default(),
        start: None,
        packages: None,
    }
}
