//! `stepwell events`: the history of a run, or its state just after one event.

use clap::Args;
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::follow::Follower;
use super::super::open::Opened;
use super::super::view::{Frame, event, outcome};
use super::super::{Context, Exit, find};
use crate::engine::ends_run;
use crate::id::RunId;
use crate::run::{Record, Recorded, Seq, run_json};

/// Records read at a time.
const PAGE_RECORDS: usize = 1_000;

/// List the events of a run, or show its state at one of them
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The run: its id, the beginning or the end of it, or @last
    #[arg(value_name = "RUN")]
    run: String,
    /// Show the run as it was just after this event
    #[arg(long, value_name = "SEQ")]
    at: Option<Seq>,
    /// Go on with what comes, until the run has ended
    #[arg(long, short, conflicts_with = "at")]
    follow: bool,
}

pub(in crate::cli) async fn perform(
    context: &Context,
    arguments: &Arguments,
) -> Result<Exit, Error> {
    let opened = context.open_for_run().await?;
    let run = find::run(&opened, &arguments.run).await?;
    if let Some(seq) = arguments.at {
        let state = opened.engine.state_at(run, seq).await?;
        if context.output.is_json() {
            context.output.document(&run_json(&state));
        } else {
            let frame = Frame::load(context, &opened, &state).await;
            context.output.text(&outcome::past(&frame));
        }
        return Ok(Exit::Succeeded);
    }
    if arguments.follow {
        return follow(context, &opened, run).await;
    }
    let records = records(&opened, run).await?;
    context.output.result(
        || json!({"run_id": run, "events": records.iter().map(document).collect::<Vec<_>>()}),
        || {
            let width = records.len().to_string().len();
            records
                .iter()
                .map(|record| event::row(record, width) + "\n")
                .collect()
        },
    );
    Ok(Exit::Succeeded)
}

/// Prints each event when it comes. With `--json` a document on each line: the list has no end yet.
async fn follow(context: &Context, opened: &Opened, run: RunId) -> Result<Exit, Error> {
    /// Seldom more digits than that.
    const PLACE_CHARS: usize = 4;
    let mut follower = Follower::of(opened, run).await?;
    let mut next = 1;
    let mut over = false;
    while !context.output.reader_left() {
        let page = opened.engine.records(run, next, PAGE_RECORDS).await?;
        for record in &page {
            if context.output.is_json() {
                context.output.line(&document(record));
            } else {
                context.output.text(&event::row(record, PLACE_CHARS));
            }
        }
        if let Some(last) = page.last() {
            next = last.seq + 1;
            over = Recorded::from_record(last).is_ok_and(|last| ends_run(&last.event));
        } else if over || !follower.news().await {
            break;
        }
    }
    Ok(Exit::Succeeded)
}

/// The whole history of a run.
pub(super) async fn records(opened: &Opened, run: RunId) -> Result<Vec<Record>, Error> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let from = records.last().map_or(1, |last| last.seq + 1);
        let page = opened.engine.records(run, from, PAGE_RECORDS).await?;
        if page.is_empty() {
            return Ok(records);
        }
        records.extend(page);
    }
}

fn document(record: &Record) -> Value {
    json!({
        "seq": record.seq,
        "time": record.content.time,
        "epoch": record.epoch,
        "actor": record.content.actor,
        "kind": record.content.kind,
        "version": record.content.version,
        "name": event::name(record),
        "previous": record.previous,
        "body": event::body(record),
    })
}
