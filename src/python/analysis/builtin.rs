//! The functions of Python that move values about, done as Python does them.

use ruff_text_size::TextRange;

use super::call::Site;
use super::family::LOADING_VARIABLES;
use super::reader::Reader;
use super::rules::Rule;
use super::special::Special;
use super::symbol::Symbol;
use super::value::{Atom, Constant, Set};

impl Reader<'_> {
    /// Does what the function does.
    pub(super) fn special(&mut self, special: Special, site: &Site<'_>) -> Set {
        let unknown = Set::UNKNOWN;
        let first = site.argument(0).unwrap_or(&unknown);
        match special {
            Special::GetAttribute => {
                let name = site.argument(1).unwrap_or(&unknown);
                let mut value = self.get_attribute(first, name, site.range);
                if let Some(fallback) = site.argument(2) {
                    value.join(fallback);
                }
                value
            }
            Special::SetAttribute => {
                self.set_attribute(first, site);
                Set::UNKNOWN
            }
            Special::ImportModule | Special::Import => self.import_call(special, site),
            Special::Vars if site.arguments.is_empty() => Set::of(Atom::Globals),
            Special::Vars => self.namespaces(first),
            Special::Globals => Set::of(Atom::Globals),
            Special::Partial => self.partial(first, site),
            Special::TypeOf => match site.argument(1) {
                Some(bases) => bases.element(),
                None => self.types(first),
            },
            Special::Cast => self.instances(first),
            Special::Super => match self.world.class_around(self.scope) {
                Some(class) => Set::of(Atom::Super(class)),
                None => Set::UNKNOWN,
            },
            Special::Gather => self.gather(site),
            Special::Element => self.gather(site).element(),
            Special::Iterate => self.iterate(site),
            Special::Accumulate => self.accumulate(site),
            Special::Apply => self.apply_each(first, site),
            Special::PathJoin => {
                let parts: Vec<&Set> = site.arguments.iter().map(|part| &part.value).collect();
                self.joined_paths(&parts)
            }
            Special::PathKeep => first.clone(),
            Special::MakePath => self.make_path(site),
            Special::PathSelf => site.receiver.clone(),
            Special::Home => {
                let home = self.symbols.intern("~/");
                let path = self.symbols.intern("pathlib.Path");
                let mut set = Set::of(Atom::Instance(path));
                set.add(Atom::Text(home));
                set
            }
            Special::MethodCaller => self.named(first, Atom::MethodCaller),
            Special::AttributeGetter => self.named(first, Atom::AttributeGetter),
            Special::Record => self.record(site),
            Special::Inert => Set::UNKNOWN,
            Special::SetVariable => self.set_variables(site),
            Special::LogConfig => self.log_config(first, site.range),
            Special::Members => {
                self.report_dynamic(first, site.range);
                self.escape(site);
                Set::UNKNOWN
            }
            Special::SetItem => {
                self.set_item(first, site);
                Set::UNKNOWN
            }
            Special::NumpyLoad | Special::TorchLoad | Special::YamlLoad => {
                self.unpickles(special, site);
                Set::UNKNOWN
            }
            Special::Modules => Set::UNKNOWN,
        }
    }

    /// The texts that a name may be, and whether it may be something else.
    fn names(&self, name: &Set) -> (Vec<Symbol>, bool) {
        let mut texts = Vec::new();
        let mut other = name.open || name.own.is_empty();
        for atom in &name.own {
            match atom.text() {
                Some(text) => texts.push(text),
                None => other = true,
            }
        }
        (texts, other)
    }

    /// `getattr(base, name)`.
    pub(super) fn get_attribute(&mut self, base: &Set, name: &Set, range: TextRange) -> Set {
        let (names, other) = self.names(name);
        let mut value = Set::NOTHING;
        value.open = other;
        value.items_open = true;
        for name in names {
            value.join(&self.attribute_read(base, name, range));
        }
        if other {
            self.report_dynamic(base, range);
            for atom in &base.own {
                if let Atom::Object(scope) | Atom::Class(scope) | Atom::Record(scope) = *atom {
                    let members = self.world.all_of(scope);
                    value.join(&self.world.bound(&members));
                }
            }
        }
        value
    }

    fn set_attribute(&mut self, base: &Set, site: &Site<'_>) {
        let unknown = Set::UNKNOWN;
        let (names, other) = self.names(site.argument(1).unwrap_or(&unknown));
        let value = site.argument(2).unwrap_or(&unknown);
        for name in names {
            self.store(base, name, value, site.range);
        }
        if other {
            self.report_dynamic(base, site.range);
            self.escape(site);
        }
    }

    fn import_call(&mut self, special: Special, site: &Site<'_>) -> Set {
        let unknown = Set::UNKNOWN;
        let (names, other) = self.names(site.argument(0).unwrap_or(&unknown));
        let package = site.argument(1).and_then(|package| self.constant(package));
        let mut value = Set::NOTHING;
        value.open = other;
        for name in names {
            // `pkgutil.resolve_name` has a colon between the module and what is in it.
            let mut module = self.symbols.text(name).replace(':', ".");
            if let (true, Some(package)) = (module.starts_with('.'), package) {
                module = format!("{}{module}", self.symbols.text(package));
            }
            self.import(&module, site.range);
            self.check_import(&module, site.range);
            let bound = if special == Special::Import && site.arguments.len() == 1 {
                module.split('.').next()
            } else {
                Some(module.as_str())
            };
            let path = self.symbols.module(bound.unwrap_or_default());
            value.add(Atom::Path(path));
        }
        if other {
            self.report(Rule::DynamicImport, site.range, "");
        }
        value
    }

    fn namespaces(&mut self, of: &Set) -> Set {
        let mut set = Set::UNKNOWN;
        for atom in &of.own {
            set.join(&self.namespace_of(*atom));
        }
        set
    }

    fn types(&mut self, of: &Set) -> Set {
        let mut set = Set::UNKNOWN;
        for atom in &of.own {
            if let Atom::Instance(path) = *atom {
                set.add(Atom::Path(path));
            } else if let Atom::Object(class) = *atom {
                set.add(Atom::Class(class));
            }
        }
        set
    }

    fn partial(&mut self, callee: &Set, site: &Site<'_>) -> Set {
        let rest = site.arguments.get(1..).unwrap_or_default();
        for argument in rest {
            self.report_escape(&argument.value, argument.range);
        }
        for atom in &callee.own {
            if let Atom::Function(id) | Atom::Bound(id) = *atom
                && let Some(function) = self.world.function_mut(id)
            {
                function.shift = function.shift.max(rest.len());
            }
        }
        callee.clone()
    }

    /// `map(function, items, …)`: functions of the code get the items, others are reported.
    fn apply_each(&mut self, callee: &Set, site: &Site<'_>) -> Set {
        let rest = site.arguments.get(1..).unwrap_or_default();
        let values: Vec<Set> = rest.iter().map(|items| items.value.element()).collect();
        let mut given = Set::NOTHING;
        given.hold(&self.apply_to(callee, &values, site.range));
        for items in rest {
            given.hold(&items.value);
        }
        given
    }

    fn named(&mut self, name: &Set, atom: fn(Symbol) -> Atom) -> Set {
        let (names, other) = self.names(name);
        let mut set = Set::NOTHING;
        set.open = other;
        for name in names {
            set.add(atom(name));
        }
        set
    }

    fn set_variables(&mut self, site: &Site<'_>) -> Set {
        for argument in site.arguments {
            self.set_variable(&argument.value, site.range);
            if let Some(name) = argument.name {
                self.set_variable(&Set::of(Atom::Text(name)), site.range);
            }
        }
        Set::UNKNOWN
    }

    /// Reports variables that say from where other interpreters and programs load code.
    pub(super) fn set_variable(&mut self, names: &Set, range: TextRange) {
        for text in names
            .own
            .iter()
            .chain(&names.items)
            .filter_map(|atom| atom.text())
        {
            let name = self.symbols.text(text);
            if LOADING_VARIABLES.contains(&&*name) {
                self.report(Rule::ImportPath, range, &name);
            }
        }
    }

    /// What `sorted`, `max` and others go through: the function under `key` gets each of it.
    fn gather(&mut self, site: &Site<'_>) -> Set {
        let key = self.symbols.intern("key");
        let mut set = Set::NOTHING;
        for argument in site.arguments {
            if argument.name == Some(key) {
                continue;
            }
            set.hold(&argument.value);
            if argument.starred {
                self.report_escape(&argument.value, argument.range);
            }
        }
        if let Some(function) = site.named(key) {
            self.apply_to(function, &[set.element()], site.range);
        }
        set
    }

    /// `iter(function, end)` calls the function; `iter(items)` gives the items.
    fn iterate(&mut self, site: &Site<'_>) -> Set {
        let (Some(function), Some(_)) = (site.argument(0), site.argument(1)) else {
            return self.gather(site);
        };
        let mut given = Set::NOTHING;
        given.hold(&self.apply_to(function, &[], site.range));
        given
    }

    fn accumulate(&mut self, site: &Site<'_>) -> Set {
        let name = self.symbols.intern("func");
        let mut set = gathered(site);
        if let Some(function) = site.named(name).or_else(|| site.argument(1)) {
            let item = set.element();
            set.hold(&self.apply_to(function, &[item.clone(), item], site.range));
        }
        set
    }

    /// `dictConfig` imports and calls what stands under `()` and `class`. What is not in the text may be anything.
    fn log_config(&mut self, config: &Set, range: TextRange) -> Set {
        let (mut texts, mut open) = (
            Vec::new(),
            config.open || config.own.is_empty() && config.items.is_empty(),
        );
        let mut left = vec![config.clone()];
        let mut seen = Vec::new();
        while let Some(set) = left.pop() {
            texts.extend(
                set.own
                    .iter()
                    .chain(&set.items)
                    .filter_map(|atom| atom.text()),
            );
            for atom in &set.own {
                if let Atom::Record(record) = *atom
                    && !seen.contains(&record)
                {
                    seen.push(record);
                    for (name, value) in self.world.fields(record) {
                        texts.push(*name);
                        left.push(value.clone());
                    }
                }
            }
        }
        for text in texts {
            let text = self.symbols.text(text);
            open |= &*text == "()";
            let path = self.symbols.module(text.trim_start_matches("ext://"));
            let rule = self.symbols.facts(path).call;
            self.report_path(rule, range, path);
        }
        if open {
            self.report(Rule::DynamicCode, range, "logging.config.dictConfig");
        }
        Set::UNKNOWN
    }

    fn record(&mut self, site: &Site<'_>) -> Set {
        let record = self
            .world
            .record_of(site.range.start().to_u32(), self.scope);
        let mut set = gathered(site);
        set.add(Atom::Record(record));
        for argument in site.arguments {
            if let Some(name) = argument.name {
                self.world.put(record, name, &argument.value);
            } else {
                self.loosen(&Set::of(Atom::Record(record)), &argument.value);
            }
        }
        set
    }

    fn set_item(&mut self, base: &Set, site: &Site<'_>) {
        let unknown = Set::UNKNOWN;
        let key = site.argument(1).unwrap_or(&unknown);
        let value = site.argument(2).unwrap_or(&unknown);
        self.store_item(base, key, value, site.range);
    }

    /// The loaders that build objects only when their arguments say so, or unless they do.
    fn unpickles(&mut self, special: Special, site: &Site<'_>) {
        let mut named = |name: &str| {
            let name = self.symbols.intern(name);
            site.named(name)
        };
        let spread = site.arguments.iter().any(|argument| argument.starred);
        let (name, safe) = if special == Special::NumpyLoad {
            let told = named("allow_pickle").or_else(|| site.argument(2));
            let safe = told.map_or(!spread, |told| told.is_only(Constant::False));
            ("numpy.load", safe)
        } else if special == Special::TorchLoad {
            let told = named("weights_only");
            let safe = told.is_some_and(|told| told.is_only(Constant::True));
            ("torch.load", safe)
        } else {
            let loader = named("Loader").or_else(|| site.argument(1)).cloned();
            let safe = loader.is_some_and(|loader| self.is_safe_loader(&loader));
            ("yaml.load", safe)
        };
        if !safe {
            self.report(Rule::Deserialize, site.range, name);
        }
    }

    fn is_safe_loader(&self, loader: &Set) -> bool {
        let safe = |atom: &Atom| {
            atom.path().is_some_and(|path| {
                matches!(
                    &*self.symbols.text(path),
                    "yaml.SafeLoader" | "yaml.CSafeLoader" | "yaml.BaseLoader"
                )
            })
        };
        !loader.open && !loader.own.is_empty() && loader.own.iter().all(safe)
    }
}

fn gathered(site: &Site<'_>) -> Set {
    let mut set = Set::NOTHING;
    for argument in site.arguments {
        set.hold(&argument.value);
    }
    set
}
