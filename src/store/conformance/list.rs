//! Lists, pages and abbreviations.

use super::{Bench, Checked, Failed, sample};
use crate::id::RunId;
use crate::run::{RunStatus, Seq};
use crate::store::{EventStore, ListQuery};
use crate::time::Timestamp;

/// Appends one event to that run and gives it that status.
async fn step(
    store: &dyn EventStore,
    number: u32,
    expected: Seq,
    status: RunStatus,
) -> Result<(), Failed> {
    let mut append = sample::append(number, expected, 1);
    append.summary.status = status;
    store.append(append).await?;
    Ok(())
}

/// Follows the pages of a list to the end; `between` is called after each page.
async fn follow(
    store: &dyn EventStore,
    mut query: ListQuery,
    mut between: impl AsyncFnMut(usize) -> Checked,
) -> Result<Vec<RunId>, Failed> {
    let mut runs = Vec::new();
    for page_number in 0..100 {
        let page = store.list(query.clone()).await?;
        assert!(page.rows.len() <= query.page_len());
        runs.extend(page.rows.iter().map(|row| row.run));
        if page.next.is_none() {
            return Ok(runs);
        }
        query.after = page.next;
        between(page_number).await?;
    }
    unreachable!("the list has no end")
}

fn descending(numbers: impl Iterator<Item = u32>) -> Vec<RunId> {
    let mut runs: Vec<_> = numbers.map(sample::run).collect();
    runs.sort_unstable();
    runs.reverse();
    runs
}

pub(super) async fn pages_have_no_gaps_and_no_doubles(bench: &dyn Bench) -> Checked {
    let store = bench.open()?;
    for number in (1..=40).rev() {
        let status = RunStatus::ALL.iter().cycle().nth(number as usize);
        step(
            &*store,
            number,
            0,
            status.copied().unwrap_or(RunStatus::Failed),
        )
        .await?;
    }
    for limit in [0, 1, 3, 7, 20, 39, 40, 41] {
        let runs = follow(&*store, ListQuery::newest(limit), async |_| Ok(())).await?;
        assert_eq!(runs, descending(1..=40), "pages of {limit}");
    }
    Ok(())
}

pub(super) async fn pages_hold_while_runs_go_on(bench: &dyn Bench) -> Checked {
    let store = bench.open()?;
    for number in 1..=30 {
        step(&*store, number, 0, RunStatus::Running).await?;
    }
    let mut newest = 100;
    let runs = follow(&*store, ListQuery::newest(4), async |page| {
        let page = u32::try_from(page).unwrap_or(0);
        // One run behind the reader and one ahead of it end, and a new one comes.
        step(&*store, 30 - page, 1, RunStatus::Succeeded).await?;
        step(&*store, 1 + page, 1, RunStatus::Failed).await?;
        newest += 1;
        step(&*store, newest, 0, RunStatus::Pending).await
    });
    assert_eq!(runs.await?, descending(1..=30));
    Ok(())
}

pub(super) async fn lists_filter_by_status_workflow_and_time(bench: &dyn Bench) -> Checked {
    let store = bench.open()?;
    for number in 0..24 {
        step(&*store, number, 0, RunStatus::Running).await?;
        if number.is_multiple_of(3) {
            step(&*store, number, 1, RunStatus::Waiting).await?;
        }
        if number.is_multiple_of(4) {
            step(
                &*store,
                number,
                1 + u64::from(number.is_multiple_of(3)),
                RunStatus::Failed,
            )
            .await?;
        }
    }
    let all = store.list(ListQuery::newest(100)).await?.rows;
    assert_eq!(all.len(), 24);
    for statuses in [
        vec![],
        vec![RunStatus::Running],
        vec![RunStatus::Failed],
        vec![RunStatus::Waiting, RunStatus::Failed, RunStatus::Waiting],
        vec![RunStatus::Cancelled],
    ] {
        for workflow in [None, Some("orbit"), Some("tune"), Some("orb")] {
            for (from, before) in [
                (None, None),
                (Some(5), None),
                (None, Some(17)),
                (Some(5), Some(17)),
                (Some(9), Some(9)),
            ] {
                let query = ListQuery {
                    statuses: statuses.clone(),
                    workflow: workflow.map(str::to_owned),
                    created_from: from.map(sample::created_at),
                    created_before: before.map(sample::created_at),
                    ..ListQuery::newest(3)
                };
                let expected = all
                    .iter()
                    .filter(|row| query.admits(row))
                    .map(|row| row.run);
                let expected: Vec<_> = expected.collect();
                let found = follow(&*store, query.clone(), async |_| Ok(())).await?;
                assert_eq!(found, expected, "{query:?}");
            }
        }
    }
    Ok(())
}

pub(super) async fn clocks_that_jump_back_only_change_the_order(bench: &dyn Bench) -> Checked {
    let store = bench.open()?;
    let times = [50, 10, 10, 99, 0, -7];
    for (number, time) in (1..).zip(times) {
        let mut append = sample::append(number, 0, 1);
        append.summary.created_at = Timestamp::from_micros(time);
        store.append(append).await?;
    }
    for limit in [1, 2, 10] {
        let runs = follow(&*store, ListQuery::newest(limit), async |_| Ok(())).await?;
        assert_eq!(runs, [4, 1, 3, 2, 5, 6].map(sample::run));
    }
    super::append::assert_sound(&*store, 6, 6).await
}

pub(super) async fn abbreviations_find_their_runs(bench: &dyn Bench) -> Checked {
    let store = bench.open()?;
    for number in 1..=50 {
        step(&*store, number, 0, RunStatus::Running).await?;
    }
    let all = descending(1..=50);
    let wanted = sample::run(17);
    let text = wanted.to_string();
    let mut words = vec![
        "@last".to_owned(),
        "run_".to_owned(),
        String::new(),
        "run_zzzz".to_owned(),
        "0".to_owned(),
        "no such run".to_owned(),
        "ü".to_owned(),
        wanted.short(),
        text.to_uppercase(),
        wanted.short().to_uppercase(),
    ];
    words.extend((5..=text.len()).map(|end| text.chars().take(end).collect()));
    words.extend((0..text.len()).map(|from| text.chars().skip(from).collect()));
    for word in words {
        let expected: Vec<_> = match word.as_str() {
            "@last" => vec![sample::run(50)],
            _ => all
                .iter()
                .filter(|run| run.matches(&word))
                .copied()
                .collect(),
        };
        assert_eq!(store.resolve(&word, 100).await?, expected, "`{word}`");
        let first: Vec<_> = expected.into_iter().take(2).collect();
        assert_eq!(
            store.resolve(&word, 2).await?,
            first,
            "`{word}`, at most two"
        );
    }
    assert_eq!(store.resolve(&wanted.short(), 9).await?, [wanted]);
    Ok(())
}
