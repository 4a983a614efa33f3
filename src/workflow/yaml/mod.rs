//! YAML as the authors of workflows and of `config.yml` may write it: one document, plain data, exact places.
//!
//! The parser is serde-saphyr's own (docs/adr/003-yaml.md). It yields events; [`tree`] turns them into
//! [`Node`]s with the bytes that each key and value stands at, and refuses what a reader would take one
//! way and a machine another: duplicate keys, tags, anchors outside `x-` keys, numbers that don't fit.

mod bytes;
mod explain;
mod fields;
mod habit;
mod inside;
mod node;
mod report;
mod scalar;
#[cfg(test)]
mod tests;
mod tree;

pub use bytes::decode;
pub use fields::{
    Fields, Keys, PRIVATE_KEYS, boolean, fields, list, map, not_supported, number, old_boolean,
    text, texts, unknown_word, whole, word, wrong_type, wrong_type_with,
};
pub use inside::{Inside, place_inside};
pub use node::{Entry, Kind, Node};
pub use report::Report;
pub use scalar::plain;
pub use tree::tree;

/// Largest file that is read at all, in bytes.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Most nodes of a document, aliases counted as often as they are used.
pub const NODES_MAX: usize = 50_000;
/// Deepest nesting of lists and maps.
pub const DEPTH_MAX: usize = 40;
/// Most aliases (`*name`) of a document.
pub const ALIASES_MAX: usize = 200;
/// Most bytes of text that aliases may repeat.
pub const ALIAS_BYTES_MAX: usize = 1024 * 1024;
