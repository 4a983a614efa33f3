//! The families' patterns and the deployment's own, indexed for one question: what is known of this name?

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::family::{ALIASES, CONTROL_MODULES, FAMILIES, FILE_METHODS, FILES, FileWrite, GIVES};
use super::rules::{Rule, RuleSet};
use super::special::{SPECIALS, Special};

/// What is known of one qualified name.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts {
    pub(super) call: Option<Rule>,
    pub(super) store: Option<Rule>,
    pub(super) load: Option<Rule>,
    pub(super) special: Option<Special>,
    pub(super) file: Option<FileWrite>,
    pub(super) gives: Option<&'static str>,
    /// Whether it belongs to a control library.
    pub(super) control: bool,
}

#[derive(Default)]
struct Patterns {
    exact: HashMap<&'static str, Option<Rule>>,
    /// Beginnings, longest first.
    begins: Vec<(&'static str, Option<Rule>)>,
}

impl Patterns {
    fn add(&mut self, pattern: &'static str, rule: Option<Rule>) {
        match pattern.strip_suffix('*') {
            Some(begin) => self.begins.push((begin, rule)),
            None => {
                self.exact.insert(pattern, rule);
            }
        }
    }

    fn sort(&mut self) {
        self.begins
            .sort_by_key(|(begin, _)| std::cmp::Reverse(begin.len()));
    }

    fn find(&self, name: &str) -> Option<Rule> {
        if let Some(rule) = self.exact.get(name) {
            return *rule;
        }
        self.begins
            .iter()
            .find(|(begin, _)| name.starts_with(begin))
            .and_then(|(_, rule)| *rule)
    }
}

#[derive(Default)]
struct Index {
    calls: Patterns,
    stores: Patterns,
    loads: Patterns,
    imports: HashMap<&'static str, Rule>,
    methods: HashMap<&'static str, Rule>,
    specials: HashMap<&'static str, Special>,
    files: HashMap<&'static str, FileWrite>,
    gives: HashMap<&'static str, &'static str>,
    /// Every pattern's name and each of its beginnings at a dot.
    beginnings: HashSet<&'static str>,
}

impl Index {
    fn build() -> Self {
        let mut index = Self::default();
        // Calm names first, so that a rule that names the same pattern wins over them.
        for family in FAMILIES {
            for pattern in family.calm {
                index.calls.add(pattern, None);
            }
        }
        for family in FAMILIES {
            for (patterns, names) in [
                (&mut index.calls, family.calls),
                (&mut index.stores, family.stores),
                (&mut index.loads, family.loads),
            ] {
                for pattern in names {
                    patterns.add(pattern, Some(family.rule));
                }
            }
            index
                .imports
                .extend(family.imports.iter().map(|name| (*name, family.rule)));
            index
                .methods
                .extend(family.methods.iter().map(|name| (*name, family.rule)));
            for names in [family.calls, family.calm, family.stores, family.loads] {
                names.iter().for_each(|name| index.begin(name));
            }
        }
        index.specials.extend(SPECIALS.iter().copied());
        index.files.extend(FILES.iter().copied());
        index.gives.extend(GIVES.iter().copied());
        SPECIALS.iter().for_each(|(name, _)| index.begin(name));
        FILES.iter().for_each(|(name, _)| index.begin(name));
        GIVES.iter().for_each(|(name, _)| index.begin(name));
        ALIASES.iter().for_each(|(name, _)| index.begin(name));
        for patterns in [&mut index.calls, &mut index.stores, &mut index.loads] {
            // A stable sort: of equal patterns the later one, the rule, must come first.
            patterns.begins.reverse();
            patterns.sort();
        }
        index
    }

    fn begin(&mut self, pattern: &'static str) {
        let name = pattern.trim_end_matches(['*', '.']);
        self.beginnings.insert(name);
        for (dot, _) in name.match_indices('.') {
            self.beginnings.extend(name.get(..dot));
        }
    }
}

static INDEX: LazyLock<Index> = LazyLock::new(Index::build);

/// The rules' knowledge of names, with the deployment's own operations.
pub(super) struct Catalogue<'r> {
    rules: &'r RuleSet,
}

impl<'r> Catalogue<'r> {
    pub(super) fn new(rules: &'r RuleSet) -> Self {
        Self { rules }
    }

    /// The one name of things that have several.
    pub(super) fn canonical<'n>(&self, name: &'n str) -> Cow<'n, str> {
        for (from, to) in ALIASES {
            if let Some(rest) = name.strip_prefix(from)
                && (rest.is_empty() || rest.starts_with('.'))
            {
                return Cow::Owned(format!("{to}{rest}"));
            }
        }
        Cow::Borrowed(name)
    }

    /// Whether any rule could care for this name or for one below it.
    pub(super) fn live(&self, name: &str) -> bool {
        INDEX.beginnings.contains(name)
            || [&INDEX.calls, &INDEX.stores, &INDEX.loads]
                .iter()
                .any(|patterns| {
                    patterns
                        .begins
                        .iter()
                        .any(|(begin, _)| name.starts_with(begin))
                })
            || self.operations().any(|(operation, _)| {
                let operation = operation.trim_end_matches(['=', '*', '.']);
                operation
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
            || self.own_rule(name, false).is_some()
            || self.own_rule(name, true).is_some()
    }

    /// Everything that is known of this name.
    pub(super) fn facts(&self, name: &str) -> Facts {
        let root = name.split('.').next().unwrap_or_default();
        let own = self.own_rule(name, false);
        Facts {
            call: own.or_else(|| INDEX.calls.find(name)),
            store: self
                .own_rule(name, true)
                .or_else(|| INDEX.stores.find(name)),
            load: INDEX.loads.find(name),
            special: INDEX.specials.get(name).copied(),
            file: INDEX.files.get(name).copied(),
            gives: INDEX.gives.get(name).copied(),
            control: CONTROL_MODULES.contains(&root)
                || self
                    .operations()
                    .any(|(operation, _)| operation.split('.').next() == Some(root)),
        }
    }

    fn operations(&self) -> impl Iterator<Item = (&'r str, Rule)> {
        let operations = &self.rules.operations;
        let write = operations
            .write
            .iter()
            .map(|name| (name, Rule::ControlWrite));
        let read = operations.read.iter().map(|name| (name, Rule::ControlRead));
        write.chain(read).map(|(name, rule)| (name.as_str(), rule))
    }

    fn own_rule(&self, name: &str, store: bool) -> Option<Rule> {
        self.operations()
            .find(|(operation, _)| {
                let pattern = operation.strip_suffix('=');
                pattern.is_some() == store
                    && match pattern.unwrap_or(operation).strip_suffix('*') {
                        Some(begin) => name.starts_with(begin),
                        None => name == pattern.unwrap_or(operation),
                    }
            })
            .map(|(_, rule)| rule)
    }
}

/// The rule for the import of a module.
pub(super) fn import_rule(module: &str) -> Option<Rule> {
    let root = module.split('.').next().unwrap_or_default();
    INDEX.imports.get(root).copied()
}

/// The rule for a method that says enough by its name.
pub(super) fn method_rule(name: &str) -> Option<Rule> {
    INDEX.methods.get(name).copied()
}

/// Which argument of a method that saves something is the path.
pub(super) fn saving_method(name: &str) -> Option<(usize, &'static str)> {
    FILE_METHODS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, argument)| *argument)
}
