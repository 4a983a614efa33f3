//! The names of the code: scopes, functions and classes, kept from one pass to the next.

use std::collections::BTreeMap;

use super::symbol::{FastMap, Symbol};
use super::value::{Atom, Set};

/// A scope: the module, a function, a class, a comprehension, or the fields of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ScopeId(usize);

/// A function or lambda of the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FunctionId(usize);

/// What a scope belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ScopeKind {
    Module,
    Function,
    Class,
    Comprehension,
    Record,
}

/// Names and what they may stand for.
pub(super) struct Scope {
    pub(super) kind: ScopeKind,
    parent: Option<ScopeId>,
    names: BTreeMap<Symbol, Set>,
    /// For a class: what it derives from. For a record: what is under keys that the text does not tell.
    pub(super) bases: Set,
    globals: Vec<Symbol>,
    nonlocals: Vec<Symbol>,
}

/// How a function takes the object it is reached through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Binding {
    #[default]
    Plain,
    Static,
    Property,
}

/// A function: where its names live and what it may return.
#[derive(Default)]
pub(super) struct Function {
    pub(super) scope: Option<ScopeId>,
    pub(super) params: Vec<Symbol>,
    pub(super) vararg: Option<Symbol>,
    pub(super) kwarg: Option<Symbol>,
    pub(super) returns: Option<Set>,
    pub(super) binding: Binding,
    /// How many leading arguments `functools.partial` may have taken already.
    pub(super) shift: usize,
}

/// Everything that is known after some passes.
pub(super) struct World {
    scopes: Vec<Scope>,
    functions: Vec<Function>,
    scope_at: FastMap<(u32, ScopeKind), ScopeId>,
    function_at: FastMap<u32, FunctionId>,
    /// Modules whose names were imported by `*`.
    pub(super) stars: Vec<Symbol>,
    /// Whether this pass learned something.
    pub(super) changed: bool,
    /// Whether something had to be left out.
    pub(super) full: bool,
}

impl World {
    pub(super) const MODULE: ScopeId = ScopeId(0);

    pub(super) fn new() -> Self {
        let mut world = Self {
            scopes: Vec::new(),
            functions: Vec::new(),
            scope_at: FastMap::default(),
            function_at: FastMap::default(),
            stars: Vec::new(),
            changed: false,
            full: false,
        };
        world.new_scope(ScopeKind::Module, None);
        world
    }

    fn new_scope(&mut self, kind: ScopeKind, parent: Option<ScopeId>) -> ScopeId {
        self.scopes.push(Scope {
            kind,
            parent,
            names: BTreeMap::new(),
            bases: Set::NOTHING,
            globals: Vec::new(),
            nonlocals: Vec::new(),
        });
        ScopeId(self.scopes.len() - 1)
    }

    /// The scope of the node that starts at this byte, the same one in every pass.
    pub(super) fn scope_of(&mut self, start: u32, kind: ScopeKind, parent: ScopeId) -> ScopeId {
        if let Some(id) = self.scope_at.get(&(start, kind)) {
            return *id;
        }
        let id = self.new_scope(kind, Some(parent));
        self.scope_at.insert((start, kind), id);
        id
    }

    /// The record that the call or literal at this byte makes.
    pub(super) fn record_of(&mut self, start: u32, parent: ScopeId) -> ScopeId {
        self.scope_of(start, ScopeKind::Record, parent)
    }

    /// The function that starts at this byte, the same one in every pass.
    pub(super) fn function_of(&mut self, start: u32) -> FunctionId {
        if let Some(id) = self.function_at.get(&start) {
            return *id;
        }
        self.functions.push(Function::default());
        let id = FunctionId(self.functions.len() - 1);
        self.function_at.insert(start, id);
        id
    }

    pub(super) fn scope(&self, id: ScopeId) -> Option<&Scope> {
        self.scopes.get(id.0)
    }

    pub(super) fn function(&self, id: FunctionId) -> Option<&Function> {
        self.functions.get(id.0)
    }

    pub(super) fn function_mut(&mut self, id: FunctionId) -> Option<&mut Function> {
        self.functions.get_mut(id.0)
    }

    /// What a name of exactly this scope may stand for.
    pub(super) fn get(&self, scope: ScopeId, name: Symbol) -> Option<&Set> {
        self.scope(scope)?.names.get(&name)
    }

    /// What a record has under a key.
    pub(super) fn field(&self, record: ScopeId, key: Symbol) -> Option<Set> {
        let scope = self.scope(record)?;
        let mut value = scope.names.get(&key).cloned();
        if scope.bases != Set::NOTHING {
            value.get_or_insert(Set::NOTHING).join(&scope.bases);
        }
        value
    }

    /// Everything that the names of this scope may stand for.
    pub(super) fn all_of(&self, scope: ScopeId) -> Set {
        let mut set = Set::NOTHING;
        for value in self
            .scope(scope)
            .iter()
            .flat_map(|scope| scope.names.values())
        {
            set.join(value);
        }
        set
    }

    /// The names of exactly this scope, with what each may stand for.
    pub(super) fn fields(&self, scope: ScopeId) -> impl Iterator<Item = (&Symbol, &Set)> {
        self.scope(scope).into_iter().flat_map(|scope| &scope.names)
    }

    /// Adds to what a name of exactly this scope may stand for.
    pub(super) fn put(&mut self, scope: ScopeId, name: Symbol, value: &Set) {
        let Some(scope) = self.scopes.get_mut(scope.0) else {
            return;
        };
        let grew = match scope.names.get_mut(&name) {
            Some(known) => known.join(value),
            None => {
                scope.names.insert(name, value.clone());
                true
            }
        };
        self.note(grew, value);
    }

    /// Adds to what a name of exactly this scope may contain.
    pub(super) fn hold(&mut self, scope: ScopeId, name: Symbol, part: &Set) {
        let known = self
            .scopes
            .get_mut(scope.0)
            .and_then(|scope| scope.names.get_mut(&name));
        if let Some(known) = known {
            let grew = known.hold(part);
            let full = known.full;
            self.changed |= grew;
            self.full |= full;
        }
    }

    /// Adds to what a class derives from, or a record holds under unknown keys.
    pub(super) fn derive(&mut self, class: ScopeId, bases: &Set) {
        if let Some(scope) = self.scopes.get_mut(class.0) {
            let grew = scope.bases.join(bases);
            self.note(grew, bases);
        }
    }

    /// Adds to what a function may return.
    pub(super) fn give_back(&mut self, function: FunctionId, value: &Set) {
        if let Some(function) = self.functions.get_mut(function.0) {
            let grew = function.returns.get_or_insert(Set::NOTHING).join(value);
            self.note(grew, value);
        }
    }

    /// Makes a name of this scope mean the module's.
    pub(super) fn declare_global(&mut self, scope: ScopeId, name: Symbol) {
        if let Some(scope) = self.scopes.get_mut(scope.0)
            && !scope.globals.contains(&name)
        {
            scope.globals.push(name);
        }
    }

    /// Makes a name of this scope mean that of the function around it.
    pub(super) fn declare_nonlocal(&mut self, scope: ScopeId, name: Symbol) {
        if let Some(scope) = self.scopes.get_mut(scope.0)
            && !scope.nonlocals.contains(&name)
        {
            scope.nonlocals.push(name);
        }
    }

    /// The scope that an assignment to `name` in `scope` writes to.
    pub(super) fn binding_scope(&self, scope: ScopeId, name: Symbol) -> ScopeId {
        match self.scope(scope) {
            Some(here) if here.globals.contains(&name) => Self::MODULE,
            Some(here) if here.nonlocals.contains(&name) => here
                .parent
                .and_then(|parent| self.find(parent, name))
                .unwrap_or(scope),
            Some(_) | None => scope,
        }
    }

    /// The nearest scope around `scope` that is no comprehension.
    pub(super) fn enclosing(&self, scope: ScopeId) -> ScopeId {
        match self.scope(scope) {
            Some(Scope {
                kind: ScopeKind::Comprehension,
                parent: Some(parent),
                ..
            }) => self.enclosing(*parent),
            Some(_) | None => scope,
        }
    }

    /// The scope where a name that is read in `scope` is found.
    pub(super) fn find(&self, scope: ScopeId, name: Symbol) -> Option<ScopeId> {
        let mut next = Some(self.binding_scope(scope, name));
        while let Some(id) = next {
            let here = self.scope(id)?;
            // Methods do not see the names of their class.
            let visible = here.kind != ScopeKind::Class || id == scope;
            if visible && here.names.contains_key(&name) {
                return Some(id);
            }
            next = here.parent;
        }
        None
    }

    /// The class whose body this function scope stands in.
    pub(super) fn class_around(&self, scope: ScopeId) -> Option<ScopeId> {
        let mut next = Some(scope);
        while let Some(id) = next {
            let here = self.scope(id)?;
            if here.kind == ScopeKind::Class {
                return Some(id);
            }
            next = here.parent;
        }
        None
    }

    pub(super) fn remember_star(&mut self, module: Symbol) {
        if !self.stars.contains(&module) {
            self.stars.push(module);
            self.changed = true;
        }
    }

    fn note(&mut self, grew: bool, value: &Set) {
        self.changed |= grew;
        self.full |= value.full;
    }

    /// What an object of a class of the code has under `name`; methods come bound.
    pub(super) fn bound(&self, value: &Set) -> Set {
        let mut bound = Set {
            own: Vec::with_capacity(value.own.len()),
            ..value.clone()
        };
        for atom in &value.own {
            let Atom::Function(id) = *atom else {
                bound.add(*atom);
                continue;
            };
            let Some(function) = self.function(id) else {
                continue;
            };
            match function.binding {
                Binding::Plain => bound.add(Atom::Bound(id)),
                Binding::Static => bound.add(*atom),
                Binding::Property => {
                    bound.join(function.returns.as_ref().unwrap_or(&Set::UNKNOWN));
                }
            }
        }
        bound
    }
}
