//! What generators have cost, and what they still may.
//!
//! What a run has cost stands in its history. The sum of a month is kept in a file beside the store, one line for each
//! call: to read every history for it would take too long.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Place;
use crate::code;
use crate::engine::{Error, Shared, options::blocking};
use crate::executor::make_dir;
use crate::failure::{Failure, FailureKind};
use crate::generator::set::{Entry, Estimate};
use crate::id::{RunId, StepPath};
use crate::run::RunState;
use crate::run::payload::Cost;
use crate::time::Timestamp;

/// Folder of the files.
const FOLDER: &str = "generators";

/// One call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Line {
    run: RunId,
    step: StepPath,
    attempt: u32,
    amount: f64,
    currency: String,
    /// Whether nobody said it: the answer broke off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    estimated: bool,
}

/// Whether the generator may be called.
pub(super) async fn check(place: &Place<'_>, name: &str, entry: &Entry) -> Result<(), Failure> {
    if entry.budget.is_none() {
        return Ok(());
    }
    let price = entry.price.as_ref();
    let currency = price.map_or("USD", |price| price.currency.as_str());
    if let Some(limit) = entry.budget.per_run {
        let (file, run, of_money) = (file(place, name), place.state.run, currency.to_owned());
        let noted = blocking(move || Ok(lines(&file, &of_money))).await;
        let noted = noted.map_err(|error| unknown(&error))?;
        let noted = noted.iter().filter(|line| line.run == run);
        let spent = in_run(place.state, name, currency, noted);
        within(name, "in this run", spent, limit, currency)?;
    }
    if let Some(limit) = entry.budget.per_month {
        let file = file(place, name);
        let of_money = currency.to_owned();
        let spent = blocking(move || Ok(in_month(&file, &of_money))).await;
        let spent = spent.map_err(|error| unknown(&error))?;
        within(name, "in this month", spent, limit, currency)?;
    }
    Ok(())
}

fn within(name: &str, when: &str, spent: f64, limit: f64, currency: &str) -> Result<(), Failure> {
    if spent < limit {
        return Ok(());
    }
    let message = format!(
        "the generator `{name}` has cost {spent:.4} {currency} {when}, and {limit} {currency} is what it may cost"
    );
    let failure = Failure::new(FailureKind::Limits, code::GENERATION_BUDGET, message);
    Err(failure.hint("`budget` of the generator in config.yml is the bound; nothing was asked"))
}

fn unknown(error: &Error) -> Failure {
    let message = format!("what the generator has cost this month is not known: {error}");
    Failure::new(FailureKind::Infrastructure, error.code(), message)
}

/// The sum of a run: of its history, and of calls that are noted and not in it: those that ended after it was read, and
/// those whose answer broke off.
fn in_run<'a>(
    state: &RunState,
    name: &str,
    currency: &str,
    noted: impl Iterator<Item = &'a Line>,
) -> f64 {
    let generations = state.steps().flat_map(|(_, step)| &step.generations);
    let records = generations.map(|generation| &generation.record);
    let mut counted = HashSet::new();
    let mut sum = 0.0;
    for record in records.filter(|record| record.generator == name) {
        let cost = record.cost.as_ref();
        if let Some(cost) = cost.filter(|cost| cost.currency == currency) {
            counted.insert((record.step.clone(), record.attempt.unwrap_or_default()));
            sum += cost.amount;
        }
    }
    for line in noted {
        if counted.insert((line.step.clone(), line.attempt)) {
            sum += line.amount;
        }
    }
    sum
}

/// The sum of a file. A call that was noted twice, since an engine died in between, counts once.
fn in_month(file: &Path, currency: &str) -> f64 {
    lines(file, currency).iter().map(|line| line.amount).sum()
}

fn lines(file: &Path, currency: &str) -> Vec<Line> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut seen = HashSet::new();
    let lines = text.lines();
    let lines = lines.filter_map(|line| serde_json::from_str::<Line>(line).ok());
    lines
        .filter(|line| line.currency == currency)
        .filter(|line| seen.insert((line.run, line.step.clone(), line.attempt)))
        .collect()
}

/// Notes what a call cost, where that is known. A note that can't be written is no reason to throw the answer away.
pub(super) async fn note(place: &Place<'_>, name: &str, cost: Option<&Cost>) {
    if let Some(cost) = cost {
        append_line(place, name, cost, false).await;
    }
}

/// Notes what a call may have cost whose answer broke off, where that can be estimated, and says so in the failure.
pub(super) async fn note_broken(
    place: &Place<'_>,
    name: &str,
    estimate: Option<Estimate>,
    mut failure: Failure,
) -> Failure {
    let Some(estimate) = estimate else {
        return failure;
    };
    if failure.detail.is_null() {
        failure.detail = json!({});
    }
    if let Some(facts) = failure.detail.as_object_mut() {
        facts.insert("estimate".to_owned(), json!(estimate));
    }
    let Estimate {
        amount, currency, ..
    } = estimate;
    append_line(place, name, &Cost { amount, currency }, true).await;
    failure
}

async fn append_line(place: &Place<'_>, name: &str, cost: &Cost, estimated: bool) {
    let line = Line {
        run: place.state.run,
        step: place.step_state.path.clone(),
        attempt: place.attempt,
        amount: cost.amount,
        currency: cost.currency.clone(),
        estimated,
    };
    let file = file(place, name);
    let written = blocking(move || {
        let text = serde_json::to_string(&line).unwrap_or_default();
        append(&file, &text).map_err(|error| Error::Internal(error.to_string()))
    });
    if let Err(error) = written.await {
        tracing::warn!(generator = name, %error, "what a call cost could not be noted");
    }
}

fn append(file: &Path, line: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        make_dir(folder)?;
    }
    let mut open = std::fs::OpenOptions::new();
    let mut file = open.create(true).append(true).open(file)?;
    // One write, so that lines of several processes do not mix.
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_data()
}

/// Where the files are.
pub(super) fn folder(shared: &Shared) -> PathBuf {
    shared.options.data.join(FOLDER)
}

fn file(place: &Place<'_>, name: &str) -> PathBuf {
    let month = month(place.shared.ports.clock.now());
    folder(place.shared).join(format!("{name}-{month}.jsonl"))
}

fn month(now: Timestamp) -> String {
    now.to_string().chars().take(7).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_counts_once_and_only_in_its_currency() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("generators/main-2026-01.jsonl");
        let line = |attempt, amount, currency: &str| {
            let line = Line {
                run: RunId::from_bytes([7; 16]),
                step: StepPath::new("fit"),
                attempt,
                amount,
                currency: currency.to_owned(),
                estimated: attempt == 2,
            };
            append(&file, &serde_json::to_string(&line).unwrap()).unwrap();
        };
        line(1, 0.25, "USD");
        line(1, 0.25, "USD");
        line(2, 0.5, "USD");
        line(3, 9.0, "EUR");
        append(&file, "{half").unwrap();
        assert_eq!(in_month(&file, "USD"), 0.75);
        assert_eq!(in_month(Path::new("/nowhere"), "USD"), 0.0);
    }
}
