//! Assignment: to names, to attributes, into containers.

use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::{Ranged, TextRange};

use super::call::receiver;
use super::family::stores_like_a_write;
use super::reader::Reader;
use super::rules::{Pack, Rule};
use super::symbol::Symbol;
use super::value::{Atom, Set};
use super::world::{ScopeId, World};

/// Deepest chain of base classes that is followed.
pub(super) const BASES_MAX: usize = 8;

impl Reader<'_> {
    /// `targets = value`, element by element where both sides are written out.
    pub(super) fn assign(&mut self, targets: &[Expr], value: &Expr) {
        if let [target] = targets
            && let (Some(names), Some(values)) = (elements(target), elements(value))
            && names.len() == values.len()
            && !names.iter().chain(values).any(Expr::is_starred_expr)
        {
            for (name, value) in names.iter().zip(values) {
                self.assign(std::slice::from_ref(name), value);
            }
            return;
        }
        let value = self.eval(value);
        for target in targets {
            self.bind(target, &value);
        }
    }

    /// Gives `value` to a target of any form.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "nothing else can be assigned to"
    )]
    pub(super) fn bind(&mut self, target: &Expr, value: &Set) {
        match target {
            Expr::Name(name) => {
                let name = self.symbols.intern(&name.id);
                self.bind_name(name, value);
            }
            Expr::Attribute(attribute) => {
                let base = self.eval(&attribute.value);
                let name = self.symbols.intern(&attribute.attr);
                self.store(&base, name, value, target.range());
                if base.own.is_empty()
                    && let Some(receiver) = receiver(&attribute.value)
                    && stores_like_a_write(receiver, &attribute.attr)
                    && self.rules.has(Some(Pack::Generic))
                {
                    let written = format!("{receiver}.{}", attribute.attr);
                    self.report(Rule::ControlSuspect, target.range(), &written);
                }
            }
            Expr::Subscript(subscript) => self.bind_item(subscript, value),
            Expr::Starred(starred) => {
                let mut rest = Set::NOTHING;
                rest.hold(value);
                self.bind(&starred.value, &rest);
            }
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                let element = value.element();
                for target in elts {
                    self.bind(target, &element);
                }
            }
            other => {
                self.eval(other);
            }
        }
    }

    /// Gives `value` to a name of the current scope.
    pub(super) fn bind_name(&mut self, name: Symbol, value: &Set) {
        let scope = self.world.binding_scope(self.scope, name);
        self.assigns_results |= scope == World::MODULE && name == self.results;
        self.world.put(scope, name, value);
    }

    /// `base.name = value`.
    pub(super) fn store(&mut self, base: &Set, name: Symbol, value: &Set, range: TextRange) {
        let mut known = false;
        for atom in &base.own {
            match *atom {
                Atom::Path(path) => self.store_path(path, name, range),
                Atom::Instance(path) => self.store_instance(path, name, range),
                Atom::Class(class) | Atom::Object(class) | Atom::Super(class) => {
                    self.world.put(class, name, value);
                    self.store_in_bases(class, name, range, BASES_MAX);
                    known = true;
                }
                Atom::Record(record) => {
                    self.world.put(record, name, value);
                    known = true;
                }
                Atom::Text(_)
                | Atom::Prefix(_)
                | Atom::Constant(_)
                | Atom::Function(_)
                | Atom::Bound(_)
                | Atom::Namespace(_)
                | Atom::Modules
                | Atom::Globals
                | Atom::MethodCaller(_)
                | Atom::AttributeGetter(_) => {}
            }
        }
        if !known {
            self.report_escape(value, range);
        }
    }

    /// A store to a module or class. Where a rule knows exactly that name, it is made to mean something else.
    fn store_path(&mut self, path: Symbol, name: Symbol, range: TextRange) {
        let Some(path) = self.symbols.attribute(path, name) else {
            return;
        };
        let facts = self.symbols.facts(path);
        let rule = facts.store.or(facts.called.then_some(Rule::Tampering));
        self.report_path(rule, range, path);
        if facts.own {
            self.own_store(path, range);
        }
    }

    /// A store to an object. Only those of control libraries matter beyond what a rule says of the attribute.
    fn store_instance(&mut self, path: Symbol, name: Symbol, range: TextRange) {
        let Some(path) = self.symbols.attribute(path, name) else {
            return;
        };
        let facts = self.symbols.facts(path);
        let replaced = facts.control && facts.call.is_some();
        let rule = facts.store.or(replaced.then_some(Rule::Tampering));
        self.report_path(rule, range, path);
        if facts.own {
            self.own_store(path, range);
        }
    }

    /// `del target`.
    pub(super) fn delete(&mut self, target: &Expr) {
        self.eval(target);
        if let Expr::Attribute(attribute) = target {
            let base = self.eval(&attribute.value);
            let name = self.symbols.intern(&attribute.attr);
            for path in base.own.iter().filter_map(|atom| atom.path()) {
                self.store_path(path, name, target.range());
            }
        } else if let Expr::Subscript(subscript) = target
            && self.eval(&subscript.value).own.contains(&Atom::Modules)
        {
            self.report(Rule::Tampering, target.range(), "sys.modules");
        }
    }

    fn store_in_bases(&mut self, class: ScopeId, name: Symbol, range: TextRange, depth: usize) {
        let bases = self.world.scope(class).map(|scope| scope.bases.own.clone());
        for base in bases.into_iter().flatten() {
            if let Atom::Path(path) = base {
                self.store_instance(path, name, range);
            } else if let (Atom::Class(class), Some(depth)) = (base, depth.checked_sub(1)) {
                self.store_in_bases(class, name, range, depth);
            }
        }
    }

    fn bind_item(&mut self, subscript: &ast::ExprSubscript, value: &Set) {
        let base = self.eval(&subscript.value);
        let key = self.eval(&subscript.slice);
        if let Expr::Name(name) = subscript.value.as_ref() {
            let name = self.symbols.intern(&name.id);
            self.touch_results(name);
        }
        self.store_item(&base, &key, value, subscript.range());
        self.put_into(&subscript.value, value);
    }

    /// `base[key] = value`.
    pub(super) fn store_item(&mut self, base: &Set, key: &Set, value: &Set, range: TextRange) {
        let mut known = false;
        for atom in &base.own {
            match (*atom, self.constant(key)) {
                (Atom::Record(record), Some(key)) => {
                    self.world.put(record, key, value);
                    known = true;
                }
                (Atom::Globals, Some(key)) => {
                    self.world.put(World::MODULE, key, value);
                    known = true;
                }
                (Atom::Instance(path), _) => {
                    let name = self.symbols.intern("__setitem__");
                    self.store_instance(path, name, range);
                }
                (Atom::Namespace(path), Some(key)) => {
                    self.store_path(path, key, range);
                }
                (Atom::Path(path), name) => {
                    if &*self.symbols.text(path) == "os.environ" {
                        self.set_variable(key, range);
                    }
                    let rule = self.symbols.facts(path).store;
                    self.report_path(rule, range, path);
                    if let Some(name) = name {
                        self.store_path(path, name, range);
                    }
                }
                (Atom::Modules, _) => {
                    self.report(Rule::Tampering, range, "sys.modules");
                }
                (_, _) => {}
            }
        }
        if !known {
            self.loosen(base, value);
        }
    }

    /// Adds `part` to what the records among `base` hold under unknown keys.
    pub(super) fn loosen(&mut self, base: &Set, part: &Set) {
        for atom in &base.own {
            if let Atom::Record(record) = *atom {
                let mut either = part.clone();
                either.join(&part.element());
                self.world.derive(record, &either);
            }
        }
    }

    /// Adds `part` to what the container behind `target` holds.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a container without a name holds nothing that is read again"
    )]
    pub(super) fn put_into(&mut self, target: &Expr, part: &Set) {
        match target {
            Expr::Name(name) => {
                let name = self.symbols.intern(&name.id);
                if let Some(scope) = self.world.find(self.scope, name) {
                    self.world.hold(scope, name, part);
                }
            }
            Expr::Attribute(attribute) => {
                let base = self.eval(&attribute.value);
                let name = self.symbols.intern(&attribute.attr);
                for atom in &base.own {
                    if let Atom::Object(scope) | Atom::Class(scope) | Atom::Record(scope) = *atom {
                        self.world.hold(scope, name, part);
                    }
                }
            }
            Expr::Subscript(subscript) => self.put_into(&subscript.value, part),
            _ => {}
        }
    }

    /// Notes that something was put into `results` of the module.
    pub(super) fn touch_results(&mut self, name: Symbol) {
        self.assigns_results |= name == self.results
            && self
                .world
                .find(self.scope, name)
                .is_none_or(|scope| scope == World::MODULE);
    }
}

fn elements(expression: &Expr) -> Option<&[Expr]> {
    if let Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) =
        expression
    {
        Some(elts)
    } else {
        None
    }
}
