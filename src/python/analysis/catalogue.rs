//! The families' patterns and the deployment's own, indexed for one question: what is known of this name?

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::family::{
    ALIASES, CONTROL_MODULES, FAMILIES, FILE_METHODS, FILES, FileWrite, GIVES, READERS,
    VARIABLE_READERS,
};
use super::rules::{Pack, Rule};
use super::settings::{RuleSet, Target, fits};
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
    /// Whether it reads a file or an address.
    pub(super) url: bool,
    /// Whether a rule, or the analysis itself, knows exactly this name as something that is called.
    pub(super) called: bool,
    /// Whether its first argument names a variable of the environment.
    pub(super) variable: bool,
    /// Whether a pattern of the deployment looks at it.
    pub(super) own: bool,
}

/// A rule, and the pack that it belongs to.
type Entry = (Rule, Option<Pack>);

#[derive(Default)]
struct Patterns {
    exact: HashMap<&'static str, Option<Entry>>,
    /// Beginnings by their first segment, longest first.
    begins: HashMap<&'static str, Vec<(&'static str, Option<Entry>)>>,
}

impl Patterns {
    fn add(&mut self, pattern: &'static str, entry: Option<Entry>) {
        match pattern.strip_suffix('*') {
            Some(begin) => self
                .begins
                .entry(root(begin))
                .or_default()
                .push((begin, entry)),
            None => {
                self.exact.insert(pattern, entry);
            }
        }
    }

    fn sort(&mut self) {
        for begins in self.begins.values_mut() {
            // A stable sort: of equal patterns the later one, the rule, must come first.
            begins.reverse();
            begins.sort_by_key(|(begin, _)| std::cmp::Reverse(begin.len()));
        }
    }

    fn beginning_with<'s>(
        &'s self,
        name: &'s str,
    ) -> impl Iterator<Item = Option<Entry>> + use<'s> {
        self.begins
            .get(root(name))
            .into_iter()
            .flatten()
            .filter(move |(begin, _)| name.starts_with(begin))
            .map(|(_, entry)| *entry)
    }

    fn find(&self, name: &str, rules: &RuleSet) -> Option<Rule> {
        let exact = self.exact.get(name).copied();
        let mut entries = exact.into_iter().chain(self.beginning_with(name));
        let wanted = |entry: &Option<Entry>| entry.is_none_or(|(_, pack)| rules.has(pack));
        entries.find(wanted).flatten().map(|(rule, _)| rule)
    }
}

/// The first segment of a name.
fn root(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

#[derive(Default)]
struct Index {
    calls: Patterns,
    stores: Patterns,
    loads: Patterns,
    imports: HashMap<&'static str, Rule>,
    methods: HashMap<&'static str, Entry>,
    specials: HashMap<&'static str, Special>,
    files: HashMap<&'static str, FileWrite>,
    gives: HashMap<&'static str, &'static str>,
    readers: HashSet<&'static str>,
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
                    patterns.add(pattern, Some((family.rule, family.pack)));
                }
            }
            index
                .imports
                .extend(family.imports.iter().map(|name| (*name, family.rule)));
            index.methods.extend(
                family
                    .methods
                    .iter()
                    .map(|name| (*name, (family.rule, family.pack))),
            );
            for names in [family.calls, family.calm, family.stores, family.loads] {
                names.iter().for_each(|name| index.begin(name));
            }
        }
        index.specials.extend(SPECIALS.iter().copied());
        index.readers.extend(READERS.iter().copied());
        READERS.iter().for_each(|name| index.begin(name));
        index.files.extend(FILES.iter().copied());
        index.gives.extend(GIVES.iter().copied());
        SPECIALS.iter().for_each(|(name, _)| index.begin(name));
        FILES.iter().for_each(|(name, _)| index.begin(name));
        GIVES.iter().for_each(|(name, _)| index.begin(name));
        ALIASES.iter().for_each(|(name, _)| index.begin(name));
        for patterns in [&mut index.calls, &mut index.stores, &mut index.loads] {
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

/// A name of the deployment's own.
struct OwnName<'r> {
    name: &'r str,
    store: bool,
    /// None for a pattern, which has its own severity.
    rule: Option<Rule>,
}

/// The rules' knowledge of names, with the deployment's own.
pub(super) struct Catalogue<'r> {
    rules: &'r RuleSet,
    own: Vec<OwnName<'r>>,
}

impl<'r> Catalogue<'r> {
    pub(super) fn new(rules: &'r RuleSet) -> Self {
        let mut own = Vec::new();
        let mut add = |name: &'r str, rule| {
            own.push(OwnName {
                name: name.strip_suffix('=').unwrap_or(name),
                store: name.ends_with('='),
                rule,
            });
        };
        let denied = rules.deny_calls.iter().map(|name| (name, Rule::CallDenied));
        let write = rules.operations.write.iter();
        let write = write.map(|name| (name, Rule::ControlWrite));
        let read = rules.operations.read.iter();
        let read = read.map(|name| (name, Rule::ControlRead));
        for (name, rule) in denied.chain(write).chain(read) {
            add(name, Some(rule));
        }
        for pattern in &rules.patterns {
            match &pattern.target {
                Target::Call(name) => own.push(OwnName {
                    name,
                    store: false,
                    rule: None,
                }),
                Target::Attribute(name) => own.push(OwnName {
                    name,
                    store: true,
                    rule: None,
                }),
                Target::Method(_) => {}
            }
        }
        Self { rules, own }
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
                .any(|patterns| patterns.beginning_with(name).next().is_some())
            || self.own.iter().any(|own| {
                let known = own.name.trim_end_matches(['*', '.']);
                fits(own.name, name)
                    || known
                        .strip_prefix(name)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
    }

    /// Whether some rule writes this name, or one below it, in so many words.
    pub(super) fn is_named(&self, name: &str) -> bool {
        INDEX.beginnings.contains(name) || self.own.iter().any(|own| own.name.starts_with(name))
    }

    /// Everything that is known of this name.
    pub(super) fn facts(&self, name: &str) -> Facts {
        let root = root(name);
        Facts {
            call: self
                .own_rule(name, false)
                .or_else(|| INDEX.calls.find(name, self.rules)),
            store: self
                .own_rule(name, true)
                .or_else(|| INDEX.stores.find(name, self.rules)),
            load: INDEX.loads.find(name, self.rules),
            special: INDEX.specials.get(name).copied(),
            file: INDEX.files.get(name).copied(),
            gives: INDEX.gives.get(name).copied(),
            control: self.is_control(root),
            url: INDEX.readers.contains(name),
            called: INDEX.calls.exact.get(name).is_some_and(Option::is_some)
                || INDEX.specials.contains_key(name)
                || INDEX.files.contains_key(name),
            variable: VARIABLE_READERS.contains(&name),
            own: self
                .own
                .iter()
                .any(|own| own.rule.is_none() && fits(own.name, name)),
        }
    }

    fn is_control(&self, module: &str) -> bool {
        let known = |(name, pack): &(&str, Pack)| *name == module && self.rules.has(Some(*pack));
        CONTROL_MODULES.iter().any(known)
            || self.own.iter().any(|own| {
                matches!(own.rule, Some(Rule::ControlWrite | Rule::ControlRead))
                    && root(own.name) == module
            })
    }

    fn own_rule(&self, name: &str, store: bool) -> Option<Rule> {
        self.own
            .iter()
            .find(|own| own.store == store && own.rule.is_some() && fits(own.name, name))
            .and_then(|own| own.rule)
    }

    /// The rule for a method that says enough by its name.
    pub(super) fn method_rule(&self, name: &str) -> Option<Rule> {
        let (rule, pack) = INDEX.methods.get(name).copied()?;
        self.rules.has(pack).then_some(rule)
    }
}

/// The rule for the import of a module.
pub(super) fn import_rule(module: &str) -> Option<Rule> {
    let root = module.split('.').next().unwrap_or_default();
    INDEX.imports.get(root).copied()
}

/// Which argument of a method that saves something is the path.
pub(super) fn saving_method(name: &str) -> Option<(usize, &'static str)> {
    FILE_METHODS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, argument)| *argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_names_its_module() {
        for patterns in [&INDEX.calls, &INDEX.stores, &INDEX.loads] {
            for begin in patterns.begins.values().flatten() {
                assert!(begin.0.contains('.'), "{}", begin.0);
            }
        }
    }
}
