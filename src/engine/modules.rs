//! Modules beside the workflow that code imports. They run with it, so they are read by the same rules, and a yes
//! is bound to their text too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Shared;
use super::options::blocking;
use crate::approval::Modules;
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::id::Digest;
use crate::python::analysis::{self, Capability, Report, RuleSet};
use crate::run::RunState;

/// Most files and bytes of modules that one step may reach.
const FILES_MAX: usize = 1_000;
const BYTES_MAX: usize = 32 << 20;
/// Endings of files that Python imports.
const SOURCE: &str = "py";
const COMPILED: [&str; 2] = ["so", "pyc"];

/// Files of modules by their path in the workflow's folder.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Digests of such files.
pub(super) type Digests = BTreeMap<String, Digest>;

/// Digests of such files.
pub(super) fn digests(files: &Files) -> Digests {
    files
        .iter()
        .map(|(path, bytes)| (path.clone(), Digest::of(bytes)))
        .collect()
}

/// Analyses code with every module beside the workflow that it reaches: one report about all of them, and what was read.
pub(super) fn analyze(
    folder: Option<&Path>,
    (code, is_notebook): (&str, bool),
    rules: &RuleSet,
) -> Result<(Report, Files), Failure> {
    let mut report = analysis::analyze(code, rules);
    if is_notebook {
        report.name_cells(code);
    }
    let mut known = Files::new();
    loop {
        let files = read(folder, &report.imports)?;
        let new: Files = files
            .into_iter()
            .filter(|(path, _)| !known.contains_key(path))
            .collect();
        if new.is_empty() {
            return Ok((report, known));
        }
        for (path, bytes) in new {
            match text(&path, &bytes) {
                Some(text) => report.absorb(&path, analysis::analyze(text, rules)),
                None => report.can(Capability::Native),
            }
            known.insert(path, bytes);
        }
    }
}

/// Keeps the texts of modules among the stored files before an event names them. Those that are kept now: without the
/// others a question shows their digests alone.
pub(super) async fn keep(shared: &Shared, files: &Files) -> BTreeSet<String> {
    let texts: Vec<(String, Vec<u8>)> = files
        .iter()
        .filter(|(path, bytes)| text(path, bytes).is_some())
        .map(|(path, bytes)| (path.clone(), bytes.clone()))
        .collect();
    if texts.is_empty() {
        return BTreeSet::new();
    }
    let blobs = Arc::clone(&shared.ports.blobs);
    let kept = blocking(move || {
        let put = |(path, bytes): (String, Vec<u8>)| match blobs.put(&bytes) {
            Ok(_) => Some(path),
            Err(error) => {
                tracing::warn!(module = %path, %error, "the text of a module could not be kept");
                None
            }
        };
        Ok(texts.into_iter().filter_map(put).collect())
    });
    kept.await.unwrap_or_default()
}

/// The texts of modules as they were kept; those that are there.
pub(super) async fn kept(shared: &Shared, modules: &Modules) -> Files {
    let mut files = Files::new();
    for (path, module) in modules.iter().filter(|(_, module)| module.kept) {
        if let Ok(bytes) = shared.ports.get_blob(module.digest).await {
            files.insert(path.clone(), bytes);
        }
    }
    files
}

/// The text of a module, unless it is compiled or not UTF-8.
pub(super) fn text<'a>(path: &str, bytes: &'a [u8]) -> Option<&'a str> {
    is_source(path)
        .then(|| str::from_utf8(bytes).ok())
        .flatten()
}

fn is_source(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, end)| end == SOURCE)
}

/// The folder of the workflow of a run.
pub(super) fn folder(state: &RunState) -> Option<PathBuf> {
    state.created.workflow_folder.as_ref().map(PathBuf::from)
}

/// The files of those modules that are beside the workflow.
pub(super) fn read(folder: Option<&Path>, names: &[String]) -> Result<Files, Failure> {
    let mut files = Files::new();
    let Some(folder) = folder else {
        return Ok(files);
    };
    let mut left = BYTES_MAX;
    for name in names {
        let found = of_name(folder, name).map_err(|error| unreadable(name, &error))?;
        for (path, file) in found {
            let bytes = fs::read(&file).map_err(|error| unreadable(&path, &error))?;
            left = left
                .checked_sub(bytes.len())
                .filter(|_| files.len() < FILES_MAX)
                .ok_or_else(|| unreadable(&path, &io::ErrorKind::FileTooLarge.into()))?;
            files.insert(path, bytes);
        }
    }
    Ok(files)
}

/// The files that `import name` may run: a module, or everything in a package.
fn of_name(folder: &Path, name: &str) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in listed(folder)? {
        let (file, text) = entry;
        if file.is_dir() && text == name {
            package(&file, &format!("{text}/"), &mut found)?;
        } else if is_module(&file) && text.split('.').next() == Some(name) {
            found.push((text, file));
        }
    }
    Ok(found)
}

fn package(folder: &Path, prefix: &str, found: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for (file, text) in listed(folder)? {
        let path = format!("{prefix}{text}");
        let is_link = file.symlink_metadata()?.is_symlink();
        if file.is_dir() && !is_link && text != "__pycache__" {
            package(&file, &format!("{path}/"), found)?;
        } else if is_module(&file) {
            found.push((path, file));
        }
        if found.len() > FILES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
    }
    Ok(())
}

/// Entries of a folder with their names. One that is no more has no modules.
fn listed(folder: &Path) -> io::Result<Vec<(PathBuf, String)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened?,
    };
    entries
        .map(|entry| {
            let entry = entry?;
            Ok((
                entry.path(),
                entry.file_name().to_string_lossy().into_owned(),
            ))
        })
        .collect()
}

fn is_module(file: &Path) -> bool {
    let end = file.extension().and_then(|end| end.to_str());
    end.is_some_and(|end| end == SOURCE || COMPILED.contains(&end)) && file.is_file()
}

fn unreadable(what: &str, error: &io::Error) -> Failure {
    Failure::new(
        FailureKind::Configuration,
        code::CODE_UNREADABLE,
        format!("the module `{what}` beside the workflow can't be read: {error}"),
    )
}
