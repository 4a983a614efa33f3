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

/// A line for people, for example of an environment being built.
#[derive(Debug, Clone)]
pub struct Note {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepPath,
    /// The line.
    pub text: String,
}
