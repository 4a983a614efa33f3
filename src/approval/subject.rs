//! The digest that a yes is bound to.

use serde_json::Value;

use crate::canonical::canonical_json;
use crate::id::Digest;
use crate::plan::Mode;

/// Keeps these digests apart from every other use of SHA-256, and this layout from later ones.
const DOMAIN: &[u8] = b"stepwell.approval.subject.v2";

/// What a person approves. A change of any part needs a new approval.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject<'a> {
    /// Digest of the code, byte for byte.
    pub code: Digest,
    /// The resolved inputs of the step.
    pub inputs: &'a Value,
    /// What the code may do.
    pub mode: Mode,
    /// Digest of the Python environment.
    pub environment: Digest,
    /// Digest of the approval policy ([`super::Policy::digest`]).
    pub policy: Digest,
    /// Digest of the analysis rules ([`crate::python::analysis::RuleSet::digest`]).
    pub rules: Digest,
    /// Digest of what bounds the code while it runs ([`super::Bounds::digest`]).
    pub bounds: Digest,
}

/// The digest of a subject: the domain and each part, every one preceded by its length as 8 bytes, big-endian.
#[must_use]
pub fn subject_digest(subject: &Subject<'_>) -> Digest {
    let inputs = canonical_json(subject.inputs);
    let parts: [&[u8]; 8] = [
        DOMAIN,
        subject.code.as_bytes(),
        &inputs,
        subject.mode.as_str().as_bytes(),
        subject.environment.as_bytes(),
        subject.policy.as_bytes(),
        subject.rules.as_bytes(),
        subject.bounds.as_bytes(),
    ];
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(part);
    }
    Digest::of(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn the_layout_is_frozen() {
        let inputs = json!({"pvs": ["BPM:01:X"], "scale": 1.0});
        let digest = subject_digest(&Subject {
            code: Digest::of(b"results = {}\n"),
            inputs: &inputs,
            mode: Mode::WriteAccess,
            environment: Digest::of(b"environment"),
            policy: Digest::of(b"policy"),
            rules: Digest::of(b"rules"),
            bounds: Digest::of(b"bounds"),
        });
        // Computed apart from this program, with hashlib and struct.
        assert_eq!(
            digest.to_string(),
            "sha256:e0ec1ac2a172cc4a7f8ab87d307c2144fc9e0e9b2419bfdd5a8417860a24c2e1"
        );
    }

    proptest! {
        #[test]
        fn a_change_of_any_part_changes_the_digest(
            bytes in prop::collection::vec(prop::array::uniform32(any::<u8>()), 6),
            number in any::<i32>(),
        ) {
            let digests: Vec<Digest> = bytes.iter().map(|bytes| Digest::from_bytes(*bytes)).collect();
            prop_assume!(digests[..5].iter().all(|digest| *digest != digests[5]));
            let inputs = json!({"n": number});
            let (as_float, other) = (json!({"n": f64::from(number)}), json!({"n": i64::from(number) + 1}));
            let base = Subject {
                code: digests[0],
                inputs: &inputs,
                mode: Mode::ReadOnly,
                environment: digests[1],
                policy: digests[2],
                rules: digests[3],
                bounds: digests[4],
            };
            let changed = [
                Subject { code: digests[5], ..base.clone() },
                Subject { inputs: &as_float, ..base.clone() },
                Subject { inputs: &other, ..base.clone() },
                Subject { mode: Mode::WriteAccess, ..base.clone() },
                Subject { environment: digests[5], ..base.clone() },
                Subject { policy: digests[5], ..base.clone() },
                Subject { rules: digests[5], ..base.clone() },
                Subject { bounds: digests[5], ..base.clone() },
            ];
            for subject in changed {
                prop_assert_ne!(subject_digest(&subject), subject_digest(&base));
            }
        }
    }
}
