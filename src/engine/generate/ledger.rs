//! What generators have cost, and what they still may.
//!
//! What a run has cost stands in its history. The sum of a month is kept in a file beside the store, one line for each
//! call: to read every history for it would take too long.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
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
    /// Whether nobody said it: the answer broke off, or came without a number of tokens.
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
        let noted = noted(place, name, currency).await?;
        let noted = noted.iter().filter(|line| line.run == place.state.run);
        let spent = in_run(place.state, name, currency, noted);
        within(name, "in this run", spent, limit, currency)?;
    }
    if let Some(limit) = entry.budget.per_month {
        let noted = noted(place, name, currency).await?;
        let spent = noted.iter().map(|line| line.amount).sum();
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

/// The calls of this month.
async fn noted(place: &Place<'_>, name: &str, currency: &str) -> Result<Vec<Line>, Failure> {
    let (file, currency) = (file(place, name), currency.to_owned());
    let read = blocking(move || Ok(lines(&file, &currency))).await;
    read.map_err(|error| {
        let message =
            format!("what the generator `{name}` has cost this month is not known: {error}");
        Failure::new(FailureKind::Infrastructure, error.code(), message)
    })?
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

/// The lines of a file in that currency. A call that was noted twice, since an engine died in between, counts once.
///
/// # Errors
/// It can't be read, or a line of it is none: then nobody knows what was spent, and nothing more is.
fn lines(file: &Path, currency: &str) -> Result<Vec<Line>, Failure> {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(damaged(file, "it can't be read").caused_by(&error)),
    };
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    // What has no end was being written when its writer, or the disk, stopped: the history has that call.
    let ended = text.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    let ended = text.get(..ended).unwrap_or_default();
    for (index, line) in ended.split(|byte| *byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        let line = serde_json::from_slice::<Line>(line).ok();
        let Some(line) = line.filter(|line| line.amount >= 0.0) else {
            return Err(damaged(
                file,
                &format!("line {} of it is damaged", index + 1),
            ));
        };
        if line.currency == currency && seen.insert((line.run, line.step.clone(), line.attempt)) {
            found.push(line);
        }
    }
    Ok(found)
}

fn damaged(file: &Path, why: &str) -> Failure {
    let message = format!(
        "{} has what the calls of this month cost, and {why}: what was spent is not known, so nothing was asked",
        file.display()
    );
    let failure = Failure::new(FailureKind::Configuration, code::GENERATION_LEDGER, message);
    failure.hint(
        "mend that line, or put one with the amount that it may have cost in its place; then `stepwell retry RUN`",
    )
}

/// Notes what a call cost, where that is known. A note that can't be written is no reason to throw the answer away.
pub(super) async fn note(place: &Place<'_>, name: &str, cost: Option<&Cost>) {
    if let Some(cost) = cost {
        append_line(place, name, cost).await;
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
    let cost = Cost {
        amount,
        currency,
        estimated: true,
    };
    append_line(place, name, &cost).await;
    failure
}

async fn append_line(place: &Place<'_>, name: &str, cost: &Cost) {
    let line = Line {
        run: place.state.run,
        step: place.step_state.path.clone(),
        attempt: place.attempt,
        amount: cost.amount,
        currency: cost.currency.clone(),
        estimated: cost.estimated,
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
    let mut file = open.create(true).append(true).read(true).open(file)?;
    file.lock()?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    if let Some(last) = text.len().checked_sub(1)
        && text.get(last) != Some(&b'\n')
    {
        // The rest of a line whose writer, or disk, stopped: nobody reads it, and nothing is to be added to it.
        let whole = text.iter().rposition(|byte| *byte == b'\n');
        file.set_len(whole.map_or(0, |at| at as u64 + 1))?;
    }
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
        let sum = |file: &Path| {
            let lines = lines(file, "USD")?;
            Ok::<f64, Failure>(lines.iter().map(|line| line.amount).sum())
        };
        assert_eq!(sum(&file).unwrap(), 0.75);
        assert_eq!(sum(Path::new("/nowhere")).unwrap(), 0.0);
        std::fs::write(file.with_extension("none"), "").unwrap();
        assert_eq!(sum(&file.with_extension("none")).unwrap(), 0.0);

        let add = |text: &str| {
            let mut open = std::fs::OpenOptions::new();
            let mut file = open.append(true).open(&file).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        add("{\"run\":");
        assert_eq!(sum(&file).unwrap(), 0.75, "it is not all there");
        line(4, 0.25, "USD");
        assert_eq!(sum(&file).unwrap(), 1.0, "it does not spoil the next one");

        add("{half\n");
        line(5, 0.25, "USD");
        let failure = sum(&file).unwrap_err();
        assert_eq!(failure.code, "generation_ledger");
        assert!(failure.message.contains("line 6 of it"), "{failure:?}");
        assert!(
            failure.message.contains("main-2026-01.jsonl"),
            "{failure:?}"
        );
        assert!(sum(folder.path()).is_err(), "a folder can't be read");
    }
}
