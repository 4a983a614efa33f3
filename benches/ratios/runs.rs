//! A store with many runs: opening it, and the first page of a list.

use std::time::Instant;

use stepwell::id::{Digest, RunId};
use stepwell::run::{Actor, NewRecord, RunStatus, RunSummary};
use stepwell::store::sled::SledStore;
use stepwell::store::{Append, EventStore as _, ListQuery};
use stepwell::time::Timestamp;
use tokio::task::JoinSet;

use crate::disk::one;
use crate::rig;
use crate::samples::Samples;
use crate::table::{Bar, Table};

const RUNS: usize = 10_000;
/// A million events would take most of a minute to load.
const EVENTS_PER_RUN: u64 = 20;
const LISTS: usize = 200;
/// Appends under way at the same time.
const AT_ONCE: usize = 500;

pub(crate) fn measure(table: &mut Table) {
    let runtime = rig::runtime();
    let folder = rig::folder();
    let (store, _) = rig::store(folder.path());
    let store = std::sync::Arc::new(store);
    let begun = Instant::now();
    runtime.block_on(load(&store));
    let seconds = begun.elapsed().as_secs_f64();
    let events = RUNS as f64 * EVENTS_PER_RUN as f64;
    let what = format!("events loaded into a store: {RUNS} runs × {EVENTS_PER_RUN}");
    table.alone(&what, &one(events / seconds), "events/s", None);
    drop(store);
    let mut opens = Samples::default();
    let mut lists = Samples::default();
    for _ in 0..3 {
        let begun = Instant::now();
        let (store, _) = rig::store(folder.path());
        opens.push_millis(begun.elapsed());
        for _ in 0..LISTS {
            let begun = Instant::now();
            let page = runtime.block_on(store.list(ListQuery::newest(50))).unwrap();
            lists.push_millis(begun.elapsed());
            assert_eq!(page.rows.len(), 50);
        }
    }
    table.alone(
        "opening that store",
        &opens,
        "ms",
        Some(Bar::AtMost(1_000.0)),
    );
    table.alone("its newest 50 runs", &lists, "ms", Some(Bar::AtMost(1.0)));
}

async fn load(store: &std::sync::Arc<SledStore>) {
    let mut under_way = JoinSet::new();
    for number in 0..RUNS {
        if under_way.len() >= AT_ONCE {
            under_way.join_next().await.unwrap().unwrap();
        }
        let store = std::sync::Arc::clone(store);
        under_way.spawn(async move {
            store.append(append(number)).await.unwrap();
        });
    }
    while let Some(done) = under_way.join_next().await {
        done.unwrap();
    }
}

fn append(number: usize) -> Append {
    let created_at = Timestamp::from_micros(1_800_000_000_000_000 + number as i64 * 1_000);
    let run = RunId::generate(created_at);
    let record = NewRecord {
        time: created_at,
        kind: 1,
        version: 1,
        actor: Actor::Engine,
        body: format!("{{\"text\":\"{}\"}}", "x".repeat(200)).into_bytes(),
    };
    Append {
        run,
        expected: 0,
        records: vec![record; EVENTS_PER_RUN as usize],
        summary: RunSummary {
            run,
            workflow: format!("workflow-{}", number % 10),
            plan: Digest::of(b"plan"),
            status: [RunStatus::Succeeded, RunStatus::Failed][number % 2],
            created_at,
            updated_at: created_at,
            last_seq: EVENTS_PER_RUN,
            questions: Vec::new(),
            steps_done: 10,
            steps_total: 10,
            holds: false,
        },
    }
}
