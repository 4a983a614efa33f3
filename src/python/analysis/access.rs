//! Attributes, items and annotations.

use ruff_python_ast::{self as ast, Expr, Operator};
use ruff_text_size::{Ranged, TextRange};

use super::call::receiver;
use super::reader::Reader;
use super::rules::Rule;
use super::special::Special;
use super::symbol::Symbol;
use super::target::BASES_MAX;
use super::value::{Atom, Set};
use super::world::{ScopeId, World};

/// Modules that are worth reaching through another one.
const REEXPORTED: &[&str] = &[
    "builtins",
    "ctypes",
    "epics",
    "importlib",
    "os",
    "pickle",
    "posix",
    "pty",
    "runpy",
    "shutil",
    "socket",
    "subprocess",
    "sys",
    "tango",
];

impl Reader<'_> {
    /// `base.name` in the text, with what the rules say of reading it.
    pub(super) fn read_attribute(&mut self, base: &Set, attribute: &ast::ExprAttribute) -> Set {
        let name = self.symbols.intern(&attribute.attr);
        self.attribute_read(base, name, attribute.range())
    }

    /// The same for a name that came another way, `getattr` for one.
    pub(super) fn attribute_read(&mut self, base: &Set, name: Symbol, range: TextRange) -> Set {
        let text = self.symbols.text(name);
        if self.symbols.method_rule(&text) == Some(Rule::Introspection) {
            self.report(Rule::Introspection, range, &text);
        }
        // The setter of a property writes as a store to it does.
        if matches!(&*text, "fset" | "fdel" | "__set__" | "__delete__") {
            for path in base.own.iter().filter_map(|atom| atom.path()) {
                let rule = self.symbols.facts(path).store;
                self.report_path(rule, range, path);
            }
        }
        let value = self.attribute_of(base, name);
        self.report_loads(&value, range);
        value
    }

    /// Reports names whose reading alone says something.
    pub(super) fn report_loads(&mut self, value: &Set, range: TextRange) {
        for atom in &value.own {
            if let Atom::Path(path) = *atom {
                let rule = self.symbols.facts(path).load;
                self.report_path(rule, range, path);
            }
        }
    }

    /// What `base.name` may stand for.
    pub(super) fn attribute_of(&mut self, base: &Set, name: Symbol) -> Set {
        let mut value = Set::NOTHING;
        value.open = base.open;
        value.items_open = true;
        for atom in &base.own {
            let found = self.attribute_of_atom(*atom, name);
            value.join(&found);
        }
        if base.own.is_empty() {
            value.open = true;
        }
        value
    }

    fn attribute_of_atom(&mut self, atom: Atom, name: Symbol) -> Set {
        match (&*self.symbols.text(name), atom) {
            ("__dict__", _) => return self.namespace_of(atom),
            ("__class__", Atom::Instance(path)) => return Set::of(Atom::Path(path)),
            ("__class__", Atom::Object(class)) => return Set::of(Atom::Class(class)),
            ("__self__" | "__wrapped__" | "func", _) => return Set::of(atom),
            (_, _) => {}
        }
        match atom {
            Atom::Path(path) | Atom::Instance(path) => self.attribute_of_path(path, name),
            Atom::Object(class) => {
                let value = self.member(class, name, true, BASES_MAX);
                if value == Set::NOTHING {
                    return self.given_by(atom, "__getattr__", &Set::of(Atom::Text(name)));
                }
                self.world.bound(&value)
            }
            Atom::Class(class) => self.member(class, name, false, BASES_MAX),
            Atom::Super(class) => {
                let value = self.member_of_bases(class, name, true, BASES_MAX);
                self.world.bound(&value)
            }
            Atom::Record(record) => self
                .world
                .get(record, name)
                .cloned()
                .unwrap_or(Set::UNKNOWN),
            Atom::Text(_)
            | Atom::Prefix(_)
            | Atom::Constant(_)
            | Atom::Function(_)
            | Atom::Bound(_)
            | Atom::Namespace(_)
            | Atom::Modules
            | Atom::Globals
            | Atom::MethodCaller(_)
            | Atom::AttributeGetter(_) => Set::UNKNOWN,
        }
    }

    /// `vars(value)`. Plain objects have no names worth following; those of control libraries do.
    pub(super) fn namespace_of(&mut self, atom: Atom) -> Set {
        if let Atom::Object(scope) | Atom::Class(scope) | Atom::Record(scope) = atom {
            return Set::of(Atom::Record(scope));
        }
        if let Atom::Instance(path) = atom
            && self.symbols.facts(path).control
        {
            return Set::of(Atom::Namespace(path));
        }
        atom.path()
            .map_or(Set::UNKNOWN, |path| Set::of(Atom::Namespace(path)))
    }

    fn attribute_of_path(&mut self, path: Symbol, name: Symbol) -> Set {
        // A wildcard such as `socket.*` must not hide that `socket.os` is `os`.
        let module = self.reexported(name);
        match self.symbols.attribute(path, name) {
            Some(path) if !module.own.is_empty() && !self.symbols.is_named(path) => module,
            Some(path) if self.symbols.facts(path).special == Some(Special::Modules) => {
                Set::of(Atom::Modules)
            }
            Some(path) => Set::of(Atom::Path(path)),
            None => module,
        }
    }

    /// `shutil.os` is `os`: modules show what they import.
    fn reexported(&mut self, name: Symbol) -> Set {
        let text = self.symbols.text(name);
        let module = text.trim_start_matches('_');
        if REEXPORTED.contains(&module) {
            return Set::of(Atom::Path(self.symbols.module(module)));
        }
        Set::UNKNOWN
    }

    /// What a method of the code's own gives that Python calls by itself; nothing without it.
    fn given_by(&mut self, object: Atom, method: &str, argument: &Set) -> Set {
        let Atom::Object(class) = object else {
            return Set::NOTHING;
        };
        let method = self.symbols.intern(method);
        let method = self.member(class, method, true, BASES_MAX);
        let method = self.world.bound(&method);
        if !method
            .own
            .iter()
            .any(|atom| matches!(atom, Atom::Bound(_) | Atom::Function(_)))
        {
            return Set::NOTHING;
        }
        self.apply_to(
            &method,
            std::slice::from_ref(argument),
            TextRange::default(),
        )
    }

    /// A member of a class of the code, or of what it derives from.
    pub(super) fn member(
        &mut self,
        class: ScopeId,
        name: Symbol,
        object: bool,
        depth: usize,
    ) -> Set {
        match self.world.get(class, name) {
            Some(value) => value.clone(),
            None => self.member_of_bases(class, name, object, depth),
        }
    }

    fn member_of_bases(&mut self, class: ScopeId, name: Symbol, object: bool, depth: usize) -> Set {
        let mut value = Set::NOTHING;
        let bases = self.world.scope(class).map(|scope| scope.bases.own.clone());
        for base in bases.into_iter().flatten() {
            if let Atom::Path(path) = base {
                let base = if object { Atom::Instance(path) } else { base };
                value.join(&self.attribute_of_atom(base, name));
            } else if let (Atom::Class(base), Some(depth)) = (base, depth.checked_sub(1)) {
                value.join(&self.member(base, name, object, depth));
            }
        }
        value
    }

    pub(super) fn subscript(&mut self, subscript: &ast::ExprSubscript) -> Set {
        let base = self.eval(&subscript.value);
        let key = self.eval(&subscript.slice);
        self.item(&base, &key, subscript.range())
    }

    /// What `base[key]` may stand for.
    pub(super) fn item(&mut self, base: &Set, key: &Set, range: TextRange) -> Set {
        let constant = self.constant(key);
        let mut precise = Set::NOTHING;
        let mut vague = base.own.is_empty();
        for atom in &base.own {
            let found = match (*atom, constant) {
                (Atom::Record(record), Some(key)) => self.world.field(record, key),
                (Atom::Path(path), Some(_)) if &*self.symbols.text(path) == "os.environ" => {
                    self.read_variable(Some(key), path, range);
                    None
                }
                (Atom::Namespace(path) | Atom::Path(path), Some(key)) => {
                    Some(self.attribute_read(&Set::of(Atom::Path(path)), key, range))
                }
                (Atom::Modules, Some(key)) => {
                    let module = self.symbols.text(key);
                    Some(Set::of(Atom::Path(self.symbols.module(&module))))
                }
                (Atom::Globals, Some(key)) => self
                    .world
                    .find(self.scope, key)
                    .and_then(|scope| self.world.get(scope, key))
                    .cloned(),
                (Atom::Object(_), _) => {
                    let mut given = self.given_by(*atom, "__getitem__", key);
                    given.join(&self.given_by(*atom, "__missing__", key));
                    (given != Set::NOTHING).then_some(given)
                }
                (Atom::Namespace(_) | Atom::Modules, None) => {
                    self.report_dynamic(&Set::of(*atom), range);
                    None
                }
                (Atom::Globals, None) => {
                    self.report_dynamic(&Set::of(*atom), range);
                    Some(self.world.all_of(World::MODULE))
                }
                (_, _) => None,
            };
            match found {
                Some(found) => {
                    precise.join(&found);
                }
                None => vague = true,
            }
        }
        // A mapping holds its values as items too: they count only where the key is not known.
        if vague || constant.is_none() {
            precise.join(&base.element());
        }
        precise
    }

    /// What a value of this annotation is.
    pub(super) fn annotation(&mut self, annotation: &Expr) -> Set {
        let mut set = Set::UNKNOWN;
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "every other expression names a class, or nothing known"
        )]
        match annotation {
            Expr::StringLiteral(text) => {
                // `typing.get_type_hints` and libraries of data classes run what stands there.
                if text.value.to_str().contains('(') {
                    self.report(Rule::DynamicCode, annotation.range(), "annotation");
                }
                let class = self.dotted(text.value.to_str());
                set.join(&self.instances(&class));
            }
            // What stands in these is a value, but for the first of the latter.
            Expr::Subscript(subscript) if receiver(&subscript.value) == Some("Literal") => {
                self.eval(&subscript.slice);
            }
            Expr::Subscript(ast::ExprSubscript { value, slice, .. })
                if receiver(value) == Some("Annotated") && slice.is_tuple_expr() =>
            {
                if let Expr::Tuple(tuple) = slice.as_ref()
                    && let Some((first, rest)) = tuple.elts.split_first()
                {
                    set.join(&self.annotation(first));
                    rest.iter().for_each(|part| drop(self.eval(part)));
                }
            }
            Expr::Subscript(subscript) => {
                let inner = self.annotation(&subscript.slice);
                set.join(&inner);
                set.hold(&inner);
            }
            Expr::Tuple(ast::ExprTuple { elts, .. }) => {
                for element in elts {
                    set.join(&self.annotation(element));
                }
            }
            Expr::BinOp(ast::ExprBinOp {
                left,
                op: Operator::BitOr,
                right,
                ..
            }) => {
                set.join(&self.annotation(left));
                set.join(&self.annotation(right));
            }
            other => {
                let class = self.eval(other);
                set.join(&self.instances(&class));
            }
        }
        set
    }

    /// What a dotted name in a text stands for.
    fn dotted(&mut self, text: &str) -> Set {
        let mut names = text.trim().split('.').map(str::trim);
        let first = self.symbols.intern(names.next().unwrap_or_default());
        let mut value = match self.world.find(self.scope, first) {
            Some(scope) => self
                .world
                .get(scope, first)
                .cloned()
                .unwrap_or(Set::UNKNOWN),
            None => Set::UNKNOWN,
        };
        for name in names {
            let name = self.symbols.intern(name);
            value = self.attribute_of(&value, name);
        }
        value
    }

    pub(super) fn instances(&mut self, classes: &Set) -> Set {
        let mut set = Set::UNKNOWN;
        for atom in &classes.own {
            if let Atom::Path(path) = *atom {
                set.add(Atom::Instance(path));
            } else if let Atom::Class(class) = *atom {
                set.add(Atom::Object(class));
            }
        }
        set
    }
}
