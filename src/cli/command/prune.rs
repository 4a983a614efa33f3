//! `stepwell prune`: remove files whose time is over.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::view::text::size;
use super::super::{Context, Exit, person};
use crate::engine::{Pruned, Pruning};
use crate::expression::parse_duration;
use crate::id::StepPath;

/// Remove files of ended runs whose retention is over
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// For workflows that say nothing: keep files so long after the end of a run, for example 90d; without it, for ever
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    older_than: Option<Duration>,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: &Arguments,
) -> Result<Exit, Error> {
    let pruned = match context.open_existing().await? {
        None => Pruned::default(),
        Some(opened) => {
            let pruning = Pruning {
                usual: arguments.older_than,
                dry: arguments.dry_run,
                actor: person::actor(),
            };
            opened.engine.prune(&pruning).await?
        }
    };
    context.output.result(
        || document(&pruned, arguments.dry_run),
        || text(&pruned, arguments.dry_run),
    );
    Ok(Exit::Succeeded)
}

fn document(pruned: &Pruned, dry: bool) -> Value {
    json!({
        "dry_run": dry,
        "runs": pruned.runs.iter().map(|(run, overdue)| json!({
            "run_id": run,
            "whole": overdue.whole,
            "steps": overdue.steps,
            "why": overdue.why,
        })).collect::<Vec<_>>(),
        "busy": pruned.busy,
        "stored_files": pruned.blobs.files,
        "stored_bytes": pruned.blobs.bytes,
        "stored_files_later": pruned.blobs.young,
    })
}

fn text(pruned: &Pruned, dry: bool) -> String {
    let mut text = String::new();
    for (run, overdue) in &pruned.runs {
        let what = if overdue.whole {
            "all its files".to_owned()
        } else {
            let steps: Vec<&str> = overdue.steps.iter().map(StepPath::as_str).collect();
            format!("the files of {}", steps.join(", "))
        };
        text.push_str(&format!("{run}  {what}: {}\n", overdue.why));
    }
    for run in &pruned.busy {
        text.push_str(&format!("{run}  left alone: somebody works on it\n"));
    }
    let verb = if dry { "would be removed" } else { "removed" };
    let files = pruned.blobs.files;
    text.push_str(&format!(
        "{verb}: files of {} runs, {files} stored files with {}\n",
        pruned.runs.len(),
        size(pruned.blobs.bytes)
    ));
    if !pruned.runs.is_empty() {
        text.push_str("the stored copies of these files go with the next prune after a day\n");
    }
    if pruned.blobs.young > 0 {
        let later =
            "stored files are younger than a day and go later, if nothing refers to them then";
        text.push_str(&format!("{} {later}\n", pruned.blobs.young));
    }
    text
}
