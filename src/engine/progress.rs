//! What listeners hear: durable events, and notes that are for people only.

use crate::generator::Written;
use crate::id::{RunId, StepPath};
use crate::run::Recorded;
use crate::time::Timestamp;

/// A message to whoever listens.
#[derive(Debug, Clone)]
pub enum Progress {
    /// An event is durable.
    Event {
        /// The run.
        run: RunId,
        /// The event.
        recorded: Box<Recorded>,
    },
    /// Something is under way that the log does not record.
    Note(Note),
    /// Code is being written. It comes a few times a second, and never after the writing has ended.
    Writing(Writing),
}

/// How far the code of a step is that somebody writes.
#[derive(Debug, Clone)]
pub struct Writing {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepPath,
    /// Who writes: the model, or the generator that has none.
    pub by: String,
    /// How much there is.
    pub written: Written,
    /// When that was so.
    pub time: Timestamp,
}

impl Note {
    /// Who or what it is about, in words.
    #[must_use]
    pub fn about(&self) -> &str {
        self.step.as_ref().map_or("the run", StepPath::as_str)
    }
}

/// A line for people, for example of an environment being built.
#[derive(Debug, Clone)]
pub struct Note {
    /// The run.
    pub run: RunId,
    /// The step; none = the run itself.
    pub step: Option<StepPath>,
    /// The line.
    pub text: String,
}
