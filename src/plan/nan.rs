//! Numbers that JSON can't say.

use serde::{Deserialize, Serialize};

/// What happens to NaN and infinities in results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NanPolicy {
    /// The attempt fails with `results_not_finite`.
    #[default]
    Refuse,
    /// They become null, with a note.
    Null,
}

impl NanPolicy {
    /// The words of YAML.
    pub const WORDS: [(&'static str, Self); 2] = [("refuse", Self::Refuse), ("null", Self::Null)];

    /// Whether it is what holds when nothing is said.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}
