//! The notebook that the code of a step comes from.

use serde_json::Value;

use super::super::Shared;
use crate::plan::{PythonStep, Step};

/// The notebook that the code comes from, when it comes from one.
pub(super) async fn of_python(shared: &Shared, python: &PythonStep) -> Option<Value> {
    let bytes = shared.ports.get_blob(python.notebook?).await.ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// The same for any step.
pub(super) async fn of_step(shared: &Shared, step: &Step) -> Option<Value> {
    of_python(shared, step.kind.as_python()?).await
}
