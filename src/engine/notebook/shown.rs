//! What an attempt gave out, and the notebook that its code comes from.

use serde_json::Value;

use super::super::Shared;
use super::super::options::blocking;
use crate::artifact::disk::open_plain;
use crate::plan::{PythonStep, Step};

/// Largest record of outputs that is read, in bytes; the harness writes less.
const RECORD_BYTES_MAX: u64 = 64 << 20;

/// The record of the harness, in the folder of the attempt. Code may have written anything there.
pub(super) async fn record(shared: &Shared, folder: &str) -> Option<Value> {
    let path = shared
        .options
        .data
        .join(folder)
        .join(".attempt/outputs.json");
    let read = blocking(move || {
        let file = open_plain(&path).ok();
        let file = file.filter(|file| {
            file.metadata()
                .is_ok_and(|metadata| metadata.len() <= RECORD_BYTES_MAX)
        });
        Ok(file.and_then(|file| serde_json::from_reader(std::io::BufReader::new(file)).ok()))
    });
    read.await.ok().flatten()
}

/// The notebook that the code comes from, when it comes from one.
pub(super) async fn source(shared: &Shared, python: &PythonStep) -> Option<Value> {
    let bytes = shared.ports.get_blob(python.notebook?).await.ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// The same for any step.
pub(super) async fn source_of(shared: &Shared, step: &Step) -> Option<Value> {
    source(shared, step.kind.as_python()?).await
}
