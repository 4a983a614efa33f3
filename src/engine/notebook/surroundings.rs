//! What the code of a step finds around it, as far as a notebook may tell.

use super::super::Shared;
use super::super::folder::RunFolder;
use crate::plan::{PythonStep, SecretSource, Step};
use crate::run::{RunState, StepState};

/// The variables of an attempt that its notebook sets when it runs again: those of the step without secrets, and ours.
pub(super) fn variables<'a>(
    shared: &Shared,
    state: &RunState,
    (step, step_state): (&'a Step, &'a StepState),
    python: &PythonStep,
    attempt: u32,
) -> Vec<(&'a str, String)> {
    let path = &step_state.path;
    let own = step_state.env.iter().filter(|(name, _)| {
        let written = step.env.get(*name);
        written.is_none_or(|template| SecretSource::named_in(template).is_empty())
    });
    let mut variables: Vec<(&str, String)> = own
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    let folder = RunFolder::new(&shared.options.data, &state.created.folder).attempt(path, attempt);
    variables.push(("STEPWELL_FOLDER", folder.display().to_string()));
    if let Some(folder) = &state.created.workflow_folder {
        variables.push(("STEPWELL_WORKFLOW_DIR", folder.clone()));
    }
    variables.extend([
        ("STEPWELL_RUN_ID", state.run.to_string()),
        ("STEPWELL_STEP", path.as_str().to_owned()),
        ("STEPWELL_MODE", python.mode.as_str().to_owned()),
        ("STEPWELL_ATTEMPT", attempt.to_string()),
    ]);
    if let Some(key) = &step_state.idempotency_key {
        variables.push(("STEPWELL_IDEMPOTENCY_KEY", key.clone()));
    }
    variables
}
