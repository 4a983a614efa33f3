//! Secrets in bytes that come in pieces, as a process prints them.

use std::borrow::Cow;

use super::Redactor;

/// Most bytes that are held back. Only secrets that overlap without end come so far; then what is held goes out
/// as it is known by then.
const HELD_BYTES_MAX: usize = 1 << 20;

/// Keeps a stream free of secrets, also of those that lie across two pieces. It holds back only what may be the
/// beginning of a secret.
#[derive(Debug)]
pub struct Piecewise {
    redactor: Redactor,
    held: Vec<u8>,
    found: bool,
}

impl Piecewise {
    /// A stream from its beginning.
    #[must_use]
    pub fn new(redactor: Redactor) -> Self {
        Self {
            redactor,
            held: Vec::new(),
            found: false,
        }
    }

    /// The next piece; gives what can be shown by now.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        if self.redactor.is_empty() {
            return piece.to_vec();
        }
        self.held.extend_from_slice(piece);
        let mut settled = self.redactor.settled(&self.held);
        if settled == 0 && self.held.len() > HELD_BYTES_MAX {
            settled = self.held.len();
        }
        let shown: Vec<u8> = self.held.drain(..settled).collect();
        self.shown(&shown)
    }

    /// What was held back, at the end of the stream.
    pub fn finish(&mut self) -> Vec<u8> {
        let rest = std::mem::take(&mut self.held);
        self.shown(&rest)
    }

    /// Whether there was a secret in it so far.
    #[must_use]
    pub fn found(&self) -> bool {
        self.found
    }

    fn shown(&mut self, bytes: &[u8]) -> Vec<u8> {
        let shown = self.redactor.bytes(bytes);
        self.found |= matches!(shown, Cow::Owned(_));
        shown.into_owned()
    }
}

impl Redactor {
    /// How many bytes from the beginning mean the same whatever follows them.
    fn settled(&self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            if self.may_begin(bytes, at) {
                return at;
            }
            let Some((length, _)) = self.at(bytes, at) else {
                at += 1;
                continue;
            };
            // Secrets that overlap go as one, so they are settled as one.
            let start = at;
            let mut end = at + length;
            while at < end {
                if at > start && self.may_begin(bytes, at) {
                    return start;
                }
                let longer = self.at(bytes, at).map_or(0, |(length, _)| at + length);
                end = end.max(longer);
                at += 1;
            }
        }
        bytes.len()
    }

    /// Whether a secret may begin at this place that does not end in these bytes.
    fn may_begin(&self, bytes: &[u8], at: usize) -> bool {
        let rest = bytes.get(at..).unwrap_or_default();
        rest.first()
            .is_some_and(|first| self.firsts.get(usize::from(*first)).copied() == Some(true))
            && self
                .patterns
                .iter()
                .any(|(pattern, _)| pattern.len() > rest.len() && pattern.starts_with(rest))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_secret_across_two_pieces_is_found_and_the_rest_is_not_held_back() {
        let mut stream = Piecewise::new(Redactor::new([("token", "s3cret")]).unwrap());
        assert_eq!(stream.push(b"before s3c"), b"before ");
        assert_eq!(stream.push(b"ret after"), b"***token*** after");
        assert_eq!(stream.push(b" s3"), b" ");
        assert_eq!(stream.finish(), b"s3");
    }

    proptest! {
        #[test]
        fn pieces_give_what_the_whole_gives(
            secrets in prop::collection::vec("[ab]{4,7}", 1..3),
            pieces in prop::collection::vec("[ab ]{0,9}", 0..8),
        ) {
            let named = secrets.iter().enumerate().map(|(index, value)| (index.to_string(), value));
            let redactor = Redactor::new(named).unwrap();
            let mut stream = Piecewise::new(redactor.clone());
            let mut shown = Vec::new();
            for piece in &pieces {
                shown.extend(stream.push(piece.as_bytes()));
            }
            shown.extend(stream.finish());
            let whole = pieces.concat();
            prop_assert_eq!(shown, redactor.bytes(whole.as_bytes()).into_owned());
        }
    }
}
