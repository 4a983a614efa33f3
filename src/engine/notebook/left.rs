//! What an attempt left for its notebook, read in one go: files that are small, most of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::super::options::blocking;
use super::super::packages;
use super::super::{Error, Shared};
use crate::artifact::Blobs;
use crate::artifact::disk::open_plain;
use crate::executor::Outcome;
use crate::id::Digest;
use crate::python::outcome::Packages;

/// Largest part of a stream that is read for a notebook, in bytes; the notebook cuts further.
const STREAM_BYTES_MAX: u64 = 256 * 1024;
/// Largest record of outputs that is read, in bytes; the harness writes less.
const RECORD_BYTES_MAX: u64 = 64 << 20;

/// What is read.
pub(in crate::engine) struct Left {
    /// The code that ran.
    pub(super) code: String,
    /// What it printed.
    pub(super) stdout: String,
    pub(super) stderr: String,
    /// What it gave out, in order.
    pub(super) shown: Option<Value>,
    /// The packages that it had, now kept as a blob; with their lines.
    pub(in crate::engine) packages: Option<Packages>,
    pub(super) lines: Vec<String>,
}

impl Left {
    /// Reads what the attempt in `folder` left, which ran the code of that digest.
    ///
    /// # Errors
    /// The code is not kept any more, or damaged.
    pub(in crate::engine) async fn read(
        shared: &Shared,
        folder: PathBuf,
        code: Digest,
        outcome: &Outcome,
    ) -> Result<Self, Error> {
        let blobs = Arc::clone(&shared.ports.blobs);
        let data = shared.options.data.clone();
        let streams = (outcome.stdout.path.clone(), outcome.stderr.path.clone());
        let packages = outcome.packages;
        blocking(move || {
            let (packages, lines) = match packages::keep(&blobs, &data, packages) {
                Some((packages, lines)) => (Some(packages), lines),
                None => (None, Vec::new()),
            };
            Ok(Self {
                code: text(&blobs, code)?,
                stdout: stream(&folder.join(streams.0)),
                stderr: stream(&folder.join(streams.1)),
                shown: record(&folder),
                packages,
                lines,
            })
        })
        .await
    }
}

fn text(blobs: &Blobs, digest: Digest) -> Result<String, Error> {
    let bytes = blobs.get(&digest).map_err(Error::Blob)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The beginning of a stream. A missing one is an empty one: the attempt may have ended before it printed.
fn stream(path: &Path) -> String {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    if let Ok(file) = open_plain(path) {
        let _ = file.take(STREAM_BYTES_MAX).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The record of the harness. Code may have written anything there.
fn record(folder: &Path) -> Option<Value> {
    let file = open_plain(&folder.join(".attempt/outputs.json")).ok()?;
    let bytes = file.metadata().ok()?.len();
    if bytes > RECORD_BYTES_MAX {
        return None;
    }
    serde_json::from_reader(std::io::BufReader::new(file)).ok()
}
