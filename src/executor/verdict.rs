//! From what was seen of an attempt to why it failed: pure.

use serde_json::json;

use super::Limits;
use super::report::{End, Exception, Refused, Report};
use crate::code::{self, Code};
use crate::failure::{Failure, FailureKind};

/// How the process of the interpreter ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
}

/// Why the supervisor stopped an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Its time was up.
    Timeout,
    /// Somebody cancelled it.
    Cancel,
    /// It used more than it may.
    Limit(Limit),
}

/// What an attempt has too much of, as seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Memory of all processes together.
    Memory,
    /// Processor time of all processes together.
    CpuTime,
    /// Processes and threads.
    Processes,
    /// Bytes on the disk.
    Disk,
}

/// Everything that was seen of an attempt.
#[derive(Debug)]
pub struct Seen<'a> {
    /// How the interpreter ended.
    pub exit: Exit,
    /// Whether and why it was stopped.
    pub stop: Option<Stop>,
    /// Whether the harness had begun.
    pub begun: bool,
    /// Its report, if there is a readable one.
    pub report: Option<&'a Report>,
    /// Why the interpreter could not be started.
    pub launch_error: Option<&'a str>,
    /// The end of standard error.
    pub stderr_tail: &'a str,
    /// The time-out, in seconds.
    pub timeout_seconds: f64,
    /// Its limits.
    pub limits: Limits,
}

const SIGKILL: i32 = 9;
const SIGXCPU: i32 = 24;
/// `EMFILE`: the process has as many open files as it may.
const TOO_MANY_FILES: i32 = 24;
/// `EAGAIN`: among others, there are as many processes as there may be.
const TRY_AGAIN: i32 = 11;
/// `ENOSPC` and `EDQUOT`: the disk, or the share of it, is full.
const DISK_FULL: [i32; 2] = [28, 122];
/// `EFBIG`: a single file grew beyond the limit.
const FILE_TOO_LARGE: i32 = 27;
/// `ENOENT`: there is no such file.
const NO_SUCH_FILE: i32 = 2;
/// What `argparse` ends with when arguments are missing.
const USAGE_STATUS: i32 = 2;

/// Why it failed, or `None`. A note is added for what went wrong without changing the answer.
#[must_use]
pub fn judge(seen: &Seen<'_>, notes: &mut Vec<String>) -> Option<Failure> {
    // Once the harness has begun, only the code itself can have left such a file.
    if let Some(error) = seen.launch_error.filter(|_| !seen.begun) {
        return Some(
            Failure::new(
                FailureKind::Infrastructure,
                code::SPAWN_FAILED,
                format!("the interpreter could not be started: {error}"),
            )
            .hint("check the interpreter with `stepwell doctor`"),
        );
    }
    match seen.stop {
        Some(Stop::Timeout) => return Some(timed_out(seen)),
        Some(Stop::Cancel) => return Some(cancelled(seen)),
        Some(Stop::Limit(limit)) => return Some(exceeded(limit, seen)),
        None => {}
    }
    let Some(report) = seen.report else {
        return Some(without_report(seen));
    };
    let failure = match &report.end {
        End::Exit { status: 0, .. } => report.results.as_ref().map(refused),
        End::Exit { status, message } => Some(exit_status(*status, message, seen.stderr_tail)),
        End::Exception(exception) => Some(raised(exception, &seen.limits)),
    };
    let status = i32::from(failure.is_some());
    if seen.exit != Exit::Status(status) {
        notes.push(format!(
            "after the end of the code the interpreter {}",
            describe(seen.exit)
        ));
    }
    failure
}

/// The code has replaced the folder in which its end is written down.
#[must_use]
pub fn attempt_tampered() -> Failure {
    Failure::new(
        FailureKind::Safety,
        code::ATTEMPT_TAMPERED,
        "the code has replaced the folder `.attempt`, in which Stepwell keeps its own files",
    )
    .hint("leave `.attempt` alone; the rest of the folder is the code's")
}

fn timed_out(seen: &Seen<'_>) -> Failure {
    let mut failure = Failure::new(
        FailureKind::Timeout,
        code::TIMED_OUT,
        format!(
            "the code took longer than {} s and was stopped",
            seen.timeout_seconds
        ),
    )
    .hint("raise the step's `timeout`, or let the code do less")
    .detail(json!({"timeout_seconds": seen.timeout_seconds}));
    failure.traceback = traceback_of(seen.report);
    failure
}

fn cancelled(seen: &Seen<'_>) -> Failure {
    let mut failure = Failure::new(
        FailureKind::Cancelled,
        code::CANCELLED,
        "the attempt was cancelled and its processes were stopped",
    );
    failure.traceback = traceback_of(seen.report);
    failure
}

/// The supervisor has looked, and it was too much.
fn exceeded(limit: Limit, seen: &Seen<'_>) -> Failure {
    let limits = &seen.limits;
    let (code, what, allowed) = match limit {
        Limit::Memory => (
            code::MEMORY_EXCEEDED,
            "its processes took more memory together",
            limits.memory_bytes.map(|bytes| format!("{bytes} bytes")),
        ),
        Limit::CpuTime => (
            code::CPU_TIME_EXCEEDED,
            "its processes took more processor time together",
            limits
                .cpu_time
                .map(|time| format!("{} s", time.as_secs_f64())),
        ),
        Limit::Processes => (
            code::PROCESSES_EXCEEDED,
            "it had more processes and threads",
            limits.processes_max.map(|count| count.to_string()),
        ),
        Limit::Disk => (
            code::DISK_EXCEEDED,
            "it had more on the disk",
            limits.disk_bytes_max.map(|bytes| format!("{bytes} bytes")),
        ),
    };
    let allowed = allowed.unwrap_or_default();
    let mut failure = Failure::new(
        FailureKind::Resources,
        code,
        format!("the code was stopped: {what} than it may, which is {allowed}"),
    )
    .hint("let the step do less at a time, or raise its `limits`")
    .detail(json!({"limit": allowed}));
    failure.traceback = traceback_of(seen.report);
    failure
}

/// Where the code was when it was interrupted.
fn traceback_of(report: Option<&Report>) -> Option<String> {
    match &report?.end {
        End::Exception(exception) => Some(exception.traceback.clone()),
        End::Exit { .. } => None,
    }
}

fn without_report(seen: &Seen<'_>) -> Failure {
    let tail = (!seen.stderr_tail.is_empty()).then(|| seen.stderr_tail.to_owned());
    let mut failure = match seen.exit {
        Exit::Signal(SIGKILL) => Failure::new(
            FailureKind::Resources,
            code::KILLED,
            "the interpreter was killed by the system, most likely because memory ran out",
        )
        .hint("give the step less data at a time, or the machine more memory"),
        Exit::Signal(SIGXCPU) => exceeded(Limit::CpuTime, seen),
        Exit::Signal(signal) => Failure::new(
            FailureKind::Code,
            code::CRASHED,
            format!("the interpreter crashed with {}", signal_name(signal)),
        )
        .hint("a compiled library is at fault more often than the code itself; the end of stderr.log has the stack")
        .detail(json!({"signal": signal})),
        Exit::Status(status) if !seen.begun => Failure::new(
            FailureKind::Infrastructure,
            code::INTERPRETER_FAILED,
            format!("the interpreter ended with status {status} before it reached the code"),
        )
        .hint("the environment may be damaged: run its interpreter by hand, or delete the environment so that it is built again"),
        Exit::Status(status) => Failure::new(
            FailureKind::Code,
            code::EXITED_EARLY,
            format!("the interpreter ended with status {status} before the code came to its end"),
        )
        .hint("end the code with sys.exit instead of os._exit")
        .detail(json!({"status": status})),
    };
    failure.traceback = tail;
    failure
}

fn exit_status(status: i32, message: &str, stderr_tail: &str) -> Failure {
    let failure = |text: String| {
        Failure::new(FailureKind::Code, code::EXIT_STATUS, text).detail(json!({"status": status}))
    };
    if !message.is_empty() {
        return failure(format!("the code ended itself: {message}"));
    }
    let mut failure = failure(format!("the code ended itself with exit status {status}"));
    failure.traceback = (!stderr_tail.is_empty()).then(|| stderr_tail.to_owned());
    if status == USAGE_STATUS && stderr_tail.contains("usage:") {
        return failure.hint("a step has no command line: read `context` instead of arguments");
    }
    failure
}

fn refused(refused: &Refused) -> Failure {
    const CODES: [Code; 8] = [
        code::RESULTS_NOT_FINITE,
        code::RESULTS_KEY,
        code::RESULTS_CYCLE,
        code::RESULTS_TOO_DEEP,
        code::RESULTS_TOO_LARGE,
        code::RESULTS_INT_RANGE,
        code::RESULTS_UNSUPPORTED,
        code::RESULTS_INVALID,
    ];
    let code = CODES
        .into_iter()
        .find(|code| code.as_str() == refused.code)
        .unwrap_or(code::RESULTS_INVALID);
    Failure::new(FailureKind::Code, code, refused.message.clone()).hint(refused.hint.clone())
}

fn raised(exception: &Exception, limits: &Limits) -> Failure {
    let (kind, code, hint) = sort(exception, limits);
    let message = if exception.message.is_empty() {
        exception.class.clone()
    } else {
        format!("{}: {}", exception.class, exception.message)
    };
    let message = match &exception.cell {
        Some(cell) => format!("{cell}: {message}"),
        None => message,
    };
    let mut failure = Failure::new(kind, code, message);
    failure.hint = hint;
    failure.traceback = Some(exception.traceback.clone());
    let mut detail = json!({
        "type": exception.class,
        "message": exception.message,
        "line": exception.line,
    });
    if let (Some(cell), Some(detail)) = (&exception.cell, detail.as_object_mut()) {
        detail.insert("cell".to_owned(), json!(cell));
    }
    failure.detail(detail)
}

fn sort(exception: &Exception, limits: &Limits) -> (FailureKind, Code, Option<String>) {
    if exception.memory {
        let hint = "give the step less data at a time, or raise its memory limit";
        return (
            FailureKind::Resources,
            code::MEMORY_EXCEEDED,
            Some(hint.to_owned()),
        );
    }
    if exception.syntax {
        return (FailureKind::Code, code::PYTHON_SYNTAX_ERROR, None);
    }
    if let Some(module) = &exception.missing_module {
        let top = module.split('.').next().unwrap_or_default();
        let hint = format!(
            "add the package that has `{top}` to the step's `packages`, or put `{top}.py` beside the workflow"
        );
        return (FailureKind::Code, code::MODULE_MISSING, Some(hint));
    }
    let counted = limits.processes_max.is_some();
    let no_thread =
        exception.class == "RuntimeError" && exception.message == "can't start new thread";
    if counted && (no_thread || forked_in_vain(exception)) {
        let hint = "start fewer processes and threads, or raise `processes` of the step's `limits`";
        return (
            FailureKind::Resources,
            code::PROCESSES_EXCEEDED,
            Some(hint.to_owned()),
        );
    }
    match exception.errno {
        Some(TOO_MANY_FILES) => {
            let hint = "close files (`with open(…)`), or raise `open_files` of the step's `limits`";
            (
                FailureKind::Resources,
                code::OPEN_FILES_EXCEEDED,
                Some(hint.to_owned()),
            )
        }
        Some(errno) if DISK_FULL.contains(&errno) => {
            let hint = "free space on the disk of the data folder";
            (
                FailureKind::Infrastructure,
                code::DISK_FULL,
                Some(hint.to_owned()),
            )
        }
        Some(FILE_TOO_LARGE) => {
            let hint = "write smaller files, or raise the limit of bytes";
            (
                FailureKind::Resources,
                code::FILES_TOO_LARGE,
                Some(hint.to_owned()),
            )
        }
        Some(_) | None => (
            FailureKind::Code,
            code::PYTHON_EXCEPTION,
            surroundings(exception).map(str::to_owned),
        ),
    }
}

/// Whether a process could not be made since there are as many as there may be.
fn forked_in_vain(exception: &Exception) -> bool {
    let last = exception
        .traceback
        .trim_end()
        .lines()
        .rev()
        .nth(1)
        .unwrap_or_default();
    let call = exception
        .traceback
        .trim_end()
        .lines()
        .rev()
        .nth(2)
        .unwrap_or_default();
    exception.errno == Some(TRY_AGAIN) && (last.contains("fork") || call.contains("fork"))
}

/// What a script from elsewhere does not find in a step.
fn surroundings(exception: &Exception) -> Option<&'static str> {
    let absolute = exception.message.contains("'/");
    match (exception.errno, exception.class.as_str()) {
        (Some(NO_SUCH_FILE), "FileNotFoundError") if !absolute => Some(
            "the code runs in a folder of its own: take the file as an input of type `file`, or open it below os.environ[\"STEPWELL_WORKFLOW_DIR\"]",
        ),
        (None, "EOFError") if exception.message == "EOF when reading a line" => {
            Some("nobody types into a step: give the value in `with` and read it from `context`")
        }
        (Some(_) | None, _) => None,
    }
}

fn describe(exit: Exit) -> String {
    match exit {
        Exit::Status(status) => format!("ended with status {status}"),
        Exit::Signal(signal) => format!("was ended by {}", signal_name(signal)),
    }
}

fn signal_name(signal: i32) -> String {
    nix::sys::signal::Signal::try_from(signal).map_or_else(
        |_| format!("signal {signal}"),
        |known| known.as_str().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &[u8] =
        br#"{"end": {"exit": {"status": 0, "message": ""}}, "results": null, "notes": [], "files": []}"#;

    fn seen(exit: Exit, report: Option<&Report>) -> Seen<'_> {
        Seen {
            exit,
            stop: None,
            begun: true,
            report,
            launch_error: None,
            stderr_tail: "",
            timeout_seconds: 1.0,
            limits: Limits::default(),
        }
    }

    #[test]
    fn a_crash_after_the_end_of_the_code_is_a_note() {
        let report = Report::parse(REPORT).unwrap();
        let mut notes = Vec::new();
        assert_eq!(
            judge(&seen(Exit::Signal(11), Some(&report)), &mut notes),
            None
        );
        assert_eq!(
            notes,
            ["after the end of the code the interpreter was ended by SIGSEGV"]
        );
    }

    #[test]
    fn what_was_stopped_is_never_a_success() {
        let report = Report::parse(REPORT).unwrap();
        for (stop, kind) in [
            (Stop::Timeout, FailureKind::Timeout),
            (Stop::Cancel, FailureKind::Cancelled),
        ] {
            let seen = Seen {
                stop: Some(stop),
                ..seen(Exit::Status(0), Some(&report))
            };
            let failure = judge(&seen, &mut Vec::new()).unwrap();
            assert_eq!(failure.kind, kind);
        }
    }

    #[test]
    fn without_a_report_the_exit_decides() {
        for (exit, code) in [
            (Exit::Signal(9), "killed"),
            (Exit::Signal(6), "crashed"),
            (Exit::Status(0), "exited_early"),
        ] {
            let failure = judge(&seen(exit, None), &mut Vec::new()).unwrap();
            assert_eq!(failure.code, code);
        }
    }

    fn ended(end: &serde_json::Value, stderr_tail: &str) -> Failure {
        let report = json!({"end": end, "results": null, "notes": [], "files": []}).to_string();
        let report = Report::parse(report.as_bytes()).unwrap();
        let seen = Seen {
            stderr_tail,
            ..seen(Exit::Status(1), Some(&report))
        };
        judge(&seen, &mut Vec::new()).unwrap()
    }

    #[test]
    fn an_exit_without_words_shows_what_was_printed_last() {
        let end = json!({"exit": {"status": 2, "message": ""}});
        let failure = ended(&end, "usage: fit.py --day DAY");
        assert_eq!(
            failure.traceback.as_deref(),
            Some("usage: fit.py --day DAY")
        );
        assert!(failure.hint.unwrap().contains("no command line"));
        assert_eq!(ended(&end, "no beam").hint, None);
    }

    #[test]
    fn a_relative_path_that_is_missing_says_where_the_code_runs() {
        for (path, helps) in [("'table.csv'", true), ("'/data/table.csv'", false)] {
            let end = json!({"exception": {
                "type": "FileNotFoundError", "message": format!("[Errno 2] No such file: {path}"),
                "traceback": "", "line": 1, "errno": 2, "memory": false, "syntax": false,
                "missing_module": null,
            }});
            assert_eq!(ended(&end, "").hint.is_some(), helps, "{path}");
        }
    }
}
