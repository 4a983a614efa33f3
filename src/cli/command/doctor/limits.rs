//! What one attempt may use: time, memory, output, files.

use super::check::Check;
use crate::cli::Context;
use crate::cli::view::text::size;
use crate::expression::format_duration;

/// The limits in force; what is not limited is worth a word.
pub(super) fn limits(context: &Context) -> Vec<Check> {
    let Ok(config) = context.config() else {
        return Vec::new();
    };
    let limits = &config.limits;
    let message = format!(
        "an attempt may take {} unless its step says otherwise, leave {} in {} files, and print {}",
        format_duration(config.execution.local.execution_timeout),
        size(limits.artifact_bytes_max),
        limits.files_max,
        size(limits.stdout_bytes_max),
    );
    let mut checks = vec![Check::ok("limits", message)];
    checks.push(match limits.memory_bytes {
        Some(bytes) => Check::ok("memory limit", format!("{} for each process", size(bytes))),
        None => Check::warn(
            "memory limit",
            "one attempt may use all memory of this machine",
        )
        .help("set limits.memory, for example 4GiB"),
    });
    checks
}
