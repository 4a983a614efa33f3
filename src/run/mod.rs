//! The event-sourced machine: a run is a history of events, its state a fold over them, and nothing else.
//!
//! [`decide`] turns commands into events, [`advance`] adds what follows from the state alone, [`effects`]
//! says what the engine owes. All three are pure; [`RunState::apply`] is the only way that a state changes.

mod advance;
mod apply;
mod cache;
mod clock;
mod command;
mod compare;
mod decide;
mod effect;
mod event;
mod explain;
mod fork;
mod frame;
mod generate;
mod handler;
mod migration;
mod outputs;
mod oversize;
pub mod payload;
mod question;
mod record;
mod rerun;
mod retention;
mod retry;
mod rewind;
mod scope;
mod sensitive;
mod state;
mod summary;
mod view;

pub use advance::{ITEMS_MAX, KEY_CHARS_MAX, advance, ask_rules, blocked};
pub use apply::IllegalEvent;
pub use cache::{Look, bypassed, changed_parts, is_cacheable, keeps, known_parts, set_aside};
pub use clock::RunClock;
pub use command::{ANSWER_DONE, ANSWER_RUN_AGAIN, Command, Life, Refusal, UNKNOWN_ANSWER, Vote};
pub use compare::{Agreement, FileDiff, RunDiff, StepDiff, ValueDiff, compare};
pub use decide::{FALSE_STARTS_MAX, INTERRUPTIONS_MAX, decide, may_have_begun};
pub use effect::{Effect, effects};
pub use event::{Empty, Event, EventError, REGISTRY, Recorded};
pub use explain::{Reason, decided_at, explain};
pub use fork::{Forking, forking};
pub use frame::{Change, Frame, FrameKind, NodeId, Stop, key_text};
pub use generate::{Due, Generation, Standing, standing};
pub use handler::HandlerState;
pub use migration::{Comparison, compare_plans};
pub use oversize::{instead, unrecorded};
pub use question::{ApprovalState, Questions, may_answer, nobody_may_approve};
pub use record::{Actor, Epoch, NewRecord, ParseActorError, Record, Seq};
pub use rerun::{Reopening, reopening};
pub use retention::{Overdue, overdue};
pub use retry::{Moment, RETRY_AFTER_MS};
pub use scope::{RunScope, check_json};
pub use sensitive::{HIDDEN, Reveal, shown_outputs, shown_results, shown_run_outputs};
pub use state::{
    Attempt, AttemptStatus, ChildState, Ending, MapState, RoundsState, RunState, Signal, Slots,
    StepState, StepStatus,
};
pub use summary::{OpenQuestion, RunStatus, RunSummary};
pub use view::{approval_json, reused_json, run_json, run_json_with, summary};
