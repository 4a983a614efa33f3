//! Calls: of paths the rules know, and of functions and classes of the code itself.

use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::{Ranged, TextRange};

use super::catalogue::saving_method;
use super::family::reads_like_a_write;
use super::reader::Reader;
use super::rules::{Pack, Rule};
use super::symbol::Symbol;
use super::target::BASES_MAX;
use super::value::{Atom, Set};
use super::world::{FunctionId, ScopeId, World};

/// Deepest chain of calls that call what they were given.
const APPLY_MAX: usize = 8;

/// An argument of a call.
#[derive(Debug, Clone)]
pub(super) struct Argument {
    pub(super) name: Option<Symbol>,
    pub(super) value: Set,
    pub(super) range: TextRange,
    /// Whether it stands for any number of arguments.
    pub(super) starred: bool,
}

/// A call: its arguments, what it was reached through, and where it stands.
pub(super) struct Site<'a> {
    pub(super) arguments: &'a [Argument],
    pub(super) receiver: &'a Set,
    pub(super) range: TextRange,
    depth: usize,
}

impl Site<'_> {
    /// The argument at this position, or with this name.
    pub(super) fn argument(&self, position: usize) -> Option<&Set> {
        self.arguments
            .iter()
            .filter(|argument| argument.name.is_none())
            .nth(position)
            .map(|argument| &argument.value)
    }

    /// The argument with this name.
    pub(super) fn named(&self, name: Symbol) -> Option<&Set> {
        self.arguments
            .iter()
            .find(|argument| argument.name == Some(name))
            .map(|argument| &argument.value)
    }
}

impl Reader<'_> {
    pub(super) fn call(&mut self, call: &ast::ExprCall) -> Set {
        let range = call.range();
        let Expr::Attribute(attribute) = call.func.as_ref() else {
            let callee = self.eval(&call.func);
            let arguments = self.arguments(&call.arguments);
            return self.apply(
                &callee,
                &Site {
                    arguments: &arguments,
                    receiver: &Set::NOTHING,
                    range,
                    depth: APPLY_MAX,
                },
            );
        };
        let receiver = self.eval(&attribute.value);
        let callee = self.read_attribute(&receiver, attribute);
        let arguments = self.arguments(&call.arguments);
        let site = Site {
            arguments: &arguments,
            receiver: &receiver,
            range,
            depth: APPLY_MAX,
        };
        if let Some(value) = self.container_method(attribute, &site) {
            return value;
        }
        if !self.tells(&callee) {
            self.method_by_name(attribute, &site);
        }
        self.apply(&callee, &site)
    }

    fn arguments(&mut self, arguments: &ast::Arguments) -> Vec<Argument> {
        let mut all = Vec::with_capacity(arguments.args.len() + arguments.keywords.len());
        for argument in &arguments.args {
            all.push(Argument {
                name: None,
                value: self.eval(argument),
                range: argument.range(),
                starred: argument.is_starred_expr(),
            });
        }
        for keyword in &arguments.keywords {
            let value = self.eval(&keyword.value);
            let name = keyword.arg.as_ref().map(|name| self.symbols.intern(name));
            all.push(Argument {
                starred: name.is_none(),
                value: if name.is_none() {
                    value.element()
                } else {
                    value
                },
                name,
                range: keyword.range(),
            });
        }
        all
    }

    /// Calls everything that `callee` may stand for.
    pub(super) fn apply(&mut self, callee: &Set, site: &Site<'_>) -> Set {
        let mut result = Set::NOTHING;
        result.open = callee.open;
        result.items_open = callee.open;
        let mut followed = false;
        self.world.full |= callee.full;
        for atom in &callee.own {
            let value = match *atom {
                Atom::Path(path) => self.call_path(path, site),
                Atom::Function(function) => self.call_function(function, site, 0),
                Atom::Bound(function) => self.call_function(function, site, 1),
                Atom::Class(class) => self.construct(class, site),
                Atom::Object(_) | Atom::MethodCaller(_) | Atom::AttributeGetter(_) => {
                    self.call_object(*atom, site)
                }
                Atom::Instance(_)
                | Atom::Text(_)
                | Atom::Prefix(_)
                | Atom::Constant(_)
                | Atom::Record(_)
                | Atom::Namespace(_)
                | Atom::Modules
                | Atom::Globals
                | Atom::Super(_) => continue,
            };
            followed = true;
            result.join(&value);
        }
        if !followed {
            self.escape(site);
            return Set::UNKNOWN;
        }
        result
    }

    /// Applies a decorator, or anything else that is called without a call in the text.
    pub(super) fn apply_to(&mut self, callee: &Set, values: &[Set], range: TextRange) -> Set {
        let arguments: Vec<Argument> = values
            .iter()
            .map(|value| Argument {
                name: None,
                value: value.clone(),
                range,
                starred: false,
            })
            .collect();
        self.apply(
            callee,
            &Site {
                arguments: &arguments,
                receiver: &Set::NOTHING,
                range,
                depth: APPLY_MAX,
            },
        )
    }

    /// Reports functions among the arguments: whoever gets them may call them.
    pub(super) fn escape(&mut self, site: &Site<'_>) {
        for argument in site.arguments {
            self.report_escape(&argument.value, argument.range);
        }
    }

    fn call_path(&mut self, path: Symbol, site: &Site<'_>) -> Set {
        let facts = self.symbols.facts(path);
        self.report_path(facts.call, site.range, path);
        if let Some(file) = facts.file {
            self.file_write(file, path, site);
        }
        if facts.url {
            self.read_address(path, site);
        }
        if facts.own {
            self.own_call(path, Some(site), site.range);
        }
        if facts.variable {
            self.read_variable(site.argument(0), path, site.range);
        }
        if let Some(special) = facts.special {
            return self.special(special, site);
        }
        self.escape(site);
        let class = match facts.gives {
            Some(name) => self.symbols.intern(name),
            None => path,
        };
        let mut result = Set::of(Atom::Instance(class));
        if facts.gives.is_some() {
            result.items.push(Atom::Instance(class));
        }
        result
    }

    fn call_function(&mut self, id: FunctionId, site: &Site<'_>, taken: usize) -> Set {
        let Some(function) = self.world.function(id) else {
            return Set::UNKNOWN;
        };
        let result = function.returns.clone().unwrap_or(Set::NOTHING);
        let Some(scope) = function.scope else {
            return result;
        };
        let (params, shift) = (function.params.clone(), function.shift);
        let (vararg, kwarg) = (function.vararg, function.kwarg);
        let mut position = taken;
        for argument in site.arguments {
            if let Some(name) = argument.name {
                match (params.contains(&name), kwarg) {
                    (true, _) => self.world.put(scope, name, &argument.value),
                    (false, Some(kwarg)) => self.world.hold(scope, kwarg, &argument.value),
                    (false, None) => {}
                }
                continue;
            }
            let last = if argument.starred {
                usize::MAX
            } else {
                shift.saturating_add(1)
            };
            for name in params.iter().skip(position).take(last) {
                self.world.put(scope, *name, &argument.value);
            }
            if let Some(vararg) = vararg
                && (argument.starred || position + shift >= params.len())
            {
                self.world.hold(scope, vararg, &argument.value);
            }
            position += 1;
        }
        result
    }

    fn construct(&mut self, class: ScopeId, site: &Site<'_>) -> Set {
        let init = self.symbols.intern("__init__");
        let init = self.member(class, init, false, BASES_MAX);
        for atom in init.own {
            if let Atom::Function(function) = atom {
                self.call_function(function, site, 1);
            }
        }
        let bases = self.world.scope(class).map(|scope| scope.bases.own.clone());
        for base in bases.into_iter().flatten() {
            if let Atom::Path(path) = base {
                let rule = self.symbols.facts(path).call;
                self.report_path(rule, site.range, path);
            }
        }
        Set::of(Atom::Object(class))
    }

    fn call_object(&mut self, atom: Atom, site: &Site<'_>) -> Set {
        let Some(depth) = site.depth.checked_sub(1) else {
            return Set::UNKNOWN;
        };
        let first = site.argument(0).cloned().unwrap_or(Set::UNKNOWN);
        if let Atom::AttributeGetter(name) = atom {
            return self.attribute_read(&first, name, site.range);
        }
        let callee = if let Atom::MethodCaller(name) = atom {
            self.attribute_read(&first, name, site.range)
        } else {
            let name = self.symbols.intern("__call__");
            self.attribute_of(&Set::of(atom), name)
        };
        self.apply(
            &callee,
            &Site {
                arguments: site.arguments,
                receiver: &first,
                range: site.range,
                depth,
            },
        )
    }

    /// Methods of containers, and the methods behind attribute access.
    fn container_method(&mut self, attribute: &ast::ExprAttribute, site: &Site<'_>) -> Option<Set> {
        let base = site.receiver;
        let holds = !base.items.is_empty()
            || base.own.iter().any(|atom| {
                matches!(
                    atom,
                    Atom::Record(_) | Atom::Namespace(_) | Atom::Modules | Atom::Globals
                )
            });
        if base.own.contains(&Atom::Modules)
            && matches!(
                attribute.attr.as_str(),
                "pop" | "popitem" | "clear" | "update" | "setdefault" | "__setitem__"
            )
        {
            self.report(Rule::Tampering, site.range, "sys.modules");
        }
        match (attribute.attr.as_str(), site.argument(0)) {
            (
                "append" | "add" | "insert" | "extend" | "appendleft" | "update" | "setdefault",
                _,
            ) => {
                for argument in site.arguments {
                    self.put_into(&attribute.value, &argument.value);
                    self.put_field(base, argument);
                }
                if let Expr::Name(name) = attribute.value.as_ref() {
                    let name = self.symbols.intern(&name.id);
                    self.touch_results(name);
                }
                holds.then(|| base.element())
            }
            ("get" | "pop" | "__getitem__", Some(key)) if holds => {
                let mut value = self.item(base, key, site.range);
                if let Some(fallback) = site.argument(1) {
                    value.join(fallback);
                }
                Some(value)
            }
            ("values" | "items" | "copy" | "pop" | "popitem" | "popleft" | "__iter__", _)
                if holds =>
            {
                self.report_dynamic(base, site.range);
                Some(base.element())
            }
            ("__getattribute__" | "__getattr__", Some(name)) if site.argument(1).is_none() => {
                Some(self.get_attribute(base, name, site.range))
            }
            ("__call__", _) => {
                self.apply(base, site);
                Some(Set::UNKNOWN)
            }
            ("__enter__" | "__aenter__", _) => Some(base.clone()),
            _ => None,
        }
    }

    fn put_field(&mut self, base: &Set, argument: &Argument) {
        for atom in &base.own {
            match (*atom, argument.name) {
                (Atom::Record(record), Some(name)) => {
                    self.world.put(record, name, &argument.value);
                }
                (Atom::Globals, Some(name)) => {
                    self.world.put(World::MODULE, name, &argument.value);
                }
                (Atom::Globals, None) => self.report_escape(&argument.value, argument.range),
                (_, _) => {}
            }
        }
        if argument.name.is_none() {
            self.loosen(base, &argument.value);
        }
    }

    /// Whether the rules, or the code itself, say what is called.
    fn tells(&mut self, callee: &Set) -> bool {
        callee.own.iter().any(|atom| match atom.path() {
            Some(path) => {
                let facts = self.symbols.facts(path);
                facts.call.is_some()
                    || facts.special.is_some()
                    || facts.file.is_some()
                    || facts.gives.is_some()
            }
            None => true,
        })
    }

    /// A method of something that is not known: some names say enough.
    fn method_by_name(&mut self, attribute: &ast::ExprAttribute, site: &Site<'_>) {
        let name = attribute.attr.as_str();
        if let Some(receiver) = receiver(&attribute.value)
            && reads_like_a_write(receiver, name)
            && self.rules.has(Some(Pack::Generic))
        {
            let written = format!("{receiver}.{name}");
            self.report(Rule::ControlSuspect, site.range, &written);
        }
        self.own_method(name, site);
        if let Some(rule) = self.symbols.method_rule(name)
            && rule != Rule::Introspection
        {
            self.report(rule, site.range, name);
        }
        if let Some(argument) = saving_method(name) {
            self.saved_outside(argument, name, site);
        }
    }
}

/// The last name of what a method is called on.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "other expressions have no name"
)]
pub(super) fn receiver(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Name(name) => Some(&name.id),
        Expr::Attribute(attribute) => Some(&attribute.attr),
        Expr::Subscript(subscript) => receiver(&subscript.value),
        _ => None,
    }
}
