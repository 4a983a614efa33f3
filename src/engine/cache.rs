//! Earlier results that stand for a run of the code: looked for before it would begin, kept after it ended well.
//!
//! The log is the truth. The index only says where to look: what it says is read again in the history that it names,
//! and every file is checked. A lost or damaged index costs time and nothing else.

mod parts;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::options::blocking;
use super::task::Driver;
use super::{Shared, analyse};
use crate::artifact::Found;
use crate::id::{Digest, RunId, StepPath};
use crate::plan::{PythonStep, Step};
use crate::run::payload::{
    CacheBypassed, CacheMissed, FileRef, Miss, Parts, ResultRecorded, StepReused,
};
use crate::run::{
    self, AttemptStatus, Command, Event, Recorded, RunState, Seq, StepState, changed_parts,
};
use crate::time::Timestamp;

/// Keeps these digests apart from every other use of SHA-256, and this layout from later ones.
const DOMAIN: &str = "stepwell.cache.key.v1";

/// What the index has under a key, and under the step that has it newest.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    key: Digest,
    parts: Parts,
    run: RunId,
    step: StepPath,
    /// The event there that has the result.
    seq: Seq,
}

/// What the run inside a step is told of what takes no kept result.
pub(super) fn inside(bypass: &CacheBypassed, path: &StepPath) -> CacheBypassed {
    let named = |word: &StepPath| word == path;
    let inner = bypass.steps.iter().filter_map(|word| {
        let rest = word.as_str().strip_prefix(path.as_str())?;
        rest.strip_prefix('/').map(StepPath::new)
    });
    CacheBypassed {
        all: bypass.all || bypass.steps.iter().any(named),
        steps: inner.collect(),
    }
}

/// Looks for an earlier result of a step whose code the policy lets pass.
pub(super) async fn look_up(driver: &Driver, state: &RunState, path: &StepPath) -> Option<Command> {
    let shared = &driver.shared;
    let (step, step_state) = state.step(path)?;
    let python = step.kind.as_python()?;
    let analysis = step_state.analysis.as_ref()?;
    let missed = |key: Option<(Digest, Parts)>, reason: Miss| {
        let (key, parts) = key.map_or((None, Parts::new()), |(key, parts)| (Some(key), parts));
        Some(Command::Missed(CacheMissed {
            step: path.clone(),
            key,
            parts,
            reason,
        }))
    };
    let lost = |why: String| missed(None, Miss::Lost { run: None, why });
    // What fails here fails again, and is told, when the code is to begin.
    let prepared =
        match analyse::prepare_again(shared, state, (step, step_state, python), analysis).await {
            Ok(prepared) => prepared,
            Err(failure) => return lost(failure.message),
        };
    if prepared.subject != analysis.subject {
        return analyse::analyse(driver, state, path).await;
    }
    let parts = match parts::of(shared, state, (step, step_state, python), &prepared).await {
        Ok(parts) => parts,
        Err(why) => return lost(why),
    };
    let key = key_of(&parts);
    if let Some(reason) = run::set_aside(state, step, step_state) {
        return missed(Some((key, parts)), reason);
    }
    match find(shared, state, (step, step_state), (key, &parts)).await {
        Ok(reused) => Some(Command::Reused(Box::new(reused))),
        Err(reason) => missed(Some((key, parts)), reason),
    }
}

/// The digest of all parts with their names.
fn key_of(parts: &Parts) -> Digest {
    let parts = serde_json::to_value(parts).unwrap_or_default();
    let whole = serde_json::json!([DOMAIN, parts]);
    Digest::of(&crate::canonical::canonical_json(&whole))
}

/// The name in the index of the newest result of a step, whatever it was made from.
fn name_of(state: &RunState, path: &StepPath) -> Digest {
    let whole = serde_json::json!(["stepwell.cache.step.v1", state.plan.name, path]);
    Digest::of(&crate::canonical::canonical_json(&whole))
}

/// The result under this key, checked; or why there is none.
async fn find(
    shared: &Arc<Shared>,
    state: &RunState,
    (step, step_state): (&Step, &StepState),
    (key, parts): (Digest, &Parts),
) -> Result<StepReused, Miss> {
    let under_key = note(shared, key).await;
    let newest = note(shared, name_of(state, &step_state.path)).await;
    let damaged = under_key.is_err();
    // Both say the same when the newest result is the one that is looked for: one of them is enough.
    let entry = [&under_key, &newest].into_iter().find_map(|found| {
        found
            .as_ref()
            .ok()?
            .clone()
            .filter(|entry| entry.key == key)
    });
    if let Some(entry) = entry {
        return check(shared, step, &step_state.path, entry).await;
    }
    let why = "its entry in the index is damaged".to_owned();
    match newest {
        _ if damaged => Err(Miss::Lost { run: None, why }),
        Err(()) => Err(Miss::Lost { run: None, why }),
        Ok(None) => Err(Miss::FirstTime),
        Ok(Some(entry)) => Err(Miss::Changed {
            parts: changed_parts(&entry.parts, parts),
            run: entry.run,
        }),
    }
}

/// What the index has; an error when it is damaged.
async fn note(shared: &Shared, name: Digest) -> Result<Option<Entry>, ()> {
    let index = shared.index.clone();
    let found = blocking(move || Ok(index.get(&name))).await;
    match found {
        Ok(Found::Nothing) => Ok(None),
        Ok(Found::Note(text)) => serde_json::from_slice(&text).map(Some).map_err(|_| ()),
        Ok(Found::Damaged) | Err(_) => Err(()),
    }
}

/// Reads the result where the entry says, and looks that everything of it is there and whole.
async fn check(
    shared: &Arc<Shared>,
    step: &Step,
    path: &StepPath,
    entry: Entry,
) -> Result<StepReused, Miss> {
    let lost = |why: String| Miss::Lost {
        run: Some(entry.run),
        why,
    };
    let (made_at, result) = recorded(shared, &entry)
        .await
        .ok_or_else(|| lost("its history has no such result, or can't be read".to_owned()))?;
    let now = shared.ports.clock.now();
    let ttl = step.cache.and_then(|cache| cache.ttl);
    // A result from the future was made by a clock that went wrong: how old it is nobody knows.
    if let Some(ttl) = ttl
        && (now.since(made_at) > ttl || made_at > now)
    {
        let ttl_ms = millis(ttl);
        return Err(Miss::Expired { made_at, ttl_ms });
    }
    let files = result.figures.iter().chain(&result.artifacts);
    let files: Vec<FileRef> = files.chain(&result.notebook).cloned().collect();
    let (blobs, data) = (Arc::clone(&shared.ports.blobs), shared.options.data.clone());
    let whole = blocking(move || {
        let fault = files.iter().find_map(|file| {
            if let Err(error) = blobs.verify(&file.digest) {
                return Some(error.to_string());
            }
            // Later steps open it where the run left it.
            let there = std::fs::metadata(data.join(&file.path));
            let same = there.is_ok_and(|there| there.is_file() && there.len() == file.bytes);
            (!same).then(|| format!("{} is gone, or is another file", file.path))
        });
        Ok(fault)
    });
    match whole.await {
        Ok(None) => {}
        Ok(Some(why)) => return Err(lost(why)),
        Err(error) => return Err(lost(error.to_string())),
    }
    Ok(StepReused {
        step: path.clone(),
        key: entry.key,
        run: entry.run,
        seq: entry.seq,
        made_at,
        age_ms: millis(now.since(made_at)),
        result,
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The result as the history has it, when that says that it was kept under this key and its attempt ended well.
async fn recorded(shared: &Shared, entry: &Entry) -> Option<(Timestamp, ResultRecorded)> {
    let store = &shared.ports.store;
    let records = store.read(entry.run, entry.seq, 2).await.ok()?;
    let mut events = records.iter().map(|record| {
        let recorded = Recorded::from_record(record).ok()?;
        (recorded.seq >= entry.seq).then_some(recorded)
    });
    let (first, second) = (events.next()??, events.next()??);
    let (Event::ResultRecorded(result), Event::AttemptSucceeded(ended)) =
        (first.event, second.event)
    else {
        return None;
    };
    let same = first.seq == entry.seq
        && result.cached_as == Some(entry.key)
        && result.step == entry.step
        && (&ended.step, ended.attempt) == (&result.step, result.attempt);
    same.then_some((first.time, result))
}

/// The key under which the result of an attempt that ended well may be kept: what the key covers is still the same.
pub(super) async fn still(
    shared: &Shared,
    state: &RunState,
    (step, path): (&Step, &StepPath),
) -> Option<Digest> {
    let (_, step_state) = state.step(path)?;
    let key = run::keeps(state, step, step_state)?;
    let python: &PythonStep = step.kind.as_python()?;
    let analysis = step_state.analysis.as_ref()?;
    let prepared =
        analyse::prepare_again(shared, state, (step, step_state, python), analysis).await;
    let prepared = prepared.ok()?;
    let parts = parts::of(shared, state, (step, step_state, python), &prepared).await;
    (key_of(&parts.ok()?) == key).then_some(key)
}

/// The step whose result is to be kept when this command is durable.
pub(super) fn to_keep(command: &Command) -> Option<StepPath> {
    if let Command::Since(_, command) = command {
        return to_keep(command);
    }
    let Command::AttemptEnded {
        result,
        failure: None,
    } = command
    else {
        return None;
    };
    result.cached_as.map(|_| result.step.clone())
}

/// Writes a durable result into the index. What goes wrong costs time only.
pub(super) async fn keep(shared: &Shared, state: &RunState, path: &StepPath) {
    let Some(entry) = entry_of(state, path) else {
        return;
    };
    let Ok(text) = serde_json::to_vec(&entry) else {
        return;
    };
    let names = [entry.key, name_of(state, path)];
    let index = shared.index.clone();
    let written = blocking(move || {
        for name in names {
            index
                .put(&name, &text)
                .map_err(|error| super::Error::Blob(error.into()))?;
        }
        Ok(())
    });
    if let Err(error) = written.await {
        tracing::warn!(run = %state.run, step = %path, %error, "a result can't be taken again: the index was not written");
    }
}

fn entry_of(state: &RunState, path: &StepPath) -> Option<Entry> {
    let (_, step_state) = state.step(path)?;
    let missed = step_state.look.missed.as_ref()?;
    let result = step_state.result.as_ref()?;
    let key = result.cached_as.filter(|key| missed.key == Some(*key))?;
    let last = step_state.attempts.last()?;
    let well = last.status == AttemptStatus::Succeeded && last.number == result.attempt;
    well.then_some(Entry {
        key,
        parts: missed.parts.clone(),
        run: state.run,
        step: path.clone(),
        seq: step_state.look.result_seq?,
    })
}
