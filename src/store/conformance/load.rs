//! Many events, and many runs at once.

use std::sync::Arc;

use super::append::assert_sound;
use super::{Bench, Checked, sample};
use crate::run::RunStatus;
use crate::store::{EventStore, ListQuery};

const EVENTS: u64 = 10_000;
const EVENTS_AT_ONCE: usize = 500;

pub(super) async fn ten_thousand_events_in_one_run(bench: &dyn Bench) -> Checked {
    let store = bench.open()?;
    let mut last = 0;
    while last < EVENTS {
        last = store
            .append(sample::append(1, last, EVENTS_AT_ONCE))
            .await?
            .last;
    }
    drop(store);
    let store = bench.open()?;
    assert_sound(&*store, 1, EVENTS).await?;
    let mut next = 1;
    loop {
        let records = store.read(sample::run(1), next, 777).await?;
        for record in &records {
            assert_eq!(record.seq, next);
            next += 1;
        }
        if records.len() < 777 {
            break;
        }
    }
    assert_eq!(next, EVENTS + 1);
    Ok(())
}

const RUNS: u32 = 24;
const ROUNDS: u64 = 12;

pub(super) async fn many_runs_at_once(bench: &dyn Bench) -> Checked {
    let store = bench.open()?;
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..RUNS {
        writers.spawn(advance(Arc::clone(&store), number));
    }
    while let Some(writer) = writers.join_next().await {
        assert!(matches!(writer, Ok(Ok(()))), "{writer:?}");
    }
    assert_sound(&*store, RUNS.into(), u64::from(RUNS) * ROUNDS * 2).await?;
    let ended = ListQuery {
        statuses: vec![RunStatus::Succeeded],
        ..ListQuery::newest(100)
    };
    assert_eq!(store.list(ended).await?.rows.len(), RUNS as usize);
    Ok(())
}

async fn advance(store: Arc<dyn EventStore>, number: u32) -> Checked {
    for round in 0..ROUNDS {
        let mut append = sample::append(number, round * 2, 2);
        if round == ROUNDS - 1 {
            append.summary.status = RunStatus::Succeeded;
        }
        let appended = store.append(append).await?;
        let read = store.read(sample::run(number), round * 2 + 1, 2).await?;
        assert_eq!(read, appended.records);
    }
    Ok(())
}
