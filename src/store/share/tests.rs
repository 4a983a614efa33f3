use std::io::Write as _;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Weak};

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::block_in_place;

use super::serve::Server;
use super::*;
use crate::store::conformance::{Bench, exercise, sample};
use crate::store::memory::MemoryStore;
use crate::store::sled::SledStore;

fn options() -> Options {
    Options {
        lock_wait: Duration::from_millis(500),
        ..Options::default()
    }
}

/// Delegates everything to one store, and may do something else with appends.
macro_rules! delegate {
    ($to:ident: $($append:tt)*) => {
        fn epoch(&self) -> Epoch {
            self.$to.epoch()
        }
        $($append)*
        fn read(&self, run: RunId, from: Seq, limit: usize) -> BoxFuture<'_, Result<Vec<Record>, Error>> {
            self.$to.read(run, from, limit)
        }
        fn summary(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunSummary>, Error>> {
            self.$to.summary(run)
        }
        fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, Error>> {
            self.$to.list(query)
        }
        fn resolve<'a>(&'a self, text: &'a str, limit: usize) -> BoxFuture<'a, Result<Vec<RunId>, Error>> {
            self.$to.resolve(text, limit)
        }
        fn verify(&self, run: Option<RunId>) -> BoxFuture<'_, Result<Report, Error>> {
            self.$to.verify(run)
        }
        fn watch(&self, run: RunId) -> BoxFuture<'_, Result<Watch, Error>> {
            self.$to.watch(run)
        }
        fn lease(&self, run: RunId) -> BoxFuture<'_, Result<Lease, Error>> {
            self.$to.lease(run)
        }
    };
}

mod closed;

/// A guest with its owner in the same process.
#[derive(Debug)]
struct Guest {
    guest: SharedStore,
    _owner: SharedStore,
}

impl EventStore for Guest {
    delegate! { guest:
        fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
            self.guest.append(append)
        }
    }
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn shared(&self) -> SharedStore {
        SharedStore::open(self.0.path(), options()).await.unwrap()
    }
}

impl Bench for Place {
    fn open(&self) -> Result<Arc<dyn EventStore>, Error> {
        block_in_place(|| {
            Handle::current().block_on(async {
                // What was dropped a moment ago may still be on its way out.
                let data = self.0.path();
                let owner = loop {
                    let opened = SharedStore::open(data, options()).await?;
                    match opened.role() {
                        Some(Role::Owner { .. }) => break opened,
                        Some(Role::Guest { owner }) => {
                            return Err(Error::Locked {
                                folder: data.to_owned(),
                                holder: owner,
                            });
                        }
                        None => {}
                    }
                };
                let guest = self.shared().await;
                assert!(matches!(guest.role(), Some(Role::Guest { .. })));
                let both: Arc<dyn EventStore> = Arc::new(Guest {
                    guest,
                    _owner: owner,
                });
                Ok(both)
            })
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conformance_of_a_guest() {
    exercise(Place::new).await;
}

/// What an owner does with an append before it falls silent.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Silent {
    /// It makes it.
    After,
    /// It doesn't.
    Before,
}

/// A store whose appends are never answered.
#[derive(Debug)]
struct Mute {
    store: Arc<dyn EventStore>,
    silent: Silent,
    reached: mpsc::UnboundedSender<()>,
}

impl EventStore for Mute {
    delegate! { store:
        fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
            Box::pin(async move {
                if self.silent == Silent::After {
                    self.store.append(append).await.unwrap();
                }
                self.reached.send(()).unwrap();
                std::future::pending().await
            })
        }
    }
}

/// An owner that never answers appends, and a guest that waits for the answer to one.
struct Lost {
    place: Place,
    store: Arc<SledStore>,
    server: Server,
    _mute: Arc<Mute>,
    guest: Arc<SharedStore>,
    waits: tokio::task::JoinHandle<Result<Appended, AppendError>>,
}

impl Lost {
    async fn new(silent: Silent) -> Self {
        let place = Place::new();
        let store = Arc::new(SledStore::open(place.0.path(), options()).unwrap());
        store.append(sample::append(1, 0, 2)).await.unwrap();
        let (reached, mut heard) = mpsc::unbounded_channel();
        let mute = Arc::new(Mute {
            store: Arc::clone(&store) as _,
            silent,
            reached,
        });
        let weak: Weak<Mute> = Arc::downgrade(&mute);
        let server = Server::start(place.0.path(), weak).unwrap();
        let guest = Arc::new(place.shared().await);
        let asks = Arc::clone(&guest);
        #[expect(clippy::disallowed_methods, reason = "a test may have tasks")]
        let waits = tokio::spawn(async move { asks.append(sample::append(1, 2, 3)).await });
        heard.recv().await.unwrap();
        Self {
            place,
            store,
            server,
            _mute: mute,
            guest,
            waits,
        }
    }

    /// The same owner answers again, over a new connection.
    async fn speaks_again(self) -> Result<Appended, AppendError> {
        drop(self.server);
        let weak: Weak<SledStore> = Arc::downgrade(&self.store);
        let _server = Server::start(self.place.0.path(), weak).unwrap();
        let result = self.waits.await.unwrap();
        assert!(matches!(self.guest.role(), Some(Role::Guest { .. })));
        result
    }

    /// The owner goes, and the guest takes over.
    async fn goes(self) -> (Result<Appended, AppendError>, Arc<SharedStore>, Place) {
        drop((self.server, self._mute, self.store));
        let result = self.waits.await.unwrap();
        assert_eq!(self.guest.role(), Some(Role::Owner { serves: true }));
        (result, self.guest, self.place)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_whose_answer_is_lost_is_made_once() {
    for silent in [Silent::After, Silent::Before] {
        let lost = Lost::new(silent).await;
        let store = Arc::clone(&lost.store);
        let epoch = store.epoch();
        let appended = lost.speaks_again().await.unwrap();
        assert_eq!((appended.last, appended.records.len()), (5, 3));
        let records = store.read(sample::run(1), 3, 9).await.unwrap();
        assert_eq!(records, appended.records, "{silent:?}");
        assert!(records.iter().all(|record| record.epoch == epoch));
        assert!(store.verify(None).await.unwrap().is_sound());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_whose_owner_goes_is_made_once_by_whoever_takes_over() {
    for silent in [Silent::After, Silent::Before] {
        let lost = Lost::new(silent).await;
        let epoch = lost.store.epoch();
        let (result, guest, _place) = lost.goes().await;
        let appended = result.unwrap();
        let records = guest.read(sample::run(1), 1, 9).await.unwrap();
        assert_eq!(records[2..], appended.records, "{silent:?}");
        assert_eq!(guest.epoch(), epoch + 1);
        let writer = epoch + u64::from(silent == Silent::Before);
        assert!(appended.records.iter().all(|record| record.epoch == writer));
        assert!(guest.verify(None).await.unwrap().is_sound());
        guest.append(sample::append(1, 5, 1)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_whose_place_somebody_else_took_is_a_conflict() {
    let lost = Lost::new(Silent::Before).await;
    let other = sample::append_of(1, 2, vec![sample::record("another"); 4]);
    lost.store.append(other).await.unwrap();
    let result = lost.speaks_again().await;
    assert!(
        matches!(result, Err(AppendError::Conflict { actual: 6 })),
        "{result:?}"
    );

    // Shorter than ours.
    let lost = Lost::new(Silent::Before).await;
    lost.store.append(sample::append(1, 2, 1)).await.unwrap();
    let result = lost.speaks_again().await;
    assert!(
        matches!(result, Err(AppendError::Conflict { actual: 3 })),
        "{result:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_words_of_another_writer_are_not_ours() {
    let place = Place::new();
    // Keeps the guest from taking over; what is served is in memory.
    let _lock = SledStore::open(place.0.path(), options()).unwrap();
    let first = MemoryStore::new();
    let (reached, mut heard) = mpsc::unbounded_channel();
    let mute = Arc::new(Mute {
        store: Arc::new(first.clone()),
        silent: Silent::Before,
        reached,
    });
    let weak: Weak<Mute> = Arc::downgrade(&mute);
    let server = Server::start(place.0.path(), weak).unwrap();
    let guest = place.shared().await;
    let second = Arc::new(first.reopen());
    let changes = async {
        heard.recv().await.unwrap();
        second.append(sample::append(1, 0, 3)).await.unwrap();
        drop(server);
        let weak: Weak<MemoryStore> = Arc::downgrade(&second);
        Server::start(place.0.path(), weak).unwrap()
    };
    let (result, _server) = tokio::join!(guest.append(sample::append(1, 0, 3)), changes);
    assert!(
        matches!(result, Err(AppendError::Conflict { actual: 3 })),
        "{result:?}"
    );
    assert_eq!(guest.epoch(), second.epoch());
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_are_heard_of_by_all_and_across_owners() {
    let place = Place::new();
    let owner = place.shared().await;
    let one = place.shared().await;
    let other = place.shared().await;
    let run = sample::run(1);
    let mut at_owner = owner.watch(run).await.unwrap();
    let mut at_one = one.watch(run).await.unwrap();
    one.append(sample::append(1, 0, 2)).await.unwrap();
    other.append(sample::append(2, 0, 2)).await.unwrap();
    for heard in [&mut at_owner, &mut at_one] {
        assert_eq!(*heard.wait_for(|last| *last > 0).await.unwrap(), 2);
    }
    let mut at_other = other.watch(run).await.unwrap();
    assert_eq!(*at_other.borrow_and_update(), 2, "what was before is known");
    owner.append(sample::append(1, 2, 1)).await.unwrap();
    for heard in [&mut at_one, &mut at_other] {
        assert_eq!(*heard.wait_for(|last| *last > 2).await.unwrap(), 3);
    }
    drop(owner);
    other.append(sample::append(1, 3, 1)).await.unwrap();
    one.append(sample::append(1, 4, 1)).await.unwrap();
    for heard in [&mut at_one, &mut at_other] {
        heard.wait_for(|last| *last == 5).await.unwrap();
    }
    let owners = [&one, &other].map(|store| matches!(store.role(), Some(Role::Owner { .. })));
    assert_ne!(owners[0], owners[1], "exactly one of them took over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn owners_come_and_go_and_no_append_is_lost_or_doubled() {
    const WRITERS: u32 = 4;
    const APPENDS: u64 = 120;
    let place = Arc::new(Place::new());
    let left = Arc::new(Mutex::new(WRITERS));
    let changes = Arc::new(AtomicU64::new(0));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (place, left, changes) = (place.clone(), left.clone(), changes.clone());
        writers.spawn(async move {
            let mut store = place.shared().await;
            for number in 0..APPENDS {
                if (number * 7 + u64::from(writer) * 3) % 13 == 0 {
                    // Whoever owns the store now goes, also in the middle of what others do.
                    let owned = matches!(store.role(), Some(Role::Owner { .. }));
                    changes.fetch_add(u64::from(owned), Ordering::Relaxed);
                    drop(store);
                    store = place.shared().await;
                }
                let record = sample::record(format!("{writer}:{number}"));
                let append = sample::append_of(writer, number, vec![record]);
                let appended = store.append(append).await.unwrap();
                assert_eq!(appended.last, number + 1);
            }
            *left.lock().unwrap() -= 1;
            store
        });
    }
    // All stay to the end, so that the last one finds the owner or becomes it.
    let stores = writers.join_all().await;
    assert_eq!(*left.lock().unwrap(), 0);
    assert!(changes.load(Ordering::Relaxed) > 0, "owners went");
    for writer in 0..WRITERS {
        let run = sample::run(writer);
        for store in &stores {
            let records = store.read(run, 1, 1_000).await.unwrap();
            let bodies = records.iter().map(|record| record.content.body.clone());
            let sent = (0..APPENDS).map(|number| format!("{writer}:{number}").into_bytes());
            assert!(bodies.eq(sent), "writer {writer}");
        }
    }
    assert!(stores[0].verify(None).await.unwrap().is_sound());
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_and_half_frames_disturb_nobody() {
    let place = Place::new();
    let owner = place.shared().await;
    let guest = place.shared().await;
    let path = place.0.path().join("store.sock");
    let hello = br#"{"protocol":1,"version":"0"}"#;
    let framed = |head: &[u8], tail: &[u8]| {
        let lengths = [head, tail].map(|part| u32::try_from(part.len()).unwrap().to_be_bytes());
        [&lengths.concat(), head, tail].concat()
    };
    let greeted = framed(hello, b"");
    let ask = |text: &str, tail: &[u8]| [greeted.clone(), framed(text.as_bytes(), tail)].concat();
    let said: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![0xff; 4_096],
        vec![0; 4_096],
        greeted[..11].to_vec(),
        framed(b"{}", b""),
        framed(br#"{"protocol":2,"version":"9"}"#, b""),
        ask("{", b""),
        ask(r#"{"id":1,"ask":"fly"}"#, b""),
        ask(
            r#"{"id":1,"ask":{"read":{"run":"nobody","from":1,"limit":1}}}"#,
            b"",
        ),
        [greeted.clone(), framed(&[b'['; 100_000], b"")].concat(),
        [greeted.clone(), vec![0, 0, 0]].concat(),
        ask(r#"{"id":1,"ask":"ping"}"#, b"a tail that nobody asked for"),
    ];
    let mut open = Vec::new();
    for bytes in said {
        let mut stream = StdStream::connect(&path).unwrap();
        // The owner may have hung up already.
        let _gone = stream.write_all(&bytes);
        open.push(stream);
    }
    // They hang, and everybody else is served.
    guest.append(sample::append(1, 0, 2)).await.unwrap();
    owner.append(sample::append(1, 2, 2)).await.unwrap();
    drop(open);
    let late = place.shared().await;
    assert_eq!(late.read(sample::run(1), 1, 9).await.unwrap().len(), 4);
    assert!(late.verify(None).await.unwrap().is_sound());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_of_another_protocol_is_named() {
    let place = Place::new();
    let _store = SledStore::open(place.0.path(), options()).unwrap();
    let (listener, _file) = socket::bind(place.0.path()).unwrap();
    let mut answers = JoinSet::new();
    answers.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        frame::read(&mut stream).await.unwrap();
        let refused = message::Greeting::Refused {
            why: "it is stepwell 9".to_owned(),
        };
        let frame = frame::Frame::of(&refused, Vec::new()).unwrap();
        frame::write(&mut stream, &frame).await.unwrap();
    });
    let error = SharedStore::open(place.0.path(), options())
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::Locked { holder, .. } if holder.contains("it is stepwell 9")),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_does_not_answer_is_named() {
    let place = Place::new();
    let _store = SledStore::open(place.0.path(), options()).unwrap();
    for listens in [false, true] {
        let _bound = listens.then(|| socket::bind(place.0.path()).unwrap());
        let error = SharedStore::open(place.0.path(), options())
            .await
            .unwrap_err();
        let me = format!("process {}", std::process::id());
        assert!(
            matches!(&error, Error::Locked { holder, .. } if holder.contains(&me) && holder.contains("can't be asked")),
            "{error:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_is_for_its_user_alone_and_may_lie_deep() {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
    let root = tempfile::tempdir().unwrap();
    let data = (0..6).fold(root.path().to_owned(), |path, _| path.join("é".repeat(40)));
    let owner = SharedStore::open(&data, options()).await.unwrap();
    let guest = SharedStore::open(&data, options()).await.unwrap();
    assert!(matches!(guest.role(), Some(Role::Guest { .. })));
    guest.append(sample::append(1, 0, 1)).await.unwrap();
    let file = data.join("store.sock");
    let look = std::fs::metadata(&file).unwrap();
    assert!(look.file_type().is_socket());
    assert_eq!(look.permissions().mode() & 0o777, 0o600);
    drop((guest, owner));
    assert!(
        !file.exists(),
        "an owner that goes in order leaves no socket"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn long_histories_and_large_bodies_come_whole() {
    let place = Place::new();
    let owner = place.shared().await;
    let guest = place.shared().await;
    let large = vec![sample::record(vec![7; 9 << 20]); 4];
    guest.append(sample::append_of(1, 0, large)).await.unwrap();
    for expected in (4..2_004).step_by(500) {
        guest
            .append(sample::append(1, expected, 500))
            .await
            .unwrap();
    }
    let run = sample::run(1);
    let all = guest.read(run, 1, 10_000).await.unwrap();
    assert_eq!(all, owner.read(run, 1, 10_000).await.unwrap());
    assert_eq!(all.len(), 2_004);
    let part = guest.read(run, 3, 1_000).await.unwrap();
    assert_eq!(part, all[2..1_002]);
    assert_eq!(guest.read(run, 3, 0).await.unwrap(), []);
}
