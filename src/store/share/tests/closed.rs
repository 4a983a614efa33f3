//! Owners that live and answer that their store is closed, and guests that listen to many runs.

use std::sync::atomic::AtomicUsize;

use super::*;
use crate::run::RunStatus;
use crate::store::limit::WATCHES_MAX;

/// A store that says that it is closed so many times.
#[derive(Debug)]
struct Shut {
    store: Arc<dyn EventStore>,
    times: AtomicUsize,
}

impl Shut {
    fn over(times: usize) -> Arc<Self> {
        Arc::new(Self {
            store: Arc::new(MemoryStore::new()),
            times: AtomicUsize::new(times),
        })
    }

    fn is_shut(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        self.times
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, less)
            .is_ok()
    }
}

impl EventStore for Shut {
    delegate! { store:
        fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
            if self.is_shut() {
                return Box::pin(async { Err(AppendError::Closed) });
            }
            self.store.append(append)
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_of_an_owner_that_lives_but_has_closed_looks_for_the_next_way() {
    for (times, made) in [(3, true), (usize::MAX, false)] {
        let place = Place::new();
        // Keeps the guest from taking over.
        let _lock = SledStore::open(place.0.path(), options()).unwrap();
        let shut = Shut::over(times);
        let weak: Weak<Shut> = Arc::downgrade(&shut);
        let _server = Server::start(place.0.path(), weak).unwrap();
        let guest = place.shared().await;
        let answer = guest.append(sample::append(1, 0, 2));
        let answer = tokio::time::timeout(Duration::from_secs(20), answer).await;
        match answer.expect("it does not hang") {
            Ok(appended) => assert!(made && appended.last == 2),
            Err(error) => assert!(!made && matches!(error, AppendError::Closed), "{error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_listens_to_many_runs_and_those_that_ended_make_room() {
    let place = Place::new();
    let owner = place.shared().await;
    let guest = place.shared().await;
    // It ended before anybody listened to it: no notice will tell that nobody needs it.
    let mut ended = sample::append(7, 0, 2);
    ended.summary.status = RunStatus::Cancelled;
    owner.append(ended).await.unwrap();
    let most = u32::try_from(WATCHES_MAX).unwrap();
    for run in 0..most {
        guest.watch(sample::run(run)).await.unwrap();
    }
    let mut heard = guest.watch(sample::run(most)).await.unwrap();
    let error = guest.watch(sample::run(most + 1)).await.unwrap_err();
    let limit = WATCHES_MAX;
    assert!(
        matches!(error, Error::TooManyWatches { limit: told } if told == limit),
        "{error:?}"
    );
    owner.append(sample::append(most, 0, 3)).await.unwrap();
    let last = heard.wait_for(|last| *last == 3);
    let waited = tokio::time::timeout(Duration::from_secs(20), last).await;
    assert_eq!(*waited.expect("it is heard of").unwrap(), 3);
}
