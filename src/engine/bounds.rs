//! What bounds the code of a step, as the configuration and the step have it now: for the attempt that holds it, and
//! for the yes that covers it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::Shared;
use super::options::Protections;
use crate::approval::Bounds;
use crate::code;
use crate::executor::{ChannelLimit, ChannelLimits, Guard, Limits, Protection};
use crate::expression::format_duration;
use crate::failure::{Failure, FailureKind};
use crate::plan::{IsolationLevel, Method, Network, Placed, PythonStep, Step};

/// Most channels of a table of limits, and folders of a list, that are told.
const TOLD_MAX: usize = 20;

/// How an attempt of a step is bounded and kept apart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Held {
    /// Its longest time.
    pub(super) timeout: Duration,
    /// How much it may use.
    pub(super) limits: Limits,
    /// How far it is kept apart.
    pub(super) protection: Protection,
}

impl Held {
    /// The bounds of a step in the place where it would run.
    pub(super) fn of(shared: &Shared, step: &Step, python: &PythonStep, placed: &Placed) -> Self {
        let options = &shared.options;
        Self {
            timeout: step.timeout.unwrap_or(match placed.method {
                Method::Local => options.timeout,
                Method::Container => options.placement.container_timeout,
            }),
            limits: limits(options.limits, python),
            protection: protection(&options.protection, python),
        }
    }
}

/// The bounds of an attempt: the step's own go before those of the configuration.
fn limits(usual: Limits, python: &PythonStep) -> Limits {
    let own = &python.limits;
    Limits {
        memory_bytes: own.memory.or(usual.memory_bytes),
        cpu_time: own.cpu_time.or(usual.cpu_time),
        processes_max: own.processes.or(usual.processes_max),
        open_files_max: own.open_files.map_or(usual.open_files_max, u64::from),
        stdout_bytes_max: own.output.unwrap_or(usual.stdout_bytes_max),
        stderr_bytes_max: own.output.unwrap_or(usual.stderr_bytes_max),
        disk_bytes_max: own.disk.or(usual.disk_bytes_max),
        stop_grace: own.stop_grace.unwrap_or(usual.stop_grace),
        ..usual
    }
}

/// How far it is kept apart: a step may ask for more than the configuration, never for less.
fn protection(of: &Protections, python: &PythonStep) -> Protection {
    let mut protection = of.of(python.mode).clone();
    if let Some(wanted) = python.isolation {
        protection.isolation = protection.isolation.max(wanted);
    }
    protection
}

/// Refuses what a container can't promise: which walls stand around a kernel is known to whoever started it alone.
pub(super) fn check(python: &PythonStep, placed: &Placed) -> Result<(), Failure> {
    let required = python.isolation == Some(IsolationLevel::Require);
    if !required || placed.method == Method::Local {
        return Ok(());
    }
    let message = format!(
        "`isolation: require`, and the step runs in a container ({}), whose layers can't be looked at from here",
        placed.rule
    );
    Err(
        Failure::new(FailureKind::Configuration, code::ISOLATION_MISSING, message).hint(
            "write `execution: local`, or leave `isolation` out and let the container be closed by whoever runs it",
        ),
    )
}

/// The same for the yes of a person. What does not hold where the code runs is not among them.
pub(super) fn bounds(
    shared: &Shared,
    (python, held): (&PythonStep, &Held),
    placed: &Placed,
    code: &str,
) -> Bounds {
    let mut bounds = Bounds::default();
    let method = placed.method.as_str();
    bounds.add("execution", &json!(method), method.to_owned());
    let timeout = format_duration(held.timeout);
    bounds.add("timeout", &json!(timeout), timeout.clone());
    add_limits(&mut bounds, &held.limits, placed.method);
    let protection = &held.protection;
    if placed.method == Method::Local {
        add_walls(&mut bounds, protection);
    }
    let (guard, told) = told_guard(&protection.guard, code);
    bounds.add("write_limits", &guard, told);
    let gateway = shared.options.gateways.of(python.mode);
    let told: Vec<String> = gateway
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if !gateway.is_empty() {
        bounds.add("gateway", &json!(gateway), told.join(" "));
    }
    bounds
}

fn add_limits(bounds: &mut Bounds, limits: &Limits, method: Method) {
    let mut size = |name: &str, bytes: u64| bounds.add(name, &json!(bytes), size_told(bytes));
    size("stdout", limits.stdout_bytes_max);
    size("stderr", limits.stderr_bytes_max);
    size("results", limits.results_bytes_max);
    size("artifact", limits.artifact_bytes_max);
    let memory = limits.memory_bytes;
    let told = memory.map_or_else(no_limit, size_told);
    bounds.add("memory", &json!(memory), told);
    let cpu = limits.cpu_time.map(format_duration);
    bounds.add(
        "cpu_time",
        &json!(cpu),
        cpu.clone().unwrap_or_else(no_limit),
    );
    let grace = format_duration(limits.stop_grace);
    bounds.add("stop_grace", &json!(grace), grace.clone());
    let mut count = |name: &str, count: Option<u64>| {
        let told = count.map_or_else(no_limit, |count| count.to_string());
        bounds.add(name, &json!(count), told);
    };
    count("files", Some(limits.files_max.into()));
    count("open_files", Some(limits.open_files_max));
    if method == Method::Local {
        count("processes", limits.processes_max.map(u64::from));
        let disk = limits.disk_bytes_max;
        bounds.add("disk", &json!(disk), disk.map_or_else(no_limit, size_told));
    }
}

fn add_walls(bounds: &mut Bounds, protection: &Protection) {
    let words = |word: IsolationLevel| {
        let mut known = IsolationLevel::WORDS.into_iter();
        known.find_map(|(text, known)| (known == word).then_some(text))
    };
    let level = words(protection.isolation).unwrap_or_default();
    bounds.add("isolation", &json!(level), level.to_owned());
    let network = match protection.network {
        Network::Full => "full",
        Network::None => "none",
    };
    bounds.add("network", &json!(network), network.to_owned());
    let (writable, told) = if protection.writes_outside {
        (json!("everywhere"), "everywhere".to_owned())
    } else {
        let told = match folders(&protection.writable) {
            told if told.is_empty() => "its own folder".to_owned(),
            told => format!("its own folder, {told}"),
        };
        (paths(&protection.writable), told)
    };
    bounds.add("writable", &writable, told);
    let hidden = match folders(&protection.hidden) {
        told if told.is_empty() => "nothing".to_owned(),
        told => told,
    };
    bounds.add("hidden", &paths(&protection.hidden), hidden);
}

/// What code may do to the control system. Where it may not write at all, no table makes a difference.
fn told_guard(guard: &Guard, code: &str) -> (Value, String) {
    if !guard.allows_writes {
        return (json!("no writes"), "no writes at all".to_owned());
    }
    let told = match &guard.channels {
        ChannelLimits::None => "no limits: every channel may be written".to_owned(),
        ChannelLimits::Unavailable { reason } => {
            format!("every write is refused: {reason}")
        }
        ChannelLimits::Table {
            channels,
            unlisted,
            verify,
        } => {
            // Those that the code names are what the person wants to see first.
            let (named, others): (Vec<_>, Vec<_>) = channels
                .iter()
                .partition(|(name, _)| code.contains(name.as_str()));
            let all = named.into_iter().chain(others);
            let mut told: Vec<String> = all
                .take(TOLD_MAX)
                .map(|(name, limit)| format!("{name} {}", told_limit(limit)))
                .collect();
            if channels.len() > TOLD_MAX {
                told.push(format!("{} more channels", channels.len() - TOLD_MAX));
            }
            told.push(if *unlisted {
                "other channels without limits".to_owned()
            } else {
                "no other channels".to_owned()
            });
            if let Some(verify) = verify {
                told.push(format!("read back within {}", verify.tolerance));
            }
            told.join("; ")
        }
    };
    (json!(guard), told)
}

fn told_limit(limit: &ChannelLimit) -> String {
    if limit.read_only {
        return "is never written".to_owned();
    }
    let mut told = match (limit.min, limit.max) {
        (None, None) => "any value".to_owned(),
        (Some(min), None) => format!("from {min}"),
        (None, Some(max)) => format!("up to {max}"),
        (Some(min), Some(max)) => format!("{min} to {max}"),
    };
    if let Some(step) = limit.step {
        told.push_str(&format!(", at most {step} at once"));
    }
    if let Some(verify) = limit.verify {
        told.push_str(&format!(", read back within {}", verify.tolerance));
    }
    told
}

fn paths(paths: &[PathBuf]) -> Value {
    paths
        .iter()
        .map(|path| json!(path.to_string_lossy()))
        .collect()
}

fn folders(paths: &[PathBuf]) -> String {
    let told = paths.iter().take(TOLD_MAX).map(PathBuf::as_path);
    let mut told: Vec<String> = told
        .map(Path::display)
        .map(|path| path.to_string())
        .collect();
    if paths.len() > TOLD_MAX {
        told.push(format!("{} more", paths.len() - TOLD_MAX));
    }
    told.join(", ")
}

fn no_limit() -> String {
    "no limit".to_owned()
}

/// A size in the largest unit in which it is a whole number.
fn size_told(bytes: u64) -> String {
    let units = [
        ("GiB", 1_u64 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
        ("B", 1),
    ];
    let whole = units
        .into_iter()
        .find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    whole.map_or_else(
        || "0B".to_owned(),
        |(name, unit)| format!("{}{name}", bytes / unit),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_exactly() {
        for (bytes, told) in [
            (0, "0B"),
            (1, "1B"),
            (2048, "2KiB"),
            (4 << 20, "4MiB"),
            (1025, "1025B"),
        ] {
            assert_eq!(size_told(bytes), told);
        }
    }

    #[test]
    fn the_channels_that_the_code_names_come_first() {
        let limit = |max| ChannelLimit {
            min: Some(0.0),
            max: Some(max),
            ..ChannelLimit::default()
        };
        let channels = (0..30).map(|n| (format!("A:{n:02}"), limit(1.0)));
        let channels = channels.chain([("Z:SET".to_owned(), limit(5.0))]).collect();
        let guard = Guard {
            allows_writes: true,
            channels: ChannelLimits::Table {
                channels,
                unlisted: false,
                verify: None,
            },
            writers: Vec::new(),
        };
        let (_, told) = told_guard(&guard, "caput('Z:SET', 1)");
        assert!(told.starts_with("Z:SET 0 to 5; A:00 0 to 1; "), "{told}");
        assert!(
            told.ends_with("; 11 more channels; no other channels"),
            "{told}"
        );
        let closed = Guard {
            allows_writes: false,
            ..guard
        };
        assert_eq!(told_guard(&closed, "").1, "no writes at all");
    }
}
