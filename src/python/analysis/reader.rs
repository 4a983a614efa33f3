//! The passes over the tree: statements are walked, names learn what they may stand for, rules report.
//!
//! Flow does not matter: a name may stand for everything that any line gives it, in any order. The passes
//! repeat until nothing new is learned.

use std::collections::BTreeSet;

use ruff_python_ast::Stmt;
use ruff_text_size::TextRange;

use super::catalogue::{Catalogue, import_rule};
use super::rules::Rule;
use super::settings::RuleSet;
use super::symbol::{Symbol, Symbols};
use super::value::{Atom, Set};
use super::world::{FunctionId, ScopeId, World};

/// Most passes over one text. Real code needs two or three.
const PASSES_MAX: usize = 10;
/// Most findings that are kept.
const HITS_MAX: usize = 1_000;

/// What a finding comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// A built-in rule.
    Rule(Rule),
    /// A pattern of the deployment's own, by its place in the list.
    Own(usize),
}

/// A finding before it has a line and a message.
pub(super) struct Hit {
    pub(super) source: Source,
    pub(super) range: TextRange,
    pub(super) name: String,
}

/// One analysis.
pub(super) struct Reader<'r> {
    pub(super) rules: &'r RuleSet,
    pub(super) symbols: Symbols<'r>,
    pub(super) world: World,
    pub(super) scope: ScopeId,
    pub(super) function: Option<FunctionId>,
    pub(super) hits: Vec<Hit>,
    seen: BTreeSet<(Source, u32)>,
    pub(super) imports: BTreeSet<String>,
    pub(super) assigns_results: bool,
    pub(super) results: Symbol,
}

impl<'r> Reader<'r> {
    /// Reads a module to the end.
    pub(super) fn read(body: &[Stmt], rules: &'r RuleSet) -> Self {
        let mut symbols = Symbols::new(Catalogue::new(rules));
        let results = symbols.intern("results");
        let mut reader = Self {
            rules,
            symbols,
            world: World::new(),
            scope: World::MODULE,
            function: None,
            hits: Vec::new(),
            seen: BTreeSet::new(),
            imports: BTreeSet::new(),
            assigns_results: false,
            results,
        };
        for pass in 0..PASSES_MAX {
            reader.world.changed = false;
            reader.hits.clear();
            reader.seen.clear();
            reader.body(body);
            // Out of room the risk is unknown already: a second pass for names used before they are
            // defined, and no further.
            if !reader.world.changed || (reader.world.full && pass > 0) {
                break;
            }
        }
        if reader.world.changed || reader.world.full {
            reader.report(Rule::TooComplex, TextRange::default(), "");
        }
        reader
    }

    /// Keeps a finding of a built-in rule, unless the deployment wants none about that name.
    pub(super) fn report(&mut self, rule: Rule, range: TextRange, name: &str) {
        let is_denial = matches!(rule, Rule::ImportDenied | Rule::CallDenied);
        if is_denial || !self.rules.allows(name) {
            self.keep(Source::Rule(rule), range, name);
        }
    }

    /// Keeps a finding: one for each rule and place. The first of a rule is kept however many there are.
    pub(super) fn keep(&mut self, source: Source, range: TextRange, name: &str) {
        let room = self.hits.len() < HITS_MAX || !self.hits.iter().any(|hit| hit.source == source);
        if room && self.seen.insert((source, range.start().to_u32())) {
            self.hits.push(Hit {
                source,
                range,
                name: name.to_owned(),
            });
        }
    }

    /// Reports what a rule says of a qualified name.
    pub(super) fn report_path(&mut self, rule: Option<Rule>, range: TextRange, path: Symbol) {
        if let Some(rule) = rule {
            let name = self.symbols.text(path);
            self.report(rule, range, &name);
        }
    }

    /// Reports functions that are handed to somebody else, who may call them.
    pub(super) fn report_escape(&mut self, value: &Set, range: TextRange) {
        for atom in value.own.iter().chain(&value.items) {
            if let Atom::Path(path) = *atom {
                let facts = self.symbols.facts(path);
                self.report_path(facts.call, range, path);
                if facts.own {
                    self.own_call(path, None, range);
                }
            }
        }
    }

    /// Notes the import of a module and what the rules say of it.
    pub(super) fn import(&mut self, module: &str, range: TextRange) {
        let root = module.split('.').next().unwrap_or_default();
        if root.is_empty() {
            return;
        }
        if !self.imports.contains(root) {
            self.imports.insert(root.to_owned());
        }
        if let Some(rule) = import_rule(module) {
            self.report(rule, range, module);
        }
    }

    /// Notes the import of a module that the deployment does not permit.
    pub(super) fn check_import(&mut self, module: &str, range: TextRange) {
        let rules = self.rules;
        let allow = &rules.allow_imports;
        if covers(&rules.deny_imports, module) || !(allow.is_empty() || covers(allow, module)) {
            self.report(Rule::ImportDenied, range, module);
        }
    }

    /// The same for `from module import name`: the lists may name the module or the name in it.
    pub(super) fn check_import_from(&mut self, module: &str, name: &str, range: TextRange) {
        let (allow, deny) = (&self.rules.allow_imports, &self.rules.deny_imports);
        if allow.is_empty() && deny.is_empty() {
            return;
        }
        let full = format!("{module}.{name}");
        let names = [module, &full];
        let denied = names.iter().any(|name| covers(deny, name));
        let allowed = allow.is_empty() || names.iter().any(|name| covers(allow, name));
        if denied || !allowed {
            self.report(Rule::ImportDenied, range, &full);
        }
    }

    /// Whether an access by an unknown name to one of these matters, and to which rule.
    pub(super) fn report_dynamic(&mut self, base: &Set, range: TextRange) {
        for atom in &base.own {
            let (path, is_instance) = match *atom {
                Atom::Path(path) | Atom::Namespace(path) => (path, false),
                Atom::Instance(path) => (path, true),
                Atom::Modules | Atom::Globals => {
                    self.report(Rule::DynamicAccess, range, "");
                    continue;
                }
                Atom::Class(class) | Atom::Object(class) | Atom::Super(class) => {
                    self.report_dynamic_bases(class, range);
                    continue;
                }
                Atom::Text(_)
                | Atom::Prefix(_)
                | Atom::Constant(_)
                | Atom::Function(_)
                | Atom::Bound(_)
                | Atom::Record(_)
                | Atom::MethodCaller(_)
                | Atom::AttributeGetter(_) => continue,
            };
            if self.symbols.facts(path).control {
                self.report_path(Some(Rule::ControlDynamic), range, path);
            } else if !is_instance {
                self.report_path(Some(Rule::DynamicAccess), range, path);
            }
        }
    }

    /// The same for a class of the code that derives from one of a control library.
    fn report_dynamic_bases(&mut self, class: ScopeId, range: TextRange) {
        let bases = self.world.scope(class).map(|scope| scope.bases.own.clone());
        for path in bases.into_iter().flatten().filter_map(Atom::path) {
            if self.symbols.facts(path).control {
                self.report_path(Some(Rule::ControlDynamic), range, path);
            }
        }
    }
}

/// Whether a list of modules names this one, or a package around it.
fn covers(modules: &BTreeSet<String>, module: &str) -> bool {
    modules.iter().any(|known| {
        module
            .strip_prefix(known.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}
