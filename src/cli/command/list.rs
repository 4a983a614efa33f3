//! `stepwell list`: runs, newest first.

use std::collections::HashMap;

use clap::Args;
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::open::Opened;
use super::super::view::table::table;
use super::super::view::text::{line, time};
use super::super::{Context, Exit, find};
use crate::id::Digest;
use crate::plan::Plan;
use crate::run::{RunStatus, RunSummary};
use crate::store::ListQuery;

/// List runs, newest first
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Only runs of this status; may be given several times
    #[arg(long, value_name = "STATUS", value_parser = status)]
    status: Vec<RunStatus>,
    /// Only runs of this workflow
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// Only runs whose workflow has this label; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: &Arguments,
) -> Result<Exit, Error> {
    let query = ListQuery {
        statuses: arguments.status.clone(),
        workflow: arguments.workflow.clone(),
        ..ListQuery::default()
    };
    let rows = match context.open_existing().await? {
        Some(opened) if arguments.label.is_empty() => {
            find::pages(&opened, query, arguments.limit).await?
        }
        Some(opened) => {
            let rows = find::pages(&opened, query, usize::MAX).await?;
            labelled(&opened, rows, arguments).await?
        }
        None => Vec::new(),
    };
    context.output.result(
        || json!({"runs": rows.iter().map(document).collect::<Vec<_>>()}),
        || text(&rows),
    );
    Ok(Exit::Succeeded)
}

/// The first rows whose plans have the labels. Labels stand in plans, which many runs share.
async fn labelled(
    opened: &Opened,
    rows: Vec<RunSummary>,
    arguments: &Arguments,
) -> Result<Vec<RunSummary>, Error> {
    let mut known: HashMap<Digest, bool> = HashMap::new();
    let mut found = Vec::new();
    for row in rows {
        let fits = match known.get(&row.plan) {
            Some(fits) => *fits,
            None => {
                let plan = Plan::from_bytes(&opened.engine.blob(row.plan).await?);
                let fits = plan.is_ok_and(|plan| {
                    let has =
                        |(name, value): &(String, String)| plan.labels.get(name) == Some(value);
                    arguments.label.iter().all(has)
                });
                known.insert(row.plan, fits);
                fits
            }
        };
        if fits && found.len() < arguments.limit {
            found.push(row);
        }
    }
    Ok(found)
}

fn text(rows: &[RunSummary]) -> String {
    if rows.is_empty() {
        return "no runs\n".to_owned();
    }
    let cells: Vec<[String; 6]> = rows.iter().map(cells).collect();
    table(
        ["RUN", "WORKFLOW", "STATUS", "STEPS", "CREATED", "WAITS FOR"],
        &cells,
    )
}

fn cells(row: &RunSummary) -> [String; 6] {
    let more = match row.questions.len() {
        0 | 1 => String::new(),
        many => format!(" (and {} more)", many - 1),
    };
    let waits = row
        .questions
        .first()
        .map(|asked| format!("{} {}{more}", asked.approval, line(&asked.title)));
    [
        row.run.short(),
        line(&row.workflow),
        row.status.as_str().to_owned(),
        format!("{}/{}", row.steps_done, row.steps_total),
        time(row.created_at),
        waits.unwrap_or_default(),
    ]
}

fn document(row: &RunSummary) -> Value {
    json!({
        "run_id": row.run,
        "workflow": row.workflow,
        "status": row.status,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "steps_done": row.steps_done,
        "steps_total": row.steps_total,
        "waiting": row.questions.iter().map(|asked| json!({
            "approval_id": asked.approval,
            "step": asked.step,
            "title": asked.title,
        })).collect::<Vec<_>>(),
    })
}

fn status(word: &str) -> Result<RunStatus, StatusError> {
    RunStatus::ALL
        .into_iter()
        .find(|status| status.as_str() == word)
        .ok_or(StatusError)
}

fn label(word: &str) -> Result<(String, String), LabelError> {
    let (name, value) = word.split_once('=').ok_or(LabelError)?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A word that is no label.
#[derive(Debug, thiserror::Error)]
#[error("a label is written NAME=VALUE")]
struct LabelError;

/// A word that is no status of a run.
#[derive(Debug, thiserror::Error)]
#[error("a run is pending, running, waiting, paused, succeeded, failed, rejected or cancelled")]
struct StatusError;
