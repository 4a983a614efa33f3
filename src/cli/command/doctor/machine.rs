//! The machine under the runs: configuration, data folder, Python, environments.

use std::path::Path;

use nix::sys::statfs::statfs;
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};

use super::check::Check;
use super::trial::Trial;
use crate::approval::{CodeApproval, GlobalMode, Policy};
use crate::cli::Context;
use crate::cli::settings::variable;
use crate::cli::view::text::{line, size};
use crate::executor::local::LocalExecutor;
use crate::executor::packages;
use crate::executor::{EnvironmentSpec, Executor as _};

/// Less free space than this is worth a word, in bytes: 1 GiB.
const FREE_BYTES_LOW: u64 = 1 << 30;
/// Less free space than this stops runs, in bytes: 64 MiB.
const FREE_BYTES_MIN: u64 = 64 << 20;

/// Packages worth naming to everybody; `--json` has them all.
const SCIENCE: [&str; 4] = ["numpy", "pandas", "scipy", "matplotlib"];

/// Which configuration is in force, and what its approval policy means.
pub(super) fn configuration(context: &Context) -> Vec<Check> {
    let file = match &context.settings.config {
        Some(path) => path.display().to_string(),
        None => "no config.yml here; the defaults are in force".to_owned(),
    };
    match context.config() {
        Ok(config) => {
            let mut checks = vec![Check::ok("configuration", file)];
            checks.extend(policy(&config.approval));
            checks
        }
        Err(error) => {
            let words: Vec<String> = error
                .diagnostics()
                .iter()
                .map(ToString::to_string)
                .collect();
            vec![
                Check::fail("configuration", format!("{file}: {}", words.join("; ")))
                    .help("correct the file, or name another one with --config"),
            ]
        }
    }
}

fn policy(policy: &Policy) -> Vec<Check> {
    let mode = |name: &str, mode: &crate::approval::ModePolicy| {
        let writes = if mode.allows_writes {
            "may write"
        } else {
            "may not write"
        };
        let asks = if mode.requires_approval {
            ", always asks"
        } else {
            ""
        };
        format!("{name} {writes}{asks}")
    };
    let asks = match (
        policy.global_mode,
        policy.python.enabled,
        policy.python.mode,
    ) {
        (GlobalMode::AllCapabilities, _, _)
        | (GlobalMode::Selective, true, CodeApproval::AllCode) => "all code asks",
        (GlobalMode::Selective, true, CodeApproval::ControlWrites) => {
            "code that may write or worse asks"
        }
        (GlobalMode::Disabled, _, _)
        | (GlobalMode::Selective, false, _)
        | (GlobalMode::Selective, true, CodeApproval::Disabled) => "no code asks by what it does",
    };
    let text = format!(
        "{asks}; {}; {}",
        mode("read_only", &policy.read_only),
        mode("write_access", &policy.write_access)
    );
    let never = asks.starts_with("no code");
    let mut checks = vec![Check::ok("approval policy", text)];
    for (name, mode) in [
        ("read_only", &policy.read_only),
        ("write_access", &policy.write_access),
    ] {
        if mode.allows_writes && !mode.requires_approval && never {
            let message = format!("code in the mode {name} writes without anybody being asked");
            checks.push(Check::warn("approval policy", message).help(format!(
                "set execution.modes.{name}.requires_approval: true, unless that is meant"
            )));
        }
    }
    if policy.read_only.allows_writes {
        checks.push(
            Check::warn("approval policy", "the mode read_only allows writes")
                .help("set execution.modes.read_only.allows_writes: false, unless that is meant"),
        );
    }
    checks
}

/// The data folder: there, writable, on a local disk, with room.
pub(super) fn data_folder(context: &Context) -> Vec<Check> {
    let data = &context.settings.data;
    let shown = context.settings.shown(data);
    let existing = data
        .ancestors()
        .find(|folder| folder.exists())
        .unwrap_or(Path::new("/"));
    let mut checks = Vec::new();
    let rights = access(existing, AccessFlags::W_OK | AccessFlags::X_OK);
    checks.push(match (existing == data, existing.is_dir(), rights) {
        (_, false, _) => Check::fail(
            "data folder",
            format!("{} is not a folder", existing.display()),
        )
        .help("name another one with --data"),
        (_, _, Err(error)) => Check::fail(
            "data folder",
            format!("{} can't be written: {}", existing.display(), error.desc()),
        )
        .help("change its rights, or name another one with --data"),
        (true, _, Ok(())) => Check::ok("data folder", format!("{shown}, writable")),
        (false, _, Ok(())) => Check::ok(
            "data folder",
            format!("{shown}, to be made by the first run"),
        ),
    });
    checks.extend(file_system(existing));
    checks.extend(free_space(existing));
    checks
}

fn file_system(folder: &Path) -> Option<Check> {
    /// Numbers of the kernel for file systems of other machines, where locks and syncs may not hold.
    const REMOTE: [(i64, &str); 6] = [
        (0x6969, "nfs"),
        (0xff53_4d42, "cifs"),
        (0xfe53_4d42, "smb2"),
        (0x517b, "smb"),
        (0x0102_1997, "9p"),
        (0x6573_5546, "fuse"),
    ];
    /// The file system that lives in memory.
    const TMPFS: i64 = 0x0102_1994;
    let number = statfs(folder).ok()?.filesystem_type().0;
    if let Some((_, name)) = REMOTE.iter().find(|(known, _)| *known == number) {
        let message = format!("{name}: locks and durable writes of such file systems may not hold");
        return Some(
            Check::warn("file system", message).help("keep the data folder on a local disk"),
        );
    }
    if number == TMPFS {
        return Some(
            Check::warn(
                "file system",
                "tmpfs: everything in the data folder is gone after a restart",
            )
            .help("keep the data folder on a disk"),
        );
    }
    Some(Check::ok(
        "file system",
        format!("local (kind {number:#x})"),
    ))
}

fn free_space(folder: &Path) -> Option<Check> {
    let found = statvfs(folder).ok()?;
    let free = found
        .blocks_available()
        .saturating_mul(found.fragment_size());
    let message = format!("{} free", size(free));
    Some(match free {
        ..FREE_BYTES_MIN => {
            Check::fail("free space", message).help("make room: nothing is recorded on a full disk")
        }
        FREE_BYTES_MIN..FREE_BYTES_LOW => {
            Check::warn("free space", message).help("make room before it runs out")
        }
        FREE_BYTES_LOW.. => Check::ok("free space", message),
    })
}

/// Whether Python really starts.
pub(super) async fn python(context: &Context, trial: &Trial) -> Vec<Check> {
    let executor = trial.place.local_executor();
    let spec = EnvironmentSpec {
        python: context
            .config()
            .ok()
            .and_then(|config| context.python(&config)),
        ..EnvironmentSpec::default()
    };
    let mut checks = match executor.identify(&spec).await {
        Ok(identity) => {
            let lines: Vec<&str> = identity.description.lines().take(2).collect();
            let mut checks = vec![Check::ok("python", lines.join("; "))];
            checks.extend(installed(&executor, &spec).await);
            checks
        }
        Err(failure) => {
            let check = Check::fail("python", failure.message);
            vec![match failure.hint {
                Some(hint) => check.help(hint),
                None => check,
            }]
        }
    };
    checks.push(uv(context));
    checks
}

/// What code without `packages` of its own finds there.
async fn installed(executor: &LocalExecutor, spec: &EnvironmentSpec) -> Option<Check> {
    let found = executor.packages(spec, &|_| {}).await.ok()?;
    // The first line is the version of Python.
    let found: Vec<String> = found.into_iter().skip(1).collect();
    let of_science: Vec<&str> = found
        .iter()
        .filter(|package| {
            let name = package.split([' ', '=']).next().unwrap_or_default();
            SCIENCE.contains(&name.to_lowercase().as_str())
        })
        .map(String::as_str)
        .collect();
    let message = match of_science.as_slice() {
        [] => format!("{} installed; none of {}", found.len(), SCIENCE.join(", ")),
        some => format!("{} installed, among them {}", found.len(), some.join(", ")),
    };
    let check = Check::ok("packages", message);
    Some(Check {
        details: found,
        ..check
    })
}

/// What keeps code apart on this machine.
pub(super) async fn isolation(trial: &Trial) -> Vec<Check> {
    let layers = trial.place.local_executor().layers().await;
    let (held, missing): (Vec<_>, Vec<_>) = layers.into_iter().partition(|layer| layer.held);
    let names: Vec<String> = held.into_iter().map(|layer| layer.name).collect();
    let mut checks = vec![Check::ok("isolation", names.join(", "))];
    checks.extend(missing.into_iter().map(|layer| {
        let message = format!("{} is missing: {}", layer.name, layer.reason);
        Check::warn("isolation", message)
            .help("steps run without it and report it; docs/security.md says what it keeps out")
    }));
    checks
}

fn uv(context: &Context) -> Check {
    let path = variable("PATH").unwrap_or_default();
    let own = context.settings.data.join("tools");
    let found = std::env::split_paths(&path)
        .chain([own.join("bin"), own.join("uv").join("bin"), own])
        .map(|folder| folder.join("uv"))
        .find(|program| program.is_file());
    match found {
        Some(program) => Check::ok("uv", program.display().to_string()),
        None => Check::warn(
            "uv",
            "not found; the first step that names packages brings it with pip",
        )
        .help("install uv where PATH finds it to spare that"),
    }
}

/// Environments that were built.
pub(super) fn environments(context: &Context) -> Vec<Check> {
    let root = context.settings.data.join("envs");
    let Ok(entries) = std::fs::read_dir(&root) else {
        return vec![Check::ok("environments", "none built yet")];
    };
    let folders = entries
        .flatten()
        .filter(|entry| entry.file_name() != packages::FOLDER)
        .map(|entry| entry.path())
        .filter(|path| path.is_dir());
    let (ready, half): (Vec<_>, Vec<_>) =
        folders.partition(|path| path.join("ready.json").is_file());
    let mut checks = vec![Check::ok("environments", format!("{} ready", ready.len()))];
    let broken = ready
        .iter()
        .filter(|path| !path.join("bin").join("python").exists());
    for path in broken {
        let message = format!(
            "{} has lost its interpreter",
            line(&path.display().to_string())
        );
        checks.push(
            Check::warn("environments", message).help("it is built anew when a step needs it"),
        );
    }
    if !half.is_empty() {
        let message = format!("{} half-made, or being built now", half.len());
        checks.push(
            Check::warn("environments", message).help("they are built anew when a step needs them"),
        );
    }
    checks
}
