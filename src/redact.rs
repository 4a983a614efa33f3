//! Taking secrets out of text before people, logs or files see it.
//!
//! A secret is found by its value, in the spellings that it gets on its way: as it is, in base64 (also in the
//! middle of a longer text, as in `Basic` credentials), percent-encoded for URLs, escaped for JSON, and as the name
//! of a file that is kept under a title. Other disguises (hex, reversed, split over two lines) are not found: who prints a secret on purpose can.

mod piecewise;

pub use piecewise::Piecewise;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

/// Shortest value that can be a secret, in characters: shorter ones would be found everywhere.
pub const SECRET_CHARS_MIN: usize = 4;

/// A secret that can't be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the secret `{name}` has fewer than {SECRET_CHARS_MIN} characters: text could not be kept free of it"
)]
pub struct TooShort {
    /// Its name.
    pub name: String,
}

/// Replaces secrets by `***name***`.
#[derive(Clone, Default)]
pub struct Redactor {
    /// What is looked for and what stands for it, longest first.
    patterns: Vec<(Vec<u8>, String)>,
    /// For every byte whether one of them begins with it: most places of a text are passed by one look.
    firsts: Vec<bool>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: BTreeSet<&str> = self
            .patterns
            .iter()
            .map(|(_, mask)| mask.as_str())
            .collect();
        f.debug_tuple("Redactor").field(&names).finish()
    }
}

impl Redactor {
    /// Keeps these secrets, by name. Of two with the same value the first gives the name.
    ///
    /// # Errors
    /// A value is too short.
    pub fn new<N: Into<String>, V: AsRef<str>>(
        secrets: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, TooShort> {
        let mut patterns: Vec<(Vec<u8>, String)> = Vec::new();
        for (name, value) in secrets {
            let (name, value) = (name.into(), value.as_ref());
            if value.chars().count() < SECRET_CHARS_MIN {
                return Err(TooShort { name });
            }
            let mask = format!("***{name}***");
            for spelling in spellings(value) {
                if !patterns.iter().any(|(known, _)| *known == spelling) {
                    patterns.push((spelling, mask.clone()));
                }
            }
        }
        // Stable: of equally long ones the first named stays first.
        patterns.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.len()));
        let firsts = (0..=u8::MAX)
            .map(|byte| {
                patterns
                    .iter()
                    .any(|(pattern, _)| pattern.first() == Some(&byte))
            })
            .collect();
        Ok(Self { patterns, firsts })
    }

    /// Whether there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// The text without secrets.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.replaced(text.as_bytes()) {
            None => Cow::Borrowed(text),
            // Secrets and masks are UTF-8, and a whole secret never begins inside a character.
            Some(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// The bytes without secrets. A secret that lies across the border of two pieces is found in neither:
    /// pass what belongs together at once.
    #[must_use]
    pub fn bytes<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        self.replaced(bytes)
            .map_or(Cow::Borrowed(bytes), Cow::Owned)
    }

    /// The value without secrets, in its texts and in its keys. Two keys that become the same are told apart
    /// by a number, so that nothing is lost. A number or a bool is never a secret.
    #[must_use]
    pub fn value(&self, value: &Value) -> Value {
        if self.is_empty() {
            return value.clone();
        }
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
            Value::String(text) => Value::String(self.text(text).into_owned()),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(fields) => {
                let mut kept = serde_json::Map::new();
                for (key, value) in fields {
                    let shown = self.text(key);
                    let mut key = shown.clone().into_owned();
                    let mut number = 2_u64;
                    while kept.contains_key(&key) || (key != shown && fields.contains_key(&key)) {
                        key = format!("{shown} {number}");
                        number += 1;
                    }
                    kept.insert(key, self.value(value));
                }
                Value::Object(kept)
            }
        }
    }

    /// None = there is none in it. Secrets that overlap go as one, under the name of the longest.
    fn replaced(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.is_empty() {
            return None;
        }
        let mut out = Vec::new();
        let (mut at, mut kept_from) = (0, 0);
        while at < bytes.len() {
            let Some((mut longest, mut mask)) = self.at(bytes, at) else {
                at += 1;
                continue;
            };
            out.extend_from_slice(bytes.get(kept_from..at).unwrap_or_default());
            let mut end = at + longest;
            while at < end {
                at += 1;
                if let Some((length, name)) = self.at(bytes, at)
                    && at < end
                    && at + length > end
                {
                    end = at + length;
                    if length > longest {
                        (longest, mask) = (length, name);
                    }
                }
            }
            out.extend_from_slice(mask.as_bytes());
            kept_from = end;
        }
        (kept_from > 0).then(|| {
            out.extend_from_slice(bytes.get(kept_from..).unwrap_or_default());
            out
        })
    }

    /// The longest secret that begins at this place: its length and its mask.
    fn at(&self, bytes: &[u8], at: usize) -> Option<(usize, &str)> {
        let rest = bytes.get(at..)?;
        let first = rest.first()?;
        if !self
            .firsts
            .get(usize::from(*first))
            .copied()
            .unwrap_or(false)
        {
            return None;
        }
        self.patterns
            .iter()
            .find(|(pattern, _)| rest.starts_with(pattern))
            .map(|(pattern, mask)| (pattern.len(), mask.as_str()))
    }
}

/// Every way in which a value may stand in a text.
fn spellings(value: &str) -> BTreeSet<Vec<u8>> {
    let mut spellings = BTreeSet::from([value.as_bytes().to_vec()]);
    for inner in [value.to_owned(), json_escaped(value), json_ascii(value)] {
        spellings.insert(inner.into_bytes());
    }
    for upper in [true, false] {
        for plus in [true, false] {
            spellings.insert(percent(value, upper, plus).into_bytes());
        }
    }
    for offset in 0..3 {
        spellings.extend(base64_inside(value, offset));
    }
    spellings.extend(file_name(value).map(String::into_bytes));
    spellings
}

/// As the name of a file that is kept under a title: `_` for whatever is neither a letter nor a digit.
fn file_name(value: &str) -> Option<String> {
    let plain = |c: char| c.is_alphanumeric() || "._-".contains(c);
    let name: String = value
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    let name = name.trim_matches(['.', '_']);
    let letters = name.chars().filter(|c| c.is_alphanumeric()).count();
    (letters >= SECRET_CHARS_MIN).then(|| name.to_owned())
}

fn json_escaped(value: &str) -> String {
    let quoted = Value::from(value).to_string();
    quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(&quoted)
        .to_owned()
}

/// As Python's `json.dumps` does it: everything outside of ASCII as `\uXXXX`.
fn json_ascii(value: &str) -> String {
    let mut out = String::new();
    let mut units = [0; 2];
    for c in json_escaped(value).chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String can't fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// For URLs. `plus`: as in forms, where a space is `+`.
fn percent(value: &str, upper: bool, plus: bool) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        let _ = match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                write!(out, "{}", char::from(byte))
            }
            b' ' if plus => write!(out, "+"),
            _ if upper => write!(out, "%{byte:02X}"),
            _ => write!(out, "%{byte:02x}"),
        };
    }
    out
}

/// The characters that a value gets in base64 when `offset` bytes stand before it in its group of three,
/// without the first and last that also depend on its neighbours. In both alphabets.
fn base64_inside(value: &str, offset: usize) -> Vec<Vec<u8>> {
    let mut bytes = vec![0; offset];
    bytes.extend_from_slice(value.as_bytes());
    let bits_whole = bytes.len() * 8 / 6;
    let skipped = (offset * 8).div_ceil(6);
    [
        STANDARD_NO_PAD.encode(&bytes),
        URL_SAFE_NO_PAD.encode(&bytes),
    ]
    .into_iter()
    .flat_map(|text| {
        let inner = text.get(skipped..bits_whole).unwrap_or_default().to_owned();
        // At the end of a text the last character is known too, and is gone with the rest.
        let whole = text.get(skipped..).unwrap_or_default().to_owned();
        [inner, whole]
    })
    .map(String::into_bytes)
    // A short value leaves a few characters only, which stand everywhere.
    .filter(|text| text.len() >= SECRET_CHARS_MIN)
    .collect()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn keeping(value: &str) -> Redactor {
        Redactor::new([("token", value)]).unwrap()
    }

    #[test]
    fn every_spelling_is_found() {
        let value = "pä\"ss w/rd+1?";
        let redactor = keeping(value);
        for disguised in [
            value.to_owned(),
            json!(value).to_string().trim_matches('"').to_owned(),
            "p\\u00e4\\\"ss w/rd+1?".to_owned(),
            "p%C3%A4%22ss%20w%2Frd%2B1%3F".to_owned(),
            "p%c3%a4%22ss+w%2frd%2b1%3f".to_owned(),
            STANDARD.encode(value).trim_end_matches('=').to_owned(),
            URL_SAFE.encode(value).trim_end_matches('=').to_owned(),
        ] {
            assert_eq!(
                redactor.text(&format!("a {disguised} b {disguised}")),
                "a ***token*** b ***token***"
            );
        }
    }

    #[test]
    fn basic_credentials_do_not_give_it_away() {
        let redactor = keeping("open sesame");
        for user in ["a", "ab", "abc", "abcd"] {
            for after in ["", "!", "!!", "!!!"] {
                let header = STANDARD.encode(format!("{user}:open sesame{after}"));
                let shown = redactor.text(&header).into_owned();
                assert!(shown.contains("***token***"), "{user}{after}: {shown}");
            }
        }
    }

    #[test]
    fn the_longer_secret_goes_first() {
        let redactor = Redactor::new([("short", "abcd"), ("long", "abcdef"), ("again", "abcd")]);
        let redactor = redactor.unwrap();
        assert_eq!(redactor.text("abcdef abcde"), "***long*** ***short***e");
        let redactor = Redactor::new([("first", "abcd"), ("second", "cdefg")]).unwrap();
        assert_eq!(
            redactor.text("-abcdefg-abcd-"),
            "-***second***-***first***-"
        );
    }

    #[test]
    fn a_short_secret_is_refused_by_name_only() {
        let error = Redactor::new([("pin", "äöü")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the secret `pin` has fewer than 4 characters: text could not be kept free of it"
        );
        assert!(!format!("{:?}", keeping("hidden")).contains("hidden"));
    }

    #[test]
    fn values_are_walked_with_their_keys() {
        let redactor = keeping("s3cret");
        let value = json!({
            "list": ["a s3cret", 7, null, true],
            "s3cret": {"deep": "s3crets3cret"},
            "***token***": 1,
        });
        assert_eq!(
            redactor.value(&value),
            json!({
                "list": ["a ***token***", 7, null, true],
                "***token***": {"deep": "***token******token***"},
                "***token*** 2": 1,
            })
        );
    }

    #[test]
    fn nothing_to_keep_costs_nothing() {
        let redactor = Redactor::default();
        assert!(redactor.is_empty());
        assert!(matches!(redactor.text("some text"), Cow::Borrowed(_)));
        assert!(matches!(keeping("s3cret").bytes(b"some"), Cow::Borrowed(_)));
    }

    #[test]
    fn bytes_that_are_no_text_stay() {
        let shown = keeping("s3cret").bytes(b"\xff s3cret \xfe").into_owned();
        assert_eq!(shown, b"\xff ***token*** \xfe");
    }

    proptest! {
        #[test]
        fn no_secret_survives_in_any_spelling(
            // No star: a secret of stars would live on in the mask.
            secrets in prop::collection::vec("[a-zA-Z0-9 \"\\\\/+=&%äß\u{1f600}]{4,12}", 1..4),
            before in ".{0,8}",
            after in ".{0,8}",
        ) {
            let named: Vec<(String, String)> = secrets
                .iter()
                .enumerate()
                .map(|(index, secret)| (format!("#{index}#"), secret.clone()))
                .collect();
            let redactor = Redactor::new(named).unwrap();
            for secret in &secrets {
                let json = Value::from(secret.as_str()).to_string();
                for spelling in [
                    secret.clone(),
                    json.clone(),
                    STANDARD.encode(secret),
                    URL_SAFE.encode(secret),
                    percent(secret, true, false),
                    percent(secret, false, true),
                ] {
                    let text = format!("{before}{spelling}{after}");
                    let shown = redactor.text(&text).into_owned();
                    prop_assert!(!shown.contains(secret.as_str()), "{text} -> {shown}");
                    let bare = spelling.trim_end_matches('=');
                    prop_assert!(!shown.contains(bare), "{text} -> {shown}");
                    let bytes = redactor.bytes(text.as_bytes()).into_owned();
                    prop_assert_eq!(bytes, shown.clone().into_bytes());
                    let value = redactor.value(&json!({text.clone(): [text.clone()]}));
                    let expected = json!({shown.clone(): [shown]});
                    prop_assert_eq!(value, expected);
                }
            }
        }

        #[test]
        fn text_without_secrets_is_not_touched(text in ".{0,40}") {
            let redactor = keeping("\u{0}never there\u{0}");
            prop_assert_eq!(redactor.text(&text).into_owned(), text);
        }
    }
}
