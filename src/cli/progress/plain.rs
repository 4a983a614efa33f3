//! Progress without a terminal: one line per event, no control codes.

use std::collections::HashMap;
use std::time::Duration;

use super::word::{Said, how_far, said};
use crate::cli::output::Output;
use crate::cli::view::text::{elapsed, line};
use crate::engine::{Progress, Writing};
use crate::id::{RunId, StepPath};
use crate::time::Timestamp;

/// Prints each event that a person cares about.
pub(in crate::cli) struct Plain {
    output: Output,
    begun: HashMap<(RunId, StepPath), Timestamp>,
    written: HashMap<(RunId, StepPath), Timestamp>,
}

/// Shortest time between two lines about code that is being written.
const WRITING_EVERY: Duration = Duration::from_secs(10);

impl Plain {
    pub(super) fn new(output: Output) -> Self {
        Self {
            output,
            begun: HashMap::new(),
            written: HashMap::new(),
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
            Progress::Writing(writing) => {
                if self.is_due(writing) {
                    let text = format!("{} · {}", writing.run.short(), how_far(writing));
                    self.output.remark(&text);
                }
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

    /// Whether it is long since the last line about this code, or since its writing began. A program that reads JSON
    /// hears nothing of it.
    fn is_due(&mut self, writing: &Writing) -> bool {
        let key = (writing.run, writing.step.clone());
        let Some(begun) = self.begun.get(&key).copied() else {
            return false;
        };
        let last = self
            .written
            .get(&key)
            .copied()
            .map_or(begun, |last| last.max(begun));
        let due = !self.output.is_json() && writing.time.since(last) >= WRITING_EVERY;
        if due {
            self.written.insert(key, writing.time);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::Manner;
    use crate::generator::Written;

    fn writing(seconds: i64) -> Writing {
        Writing {
            run: RunId::from_bytes([7; 16]),
            step: StepPath::new("fit"),
            by: "small-1".to_owned(),
            written: Written::default(),
            time: Timestamp::from_micros(seconds * 1_000_000),
        }
    }

    #[test]
    fn lines_about_code_that_is_written_are_sparse_and_none_for_programs() {
        for json in [false, true] {
            let manner = Manner {
                json,
                ..Manner::default()
            };
            let mut plain = Plain::new(Output::new(manner));
            let key = (writing(0).run, StepPath::new("fit"));
            plain.begun.insert(key, Timestamp::from_micros(0));
            let due: Vec<i64> = (0..35)
                .filter(|second| plain.is_due(&writing(*second)))
                .collect();
            let expected: &[i64] = if json { &[] } else { &[10, 20, 30] };
            assert_eq!(due, expected);
        }
        let mut plain = Plain::new(Output::new(Manner::default()));
        assert!(!plain.is_due(&writing(60)), "nobody began");
    }
}
