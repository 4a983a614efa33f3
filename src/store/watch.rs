//! Who waits to hear of appends to which run.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::id::RunId;
use crate::run::Seq;

/// Holds the last record of a run that was heard of; 0 before the first. It changes when somebody appends, whoever
/// that is. Quick appends may be heard of as one.
pub type Watch = watch::Receiver<Seq>;

/// The listeners of all runs.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    runs: Mutex<HashMap<RunId, watch::Sender<Seq>>>,
}

impl Watches {
    /// Listens to a run.
    pub(crate) fn watch(&self, run: RunId) -> Watch {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.retain(|_, listeners| listeners.receiver_count() > 0);
        runs.entry(run)
            .or_insert_with(|| watch::Sender::new(0))
            .subscribe()
    }

    /// Tells the listeners of a run that it stands at that record. Whether there are any.
    pub(crate) fn tell(&self, run: RunId, last: Seq) -> bool {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(listeners) = runs.get(&run) else {
            return false;
        };
        if listeners.receiver_count() == 0 {
            runs.remove(&run);
            return false;
        }
        listeners.send_if_modified(|heard| {
            let news = last > *heard;
            *heard = last.max(*heard);
            news
        });
        true
    }

    /// The runs that somebody listens to.
    pub(crate) fn runs(&self) -> Vec<RunId> {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.retain(|_, listeners| listeners.receiver_count() > 0);
        runs.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_hear_of_their_run_and_never_of_a_step_back() {
        let watches = Watches::default();
        let (run, other) = (RunId::from_bytes([1; 16]), RunId::from_bytes([2; 16]));
        let mut heard = watches.watch(run);
        assert!(!watches.tell(other, 9));
        assert!(watches.tell(run, 3));
        assert_eq!(*heard.borrow_and_update(), 3);
        assert!(watches.tell(run, 2));
        assert!(!heard.has_changed().unwrap());
        drop(heard);
        assert_eq!(watches.runs(), []);
        assert!(!watches.tell(run, 4));
    }
}
