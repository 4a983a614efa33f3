//! Secrets that unfinished runs need, and names of the environment that the configuration looks up.

use std::collections::BTreeMap;

use super::check::Check;
use crate::cli::error::Error;
use crate::cli::open::Opened;
use crate::cli::view::text::line;
use crate::id::RunId;

/// Unfinished runs whose secrets are looked up.
const LOOKED_AT_RUNS: usize = 100;

/// Whether every secret that an unfinished run names is there now. Values are never shown.
pub(super) async fn secrets(opened: &Opened) -> Result<Vec<Check>, Error> {
    let mut missing: BTreeMap<String, RunId> = BTreeMap::new();
    let mut seen = 0_usize;
    for run in opened
        .engine
        .unfinished()
        .await?
        .into_iter()
        .take(LOOKED_AT_RUNS)
    {
        // What is wrong with a history is said where the store is checked.
        let Ok((named, faults)) = opened.engine.missing_secrets(run).await else {
            continue;
        };
        seen += named;
        for (_, fault) in faults {
            missing.entry(fault).or_insert(run);
        }
    }
    if missing.is_empty() {
        let message = match seen {
            0 => "no unfinished run needs one".to_owned(),
            seen => format!("all {seen} that unfinished runs name are there"),
        };
        return Ok(vec![Check::ok("secrets", message)]);
    }
    let told = missing.into_iter().map(|(fault, run)| {
        Check::fail("secrets", format!("{}: {}", run.short(), line(&fault)))
            .help("set it where the engine runs: it is looked up anew when a step starts")
    });
    Ok(told.collect())
}
