//! What Stepwell knows of Python, as pure functions on text.

pub mod analysis;
pub mod notebook;
pub mod outcome;
