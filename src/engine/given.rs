//! Files that a step is given: what the run has as inputs of type `file`, where the step's inputs or variables name it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::options::read;
use crate::approval::Verdict;
use crate::artifact::digest_of_file;
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::id::Digest;
use crate::plan::visit_files;
use crate::run::payload::{AnalysisReported, InputFile};
use crate::run::{RunState, StepState};

/// A file that an input of the run names.
pub(super) struct Declared {
    /// The input.
    pub(super) name: String,
    /// As it stands there.
    pub(super) path: String,
    /// Where it is.
    pub(super) file: PathBuf,
}

/// Inputs of the run of type `file` that the step's inputs or variables name.
pub(super) fn declared(state: &RunState, step_state: &StepState) -> Vec<Declared> {
    let folder = state.created.workflow_folder.as_deref().unwrap_or_default();
    let texts = texts(step_state);
    let mut found = Vec::new();
    for (name, field) in &state.plan.inputs {
        let Some(mut value) = state.created.inputs.get(name).cloned() else {
            continue;
        };
        visit_files(field, &mut value, &mut |path| {
            if texts.iter().any(|(_, text)| text.contains(path.as_str())) {
                found.push(Declared {
                    name: name.clone(),
                    path: path.clone(),
                    file: Path::new(folder).join(&*path),
                });
            }
        });
    }
    found
}

/// Every text in the inputs and the variables of a step, with its name there.
pub(super) fn texts(step_state: &StepState) -> Vec<(&str, &str)> {
    let mut texts = Vec::new();
    for (name, value) in &step_state.inputs {
        texts_in(name, value, &mut texts);
    }
    let env = step_state.env.iter();
    texts.extend(env.map(|(name, value)| (name.as_str(), value.as_str())));
    texts
}

fn texts_in<'a>(name: &'a str, value: &'a Value, texts: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => texts.push((name, text)),
        Value::Array(items) => items.iter().for_each(|item| texts_in(name, item, texts)),
        Value::Object(map) => map.values().for_each(|value| texts_in(name, value, texts)),
    }
}

/// The content of the files of a step whose code is asked about: a yes is for what stands in them. Where nobody is
/// asked there is no yes, and nothing is read for it.
pub(super) async fn asked(
    state: &RunState,
    step_state: &StepState,
    verdict: Verdict,
) -> Result<Vec<InputFile>, Failure> {
    match verdict {
        // Nobody can say yes to what is blocked.
        Verdict::Pass | Verdict::Block => Ok(Vec::new()),
        Verdict::Ask => contents(state, step_state).await,
    }
}

/// The same now, of a step that was analysed before.
pub(super) async fn asked_before(
    state: &RunState,
    step_state: &StepState,
    analysis: &AnalysisReported,
) -> Result<Vec<InputFile>, Failure> {
    if analysis.files.is_empty() {
        return asked(state, step_state, analysis.decision.verdict).await;
    }
    contents(state, step_state).await
}

async fn contents(state: &RunState, step_state: &StepState) -> Result<Vec<InputFile>, Failure> {
    let declared = declared(state, step_state);
    read(move || declared.iter().map(content).collect()).await
}

/// Whether all of them are still what they were.
pub(super) async fn same(files: &[InputFile]) -> Result<bool, Failure> {
    let files = files.to_vec();
    read(move || {
        for file in files {
            let now = content(&Declared {
                name: file.input.clone(),
                path: file.path.clone(),
                file: PathBuf::from(&file.path),
            })?;
            if now.sha256 != file.sha256 {
                return Ok(false);
            }
        }
        Ok(true)
    })
    .await
}

/// What a file holds. Where nothing is, the code can't read anything, and a yes covers that.
fn content(declared: &Declared) -> Result<InputFile, Failure> {
    let Declared { name, file, .. } = declared;
    let found = |sha256: Option<Digest>, bytes: u64| InputFile {
        input: name.clone(),
        path: file.display().to_string(),
        bytes,
        sha256,
    };
    let unreadable = |error: &dyn std::error::Error| {
        let message = format!(
            "{} of the input `{name}` can't be read, so nobody can say yes to what stands in it",
            file.display()
        );
        Failure::new(FailureKind::Configuration, code::FILE_UNREADABLE, message)
            .hint("let the account that runs Stepwell read it, then `stepwell retry RUN`")
            .caused_by(error)
    };
    let there = match std::fs::metadata(file) {
        Ok(there) => there,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found(None, 0)),
        Err(error) => return Err(unreadable(&error)),
    };
    if !there.is_file() {
        // The code could read it, and nobody could say what.
        return Err(unreadable(&std::io::Error::other("it is no plain file")));
    }
    let digest = digest_of_file(file).map_err(|error| unreadable(&error))?;
    Ok(found(Some(digest), there.len()))
}

/// Their content by the name of the input, for the subject.
pub(super) fn by_input(files: &[InputFile]) -> Value {
    let mut named = serde_json::Map::new();
    for file in files {
        let all = named
            .entry(file.input.clone())
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Some(all) = all.as_array_mut() {
            all.push(serde_json::json!([file.path, file.sha256]));
        }
    }
    Value::Object(named)
}
