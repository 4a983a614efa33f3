//! Brings what the code left from the kernel's machine into the folder of the attempt.
//!
//! What the kernel says of files is not believed: a path may not leave the folder, nor replace a file of ours, and
//! no more is fetched than may be kept.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Component, Path};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Endpoint;
use super::kernel::{Fault, Kernel, QUICK};
use super::log::Logs;
use super::record::Record;
use crate::code;
use crate::executor::local::folder::{Folder, create, read_at_most};
use crate::executor::local::held_back::HELD_BACK;
use crate::executor::make_dir;
use crate::executor::report::{REPORT_BYTES_MAX, Report};
use crate::executor::{Job, Usage};
use crate::failure::{Failure, FailureKind};
use crate::python::outcome::Packages;

/// Bytes that are asked for at a time; as base64 they fit into one message of every server.
pub(super) const CHUNK_BYTES: usize = 1024 * 1024;
/// Files of ours that nothing from the kernel may replace.
const OURS: [&str; 6] = [
    "code.py",
    "context.json",
    "job.json",
    "stdout.log",
    "stderr.log",
    "supervisor.lock",
];
/// What the harness leaves for us.
const DOCUMENTS: [&str; 4] = [
    ".attempt/report.json",
    ".attempt/results.json",
    HELD_BACK,
    ".attempt/outputs.json",
];
/// How many times larger than the limit of files a list may be before the rest of it is passed over.
const LISTED_FACTOR: usize = 4;

/// The end of an attempt as the kernel tells it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct End {
    pub(super) exit: ExitWord,
    pub(super) stop: Option<StopWord>,
    pub(super) begun: Option<String>,
    pub(super) launch_error: Option<String>,
    pub(super) seconds: f64,
    pub(super) usage: Usage,
    pub(super) notes: Vec<String>,
    pub(super) files: Vec<(String, u64)>,
    pub(super) stdout: Written,
    pub(super) stderr: Written,
    /// Whether the code has replaced the folder in which its end is written down.
    #[serde(default)]
    pub(super) tampered: bool,
    /// What is installed for the kernel.
    #[serde(default)]
    pub(super) packages: Option<Packages>,
}

/// How the interpreter ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ExitWord {
    Status(i32),
    Signal(i32),
}

/// Why it was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StopWord {
    Timeout,
    Cancel,
}

/// How much of a stream there was, and how much the kernel has kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct Written {
    pub(super) bytes: u64,
    pub(super) kept: u64,
}

/// Fetches the rest of the streams, the documents and the files. Gives why not all of it was fetched.
pub(super) async fn bring(
    kernel: &mut Kernel,
    (folder, record, job): (&Folder, &Record, &Job),
    end: &End,
    (logs, endpoint): (&mut Logs, &Endpoint),
) -> Result<Option<Failure>, Fault> {
    let mut bringer = Bringer {
        kernel,
        folder,
        record,
        patience: endpoint.patience,
    };
    for (log, name, written) in [
        (&mut logs.stdout, "stdout", end.stdout),
        (&mut logs.stderr, "stderr", end.stderr),
    ] {
        let path = format!(".attempt/{name}.raw");
        while log.taken() < written.kept.min(log_max(job, name)) {
            let offset = log.taken();
            let data = bringer.read(&path, offset).await?;
            if data.is_empty() {
                break;
            }
            log.take(offset, &data);
        }
        if record.shared.is_some() {
            let _left_behind = fs::remove_file(folder.file(&path));
        }
    }
    if record.shared.is_some() {
        return Ok(None);
    }
    if let Some(version) = &end.begun {
        put(folder, ".attempt/begun", version.as_bytes()).map_err(disk)?;
    }
    bringer.files(job, end, endpoint.transfer_bytes_max).await
}

fn log_max(job: &Job, name: &str) -> u64 {
    if name == "stdout" {
        job.limits.stdout_bytes_max
    } else {
        job.limits.stderr_bytes_max
    }
}

struct Bringer<'a> {
    kernel: &'a mut Kernel,
    folder: &'a Folder,
    record: &'a Record,
    patience: Duration,
}

impl Bringer<'_> {
    async fn files(
        &mut self,
        job: &Job,
        end: &End,
        transfer_max: u64,
    ) -> Result<Option<Failure>, Fault> {
        let listed = |path: &str| end.files.iter().find(|(known, _)| known == path);
        for (path, bytes_max) in DOCUMENTS.into_iter().zip([
            REPORT_BYTES_MAX,
            job.limits.results_bytes_max,
            REPORT_BYTES_MAX,
            REPORT_BYTES_MAX,
        ]) {
            if let Some((_, bytes)) = listed(path).filter(|(_, bytes)| *bytes <= bytes_max) {
                self.file(path, *bytes).await?;
            }
        }
        let report = read_at_most(&self.folder.internal("report.json"), REPORT_BYTES_MAX);
        let report = report.ok().and_then(|text| Report::parse(&text).ok());
        let named = |path: &str| {
            let files = report.iter().flat_map(|report| &report.files);
            files.into_iter().any(|file| file.path == path)
        };
        let files_max = usize::try_from(job.limits.files_max).unwrap_or(usize::MAX);
        let allowed = transfer_max.min(job.limits.artifact_bytes_max);
        let (mut left, mut count, mut over) = (allowed, 0_usize, None);
        let wanted = end
            .files
            .iter()
            .filter(|(path, _)| is_fine(path) && (named(path) || is_wanted(&job.artifacts, path)));
        for (path, bytes) in wanted {
            count += 1;
            // A few more than are kept, so that the count of them is known to be too high.
            if count > files_max.saturating_mul(LISTED_FACTOR) {
                break;
            }
            match left.checked_sub(*bytes) {
                Some(rest) => {
                    left = rest;
                    self.file(path, *bytes).await?;
                }
                None => over = Some(path.clone()),
            }
        }
        Ok(over.map(|path| too_large(&path, end, allowed)))
    }

    async fn file(&mut self, path: &str, bytes: u64) -> Result<(), Fault> {
        let target = self.folder.file(path);
        if let Some(parent) = target.parent() {
            make_dir(parent).map_err(disk)?;
        }
        let mut file = create(&target).map_err(disk)?;
        let mut offset = 0;
        while offset < bytes {
            let data = self.read(path, offset).await?;
            if data.is_empty() {
                break;
            }
            let room = usize::try_from(bytes - offset).unwrap_or(usize::MAX);
            let data = data.get(..data.len().min(room)).unwrap_or_default();
            file.write_all(data).map_err(disk)?;
            offset += data.len() as u64;
        }
        Ok(())
    }

    /// A piece of a file; reading twice does no harm, so a broken connection is made again.
    async fn read(&mut self, path: &str, offset: u64) -> Result<Vec<u8>, Fault> {
        if self.record.shared.is_some() {
            return read_here(&self.folder.file(path), offset).map_err(disk);
        }
        let order = json!({
            "op": "read", "attempt": self.record.attempt, "path": path,
            "offset": offset, "length": CHUNK_BYTES,
        });
        let until = Instant::now() + self.patience;
        loop {
            match self.kernel.ask(&order, Some(QUICK), &mut |_| {}).await {
                Ok(answer) => {
                    let data = answer.get("data").and_then(Value::as_str);
                    let data = data.and_then(|data| STANDARD.decode(data).ok());
                    return data.ok_or_else(|| Fault::Refused(format!("{path} came as no base64")));
                }
                Err(Fault::Broken(failure)) if Instant::now() > until => {
                    return Err(Fault::Broken(failure));
                }
                Err(Fault::Broken(_)) => self.kernel.connect_until(until).await?,
                Err(Fault::Interrupted) => {}
                Err(fault) => return Err(fault),
            }
        }
    }
}

fn read_here(path: &Path, offset: u64) -> io::Result<Vec<u8>> {
    use std::io::{Read as _, Seek as _};
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::other("not a plain file"));
    }
    let mut file = fs::File::open(path)?;
    file.seek(io::SeekFrom::Start(offset))?;
    let mut data = Vec::new();
    file.take(CHUNK_BYTES as u64).read_to_end(&mut data)?;
    Ok(data)
}

/// Writes a small file of the attempt.
pub(super) fn put(folder: &Folder, path: &str, bytes: &[u8]) -> io::Result<()> {
    create(&folder.file(path))?.write_all(bytes)
}

/// A path that stays below the folder, is none of ours and is not hidden.
fn is_fine(path: &str) -> bool {
    let parts = Path::new(path).components();
    let plain = parts.clone().all(|part| match part {
        Component::Normal(name) => !name.as_encoded_bytes().starts_with(b"."),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => {
            false
        }
    });
    plain && parts.count() > 0 && !OURS.contains(&path) && !path.contains('\0')
}

fn is_wanted(patterns: &[String], path: &str) -> bool {
    use crate::executor::local::{collect, pattern};
    patterns.is_empty()
        || collect::is_image(path)
        || patterns.iter().any(|pattern| pattern::fits(pattern, path))
}

fn too_large(path: &str, end: &End, allowed: u64) -> Failure {
    let bytes: u64 = end.files.iter().map(|(_, bytes)| *bytes).sum();
    Failure::new(
        FailureKind::Resources,
        code::FILES_TOO_LARGE,
        format!(
            "the code left {bytes} bytes in files; {allowed} are fetched from a container, and {path} is beyond that"
        ),
    )
    .hint("write smaller files, raise `execution.container.transfer` or `limits.artifact`, or share the data folder with the kernel")
    .detail(json!({"bytes": bytes}))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn disk(error: io::Error) -> Fault {
    let full = matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    );
    let code = if full {
        code::DISK_FULL
    } else {
        code::ATTEMPT_FOLDER
    };
    Fault::Broken(Failure::new(
        FailureKind::Infrastructure,
        code,
        format!("what the code left could not be written: {error}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leaves_the_folder_or_takes_the_place_of_a_file_of_ours() {
        for fine in [
            "a.csv",
            "figures/figure_01.png",
            "deep/er/x",
            "outcome.json",
        ] {
            assert!(is_fine(fine), "{fine}");
        }
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "job.json",
            "code.py",
            ".attempt/outcome.json",
            "a/.hidden",
            "./x",
            "supervisor.lock",
            "a\0b",
        ] {
            assert!(!is_fine(bad), "{bad:?}");
        }
    }
}
