//! How an attempt is bounded and kept apart: what the configuration says, and what the step asks for beyond it.

use super::options::Protections;
use crate::executor::{Limits, Protection};
use crate::plan::PythonStep;

/// The bounds of an attempt: the step's own go before those of the configuration.
pub(super) fn limits(usual: Limits, python: &PythonStep) -> Limits {
    let own = &python.limits;
    Limits {
        memory_bytes: own.memory.or(usual.memory_bytes),
        cpu_time: own.cpu_time.or(usual.cpu_time),
        processes_max: own.processes.or(usual.processes_max),
        open_files_max: own.open_files.map_or(usual.open_files_max, u64::from),
        stdout_bytes_max: own.output.unwrap_or(usual.stdout_bytes_max),
        stderr_bytes_max: own.output.unwrap_or(usual.stderr_bytes_max),
        disk_bytes_max: own.disk.or(usual.disk_bytes_max),
        ..usual
    }
}

/// How far it is kept apart: a step may ask for more than the configuration, never for less.
pub(super) fn protection(of: &Protections, python: &PythonStep) -> Protection {
    let mut protection = of.of(python.mode).clone();
    if let Some(wanted) = python.isolation {
        protection.isolation = protection.isolation.max(wanted);
    }
    protection
}
