//! What a key covers: everything that the code would run from, as it is now.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::analyse::Prepared;
use super::super::options::blocking;
use super::super::{Shared, given, modules};
use crate::artifact::digest_of_file;
use crate::canonical::canonical_json;
use crate::id::Digest;
use crate::plan::{PythonStep, SecretSource, Step};
use crate::run::payload::Parts;
use crate::run::{RunState, StepState, known_parts};

/// Most files that a step with `cache` is given.
const FILES_MAX: usize = 10_000;

/// Paths by the name under which the step gets them.
type Files = BTreeMap<String, Vec<PathBuf>>;

/// The parts. An error says which of them can't be told.
pub(super) async fn of(
    shared: &Shared,
    state: &RunState,
    (step, step_state, python): (&Step, &StepState, &PythonStep),
    prepared: &Prepared,
) -> Result<Parts, String> {
    let mut parts = known_parts(state, step, step_state);
    parts.insert("environment".to_owned(), prepared.identity.digest);
    for (name, bound) in prepared.bounds.iter() {
        parts.insert(format!("bounds.{name}"), bound.digest);
    }
    let digests = modules::digests(&prepared.modules);
    if !digests.is_empty() {
        parts.insert("modules".to_owned(), digest(&json!(digests)));
    }
    let mut env = shared.options.mode_environment.of(python.mode).clone();
    let own = step_state.env.iter();
    env.extend(own.map(|(name, value)| (name.clone(), value.clone())));
    for (name, value) in &env {
        parts.insert(format!("env.{name}"), Digest::of(value.as_bytes()));
    }
    // Their names: a value leaves no trace anywhere, not even in a digest.
    let secrets = step.env.iter().map(|(variable, template)| {
        let names = SecretSource::named_in(template);
        (variable, names)
    });
    let secrets: BTreeMap<_, _> = secrets.filter(|(_, names)| !names.is_empty()).collect();
    if !secrets.is_empty() {
        parts.insert("secrets".to_owned(), digest(&json!(secrets)));
    }
    let files = given(state, step_state);
    if files.values().map(Vec::len).sum::<usize>() > FILES_MAX {
        return Err(format!("it is given more than {FILES_MAX} files"));
    }
    let read = blocking(move || Ok(contents(files)));
    parts.extend(read.await.map_err(|error| error.to_string())??);
    Ok(parts)
}

fn digest(value: &Value) -> Digest {
    Digest::of(&canonical_json(value))
}

/// Files that the step is given: inputs of the run of type `file` that its inputs or variables name, and whatever else
/// of its inputs is the absolute path of a file.
fn given(state: &RunState, step_state: &StepState) -> Files {
    let mut files = Files::new();
    let declared = given::declared(state, step_state);
    for found in &declared {
        let named = files.entry(found.name.clone()).or_default();
        named.push(found.file.clone());
    }
    for (name, text) in given::texts(step_state) {
        if text.starts_with('/') && !declared.iter().any(|found| found.path == text) {
            let named = files.entry(name.to_owned()).or_default();
            named.push(PathBuf::from(text));
        }
    }
    files
}

/// The digests of what is a file; what is none can't be read by the code either.
fn contents(files: Files) -> Result<Parts, String> {
    let mut parts = Parts::new();
    for (name, paths) in files {
        let mut digests = Vec::new();
        for path in paths.into_iter().filter(|path| path.is_file()) {
            let found = digest_of_file(&path).map_err(|error| error.to_string())?;
            digests.push(found);
        }
        if !digests.is_empty() {
            parts.insert(format!("file {name}"), digest(&json!(digests)));
        }
    }
    Ok(parts)
}
