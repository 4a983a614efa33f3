//! What listeners hear: durable events, and notes that are for people only.

use crate::id::{RunId, StepPath};
use crate::run::Recorded;

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
