//! What the code of a step gets: its inputs, and the files of large values among them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Shared;
use crate::failure::{Failure, FailureKind};
use crate::python::reference;
use crate::run::StepState;

/// The document that the code sees as `context`.
pub(super) fn document(step_state: &StepState) -> Value {
    let mut document = Value::Object(step_state.inputs.clone());
    reference::bring(&mut document);
    document
}

/// That document, and the files that it names, by their path in the folder of the attempt.
///
/// # Errors
/// A file is gone or damaged.
pub(super) async fn bring(
    shared: &Shared,
    step_state: &StepState,
) -> Result<(Value, BTreeMap<String, Vec<u8>>), Failure> {
    let mut document = Value::Object(step_state.inputs.clone());
    let mut files = BTreeMap::new();
    for file in reference::bring(&mut document) {
        let bytes = shared.ports.get_blob(file.digest).await.map_err(|error| {
            let message = format!("{} can't be brought: {error}", file.local);
            Failure::new(FailureKind::Infrastructure, error.code(), message)
        })?;
        files.insert(file.local, bytes);
    }
    Ok((document, files))
}
