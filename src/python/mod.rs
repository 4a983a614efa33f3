//! What Stepwell knows of Python, as pure functions on text.

pub mod analysis;
pub mod cells;
pub mod notebook;
pub mod outcome;
pub mod reference;

/// The module that makes `context`, as Python text: in the harness, and in notebooks that run again.
pub const CONTEXT: &str = include_str!("context.py");
