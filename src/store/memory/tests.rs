use super::*;
use crate::store::conformance::sample;

async fn two_runs() -> MemoryStore {
    let store = MemoryStore::new();
    for (number, expected, count) in [(1, 0, 2), (2, 0, 1), (1, 2, 3)] {
        store
            .append(sample::append(number, expected, count))
            .await
            .unwrap();
    }
    store
}

#[tokio::test]
async fn a_crash_keeps_whole_appends_in_order() {
    let store = two_runs().await;
    assert_eq!(store.appended(), 6);
    for (records, first, second) in [
        (0, 0, 0),
        (1, 0, 0),
        (2, 2, 0),
        (3, 2, 1),
        (5, 2, 1),
        (6, 5, 1),
    ] {
        let left = store.crash_after(records);
        assert_eq!(left.epoch(), store.epoch() + 1);
        let counts = [1, 2].map(|number| left.read_now(sample::run(number), 1, 100).len());
        assert_eq!(counts, [first, second], "cut after {records}");
        assert!(left.verify(None).await.unwrap().is_sound());
        left.append(sample::append(1, first as u64, 1))
            .await
            .unwrap();
    }
    assert_eq!(store.appended(), 6, "the store itself stays as it is");
}

#[tokio::test]
async fn a_break_loses_the_append_or_only_its_acknowledgement() {
    for (breaks, stored) in [(Break::Before(2), 1), (Break::After(2), 2)] {
        let store = MemoryStore::breaking(breaks);
        store.append(sample::append(1, 0, 1)).await.unwrap();
        for expected in [1, 1, 2] {
            let error = store.append(sample::append(1, expected, 1)).await;
            assert!(
                matches!(error, Err(AppendError::Io(_))),
                "the writer is gone for good"
            );
        }
        let next = store.reopen();
        assert_eq!(next.read_now(sample::run(1), 1, 10).len(), stored);
        next.append(sample::append(1, stored as u64, 1))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn damage_in_memory_is_seen() {
    let damages: [fn(&mut Run); 4] = [
        |run| run.records[1].content.body.push(b' '),
        |run| drop(run.records.remove(1)),
        |run| run.records.swap(0, 1),
        |run| run.summary.last_seq = 9,
    ];
    for damage in damages {
        let store = two_runs().await;
        store.locked(|shared| damage(shared.runs.get_mut(&sample::run(1)).unwrap()));
        let report = store.verify(None).await.unwrap();
        assert_eq!((report.runs, report.faults.len()), (2, 1));
        assert_eq!(report.faults[0].run, Some(sample::run(1)));
    }
}
