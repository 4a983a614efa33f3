//! The modules beside the workflow that a yes covers, one by one, so that a person sees them and what changed is named.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Covered;
use crate::id::Digest;

/// The part of [`Covered`] that is over all of them.
const PART: &str = "modules";

/// One module beside the workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Digest of its file.
    pub digest: Digest,
    /// Whether its text is among the stored files under that digest. Compiled modules have none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
}

/// Modules by their path in the folder of the workflow.
pub type Modules = BTreeMap<String, Module>;

/// What became of a module between two subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModuleChange {
    /// It has another text.
    Changed,
    /// It was not covered before.
    Added,
    /// It is no longer covered.
    Removed,
}

impl ModuleChange {
    /// The word that is shown and stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Added => "added",
            Self::Removed => "removed",
        }
    }
}

/// What is known of the modules that a subject covers.
#[derive(Debug, Clone, Copy)]
pub struct KnownModules<'a> {
    /// Part by part, what it covers.
    pub covered: &'a Covered,
    /// The modules one by one; empty where nobody was asked, and in histories from before they were recorded.
    pub modules: &'a Modules,
}

impl<'a> KnownModules<'a> {
    fn one_by_one(self) -> Option<&'a Modules> {
        let recorded = !self.modules.is_empty() || !self.covered.contains_key(PART);
        recorded.then_some(self.modules)
    }

    /// The modules that differ from those of an earlier subject. None: that they differ is known, or may be, and not which.
    #[must_use]
    pub fn since(self, before: Self) -> Option<BTreeMap<String, ModuleChange>> {
        let all = |known: Self| known.covered.get(PART).copied();
        let is_told = !self.covered.is_empty() && !before.covered.is_empty();
        if is_told && all(self) == all(before) {
            return Some(BTreeMap::new());
        }
        let (now, before) = (self.one_by_one()?, before.one_by_one().filter(|_| is_told)?);
        let removed = before.keys().filter(|path| !now.contains_key(*path));
        let removed = removed.map(|path| (path.clone(), ModuleChange::Removed));
        let differing = now.iter().filter_map(|(path, module)| {
            let change = match before.get(path) {
                None => ModuleChange::Added,
                Some(earlier) if earlier.digest != module.digest => ModuleChange::Changed,
                Some(_) => return None,
            };
            Some((path.clone(), change))
        });
        Some(removed.chain(differing).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules(texts: &[(&str, &str)]) -> Modules {
        let module = |text: &str| Module {
            digest: Digest::of(text.as_bytes()),
            kept: true,
        };
        let all = texts.iter();
        all.map(|(path, text)| ((*path).to_owned(), module(text)))
            .collect()
    }

    fn covered(all: Option<&str>) -> Covered {
        let mut covered = Covered::from([("code".to_owned(), Digest::of(b"code"))]);
        covered.extend(all.map(|all| (PART.to_owned(), Digest::of(all.as_bytes()))));
        covered
    }

    #[test]
    fn modules_that_changed_are_named() {
        let before = modules(&[("a.py", "1"), ("b.py", "1"), ("c.py", "1")]);
        let now = modules(&[("a.py", "1"), ("b.py", "2"), ("d.py", "1")]);
        let (first, second, none) = (covered(Some("1")), covered(Some("2")), covered(None));
        let known = |covered, modules| KnownModules { covered, modules };
        let differ = known(&second, &now).since(known(&first, &before)).unwrap();
        let named: Vec<String> = differ
            .iter()
            .map(|(path, change)| format!("{path} {}", change.as_str()))
            .collect();
        assert_eq!(named, ["b.py changed", "c.py removed", "d.py added"]);
        let empty = Modules::new();
        let same = known(&second, &now).since(known(&second, &empty));
        assert_eq!(same, Some(BTreeMap::new()), "the digest over all tells");
        assert_eq!(known(&second, &now).since(known(&first, &empty)), None);
        let gained = known(&second, &now).since(known(&none, &empty)).unwrap();
        assert_eq!(gained.len(), 3, "it had none");
        let unknown = Covered::new();
        assert_eq!(known(&none, &empty).since(known(&unknown, &empty)), None);
    }
}
