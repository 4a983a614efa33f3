use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::super::{Change, key};
use super::*;
use crate::code;
use crate::run::RunStatus;
use crate::store::conformance::sample;
use crate::store::{Fault, LAST};

fn fresh() -> (tempfile::TempDir, SledStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SledStore::open(folder.path(), Options::default()).unwrap();
    (folder, store)
}

fn reopen(folder: &tempfile::TempDir) -> Result<SledStore, Error> {
    SledStore::open(folder.path(), Options::default())
}

/// Three runs of five records; the third record of each has a body in a file.
async fn filled() -> (tempfile::TempDir, SledStore) {
    let (folder, store) = fresh();
    for number in 1..=3 {
        let mut append = sample::append(number, 0, 5);
        append.records[2].body = number.to_string().repeat(9_000).into_bytes();
        store.append(append).await.unwrap();
    }
    (folder, store)
}

/// Changes the database behind the back of the store, which then has to find out by itself.
async fn plant(changes: Vec<Change>) -> (tempfile::TempDir, SledStore) {
    let (folder, store) = filled().await;
    store.shared.database.apply(changes).unwrap();
    store.shared.database.flush().unwrap();
    drop(store);
    let store = reopen(&folder).unwrap();
    (folder, store)
}

/// The value of an event with one bit flipped.
async fn flipped(seq: Seq) -> Change {
    let (_folder, store) = filled().await;
    let key = key::event(sample::run(2), seq);
    let mut value = store.shared.database.get(&key).unwrap().unwrap();
    *value.last_mut().unwrap() ^= 4;
    (key, Some(value))
}

#[tokio::test]
async fn planted_damage_is_found_and_stays_with_its_run() {
    let (_folder, store) = filled().await;
    let value = |key: Vec<u8>| store.shared.database.get(&key).unwrap();
    let run = sample::run(2);
    let events = |range: std::ops::RangeInclusive<u64>| -> Vec<Change> {
        range.map(|seq| (key::event(run, seq), None)).collect()
    };
    let mut ended = sample::row(2, 5);
    ended.status = RunStatus::Failed;
    let ended = key::index_keys(&ended)[0].clone();
    let [status, workflow] = key::index_keys(&sample::row(2, 5));
    let other = value(key::event(sample::run(1), 4));
    let old_row = codec::encode_row(&sample::row(2, 4)).unwrap();
    let damages: Vec<(&str, Vec<Change>)> = vec![
        ("a flipped bit", vec![flipped(2).await]),
        ("a flipped bit in a reference", vec![flipped(3).await]),
        ("a gap", events(4..=4)),
        ("the first record gone", events(1..=1)),
        ("a lost tail", events(4..=5)),
        ("all events gone", events(1..=5)),
        ("a record of another run", vec![(key::event(run, 4), other)]),
        (
            "two records swapped",
            vec![(key::event(run, 4), value(key::event(run, 5)))],
        ),
        (
            "an event behind the row",
            vec![(key::event(run, 6), value(key::event(run, 5)))],
        ),
        ("a torn row", vec![(key::row(run), Some(old_row))]),
        (
            "a row of another run",
            vec![(key::row(run), value(key::row(sample::run(1))))],
        ),
        ("no row", vec![(key::row(run), None)]),
        (
            "rubbish as a row",
            vec![(key::row(run), Some(b"rubbish".to_vec()))],
        ),
        ("not in the index by status", vec![(status, None)]),
        ("not in the index by workflow", vec![(workflow, None)]),
        ("in the index twice", vec![(ended, Some(Vec::new()))]),
    ];
    for (what, changes) in damages {
        let (_folder, store) = plant(changes).await;
        let report = store.verify(None).await.unwrap();
        assert!(!report.is_sound(), "{what}");
        for fault in &report.faults {
            assert!([Some(run), None].contains(&fault.run), "{what}: {fault}");
        }
        for number in [1, 3] {
            assert!(
                store
                    .verify(Some(sample::run(number)))
                    .await
                    .unwrap()
                    .is_sound()
            );
            store.append(sample::append(number, 5, 1)).await.unwrap();
            assert_eq!(
                store.read(sample::run(number), 1, 99).await.unwrap().len(),
                6
            );
        }
        let page = store.list(ListQuery::newest(9)).await.unwrap();
        assert!(
            page.rows.len() >= 2,
            "{what}: one damaged run hides no other"
        );
    }
}

#[tokio::test]
async fn reading_and_continuing_a_damaged_run_is_refused() {
    let run = sample::run(2);
    let gone = |seqs: std::ops::RangeInclusive<u64>| -> Vec<Change> {
        seqs.map(|seq| (key::event(run, seq), None)).collect()
    };
    for (what, changes) in [
        ("a flipped bit", vec![flipped(5).await]),
        ("a gap", gone(4..=4)),
        ("a lost tail", gone(4..=5)),
    ] {
        let (_folder, store) = plant(changes).await;
        let read = store.read(run, 1, 99).await;
        assert!(
            matches!(&read, Err(error) if error.code() == code::STORE_CORRUPT),
            "{what}: {read:?}"
        );
        assert!(read.unwrap_err().to_string().contains(&run.to_string()));
        if what != "a gap" {
            let refused = store.append(sample::append(2, 5, 1)).await;
            assert!(
                matches!(refused, Err(AppendError::Corrupt(_))),
                "{what}: {refused:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_vanished_run_and_a_lost_body_are_found() {
    let run = sample::run(2);
    let mut all: Vec<Change> = (1..=5).map(|seq| (key::event(run, seq), None)).collect();
    all.push((key::row(run), None));
    all.extend(key::index_keys(&sample::row(2, 5)).map(|key| (key, None)));
    let (_folder, store) = plant(all).await;
    let report = store.verify(None).await.unwrap();
    assert_eq!(report.faults, [Fault::of_store("1 of 3 runs are missing")]);

    let (_folder, store) = filled().await;
    let body = store.read(run, 3, 1).await.unwrap()[0].content.body.clone();
    let path = store.blobs().path(&crate::id::Digest::of(&body));
    for damage in [Some(&b"2222"[..]), None] {
        match damage {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let error = store.read(run, 1, 9).await.unwrap_err();
        assert_eq!(error.code(), code::ARTIFACT_DAMAGED);
        assert_eq!(store.verify(None).await.unwrap().faults.len(), 1);
        let after = store.read(run, 4, 9).await;
        assert!(after.is_err(), "its link cannot be checked");
    }
}

#[tokio::test]
async fn every_acknowledgement_comes_after_a_sync() {
    let folder = tempfile::tempdir().unwrap();
    let syncs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&syncs);
    let options = Options {
        sync: Arc::new(move |file| {
            file.sync_data()?;
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }),
        ..Options::default()
    };
    let store = SledStore::open(folder.path(), options).unwrap();
    assert_eq!(
        syncs.load(Ordering::SeqCst),
        1,
        "the writer's number is durable"
    );
    for expected in 0..20 {
        let before = syncs.load(Ordering::SeqCst);
        store.append(sample::append(1, expected, 1)).await.unwrap();
        assert_eq!(syncs.load(Ordering::SeqCst), before + 1);
    }
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_acknowledged_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let left = Arc::new(AtomicUsize::new(3));
    let options = Options {
        sync: Arc::new(move |file| match left.fetch_sub(1, Ordering::SeqCst) {
            1 => Err(nix::errno::Errno::EIO.into()),
            _ => file.sync_data(),
        }),
        ..Options::default()
    };
    let store = SledStore::open(folder.path(), options).unwrap();
    store.append(sample::append(1, 0, 1)).await.unwrap();
    for (number, expected) in [(1, 1), (1, 1), (1, 2), (2, 0)] {
        let error = store
            .append(sample::append(number, expected, 1))
            .await
            .unwrap_err();
        assert!(matches!(error, AppendError::Io(_)), "{error:?}");
        assert_eq!(error.code(), code::STORE_IO);
    }
    drop(store);
    let store = reopen(&folder).unwrap();
    assert!(store.verify(None).await.unwrap().is_sound());
    let last = store
        .summary(sample::run(1))
        .await
        .unwrap()
        .unwrap()
        .last_seq;
    assert!(last >= 1, "what was acknowledged is there");
    store.append(sample::append(1, last, 1)).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_appends_without_harm() {
    let (folder, store) = filled().await;
    drop(store);
    let options = Options {
        free_bytes_min: u64::MAX,
        ..Options::default()
    };
    let store = SledStore::open(folder.path(), options).unwrap();
    let error = store.append(sample::append(1, 5, 1)).await.unwrap_err();
    assert_eq!(error.code(), code::DISK_FULL);
    assert_eq!(store.read(sample::run(1), 1, 9).await.unwrap().len(), 5);
    drop(store);
    let store = reopen(&folder).unwrap();
    store.append(sample::append(1, 5, 1)).await.unwrap();
}

#[tokio::test]
async fn a_writer_that_lost_the_store_is_fenced() {
    let (_folder, store) = filled().await;
    let later = store.epoch() + 1;
    let change = super::open::set_number(super::open::EPOCH, later).unwrap();
    store.shared.database.apply(vec![change]).unwrap();
    let refused = store.append(sample::append(1, 5, 1)).await;
    assert!(matches!(refused, Err(AppendError::Fenced { epoch }) if epoch == later));
}

#[tokio::test]
async fn lost_acknowledged_commits_and_later_formats_are_refused() {
    let (folder, store) = filled().await;
    let change = super::open::set_number(super::open::COMMITS, 2).unwrap();
    store.shared.database.apply(vec![change]).unwrap();
    drop(store);
    let error = reopen(&folder).unwrap_err();
    assert_eq!(error.code(), code::STORE_DAMAGED);
    assert!(error.to_string().contains("acknowledged"), "{error}");
    fs::remove_file(folder.path().join("store.mark")).unwrap();
    let store = reopen(&folder).unwrap();
    let change = super::open::set_number(super::open::FORMAT, 99).unwrap();
    store.shared.database.apply(vec![change]).unwrap();
    drop(store);
    assert_eq!(reopen(&folder).unwrap_err().code(), code::STORE_NEWER);
}

#[tokio::test]
async fn bad_snapshots_are_set_aside() {
    let (folder, store) = filled().await;
    drop(store);
    drop(reopen(&folder).unwrap());
    let database = folder.path().join("store");
    fs::write(database.join("snap.0000000000000001.generating"), b"").unwrap();
    let snapshots = super::open::snapshots(&database).unwrap();
    assert!(snapshots.len() > 1, "sled wrote a snapshot: {snapshots:?}");
    for path in snapshots {
        let mut bytes = fs::read(&path).unwrap();
        if let Some(byte) = bytes.last_mut() {
            *byte ^= 1;
        }
        fs::write(&path, bytes).unwrap();
    }
    let store = reopen(&folder).unwrap();
    let report = store.verify(None).await.unwrap();
    assert_eq!(
        (report.runs, report.records, report.faults.len()),
        (3, 15, 0)
    );
    let names = fs::read_dir(&database)
        .unwrap()
        .map(|it| it.unwrap().file_name());
    assert!(
        names
            .into_iter()
            .any(|name| name.to_string_lossy().starts_with("aside-snap."))
    );
}

#[tokio::test]
async fn a_second_opener_waits_and_then_hears_who_holds_the_store() {
    let (folder, store) = filled().await;
    let options = Options {
        lock_wait: Duration::from_millis(50),
        ..Options::default()
    };
    let error = SledStore::open(folder.path(), options).unwrap_err();
    assert_eq!(error.code(), code::STORE_LOCKED);
    let text = error.to_string();
    assert!(
        text.contains(&format!("process {} since 2", std::process::id())),
        "{text}"
    );
    let path = folder.path().to_owned();
    let waiting = std::thread::spawn(move || SledStore::open(&path, Options::default()));
    std::thread::sleep(Duration::from_millis(100));
    drop(store);
    let store = waiting.join().unwrap().unwrap();
    assert_eq!(store.resolve(LAST, 1).await.unwrap(), [sample::run(3)]);
}

#[tokio::test]
async fn a_writer_that_died_is_told_from_a_store_that_was_closed() {
    let folder = tempfile::tempdir().unwrap();
    let broken = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let breaks = Arc::clone(&broken);
    let options = Options {
        sync: Arc::new(move |file| {
            assert!(!breaks.load(Ordering::Relaxed), "a fault of the writer");
            file.sync_data()
        }),
        ..Options::default()
    };
    let store = SledStore::open(folder.path(), options).unwrap();
    broken.store(true, Ordering::Relaxed);
    for _ in 0..2 {
        let error = store.append(sample::append(1, 0, 1)).await.unwrap_err();
        assert!(
            matches!(error, AppendError::Io(Error::WriterDied(_))),
            "{error:?}"
        );
    }
}
