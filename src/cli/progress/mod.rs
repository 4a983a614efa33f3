//! What a person sees while runs are driven: live lines on a terminal, one line per event elsewhere.

mod live;
mod plain;
mod word;

use live::Live;
use plain::Plain;

use super::output::Output;
use crate::engine::Progress;

/// Shows progress.
pub(super) enum Watcher {
    /// Not at all.
    Silent,
    /// One line per event.
    Plain(Plain),
    /// Lines that change.
    Live(Live),
}

impl Watcher {
    /// The way that fits the place where it is shown.
    pub(super) fn new(output: &Output) -> Self {
        if output.is_quiet() {
            Self::Silent
        } else if output.is_live() {
            Self::Live(Live::new(output.clone()))
        } else {
            Self::Plain(Plain::new(output.clone()))
        }
    }

    /// Shows one message.
    pub(super) fn take(&mut self, message: &Progress) {
        match self {
            Self::Silent => {}
            Self::Plain(plain) => plain.take(message),
            Self::Live(live) => live.take(message),
        }
    }

    /// Leaves the screen tidy.
    pub(super) fn finish(self) {
        match self {
            Self::Silent | Self::Plain(_) => {}
            Self::Live(live) => live.finish(),
        }
    }
}
