//! Modules beside the workflow that code imports. They run with it, so they are read by the same rules, and a yes
//! is bound to their text too.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

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
            match str::from_utf8(&bytes) {
                Ok(text) if path.ends_with(".py") => {
                    report.absorb(&path, analysis::analyze(text, rules));
                }
                Ok(_) | Err(_) => report.can(Capability::Native),
            }
            known.insert(path, bytes);
        }
    }
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
