//! What a step's code may do to the world.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether a Python step may write to the control system and outside its run folder.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Reads and computes; writes only inside its run folder.
    #[default]
    ReadOnly,
    /// May write; one attempt unless told otherwise, and never repeated blindly after a crash.
    WriteAccess,
}

impl Mode {
    /// Every spelling that is accepted; anything else is refused before any gate.
    pub const SPELLINGS: [&'static str; 4] = ["read_only", "readonly", "write_access", "readwrite"];

    /// Reads one of [`Mode::SPELLINGS`].
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "read_only" | "readonly" => Some(Self::ReadOnly),
            "write_access" | "readwrite" => Some(Self::WriteAccess),
            _ => None,
        }
    }

    /// The word that is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read_only",
            Self::WriteAccess => "write_access",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read_and_one_is_kept() {
        for word in Mode::SPELLINGS {
            assert!(Mode::parse(word).is_some(), "{word}");
        }
        assert_eq!(
            Mode::parse("readwrite").map(Mode::as_str),
            Some("write_access")
        );
        assert_eq!(Mode::parse("READONLY"), None);
    }
}
