//! What the figures were measured on.

use std::fs;

/// One line: processors, load, build.
pub(crate) fn facts() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let build = if cfg!(debug_assertions) {
        "a DEBUG build: the figures of our own code mean nothing"
    } else {
        "a release build"
    };
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{cores} cores, load {}, Linux {}, {build}",
        load(),
        kernel.trim()
    )
}

/// Whether others want the processors too, so that what was measured may be their doing.
pub(crate) fn busy() -> bool {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    load().parse().is_ok_and(|load: f64| load > cores as f64)
}

/// The load of the last minute.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
