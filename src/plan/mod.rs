//! The compiled workflow: immutable, content-addressed; a run never changes its plan.

mod mode;

pub use mode::Mode;
