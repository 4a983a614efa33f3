//! Progress without a terminal: one line per event, no control codes.

use std::collections::HashMap;

use super::word::{Said, said};
use crate::cli::output::Output;
use crate::cli::view::text::{elapsed, line};
use crate::engine::Progress;
use crate::id::{RunId, StepPath};
use crate::time::Timestamp;

/// Prints each event that a person cares about.
pub(in crate::cli) struct Plain {
    output: Output,
    begun: HashMap<(RunId, StepPath), Timestamp>,
}

impl Plain {
    pub(super) fn new(output: Output) -> Self {
        Self {
            output,
            begun: HashMap::new(),
        }
    }

    pub(super) fn take(&mut self, message: &Progress) {
        match message {
            Progress::Note(note) => {
                let text = format!(
                    "{} · {}: {}",
                    note.run.short(),
                    note.about(),
                    line(&note.text)
                );
                self.output.remark(&text);
            }
            Progress::Event { run, recorded } => {
                let Some(said) = said(&recorded.event) else {
                    return;
                };
                let text = match said {
                    Said::Begins { step, text } => {
                        self.begun.insert((*run, step.clone()), recorded.time);
                        format!("· {text}")
                    }
                    Said::Ends { step, mark, text } => {
                        let begun = self.begun.remove(&(*run, step.clone()));
                        let time = begun
                            .map(|begun| format!(" ({})", elapsed(recorded.time.since(begun))));
                        format!("{mark} {text}{}", time.unwrap_or_default())
                    }
                    Said::Remark { mark, text } => format!("{mark} {text}"),
                };
                self.output.remark(&format!("{} {text}", run.short()));
            }
        }
    }
}
