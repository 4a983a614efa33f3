//! The code of a step that people approved last, to compare what they are asked about now.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use similar::TextDiff;

use crate::id::{Digest, RunId, StepPath};
use crate::open::Opened;
use crate::run::payload::{AnalysisReported, Closed, ModuleChange, Modules, Subject};
use crate::run::{ApprovalState, Event, RunState};
use crate::time::Timestamp;

/// Most earlier runs of a workflow that are looked through.
const RUNS_MAX: usize = 50;
/// Records read at a time.
const READ_RECORDS: usize = 4_096;
/// Longest text of a module that is compared line by line, in bytes.
const COMPARED_BYTES_MAX: usize = 256 * 1024;
/// Most differences of modules that are kept as text, in bytes; the others are only named.
const DIFFS_BYTES_MAX: usize = 128 * 1024;

/// Code that was approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Approved {
    /// In which run.
    pub(crate) run: RunId,
    /// By whom, the last of several.
    pub(crate) by: String,
    /// When.
    pub(crate) at: Timestamp,
    /// Which code.
    pub(crate) code: Digest,
    /// Its text.
    pub(crate) text: String,
    /// The modules beside the workflow that are others now; none = it is not known which, or whether any is.
    pub(crate) modules: Option<Vec<ChangedModule>>,
}

/// A module beside the workflow that is another one than when the code was approved last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedModule {
    /// Its path in the folder of the workflow.
    pub module: String,
    /// What became of it.
    pub change: ModuleChange,
    /// What differs, as a unified diff, where both texts are there and not too long.
    pub diff: Option<String>,
}

/// Lines around a change.
const CONTEXT_LINES: usize = 3;

impl Approved {
    /// The unified diff from it to the code that is asked about; none when they are the same.
    pub(crate) fn diff_to(&self, digest: Digest, now: &str, step: &StepPath) -> Option<String> {
        if self.code == digest {
            return None;
        }
        let name = format!("{step}.py");
        Some(diff(&self.text, now, &name))
    }

    /// For programs.
    pub(crate) fn document(&self, diff: Option<&str>) -> Value {
        json!({
            "run_id": self.run,
            "by": self.by,
            "at": self.at,
            "code": self.code,
            "diff": diff,
            "modules": self.modules,
        })
    }
}

fn diff(before: &str, now: &str, name: &str) -> String {
    let [from, to] = ["approved", "asked"].map(|side| format!("{side}/{name}"));
    TextDiff::from_lines(before, now)
        .unified_diff()
        .context_radius(CONTEXT_LINES)
        .header(&from, &to)
        .to_string()
}

/// The newest code of that step that somebody approved, in this run or in an earlier one of the same workflow.
pub(crate) async fn last(opened: &Opened, state: &RunState, step: &StepPath) -> Option<Approved> {
    let (_, step_state) = state.step(step)?;
    let now = step_state.analysis.as_deref()?;
    if let Some(found) = of_run(opened, state, now).await {
        return Some(found);
    }
    // What can't be read can't be compared with; the question itself is shown all the same.
    let runs = opened.runs_of(&state.plan.name, RUNS_MAX).await.ok()?;
    for run in runs.into_iter().filter(|run| *run != state.run) {
        if let Ok(earlier) = opened.engine.state(run).await
            && let Some(found) = of_run(opened, &earlier, now).await
        {
            return Some(found);
        }
    }
    None
}

/// The newest of that run, compared with what is asked about now.
async fn of_run(opened: &Opened, state: &RunState, now: &AnalysisReported) -> Option<Approved> {
    let approved = |asked: &&ApprovalState| {
        let closed = asked.closed.as_ref();
        asked.request.subject == Subject::Code
            && asked.request.step == now.step
            && closed.is_some_and(|(outcome, ..)| *outcome == Closed::Approved)
    };
    let asked = state.approvals.values().rev().find(approved)?;
    let (_, by, at) = asked.closed.as_ref()?;
    let analysis = analysis_of(opened, state, asked).await?;
    let bytes = opened.engine.blob(analysis.code).await.ok()?;
    Some(Approved {
        run: state.run,
        by: by.clone(),
        at: *at,
        code: analysis.code,
        text: String::from_utf8_lossy(&bytes).into_owned(),
        modules: changed_modules(opened, &analysis, now).await,
    })
}

/// What was looked at when that question was asked: since then it may have been looked at anew.
async fn analysis_of(
    opened: &Opened,
    state: &RunState,
    asked: &ApprovalState,
) -> Option<AnalysisReported> {
    let (step, subject) = (&asked.request.step, asked.request.subject_digest);
    let newest = state
        .step(step)
        .and_then(|(_, step)| step.analysis.as_deref());
    if let Some(newest) = newest.filter(|newest| newest.subject == subject) {
        return Some(newest.clone());
    }
    let mut next = 1;
    loop {
        let records = opened.engine.records(state.run, next, READ_RECORDS).await;
        let records = records.ok()?;
        for record in &records {
            if let Ok(Event::AnalysisReported(found)) = Event::from_record(record)
                && found.step == *step
                && found.subject == subject
            {
                return Some(found);
            }
        }
        next = records.last()?.seq + 1;
    }
}

async fn changed_modules(
    opened: &Opened,
    before: &AnalysisReported,
    now: &AnalysisReported,
) -> Option<Vec<ChangedModule>> {
    let differing = now.known_modules().since(before.known_modules())?;
    let mut left = DIFFS_BYTES_MAX;
    let mut changed = Vec::new();
    for (module, change) in differing {
        let texts = (
            text(opened, &before.modules, &module).await,
            text(opened, &now.modules, &module).await,
        );
        let diff = match texts {
            (Some(before), Some(now)) => Some(diff(&before, &now, &module)),
            (None, _) | (_, None) => None,
        };
        let diff = diff.filter(|diff| {
            let rest = left.checked_sub(diff.len());
            left = rest.unwrap_or(left);
            rest.is_some()
        });
        changed.push(ChangedModule {
            module,
            change,
            diff,
        });
    }
    Some(changed)
}

/// The text of a module that is compared; empty where it is not covered.
async fn text(opened: &Opened, modules: &Modules, path: &str) -> Option<String> {
    let Some(module) = modules.get(path) else {
        return Some(String::new());
    };
    if !module.kept {
        return None;
    }
    let bytes = opened.engine.blob(module.digest).await.ok()?;
    let text = String::from_utf8(bytes).ok()?;
    Some(text).filter(|text| text.len() <= COMPARED_BYTES_MAX)
}

/// Most text of modules that one question shows, in bytes.
const MODULES_BYTES_MAX: usize = 1 << 20;

/// Texts of the modules that a question covers, by their paths: first those with findings, then the others where
/// `all` are wanted, as many as fit into [`MODULES_BYTES_MAX`].
pub(crate) async fn module_texts(
    opened: &Opened,
    analysis: &AnalysisReported,
    all: bool,
) -> BTreeMap<String, String> {
    let findings = &analysis.report.findings;
    let is_found = |path: &str| {
        let mut files = findings
            .iter()
            .filter_map(|finding| finding.file.as_deref());
        files.any(|file| file == path)
    };
    let kept = analysis.modules.iter().filter(|(_, module)| module.kept);
    let (first, then): (Vec<_>, Vec<_>) = kept.partition(|(path, _)| is_found(path));
    let then = then.into_iter().filter(|_| all);
    let (mut left, mut texts) = (MODULES_BYTES_MAX, BTreeMap::new());
    for (path, module) in first.into_iter().chain(then) {
        if let Ok(bytes) = opened.engine.blob(module.digest).await
            && let Some(rest) = left.checked_sub(bytes.len())
            && let Ok(text) = String::from_utf8(bytes)
        {
            left = rest;
            texts.insert(path.clone(), text);
        }
    }
    texts
}
