//! The environment of the interpreter: a short list of variables that pass, and those that are set.
//!
//! Everything else of the engine's environment stays outside: tokens, keys, addresses of gateways. What a
//! step needs beyond this is given to it by name, in its job.

use std::collections::BTreeMap;
use std::path::Path;

use super::folder::Folder;
use crate::executor::Job;

/// Variables that pass as they are.
const PASSED: [&str; 5] = ["PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH"];
/// Families that pass: how many threads numeric libraries use, and which kernels they choose.
const PASSED_PREFIXES: [&str; 7] = [
    "OPENBLAS_",
    "OMP_",
    "GOTO_",
    "MKL_",
    "BLIS_",
    "NUMEXPR_",
    "VECLIB_",
];

/// How many threads libraries of linear algebra start when they are imported.
const ONE_THREAD: [&str; 4] = [
    "OPENBLAS_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
];

/// What marks every process of an attempt.
const MARK: &str = "STEPWELL_MARK";
/// The folder of the attempt.
const FOLDER: &str = "STEPWELL_FOLDER";

/// Folders that the environment names.
pub(super) struct Places<'a> {
    /// Temporary files and home of the attempt.
    pub temporary: &'a Path,
    /// What matplotlib remembers of fonts: a second to compute, so shared by all attempts.
    pub matplotlib: &'a Path,
}

/// The variables that pass from `inherited`, for the supervisor, which needs no more.
pub(super) fn passed(inherited: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    inherited
        .iter()
        .filter(|(name, _)| {
            PASSED.contains(&name.as_str())
                || PASSED_PREFIXES
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The whole environment of the interpreter.
pub(super) fn of(
    job: &Job,
    folder: &Folder,
    inherited: &BTreeMap<String, String>,
    places: &Places<'_>,
) -> Vec<(String, String)> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut env = basis(inherited, places);
    let mut set = |name: &str, value: String| {
        env.insert(name.to_owned(), value);
    };
    set("STEPWELL_RUN_ID", job.run.to_string());
    set("STEPWELL_STEP", job.step.to_string());
    set("STEPWELL_MODE", job.mode.to_string());
    set("STEPWELL_ATTEMPT", job.attempt.to_string());
    if let Some(source) = &job.source_folder {
        set("STEPWELL_WORKFLOW_DIR", text(source));
    }
    for (name, value) in &job.env {
        set(name, value.clone());
    }
    // After the job's own, so that nothing hides an attempt from the search for its processes.
    set(MARK, folder.mark());
    set(FOLDER, text(folder.root()));
    env.into_iter().collect()
}

/// What the environment of every interpreter begins with.
fn basis(inherited: &BTreeMap<String, String>, places: &Places<'_>) -> BTreeMap<String, String> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut env = passed(inherited);
    env.entry("LANG".to_owned())
        .or_insert_with(|| "C.UTF-8".to_owned());
    let mut set = |name: &str, value: String| {
        env.insert(name.to_owned(), value);
    };
    set("HOME", text(places.temporary));
    set("TMPDIR", text(places.temporary));
    set("MPLBACKEND", "Agg".to_owned());
    set("MPLCONFIGDIR", text(places.matplotlib));
    // Text is UTF-8 whatever the machine's locale says, and each line is in the log when it was printed.
    set("PYTHONUTF8", "1".to_owned());
    set("PYTHONUNBUFFERED", "1".to_owned());
    // The order of sets is part of what a run repeats.
    set("PYTHONHASHSEED", "0".to_owned());
    env
}

/// The environment of an interpreter that others are forked from: what libraries read when they are imported, one
/// thread for each of them, and room for the mark of the attempt.
pub(super) fn of_parent(
    inherited: &BTreeMap<String, String>,
    matplotlib: &Path,
) -> BTreeMap<String, String> {
    let places = Places {
        temporary: matplotlib,
        matplotlib,
    };
    let mut env = basis(inherited, &places);
    for name in ONE_THREAD {
        env.insert(name.to_owned(), "1".to_owned());
    }
    env.insert(MARK.to_owned(), "0".repeat(Folder::MARK_LEN));
    env
}

/// Variables that hold secrets, which go before those of [`of`]; what marks the attempt stays ours.
pub(super) fn secret(env: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    env.iter()
        .filter(|(name, _)| ![MARK, FOLDER].contains(&name.as_str()))
}
