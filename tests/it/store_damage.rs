//! Damaged files of the store on disk: whatever is done to them, the store is refused with a clear error, or it
//! reports the damage, or nothing is missing. It never panics, and it is never silently wrong.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a rig for tests, outside of a test function"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use stepwell::code;
use stepwell::run::Record;
use stepwell::store::conformance::sample;
use stepwell::store::sled::{Options, SledStore};
use stepwell::store::{Error, EventStore};

const RUNS: u32 = 4;
const ROUNDS: u64 = 30;
const BLOCK: usize = 4_096;

type Damage = Box<dyn Fn(&mut Vec<u8>)>;
type Histories = BTreeMap<u32, Vec<Record>>;

/// A data folder as it lies on the disk, and what was acknowledged in it.
struct Image {
    folder: tempfile::TempDir,
    histories: Histories,
}

/// Fills a store. `killed` leaves it as a killed process does, otherwise it is closed.
async fn image(killed: bool) -> Image {
    let work = tempfile::tempdir().unwrap();
    let store = SledStore::open(work.path(), Options::default()).unwrap();
    for round in 0..ROUNDS {
        for number in 0..RUNS {
            let mut append = sample::append(number, round * 3, 3);
            for record in &mut append.records {
                record.body = format!("{round}").repeat(400).into_bytes();
            }
            store.append(append).await.unwrap();
        }
    }
    let histories = histories(&store).await.unwrap();
    if !killed {
        drop(store);
        return Image {
            folder: work,
            histories,
        };
    }
    let folder = tempfile::tempdir().unwrap();
    copy(work.path(), folder.path());
    Image { folder, histories }
}

async fn histories(store: &SledStore) -> Result<Histories, Error> {
    let mut histories = BTreeMap::new();
    for number in 0..RUNS {
        let records = store.read(sample::run(number), 1, usize::MAX).await?;
        histories.insert(number, records);
    }
    Ok(histories)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What became of a damaged store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Refused,
    Reported,
    Unharmed,
}

/// Opens a damaged copy and judges it.
async fn judge(image: &Image, damage: impl FnOnce(&Path)) -> Verdict {
    let folder = tempfile::tempdir().unwrap();
    copy(image.folder.path(), folder.path());
    damage(&folder.path().join("store"));
    let data = folder.path().to_owned();
    let open = tokio::task::spawn_blocking(move || SledStore::open(&data, Options::default()));
    let open = tokio::time::timeout(Duration::from_secs(20), open).await;
    let store = match open.expect("opening hangs").expect("opening panics") {
        Ok(store) => store,
        Err(error) => {
            let known = [code::STORE_DAMAGED, code::STORE_CORRUPT, code::STORE_IO];
            assert!(known.contains(&error.code()), "{error:?}");
            return Verdict::Refused;
        }
    };
    match store.verify(None).await {
        Ok(report) if report.is_sound() => {
            let found = histories(&store).await.unwrap();
            assert!(
                found == image.histories,
                "a sound report, but something is missing"
            );
            Verdict::Unharmed
        }
        Ok(_) | Err(_) => Verdict::Reported,
    }
}

fn database(folder: &Path) -> (PathBuf, Vec<u8>) {
    let path = folder.join("db");
    let bytes = fs::read(&path).unwrap();
    (path, bytes)
}

/// Where the last byte that is not zero stands: the end of what was written.
fn written(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1)
}

async fn table(killed: bool) {
    let image = image(killed).await;
    let (_, bytes) = database(&image.folder.path().join("store"));
    let end = written(&bytes);
    let mut verdicts = BTreeMap::new();
    for step in 1..=8 {
        let place = end * step / 9;
        let damages: [(&str, Damage); 6] = [
            (
                "tail cut",
                Box::new(move |bytes| bytes.truncate(end - step * 500)),
            ),
            ("half cut", Box::new(move |bytes| bytes.truncate(place))),
            (
                "bit flipped",
                Box::new(move |bytes| bytes[place] ^= 1 << (step - 1)),
            ),
            (
                "bit flipped near the end",
                Box::new(move |bytes| bytes[end - step * 60] ^= 1),
            ),
            (
                "page zeroed",
                Box::new(move |bytes| {
                    let page = place / BLOCK * BLOCK;
                    bytes[page..page + BLOCK].fill(0);
                }),
            ),
            (
                "rubbish appended",
                Box::new(move |bytes| bytes.extend((0..=255).cycle().take(step * 999))),
            ),
        ];
        for (what, damage) in damages {
            let verdict = judge(&image, |folder| {
                let (path, mut bytes) = database(folder);
                damage(&mut bytes);
                fs::write(path, bytes).unwrap();
            });
            *verdicts.entry((what, verdict.await)).or_insert(0) += 1;
        }
    }
    for file in ["db", "conf"] {
        for (what, content) in [("emptied", &b""[..]), ("overwritten", &[b'x'; 9_000])] {
            let verdict = judge(&image, |folder| {
                fs::write(folder.join(file), content).unwrap();
            });
            let verdict = verdict.await;
            assert!(
                file == "conf" || verdict == Verdict::Refused,
                "{file} {what}: {verdict:?}"
            );
        }
    }
    let gone = judge(&image, |folder| fs::remove_dir_all(folder).unwrap()).await;
    assert_eq!(gone, Verdict::Refused, "the mark remembers what was there");
    let harmed = |(_, verdict): &&(&str, Verdict)| *verdict != Verdict::Unharmed;
    assert!(verdicts.keys().filter(harmed).count() > 2, "{verdicts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_after_a_kill_is_never_silent() {
    table(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_after_a_clean_close_is_never_silent() {
    table(false).await;
}
