//! How far an answer is, told to whoever listens. It is no history: nothing of it is in the log.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Place;
use crate::engine::progress::{Progress, Writing};
use crate::generator::Written;
use crate::time::Timestamp;

/// Shortest time between two words of it: a model says a piece for every token.
const EVERY: Duration = Duration::from_millis(100);

/// Passes on what a generator says of itself.
pub(super) struct Heard<'a> {
    place: &'a Place<'a>,
    by: &'a str,
    last: Mutex<Option<Timestamp>>,
    written: Mutex<Written>,
}

impl<'a> Heard<'a> {
    pub(super) fn of(place: &'a Place<'a>, by: &'a str) -> Self {
        Self {
            place,
            by,
            last: Mutex::default(),
            written: Mutex::default(),
        }
    }

    /// How far it was when it was last heard of.
    pub(super) fn written(&self) -> Written {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hear(&self, written: Written) {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = written;
        let shared = self.place.shared;
        let now = shared.ports.clock.now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| now.since(last) < EVERY) {
            return;
        }
        *last = Some(now);
        shared.tell(Progress::Writing(Writing {
            run: self.place.state.run,
            step: self.place.step_state.path.clone(),
            by: self.by.to_owned(),
            written,
            time: now,
        }));
    }
}
