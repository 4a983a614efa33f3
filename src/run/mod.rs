//! The event-sourced machine: a run is a history of events, its state a fold over them, and nothing else.

mod record;
mod summary;

pub use record::{Actor, Epoch, NewRecord, ParseActorError, Record, Seq};
pub use summary::{OpenQuestion, RunStatus, RunSummary};
