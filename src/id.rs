//! Identities: newtypes with a literal prefix that sort in time. Parse and print only.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::time::Timestamp;

/// A word that is not an id of the expected sort.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct ParseIdError {
    text: String,
    expected: &'static str,
}

const RUN_PREFIX: &str = "run_";
const APPROVAL_PREFIX: &str = "apr_";
/// Crockford's base 32, in lower case: no i, l, o, u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// One execution of a plan. 16 bytes, UUID version 7, so that order of ids is order of creation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId([u8; 16]);

impl RunId {
    /// Length of the text after the prefix, in characters.
    pub const TEXT_LEN: usize = 26;

    /// A new id whose time part is `now`.
    #[must_use]
    pub fn generate(now: Timestamp) -> Self {
        let micros = u64::try_from(now.as_micros()).unwrap_or(0);
        let nanos = u32::try_from(micros % 1_000_000).unwrap_or(0) * 1_000;
        let stamp = uuid::Timestamp::from_unix(uuid::NoContext, micros / 1_000_000, nanos);
        Self(uuid::Uuid::new_v7(stamp).into_bytes())
    }

    /// The id of run `number` (from 0) that a step of another run starts: always the same one, and a UUID of
    /// version 7 whose time is `now`.
    #[must_use]
    pub fn derive(now: Timestamp, parent: Self, step: &StepPath, number: u32) -> Self {
        let mut hash = Sha256::new();
        hash.update(parent.0);
        hash.update(step.as_str().as_bytes());
        hash.update([0]);
        hash.update(number.to_be_bytes());
        let mut random = [0_u8; 10];
        for (slot, byte) in random.iter_mut().zip(hash.finalize()) {
            *slot = byte;
        }
        let millis = u64::try_from(now.as_micros() / 1_000).unwrap_or(0);
        Self(
            uuid::Builder::from_unix_timestamp_millis(millis, &random)
                .into_uuid()
                .into_bytes(),
        )
    }

    /// The id with exactly these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes, big-endian in time.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The last eight characters: the random part, short enough for folder names and tables.
    #[must_use]
    pub fn short(&self) -> String {
        let text = encode(u128::from_be_bytes(self.0), Self::TEXT_LEN);
        text.get(Self::TEXT_LEN - 8..)
            .unwrap_or_default()
            .to_owned()
    }

    /// Whether a person's abbreviation means this run: a prefix of the id, or four characters or more that
    /// end it or begin the short form.
    #[must_use]
    pub fn matches(&self, abbreviation: &str) -> bool {
        let text = encode(u128::from_be_bytes(self.0), Self::TEXT_LEN);
        let word = abbreviation
            .strip_prefix(RUN_PREFIX)
            .unwrap_or(abbreviation)
            .to_ascii_lowercase();
        let inside = word.len() >= 4 && (text.ends_with(&word) || self.short().starts_with(&word));
        !word.is_empty() && (text.starts_with(&word) || inside)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{RUN_PREFIX}{}",
            encode(u128::from_be_bytes(self.0), Self::TEXT_LEN)
        )
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RunId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix(RUN_PREFIX)
            .filter(|rest| rest.len() == Self::TEXT_LEN)
            .and_then(decode)
            .map(|value| Self(value.to_be_bytes()))
            .ok_or_else(|| ParseIdError {
                text: text.to_owned(),
                expected: "a run id (run_…)",
            })
    }
}

impl Serialize for RunId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn encode(mut value: u128, len: usize) -> String {
    let mut out = vec![b'0'; len];
    for slot in out.iter_mut().rev() {
        let index = usize::try_from(value & 31).unwrap_or(0);
        *slot = ALPHABET.get(index).copied().unwrap_or(b'0');
        value >>= 5;
    }
    String::from_utf8(out).unwrap_or_default()
}

fn decode(text: &str) -> Option<u128> {
    let mut value: u128 = 0;
    for byte in text.bytes() {
        let digit = ALPHABET.iter().position(|known| *known == byte)?;
        value = value
            .checked_mul(32)?
            .checked_add(u128::try_from(digit).ok()?)?;
    }
    Some(value)
}

/// The address of a step in a run: `load`, nested `strategy.clean`, later `per_bpm[BPM:01:X].fit`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepPath(String);

impl StepPath {
    /// The path written so.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for StepPath {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// One question to people. Never used twice: it is derived from the run, the step and the number of the question.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApprovalId(String);

impl ApprovalId {
    /// The id of question `round` (from 1) that this step of this run asks.
    #[must_use]
    pub fn derive(run: RunId, step: &StepPath, round: u32) -> Self {
        let mut hash = Sha256::new();
        hash.update(run.as_bytes());
        hash.update(step.as_str().as_bytes());
        hash.update([0]);
        hash.update(round.to_be_bytes());
        let mut head = [0u8; 16];
        for (slot, byte) in head.iter_mut().zip(hash.finalize()) {
            *slot = byte;
        }
        // 80 bits: 16 characters, and no two questions of one installation will ever share them.
        Self(format!(
            "{APPROVAL_PREFIX}{}",
            encode(u128::from_be_bytes(head) >> 48, 16)
        ))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApprovalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ApprovalId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix(APPROVAL_PREFIX)
            .filter(|rest| rest.len() == 16 && decode(rest).is_some())
            .map(|_| Self(text.to_owned()))
            .ok_or_else(|| ParseIdError {
                text: text.to_owned(),
                expected: "an approval id (apr_…)",
            })
    }
}

/// SHA-256 of some bytes, printed as `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

const DIGEST_PREFIX: &str = "sha256:";

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest with exactly these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hexadecimal digits, without the prefix.
    #[must_use]
    pub fn hex(&self) -> String {
        let digit = |number: u8| char::from_digit(u32::from(number), 16);
        let digits = |byte: &u8| [digit(byte >> 4), digit(byte & 15)];
        self.0.iter().flat_map(digits).flatten().collect()
    }

    /// The first twelve digits, for tables.
    #[must_use]
    pub fn short(&self) -> String {
        self.hex().chars().take(12).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{DIGEST_PREFIX}{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseIdError {
            text: text.to_owned(),
            expected: "a digest (sha256:…)",
        };
        let hex = text
            .strip_prefix(DIGEST_PREFIX)
            .filter(|hex| hex.len() == 64)
            .ok_or_else(bad)?;
        let mut digits = hex
            .chars()
            .map(|char| u8::try_from(char.to_digit(16)?).ok());
        let mut digit = || digits.next().flatten().ok_or_else(bad);
        let mut bytes = [0u8; 32];
        for slot in &mut bytes {
            *slot = digit()? << 4 | digit()?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(DigestText)
    }
}

/// Reads a digest from text that it only looks at: a history has several of them in every other event.
struct DigestText;

impl serde::de::Visitor<'_> for DigestText {
    type Value = Digest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a digest (sha256:…)")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Digest, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_sort_in_time_and_survive_text() {
        let early = RunId::generate(Timestamp::from_micros(1_000_000));
        let late = RunId::generate(Timestamp::from_micros(2_000_000));
        assert!(early < late);
        assert!(early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse::<RunId>().unwrap(), early);
        assert!("run_!".parse::<RunId>().is_err());
        assert!(early.matches(&early.short()));
        assert!(early.matches(&early.short()[..4]) && early.matches(&early.short()[4..]));
        assert!(!early.matches(&early.short()[..3]));
        assert!(!late.matches(&early.short()));
    }

    #[test]
    fn approval_ids_differ_by_run_step_and_round() {
        let run = RunId::from_bytes([7; 16]);
        let first = ApprovalId::derive(run, &"apply".into(), 1);
        assert_eq!(first, ApprovalId::derive(run, &"apply".into(), 1));
        assert_ne!(first, ApprovalId::derive(run, &"apply".into(), 2));
        assert_ne!(first, ApprovalId::derive(run, &"load".into(), 1));
        assert_eq!(first.to_string().parse::<ApprovalId>().unwrap(), first);
    }

    #[test]
    fn a_digest_survives_text() {
        let digest = Digest::of(b"stepwell");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        assert!("sha256:zz".parse::<Digest>().is_err());
        let digits = "0f".repeat(32);
        assert_eq!(Digest::from_bytes([0x0f; 32]).hex(), digits);
        for bad in [digits.replacen('f', "g", 1), digits.replacen("0f", "é", 1)] {
            assert!(format!("sha256:{bad}").parse::<Digest>().is_err(), "{bad}");
        }
    }
}
