//! Many runs at once through one engine: do they share the syncs of the disk?

use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use crate::disk::{group_commit, one};
use crate::rig::{self, Rig, Workflow};
use crate::samples::Samples;
use crate::table::{Bar, Table};

const RUNS: usize = 200;
const STEPS: usize = 10;
const ROUNDS: usize = 5;
/// Steps a second of the quickest durable engine that we have measured on the same task, on another day.
const BEST_PEER: f64 = 2_850.0;

pub(crate) fn measure(table: &mut Table) {
    let runtime = rig::runtime();
    let rig = Arc::new(Rig::new(None));
    let workflow = Arc::new(Workflow::of(&rig::chain(STEPS)));
    let (appends, bytes) = runtime.block_on(footprint(&rig, &workflow));
    let (mut ours, mut raw, mut ratios) = <(Samples, Samples, Samples)>::default();
    let mut syncs = Samples::default();
    for _ in 0..ROUNDS {
        let limit = rate(group_commit(rig.data.path(), RUNS, appends, bytes).as_secs_f64());
        let before = rig.syncs.so_far().0;
        let begun = Instant::now();
        runtime.block_on(all_at_once(&rig, &workflow));
        let reached = rate(begun.elapsed().as_secs_f64());
        syncs.push((rig.syncs.so_far().0 - before) as f64 / (RUNS * STEPS) as f64);
        ours.push(reached);
        raw.push(limit);
        ratios.push(reached / limit);
    }
    table.ratio(
        &format!("{RUNS} runs × {STEPS} `set` steps at once, created and ended, beside raw group commit ({appends} × {bytes} B a run)"),
        (&ours, &raw, "steps/s"),
        &ratios,
        Some(Bar::AtLeast(0.5)),
    );
    table.ratio(
        "the same, beside the best peer measured (another day)",
        (&ours, &one(BEST_PEER), "steps/s"),
        &one(ours.median() / BEST_PEER),
        None,
    );
    table.alone("syncs for each of those steps", &syncs, "", None);
}

fn rate(seconds: f64) -> f64 {
    (RUNS * STEPS) as f64 / seconds
}

async fn all_at_once(rig: &Arc<Rig>, workflow: &Arc<Workflow>) {
    let mut runs = JoinSet::new();
    for _ in 0..RUNS {
        let (rig, workflow) = (Arc::clone(rig), Arc::clone(workflow));
        runs.spawn(async move {
            let run = rig.create(&workflow).await;
            rig.drive(run).await;
        });
    }
    while let Some(ended) = runs.join_next().await {
        ended.unwrap();
    }
}

/// How many appends one run makes, and how many bytes of records each has.
async fn footprint(rig: &Rig, workflow: &Workflow) -> (usize, usize) {
    let before = rig.syncs.so_far().0;
    let run = rig.create(workflow).await;
    rig.drive(run).await;
    let appends = usize::try_from(rig.syncs.so_far().0 - before).unwrap();
    let records = rig.engine.records(run, 1, 1_000).await.unwrap();
    /// The header and the checksum of a record.
    const HEADER: usize = 100;
    let bytes: usize = records
        .iter()
        .map(|record| HEADER + record.content.body.len())
        .sum();
    (appends, bytes / appends)
}
