//! `stepwell diff`: two runs side by side.

use clap::Args;
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::open::Opened;
use super::super::view::diff as view;
use super::super::{Context, Exit, find};
use crate::id::Digest;
use crate::run::{StepDiff, compare};

/// Compare two runs: inputs, code, outputs, files, step by step
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 the runs are the same but for times, 1 they differ.")]
pub(in crate::cli) struct Arguments {
    /// The first run: its id, the beginning or the end of it, or @last
    #[arg(value_name = "A")]
    a: String,
    /// The second run
    #[arg(value_name = "B")]
    b: String,
    /// Show what is the same too
    #[arg(long)]
    all: bool,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: &Arguments,
) -> Result<Exit, Error> {
    let opened = context.open_for_run().await?;
    let a = find::state(&opened, &arguments.a).await?;
    let b = find::state(&opened, &arguments.b).await?;
    let diff = compare(&a, &b);
    let mut changes = Vec::new();
    for step in &diff.steps {
        changes.push(code_change(&opened, step).await?);
    }
    context.output.result(
        || document(&json!(diff), &changes),
        || view::text(&diff, &changes, arguments.all),
    );
    Ok(if diff.same {
        Exit::Succeeded
    } else {
        Exit::Failed
    })
}

/// The change of a step's code as a unified diff, when both have code and it is not the same.
async fn code_change(opened: &Opened, step: &StepDiff) -> Result<Option<String>, Error> {
    let [Some(a), Some(b)] = step.code else {
        return Ok(None);
    };
    if a == b {
        return Ok(None);
    }
    let (a, b) = (code(opened, a).await?, code(opened, b).await?);
    Ok(Some(view::unified(step.step.as_str(), &a, &b)))
}

async fn code(opened: &Opened, digest: Digest) -> Result<String, Error> {
    let bytes = opened.engine.blob(digest).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The comparison with the changes of code in their steps.
fn document(diff: &Value, changes: &[Option<String>]) -> Value {
    let mut document = diff.clone();
    let steps = document.get_mut("steps").and_then(Value::as_array_mut);
    for (step, change) in steps.into_iter().flatten().zip(changes) {
        if let Some(step) = step.as_object_mut() {
            step.insert("code_diff".to_owned(), json!(change));
        }
    }
    document
}
