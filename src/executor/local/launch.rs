//! The last program before the interpreter: it ties its life to the supervisor's, sets the limits that only
//! a process itself can set, and becomes the interpreter.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, Stdio};

use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Pid, getppid, setsid, write};

use super::folder::Folder;
use super::{harness, sandbox};
use crate::executor::Limits;

/// Seconds of processor time that one process gets beyond the limit of all.
const CPU_MORE_SECONDS: u64 = 2;

/// `__launch FOLDER SUPERVISOR`: becomes the interpreter, or leaves the reason in the folder.
#[must_use]
pub fn launch(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let (Some(folder), Some(supervisor)) = (args.next(), args.next()) else {
        return ExitCode::from(2);
    };
    let folder = Folder::new(folder);
    let supervisor = supervisor.to_str().and_then(|text| text.parse().ok());
    let error = become_interpreter(&folder, supervisor.map(Pid::from_raw));
    // Without a disk to write it to, the reason is lost, but not the fact.
    let _unwritable = fs::write(folder.internal("launch_error"), error.to_string());
    ExitCode::FAILURE
}

/// Returns only when it fails.
fn become_interpreter(folder: &Folder, supervisor: Option<Pid>) -> io::Error {
    match prepare(folder, supervisor) {
        Ok(mut command) => command.exec(),
        Err(error) => error,
    }
}

fn prepare(folder: &Folder, supervisor: Option<Pid>) -> io::Result<Command> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // The supervisor may have died before the line above; then nobody would stop us.
    if supervisor != Some(getppid()) {
        return Err(io::Error::other("the supervisor is gone"));
    }
    setsid()?;
    // The supervisor blocks the signals that it reads as a file; the interpreter wants them delivered.
    SigSet::all().thread_unblock()?;
    let order = folder.order()?;
    for (resource, wanted) in bounds(&order.job.limits) {
        lower(resource, wanted)?;
    }
    let entered = sandbox::enter(folder, &order)?;
    // Standard input is the supervisor's ear until the interpreter begins.
    write(io::stdin(), &serde_json::to_vec(&entered)?)?;
    if let Some(missing) = entered.refused {
        return Err(io::Error::other(missing));
    }
    let mut command = Command::new(&order.job.environment.interpreter);
    command
        .args(harness::FLAGS)
        .args(["-c", harness::BOOTSTRAP])
        .arg(&order.tools)
        .arg(folder.root())
        .stdin(Stdio::null())
        .current_dir(folder.root());
    Ok(command)
}

/// What the system keeps for each process of its own.
pub(super) fn bounds(limits: &Limits) -> Vec<(Resource, u64)> {
    let mut bounds = vec![
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_NOFILE, limits.open_files_max),
        (Resource::RLIMIT_FSIZE, limits.artifact_bytes_max),
    ];
    if let Some(bytes) = limits.memory_bytes {
        bounds.push((Resource::RLIMIT_AS, bytes));
    }
    if let Some(time) = limits.cpu_time {
        // The last resort: the supervisor adds up all processes and looks earlier.
        let seconds = time.as_secs().saturating_add(CPU_MORE_SECONDS);
        bounds.push((Resource::RLIMIT_CPU, seconds));
    }
    bounds
}

/// Sets both limits; never above what this process may have.
fn lower(resource: Resource, wanted: u64) -> io::Result<()> {
    let (_, hard) = getrlimit(resource)?;
    let value = wanted.min(hard);
    Ok(setrlimit(resource, value, value)?)
}
