//! What a person sees while runs are driven: live lines on a terminal, one line per event elsewhere.

mod live;
mod plain;
mod word;

use std::collections::HashMap;

use live::Live;
use plain::Plain;

use super::output::Output;
use crate::engine::Progress;
use crate::id::{RunId, StepPath};
use crate::run::Event;

/// Shows progress.
pub(super) struct Watcher {
    view: View,
    failed: HashMap<(RunId, StepPath), String>,
}

enum View {
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
        let view = if output.is_quiet() {
            View::Silent
        } else if output.is_live() {
            View::Live(Live::new(output.clone()))
        } else {
            View::Plain(Plain::new(output.clone()))
        };
        Self {
            view,
            failed: HashMap::new(),
        }
    }

    /// Shows one message.
    pub(super) fn take(&mut self, message: &Progress) {
        if self.is_told(message) {
            return;
        }
        match &mut self.view {
            View::Silent => {}
            View::Plain(plain) => plain.take(message),
            View::Live(live) => live.take(message),
        }
    }

    /// Whether it is the failure of a step that its last attempt has told already.
    fn is_told(&mut self, message: &Progress) -> bool {
        let Progress::Event { run, recorded } = message else {
            return false;
        };
        if let Event::AttemptFailed(failed) = &recorded.event {
            let key = (*run, failed.step.clone());
            self.failed.insert(key, failed.failure.message.clone());
        }
        let Event::StepFailed(failed) = &recorded.event else {
            return false;
        };
        let told = self.failed.remove(&(*run, failed.step.clone()));
        told.as_ref() == Some(&failed.failure.message)
    }

    /// Leaves the screen tidy.
    pub(super) fn finish(self) {
        match self.view {
            View::Silent | View::Plain(_) => {}
            View::Live(live) => live.finish(),
        }
    }
}
