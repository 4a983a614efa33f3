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
    let mut env = passed(inherited);
    env.entry("LANG".to_owned())
        .or_insert_with(|| "C.UTF-8".to_owned());
    let temporary = text(places.temporary);
    let mut set = |name: &str, value: String| {
        env.insert(name.to_owned(), value);
    };
    set("HOME", temporary.clone());
    set("TMPDIR", temporary);
    set("MPLBACKEND", "Agg".to_owned());
    set("MPLCONFIGDIR", text(places.matplotlib));
    // Text is UTF-8 whatever the machine's locale says, and each line is in the log when it was printed.
    set("PYTHONUTF8", "1".to_owned());
    set("PYTHONUNBUFFERED", "1".to_owned());
    // The order of sets is part of what a run repeats.
    set("PYTHONHASHSEED", "0".to_owned());
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

/// Variables that hold secrets, which go before those of [`of`]; what marks the attempt stays ours.
pub(super) fn secret(env: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    env.iter()
        .filter(|(name, _)| ![MARK, FOLDER].contains(&name.as_str()))
}
