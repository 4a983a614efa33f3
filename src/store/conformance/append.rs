//! Appending and reading one run.

use super::{Bench, Checked, sample};
use crate::id::ApprovalId;
use crate::run::{Actor, OpenQuestion, Record, RunStatus};
use crate::store::{
    ACTOR_BYTES_MAX, APPEND_RECORDS_MAX, AppendError, BODY_BYTES_MAX, Error, EventStore, ListQuery,
    SUMMARY_BYTES_MAX,
};
use crate::time::Timestamp;

pub(super) async fn an_append_comes_back_as_it_was(bench: &dyn Bench) -> Checked {
    let store = bench.open()?;
    let append = sample::append(1, 0, 3);
    let appended = store.append(append.clone()).await?;
    assert_eq!(appended.last, 3);
    assert_eq!(store.read(append.run, 1, 10).await?, appended.records);
    for (place, record) in (1..).zip(&appended.records) {
        assert_eq!(
            (record.run, record.seq, record.epoch),
            (append.run, place, store.epoch())
        );
    }
    let contents: Vec<_> = appended.records.into_iter().map(|it| it.content).collect();
    assert_eq!(contents, append.records);
    assert_eq!(store.summary(append.run).await?, Some(append.summary));
    assert_sound(&*store, 1, 3).await
}

pub(super) async fn an_unknown_run_has_nothing(bench: &dyn Bench) -> Checked {
    let store = bench.open()?;
    let run = sample::run(1);
    assert_eq!(store.read(run, 1, 10).await?, []);
    assert_eq!(store.summary(run).await?, None);
    assert_eq!(store.list(ListQuery::newest(10)).await?.rows, []);
    assert_eq!(store.resolve("@last", 10).await?, []);
    assert_eq!(store.verify(Some(run)).await?.runs, 0);
    assert_sound(&*store, 0, 0).await
}

pub(super) async fn a_wrong_expectation_is_a_conflict_that_names_the_truth(
    bench: &dyn Bench,
) -> Checked {
    let store = bench.open()?;
    for (expected, actual) in [(1, 0), (7, 0)] {
        let refused = store.append(sample::append(1, expected, 1)).await;
        assert_conflict(&refused, actual);
    }
    store.append(sample::append(1, 0, 2)).await?;
    for expected in [0, 1, 3, 100] {
        assert_conflict(&store.append(sample::append(1, expected, 1)).await, 2);
    }
    assert_eq!(store.append(sample::append(1, 2, 1)).await?.last, 3);
    assert_sound(&*store, 1, 3).await
}

pub(super) async fn of_two_writers_at_one_place_one_wins(bench: &dyn Bench) -> Checked {
    let store = bench.open()?;
    for expected in 0..20 {
        let (one, other) = tokio::join!(
            store.append(sample::append(1, expected, 1)),
            store.append(sample::append(1, expected, 1)),
        );
        assert_ne!(one.is_ok(), other.is_ok());
        for refused in [one, other].into_iter().filter(Result::is_err) {
            assert_conflict(&refused, expected + 1);
        }
    }
    assert_sound(&*store, 1, 20).await
}

pub(super) async fn events_row_and_index_change_together(bench: &dyn Bench) -> Checked {
    let store = bench.open()?;
    let run = sample::run(1);
    let mut expected = 0;
    for status in RunStatus::ALL {
        let mut append = sample::append(1, expected, 2);
        append.summary.status = status;
        store.append(append).await?;
        expected += 2;
        assert_eq!(store.read(run, 1, 100).await?.len() as u64, expected);
        for asked in RunStatus::ALL {
            let query = ListQuery {
                statuses: vec![asked],
                ..ListQuery::newest(10)
            };
            let rows = store.list(query).await?.rows;
            assert_eq!(rows.len(), usize::from(asked == status), "{asked:?}");
            for row in rows {
                assert_eq!((row.last_seq, row.status), (expected, status));
            }
        }
    }
    assert_sound(&*store, 1, expected).await
}

pub(super) async fn a_refused_append_leaves_no_trace(bench: &dyn Bench) -> Checked {
    let store = bench.open()?;
    store.append(sample::append(1, 0, 1)).await?;
    let mut other_run = sample::append(1, 1, 1);
    other_run.summary.run = sample::run(2);
    let mut wrong_place = sample::append(1, 1, 1);
    wrong_place.summary.last_seq = 9;
    let empty = sample::append(1, 1, 0);
    for append in [other_run, wrong_place, empty] {
        let refused = store.append(append).await;
        assert!(
            matches!(refused, Err(AppendError::Invalid(_))),
            "{refused:?}"
        );
    }
    let mut stale = sample::append(1, 0, 1);
    stale.summary.status = RunStatus::Failed;
    assert_conflict(&store.append(stale).await, 1);
    let row = store.summary(sample::run(1)).await?;
    assert_eq!(row, Some(sample::row(1, 1)));
    assert_sound(&*store, 1, 1).await
}

pub(super) async fn the_chain_links_every_record(bench: &dyn Bench) -> Checked {
    let store = bench.open()?;
    let mut previous = Record::CHAIN_START;
    for (expected, count) in [(0, 1), (1, 3), (4, 2)] {
        for record in store
            .append(sample::append(1, expected, count))
            .await?
            .records
        {
            assert_eq!(record.previous, previous);
            previous = record.hash();
        }
    }
    drop(store);
    let store = bench.open()?;
    let first = store.append(sample::append(1, 6, 1)).await?.records;
    assert!(first.iter().all(|record| record.previous == previous));
    assert_sound(&*store, 1, 7).await
}

pub(super) async fn reads_begin_anywhere_and_stop_at_the_limit(bench: &dyn Bench) -> Checked {
    let store = bench.open()?;
    for number in 1..=3 {
        store.append(sample::append(number, 0, 10)).await?;
    }
    let all = store.read(sample::run(2), 1, 100).await?;
    for (from, limit, seqs) in [
        (1, 3, 1..4),
        (4, 3, 4..7),
        (9, 100, 9..11),
        (10, 1, 10..11),
        (11, 5, 11..11),
        (1_000, 5, 0..0),
        (5, 0, 0..0),
        (0, 2, 1..3),
    ] {
        let records = store.read(sample::run(2), from, limit).await?;
        let expected = all.iter().filter(|record| seqs.contains(&record.seq));
        assert!(records.iter().eq(expected), "from {from}, limit {limit}");
    }
    Ok(())
}

pub(super) async fn text_of_every_script_survives(bench: &dyn Bench) -> Checked {
    let store = bench.open()?;
    let names = [
        "µ-wave",
        "Ωμέγα",
        "束流",
        "مسرع",
        "👩🏽‍🔬",
        "e\u{301}",
        "a\0b",
        "-",
        "",
    ];
    for (number, name) in (1..).zip(names) {
        let mut append = sample::append(number, 0, 1);
        append.summary.workflow = name.to_owned();
        for record in &mut append.records {
            record.actor = Actor::User(name.to_owned());
            record.body = format!(r#"{{"note":"{name}"}}"#).into_bytes();
        }
        let appended = store.append(append.clone()).await?;
        assert_eq!(store.read(append.run, 1, 9).await?, appended.records);
        let query = ListQuery {
            workflow: Some(name.to_owned()),
            ..ListQuery::newest(9)
        };
        assert_eq!(store.list(query).await?.rows, [append.summary], "{name}");
    }
    assert_sound(&*store, 9, 9).await
}

pub(super) async fn empty_and_odd_bodies_survive(bench: &dyn Bench) -> Checked {
    let store = bench.open()?;
    let mut odd = sample::record([0, 255, 13, 10, 0]);
    odd.kind = u16::MAX;
    odd.version = u8::MAX;
    odd.actor = Actor::Api(String::new());
    odd.time = Timestamp::from_micros(-1);
    let mut early = sample::record("");
    early.kind = 0;
    early.version = 0;
    early.time = Timestamp::from_micros(i64::MIN);
    let records = vec![early, odd, sample::record("")];
    let appended = store.append(sample::append_of(1, 0, records)).await?;
    assert_eq!(store.read(sample::run(1), 1, 9).await?, appended.records);
    assert_sound(&*store, 1, 3).await
}

pub(super) async fn large_bodies_survive(bench: &dyn Bench) -> Checked {
    let store = bench.open()?;
    let mut expected = 0;
    let mut all = Vec::new();
    for size in [3_900, 4_000, 4_096, 4_097, 70_000, 3 << 20] {
        let body = |salt| {
            (0..=250u8)
                .cycle()
                .skip(salt)
                .take(size)
                .collect::<Vec<_>>()
        };
        let records = vec![
            sample::record(body(0)),
            sample::record("small"),
            sample::record(body(1)),
        ];
        let appended = store
            .append(sample::append_of(1, expected, records))
            .await?;
        expected = appended.last;
        all.extend(appended.records);
    }
    assert!(store.read(sample::run(1), 1, 100).await? == all);
    drop(store);
    let store = bench.open()?;
    assert!(store.read(sample::run(1), 1, 100).await? == all);
    store.append(sample::append(1, expected, 1)).await?;
    assert_sound(&*store, 1, expected + 1).await
}

pub(super) async fn bounds_are_refused_with_their_numbers(bench: &dyn Bench) -> Checked {
    let store = bench.open()?;
    let large = vec![sample::record(vec![b' '; BODY_BYTES_MAX + 1])];
    let mut long_name = sample::record("");
    long_name.actor = Actor::User("x".repeat(ACTOR_BYTES_MAX));
    let mut long_row = sample::append(1, 0, 1);
    long_row.summary.workflow = "w".repeat(SUMMARY_BYTES_MAX);
    let five = vec![sample::record(vec![b' '; BODY_BYTES_MAX]); 5];
    for (append, limit) in [
        (sample::append_of(1, 0, large), BODY_BYTES_MAX),
        (
            sample::append(1, 0, APPEND_RECORDS_MAX + 1),
            APPEND_RECORDS_MAX,
        ),
        (sample::append_of(1, 0, vec![long_name]), ACTOR_BYTES_MAX),
        (
            sample::append_of(1, 0, five),
            crate::store::APPEND_BYTES_MAX,
        ),
        (long_row, SUMMARY_BYTES_MAX),
    ] {
        let refused = store.append(append).await;
        assert!(
            matches!(refused, Err(AppendError::TooLarge { limit: named, size, .. })
                if named == limit as u64 && size > named),
            "{limit}"
        );
    }
    assert_sound(&*store, 0, 0).await?;
    store
        .append(sample::append(1, 0, APPEND_RECORDS_MAX))
        .await?;
    Ok(())
}

pub(super) async fn a_long_row_is_cut_not_refused(bench: &dyn Bench) -> Checked {
    let store = bench.open()?;
    let mut append = sample::append(1, 0, 1);
    append.summary.questions = (1..40)
        .map(|round| OpenQuestion {
            approval: ApprovalId::derive(append.run, &"apply".into(), round),
            step: "apply".into(),
            title: "Δ".repeat(5_000),
        })
        .collect();
    store.append(append.clone()).await?;
    let Some(row) = store.summary(append.run).await? else {
        unreachable!("the run was appended");
    };
    assert!(row.questions.len() > 10, "{}", row.questions.len());
    for (kept, asked) in row.questions.iter().zip(&append.summary.questions) {
        assert_eq!(kept.approval, asked.approval);
        assert!(kept.title.starts_with("ΔΔΔΔ") && kept.title.len() < 300);
    }
    assert_sound(&*store, 1, 1).await
}

pub(super) async fn reopening_keeps_everything_under_a_new_writer(bench: &dyn Bench) -> Checked {
    let mut epoch = 0;
    for round in 0..4 {
        let store = bench.open()?;
        assert!(store.epoch() > epoch);
        epoch = store.epoch();
        let appended = store.append(sample::append(1, round * 2, 2)).await?;
        assert!(appended.records.iter().all(|record| record.epoch == epoch));
        assert_sound(&*store, 1, round * 2 + 2).await?;
    }
    Ok(())
}

pub(super) async fn a_second_writer_is_refused_or_fences_the_first(bench: &dyn Bench) -> Checked {
    let first = bench.open()?;
    first.append(sample::append(1, 0, 1)).await?;
    let last = match bench.open() {
        Ok(second) => {
            let refused = first.append(sample::append(1, 1, 1)).await;
            assert!(
                matches!(refused, Err(AppendError::Fenced { epoch }) if epoch == second.epoch()),
                "{refused:?}"
            );
            second.append(sample::append(1, 1, 1)).await?.last
        }
        Err(refused) => {
            assert!(matches!(refused, Error::Locked { .. }), "{refused:?}");
            first.append(sample::append(1, 1, 1)).await?.last
        }
    };
    assert_eq!(last, 2);
    Ok(())
}

fn assert_conflict<T: std::fmt::Debug>(result: &Result<T, AppendError>, truth: u64) {
    assert!(
        matches!(result, Err(AppendError::Conflict { actual }) if *actual == truth),
        "{result:?}"
    );
}

/// The store holds so many runs and records, and nothing is wrong with them.
pub(super) async fn assert_sound(store: &dyn EventStore, runs: u64, records: u64) -> Checked {
    let report = store.verify(None).await?;
    assert_eq!(report.faults, []);
    assert_eq!((report.runs, report.records), (runs, records));
    Ok(())
}
