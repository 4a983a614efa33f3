//! What bounds code while it runs: limits, guards, walls. A person who says yes says it to code within these bounds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::KnownModules;
use crate::canonical::canonical_json;
use crate::id::Digest;

/// One bound: exactly what it is, as a digest, and the same for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Digest of all of it.
    pub digest: Digest,
    /// In words; of a long table the beginning.
    pub told: String,
}

/// All bounds of code by name, for example `memory`, `network`, `write_limits`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bounds(BTreeMap<String, Bound>);

impl Bounds {
    /// Adds one.
    pub fn add(&mut self, name: &str, value: &Value, told: String) {
        let digest = Digest::of(&canonical_json(value));
        self.0.insert(name.to_owned(), Bound { digest, told });
    }

    /// Each with its name, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Bound)> {
        self.0.iter().map(|(name, bound)| (name.as_str(), bound))
    }

    /// Whether nothing is known of them: a history from before they were part of a yes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The digest over all of them.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let all: BTreeMap<_, _> = self
            .iter()
            .map(|(name, bound)| (name, bound.digest))
            .collect();
        Digest::of(&canonical_json(&json!(all)))
    }
}

/// What a yes covers beside the bounds, part by part, each by its digest: `code`, `inputs`, `environment` …
pub type Covered = BTreeMap<String, Digest>;

/// What differs between two subjects.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Changed {
    /// Names of bounds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bounds: Vec<String>,
    /// Names of what is covered beside them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub covered: Vec<String>,
    /// The modules beside the workflow among them, where they are known one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<String>,
    /// The earlier subject is from before bounds were part of it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unbound: bool,
}

impl Changed {
    /// Compares what was covered before with what is covered now.
    #[must_use]
    pub fn between(before: (&Covered, &Bounds), now: (&Covered, &Bounds)) -> Self {
        let bounds = |bounds: &Bounds| -> Covered {
            let all = bounds.iter();
            all.map(|(name, bound)| (name.to_owned(), bound.digest))
                .collect()
        };
        let unbound = before.1.is_empty();
        Self {
            bounds: if unbound {
                Vec::new()
            } else {
                differing(&bounds(before.1), &bounds(now.1))
            },
            covered: if before.0.is_empty() {
                Vec::new()
            } else {
                differing(before.0, now.0)
            },
            modules: Vec::new(),
            unbound,
        }
    }

    /// The same with the modules that differ.
    #[must_use]
    pub fn with_modules(mut self, now: KnownModules<'_>, before: KnownModules<'_>) -> Self {
        let differing = now.since(before).unwrap_or_default();
        self.modules = differing.into_keys().collect();
        self
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// In words: "what bounds the code changed: write_limits".
    #[must_use]
    pub fn told(&self) -> String {
        let mut said = Vec::new();
        if !self.bounds.is_empty() {
            said.push(format!(
                "what bounds the code changed: {}",
                self.bounds.join(", ")
            ));
        }
        if !self.covered.is_empty() {
            let mut covered = self.covered.join(", ");
            if !self.modules.is_empty() {
                covered.push_str(&format!(" ({})", some(&self.modules)));
            }
            said.push(format!("changed since it was looked at: {covered}"));
        }
        if self.unbound {
            said.push(
                "an earlier version asked, whose yes did not cover what bounds the code".to_owned(),
            );
        }
        said.join("; ")
    }
}

/// Most modules that a sentence names.
const NAMED_MAX: usize = 5;

fn some(names: &[String]) -> String {
    let named: Vec<&str> = names.iter().take(NAMED_MAX).map(String::as_str).collect();
    let named = named.join(", ");
    match names.len().saturating_sub(NAMED_MAX) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn differing(before: &Covered, now: &Covered) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let differ = |name: &&String| before.get(*name) != now.get(*name);
    names.into_iter().filter(differ).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(network: &str, memory: u64) -> Bounds {
        let mut bounds = Bounds::default();
        bounds.add("network", &json!(network), network.to_owned());
        bounds.add("memory", &json!(memory), memory.to_string());
        bounds
    }

    #[test]
    fn what_changed_is_named() {
        let covered = Covered::from([("code".to_owned(), Digest::of(b"a"))]);
        let other = Covered::from([("code".to_owned(), Digest::of(b"b"))]);
        let told = |before, now| Changed::between(before, now).told();
        let (now, wide) = (bounds("none", 1), bounds("full", 1));
        let both = bounds("full", 2);
        assert_eq!(told((&covered, &now), (&covered, &now)), "");
        assert_eq!(
            told((&covered, &now), (&covered, &wide)),
            "what bounds the code changed: network"
        );
        assert_eq!(
            told((&covered, &now), (&other, &both)),
            "what bounds the code changed: memory, network; changed since it was looked at: code"
        );
        let (none, unknown) = (Covered::new(), Bounds::default());
        let unbound = told((&none, &unknown), (&covered, &now));
        assert!(unbound.contains("earlier version"), "{unbound}");
        assert_ne!(now.digest(), wide.digest());
    }
}
