//! Expressions: a strict subset of Python, evaluated over JSON values.
//!
//! Ruff's parser reads the text, [`Expression`] keeps a small tree of our own, and an evaluator with a
//! budget computes a [`Value`]. Nothing here reads a clock, a file or the environment: the same text over
//! the same [`Scope`] gives the same value, for the compiler and for the machine alike.
//!
//! - text to tree: `scan` (size and brackets, before anything recurses), `lower`, `tree`
//! - tree to value: `evaluate`, `item` (values that borrow from the scope), `function`, `method`
//! - text with `${{ }}` in it: [`Template`]
//! - quantities that workflows are written with: [`parse_duration`], [`parse_size`], [`parse_percent`]

mod datetime;
mod duration;
mod error;
mod evaluate;
mod format;
mod function;
mod item;
mod limit;
mod lower;
mod method;
mod number;
mod percent;
mod quantity;
mod reference;
mod scan;
mod scope;
mod size;
mod source;
mod template;
mod text;
mod tree;
mod value;

#[cfg(test)]
mod tests;

pub use datetime::DateTime;
pub use duration::{format_duration, parse_duration};
pub use error::Error;
pub use limit::{DEPTH_MAX, RESULT_BYTES_MAX, STEPS_MAX, TEXT_BYTES_MAX};
pub use percent::{Percent, parse_percent};
pub use quantity::ParseQuantityError;
pub use reference::{Reference, StatusFunction};
pub use scope::{Lookup, Scope, StepStatusWord};
pub use size::parse_size;
pub use source::Expression;
pub use template::{Part, Template};
pub use value::Value;
