//! The machine in a simulated world: no Python, no files, no waiting. Mocks stand for what steps do, scripted
//! decisions for people, and the clock goes forward only when nothing else is to be done.
//!
//! - [`World`]: what is outside the machine: mocks, people, signals, the review of code
//! - [`Rehearsal`]: one run in it, driven from effect to effect
//! - [`cases`], [`judge`]: the cases of a file, and whether what happened is what they expect
//! - [`chaos`]: one workflow with a crash after each event, and everything else that may come between

mod case;
pub mod chaos;
mod drive;
mod judge;
mod read;
mod review;
mod sample;
mod world;

pub use case::{Case, Expect, ExpectedFailure, ExpectedStep};
pub use drive::{Fault, Rehearsal, Rest};
pub use judge::{Judgement, Mismatch, judge, mock_to_paste};
pub use read::{InputResolver, cases, workflow_of};
pub use review::Review;
pub use sample::{sample, sample_inputs, sample_results};
pub use world::{
    Adopted, Answers, Decision, Delays, Does, Failing, Mocks, Outcome, SentSignal, World,
};
