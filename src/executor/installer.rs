//! Filling an environment: with uv when there is one or one can be brought, else with venv and pip.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::code::{self, Code};
use crate::failure::{Failure, FailureKind};

/// Lines of an installer that are kept for a failure.
const LINES_KEPT: usize = 30;
/// Variables of the user that reach installers: index, proxy, certificates, cache. Steps never see them.
const PASSED: [&str; 12] = [
    "PATH",
    "HOME",
    "LANG",
    "NETRC",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
];
const PASSED_PREFIXES: [&str; 3] = ["UV_", "PIP_", "XDG_"];
/// What users of pip have set, in the words of uv.
const PIP_TO_UV: [(&str, &str); 4] = [
    ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
    ("PIP_EXTRA_INDEX_URL", "UV_INDEX"),
    ("PIP_FIND_LINKS", "UV_FIND_LINKS"),
    ("PIP_CERT", "SSL_CERT_FILE"),
];

/// One environment to be built.
pub(super) struct Build<'a> {
    /// Where it goes; it does not exist yet.
    pub folder: &'a Path,
    /// The interpreter it is based on.
    pub base: &'a Path,
    /// Requirement lines.
    pub lines: &'a [String],
    /// Hears what happens.
    pub progress: &'a (dyn Fn(&str) + Send + Sync),
}

/// The installers of one data folder.
#[derive(Debug)]
pub(super) struct Installer {
    tools: PathBuf,
    inherited: BTreeMap<String, String>,
    env: BTreeMap<String, String>,
}

impl Installer {
    pub(super) fn new(data: &Path, inherited: BTreeMap<String, String>) -> Self {
        let env = environment(&inherited, data);
        Self {
            tools: data.join("tools"),
            inherited,
            env,
        }
    }

    pub(super) async fn build(&self, build: &Build<'_>) -> Result<(), Failure> {
        let python = build.folder.join("bin").join("python");
        let uv = self.uv(build).await;
        match &uv {
            Some(uv) => {
                let mut venv = self.command(uv);
                venv.args(["venv", "--no-project", "--python"])
                    .arg(build.base)
                    .arg(build.folder);
                run(venv, build).await?;
            }
            None => {
                let mut venv = self.command(build.base);
                venv.args(["-m", "venv"]).arg(build.folder);
                run(venv, build).await?;
            }
        }
        let list = build.folder.join("requirements.in");
        fs::write(&list, build.lines.join("\n") + "\n").map_err(|error| {
            failure(
                code::ENVIRONMENT_DISK,
                &format!("{}: {error}", list.display()),
            )
        })?;
        let mut install = if let Some(uv) = &uv {
            let mut install = self.command(uv);
            // Compiled once here: steps write no byte code, so each of them would compile pandas anew.
            install
                .args(["pip", "install", "--compile-bytecode", "--python"])
                .arg(&python);
            install
        } else {
            let mut install = self.command(&python);
            install.args(["-m", "pip", "install", "--progress-bar", "off"]);
            install
        };
        install.arg("-r").arg(&list);
        run(install, build).await
    }

    /// uv: on `PATH`, or brought before, or brought now; `None` when it can't be had.
    async fn uv(&self, build: &Build<'_>) -> Option<PathBuf> {
        let path = self.inherited.get("PATH").map_or("", String::as_str);
        let brought = self.tools.join("uv").join("bin").join("uv");
        let found = std::env::split_paths(path)
            .map(|folder| folder.join("uv"))
            .chain([brought.clone()])
            .find(|program| program.is_file());
        if found.is_some() {
            return found;
        }
        (build.progress)("bringing the installer uv");
        match self.bring_uv(build).await {
            Ok(()) => Some(brought),
            Err(failure) => {
                (build.progress)(&format!(
                    "uv can't be had, so pip does it: {}",
                    failure.message
                ));
                None
            }
        }
    }

    async fn bring_uv(&self, build: &Build<'_>) -> Result<(), Failure> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let part = self
            .tools
            .join(format!(".uv-{}-{count}", std::process::id()));
        let mut bring = self.command(build.base);
        bring
            .args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
            .arg(&part)
            .arg("uv");
        run(bring, build).await?;
        let renamed = fs::rename(&part, self.tools.join("uv"));
        if renamed.is_err() {
            // Another process was faster, or the disk is at fault; the next look tells.
            let _left_behind = fs::remove_dir_all(&part);
        }
        renamed
            .or_else(|error| {
                if self.tools.join("uv").is_dir() {
                    Ok(())
                } else {
                    Err(error)
                }
            })
            .map_err(|error: io::Error| failure(code::ENVIRONMENT_DISK, &error.to_string()))
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.env).current_dir("/");
        command
    }
}

fn environment(inherited: &BTreeMap<String, String>, data: &Path) -> BTreeMap<String, String> {
    let mut env: BTreeMap<String, String> = inherited
        .iter()
        .filter(|(name, _)| {
            PASSED.contains(&name.as_str())
                || PASSED.contains(&name.to_ascii_lowercase().as_str())
                || PASSED_PREFIXES
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for (pip, uv) in PIP_TO_UV {
        if let (Some(value), false) = (inherited.get(pip), env.contains_key(uv)) {
            env.insert(uv.to_owned(), value.clone());
        }
    }
    if !env.contains_key("HOME") {
        let cache = data.join("cache").join("uv").to_string_lossy().into_owned();
        env.entry("UV_CACHE_DIR".to_owned()).or_insert(cache);
    }
    for (name, value) in [
        ("UV_PYTHON_DOWNLOADS", "never"),
        ("UV_NO_PROGRESS", "1"),
        ("UV_NO_CONFIG", "1"),
        ("PIP_NO_INPUT", "1"),
        ("PIP_ROOT_USER_ACTION", "ignore"),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        ("PYTHONUTF8", "1"),
    ] {
        env.insert(name.to_owned(), value.to_owned());
    }
    env
}

/// Runs an installer to its end; its lines go to the progress, and the last ones into a failure.
async fn run(mut command: Command, build: &Build<'_>) -> Result<(), Failure> {
    let program = command
        .as_std()
        .get_program()
        .to_string_lossy()
        .into_owned();
    let spawned = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = spawned.map_err(|error| {
        failure(
            code::ENVIRONMENT_FAILED,
            &format!("`{program}` could not be started: {error}"),
        )
    })?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (mut said, mut errors) = tokio::join!(hear(stdout, build), hear(stderr, build));
    let status = child.wait().await.map_err(|error| {
        failure(
            code::ENVIRONMENT_FAILED,
            &format!("`{program}` could not be watched: {error}"),
        )
    })?;
    if status.success() {
        return Ok(());
    }
    said.append(&mut errors);
    let text = said.join("\n");
    Err(failure(sort(&text), &text))
}

async fn hear(stream: Option<impl tokio::io::AsyncRead + Unpin>, build: &Build<'_>) -> Vec<String> {
    let mut kept = Vec::new();
    let Some(stream) = stream else {
        return kept;
    };
    let mut lines = BufReader::new(stream).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if line.is_empty() {
            continue;
        }
        (build.progress)(&line);
        if kept.len() == LINES_KEPT {
            kept.remove(0);
        }
        kept.push(line);
    }
    kept
}

/// What an installer's words mean. They have no codes, so this reads text, from the surest to the vaguest.
fn sort(text: &str) -> Code {
    const TABLE: [(Code, &[&str]); 4] = [
        (
            code::ENVIRONMENT_DISK,
            &[
                "No space left",
                "Permission denied",
                "Read-only file system",
                "Disk quota",
            ],
        ),
        (
            code::ENVIRONMENT_OFFLINE,
            &[
                "dns error",
                "Connection refused",
                "error sending request",
                "name resolution",
                "Network is unreachable",
                "NewConnectionError",
                "network was disabled",
                "timed out",
                "Could not connect",
                "Failed to fetch",
                "ProxyError",
                "SSLError",
            ],
        ),
        (
            code::REQUIREMENTS_INVALID,
            &[
                "Couldn't parse requirement",
                "Invalid requirement",
                "Failed to parse",
                "no such option",
            ],
        ),
        (
            code::ENVIRONMENT_PACKAGE_MISSING,
            &[
                "No solution found",
                "not found in the",
                "No matching distribution",
                "Could not find a version",
            ],
        ),
    ];
    TABLE
        .iter()
        .find(|(_, words)| words.iter().any(|word| text.contains(word)))
        .map_or(code::ENVIRONMENT_FAILED, |(code, _)| *code)
}

fn failure(code: Code, text: &str) -> Failure {
    let (kind, hint) = match code {
        code::ENVIRONMENT_OFFLINE => (
            FailureKind::Infrastructure,
            "check network and proxy; an environment that was built once needs no network",
        ),
        code::ENVIRONMENT_DISK => (
            FailureKind::Infrastructure,
            "check rights and space of the data folder",
        ),
        code::ENVIRONMENT_PACKAGE_MISSING => (
            FailureKind::Configuration,
            "check the name and the version limits",
        ),
        code::REQUIREMENTS_INVALID => (FailureKind::Configuration, "write one requirement a line"),
        _ => (
            FailureKind::Configuration,
            "the installer's own words are above",
        ),
    };
    Failure::new(
        kind,
        code,
        format!("the environment could not be built: {text}"),
    )
    .hint(hint)
}
