//! `stepwell verify`: everything that is stored, checked.

use clap::Args;
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::open::Opened;
use super::super::view::text::{line, painted_mark};
use super::super::{Context, Exit, find};
use crate::artifact::{self, Blobs};
use crate::id::{Digest, RunId};
use crate::plan::StepKind;
use crate::run::RunState;

/// Check what is stored: checksums, order and links of events, plans, code, results
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Only this run: its id, the beginning or the end of it, or @last
    #[arg(value_name = "RUN")]
    run: Option<String>,
}

/// What was looked at and what is wrong.
#[derive(Debug, Default)]
pub(super) struct Verified {
    pub(super) runs: u64,
    pub(super) records: u64,
    pub(super) files: u64,
    pub(super) faults: Vec<String>,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: &Arguments,
) -> Result<Exit, Error> {
    let verified = match context.open_existing().await? {
        None => Verified::default(),
        Some(opened) => {
            let run = match &arguments.run {
                Some(word) => Some(find::run(&opened, word).await?),
                None => None,
            };
            verify(&opened, run).await?
        }
    };
    context
        .output
        .result(|| document(&verified), || text(&verified));
    Ok(if verified.faults.is_empty() {
        Exit::Succeeded
    } else {
        Exit::Internal
    })
}

async fn verify(opened: &Opened, run: Option<RunId>) -> Result<Verified, Error> {
    let report = opened.engine.verify(run).await?;
    let mut verified = Verified {
        runs: report.runs,
        records: report.records,
        files: 0,
        faults: report.faults.iter().map(ToString::to_string).collect(),
    };
    let runs: Vec<RunId> = match run {
        Some(run) => vec![run],
        None => find::rows(opened, &[], usize::MAX)
            .await?
            .iter()
            .map(|row| row.run)
            .collect(),
    };
    for run in runs {
        verify_run(opened, run, &mut verified).await;
    }
    Ok(verified)
}

/// Folds the history, and checks every stored file that it refers to.
pub(super) async fn verify_run(opened: &Opened, run: RunId, verified: &mut Verified) {
    match opened.engine.state(run).await {
        Err(error) => verified
            .faults
            .push(format!("{run}: its history does not fold: {error}")),
        Ok(state) => {
            for digest in referred(&state) {
                verified.files += 1;
                if let Err(error) = check(&opened.blobs, digest) {
                    verified.faults.push(format!("{run}: {error}"));
                }
            }
        }
    }
}

fn check(blobs: &Blobs, digest: Digest) -> Result<(), artifact::Error> {
    match blobs.get(&digest) {
        // Too large to be read at once: that it is there must do.
        Ok(_) | Err(artifact::Error::TooLarge { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Every stored file that the history of this run names, each once.
fn referred(state: &RunState) -> Vec<Digest> {
    let mut digests = vec![state.created.plan, state.plan.source.digest];
    digests.extend(state.versions.iter().map(|version| version.to));
    digests.extend(state.plan.inner_plans());
    for (step, step_state) in state.steps() {
        if let StepKind::Python(python) = &step.kind {
            digests.extend(python.code());
            digests.extend(python.requirements);
        }
        digests.extend(step_state.edits.iter().map(|edit| edit.code));
        for generation in &step_state.generations {
            let record = &generation.record;
            digests.extend(
                [record.prompt, record.answer, record.code]
                    .into_iter()
                    .flatten(),
            );
        }
        let modules = step_state.analysis.iter();
        let modules = modules.flat_map(|analysis| analysis.modules.values());
        let kept = modules.filter(|module| module.kept);
        digests.extend(kept.map(|module| module.digest));
        let edits = step_state.edits.iter();
        digests.extend(edits.flat_map(|edit| [edit.base, edit.code]));
        if let Some(result) = &step_state.result
            && step_state.files_removed.is_none()
        {
            let files = result
                .figures
                .iter()
                .chain(&result.artifacts)
                .chain(&result.notebook);
            digests.extend(files.map(|file| file.digest));
        }
    }
    digests.sort_unstable();
    digests.dedup();
    digests
}

fn document(verified: &Verified) -> Value {
    json!({
        "sound": verified.faults.is_empty(),
        "runs": verified.runs,
        "records": verified.records,
        "files": verified.files,
        "faults": verified.faults,
    })
}

fn text(verified: &Verified) -> String {
    let looked = format!(
        "{} runs, {} events, {} stored files looked at",
        verified.runs, verified.records, verified.files
    );
    if verified.faults.is_empty() {
        return format!("{} sound: {looked}\n", painted_mark("✓"));
    }
    let faults: String = verified
        .faults
        .iter()
        .map(|fault| format!("  {}\n", line(fault)))
        .collect();
    format!(
        "{} {} faults: {looked}\n{faults}",
        painted_mark("✗"),
        verified.faults.len()
    )
}
