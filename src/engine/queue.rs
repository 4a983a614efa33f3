//! Who waits for places in this process: first come, first served.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::run::payload::SlotWish;

/// The line of everybody who waits.
#[derive(Debug, Default)]
pub(super) struct Queue {
    line: Mutex<Line>,
    released: Notify,
}

#[derive(Debug, Default)]
struct Line {
    next: u64,
    waiting: Vec<(u64, Vec<String>)>,
}

impl Queue {
    /// Takes a number.
    pub(super) fn enter(&self, wishes: &[SlotWish]) -> Ticket<'_> {
        let mut line = self.line();
        let number = line.next;
        line.next += 1;
        let keys = wishes.iter().map(|wish| wish.key.clone()).collect();
        line.waiting.push((number, keys));
        drop(line);
        Ticket {
            queue: self,
            number,
        }
    }

    /// Ends when somebody may have let go of something after this was called.
    pub(super) fn released(&self) -> Notified<'_> {
        self.released.notified()
    }

    /// Wakes everybody who waits.
    pub(super) fn release(&self) {
        self.released.notify_waiters();
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the line; given up when it is dropped.
#[derive(Debug)]
pub(super) struct Ticket<'a> {
    queue: &'a Queue,
    number: u64,
}

impl Ticket<'_> {
    /// Whether nobody who came before waits for one of the same things.
    pub(super) fn is_first(&self) -> bool {
        let line = self.queue.line();
        let mine = line
            .waiting
            .iter()
            .find(|(number, _)| *number == self.number);
        let Some((_, mine)) = mine else {
            return false;
        };
        let mut before = line
            .waiting
            .iter()
            .filter(|(number, _)| *number < self.number);
        !before.any(|(_, keys)| keys.iter().any(|key| mine.contains(key)))
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.queue
            .line()
            .waiting
            .retain(|(number, _)| *number != self.number);
        self.queue.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::WhenFull;

    fn wish(key: &str) -> Vec<SlotWish> {
        vec![SlotWish {
            key: key.to_owned(),
            limit: 1,
            when_full: WhenFull::Queue,
        }]
    }

    #[test]
    fn first_come_first_served_for_each_key() {
        let queue = Queue::default();
        let first = queue.enter(&wish("a"));
        let second = queue.enter(&wish("a"));
        let other = queue.enter(&wish("b"));
        assert!(first.is_first() && !second.is_first() && other.is_first());
        drop(first);
        assert!(second.is_first());
    }
}
