//! Progress on a terminal: a line with a clock for each running step, and the lines of what has happened above them.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::word::{Said, how_far, said};
use crate::cli::output::Output;
use crate::cli::view::text::{elapsed, line, painted_mark_err};
use crate::engine::Progress;
use crate::id::{RunId, StepPath};
use crate::time::Timestamp;

/// How often the clocks move.
const TICK: Duration = Duration::from_millis(100);

/// Draws and redraws.
pub(in crate::cli) struct Live {
    output: Output,
    running: HashMap<(RunId, StepPath), (ProgressBar, Timestamp)>,
    preparing: HashMap<(RunId, StepPath), ProgressBar>,
}

impl Live {
    pub(super) fn new(output: Output) -> Self {
        Self {
            output,
            running: HashMap::new(),
            preparing: HashMap::new(),
        }
    }

    pub(super) fn take(&mut self, message: &Progress) {
        match message {
            Progress::Note(note) => {
                let text = format!("{}: {}", note.about(), line(&note.text));
                let Some(step) = note.step.clone() else {
                    return self.say("·", &text, None);
                };
                let key = (note.run, step);
                match self.running.get(&key) {
                    Some((bar, _)) => bar.set_message(text),
                    None => self.prepare(key, text),
                }
            }
            Progress::Writing(writing) => {
                let key = (writing.run, writing.step.clone());
                let shown = !self.output.is_json();
                if let Some((bar, _)) = self.running.get(&key).filter(|_| shown) {
                    bar.set_message(how_far(writing));
                }
            }
            Progress::Event { run, recorded } => match said(&recorded.event) {
                None => {}
                Some(Said::Begins { step, text }) => {
                    self.begin((*run, step.clone()), text, recorded.time);
                }
                Some(Said::Ends { step, mark, text }) => {
                    let begun = self.end(&(*run, step.clone()));
                    let time = begun.map(|begun| elapsed(recorded.time.since(begun)));
                    self.say(mark, &text, time.as_deref());
                }
                Some(Said::Remark { mark, text }) => self.say(mark, &text, None),
            },
        }
    }

    pub(super) fn finish(self) {
        let bars = self
            .running
            .into_values()
            .map(|(bar, _)| bar)
            .chain(self.preparing.into_values());
        for bar in bars {
            bar.finish_and_clear();
        }
    }

    fn prepare(&mut self, key: (RunId, StepPath), text: String) {
        let output = &self.output;
        self.preparing
            .entry(key)
            .or_insert_with(|| spinner(output))
            .set_message(text);
    }

    fn begin(&mut self, key: (RunId, StepPath), text: String, at: Timestamp) {
        let bar = self
            .preparing
            .remove(&key)
            .unwrap_or_else(|| spinner(&self.output));
        bar.reset_elapsed();
        bar.set_message(text);
        self.running.insert(key, (bar, at));
    }

    fn end(&mut self, key: &(RunId, StepPath)) -> Option<Timestamp> {
        if let Some(bar) = self.preparing.remove(key) {
            bar.finish_and_clear();
        }
        let (bar, begun) = self.running.remove(key)?;
        bar.finish_and_clear();
        Some(begun)
    }

    fn say(&self, mark: &str, text: &str, time: Option<&str>) {
        let time = time.map(|time| format!("  {time}")).unwrap_or_default();
        self.output
            .remark(&format!("{} {text}{time}", painted_mark_err(mark)));
    }
}

/// One line, cut at the edge of the terminal.
const TEMPLATE: &str = "{spinner} {elapsed:>4} {wide_msg}";

fn spinner(output: &Output) -> ProgressBar {
    let bar = output.bars().add(ProgressBar::new_spinner());
    // The template is ours and a test reads it; should it be refused, the default one does.
    if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_understood() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
