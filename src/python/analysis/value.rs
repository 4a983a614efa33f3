//! What a name may stand for, as far as the text tells.

use super::symbol::Symbol;
use super::world::{FunctionId, ScopeId};

/// Most constant texts that one set keeps; more make it open.
const TEXTS_MAX: usize = 16;
/// Most other atoms that one set keeps; more make the analysis say that it gave up.
const ATOMS_MAX: usize = 256;

/// One thing that a name may stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Atom {
    /// A module, class or function by its qualified name.
    Path(Symbol),
    /// What a call of that path gives.
    Instance(Symbol),
    /// A constant text.
    Text(Symbol),
    /// A text whose beginning is constant.
    Prefix(Symbol),
    /// A function of the code itself.
    Function(FunctionId),
    /// The same, reached through an object: its first parameter is taken.
    Bound(FunctionId),
    /// A class of the code itself.
    Class(ScopeId),
    /// An object of such a class.
    Object(ScopeId),
    /// A mapping or namespace with constant keys.
    Record(ScopeId),
    /// `vars(module)`, `module.__dict__`.
    Namespace(Symbol),
    /// `sys.modules`.
    Modules,
    /// `globals()`.
    Globals,
    /// `super()` in a method of that class.
    Super(ScopeId),
    /// `operator.methodcaller(name)`.
    MethodCaller(Symbol),
    /// `operator.attrgetter(name)`.
    AttributeGetter(Symbol),
}

impl Atom {
    /// The qualified name of a module, class or function.
    pub(super) fn path(self) -> Option<Symbol> {
        if let Self::Path(path) = self {
            Some(path)
        } else {
            None
        }
    }

    /// A text that is constant to its end.
    pub(super) fn text(self) -> Option<Symbol> {
        if let Self::Text(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// The constant beginning of a text.
    pub(super) fn beginning(self) -> Option<Symbol> {
        if let Self::Text(text) | Self::Prefix(text) = self {
            Some(text)
        } else {
            None
        }
    }
}

/// Everything that an expression may stand for, and what it may contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) own: Vec<Atom>,
    /// What iterating or indexing it may give, at any depth.
    pub(super) items: Vec<Atom>,
    /// Whether it may be something else as well.
    pub(super) open: bool,
    pub(super) items_open: bool,
}

impl Set {
    /// Nothing at all yet.
    pub(super) const NOTHING: Self = Self {
        own: Vec::new(),
        items: Vec::new(),
        open: false,
        items_open: false,
    };

    /// Anything the text does not tell.
    pub(super) const UNKNOWN: Self = Self {
        own: Vec::new(),
        items: Vec::new(),
        open: true,
        items_open: true,
    };

    /// Exactly this.
    pub(super) fn of(atom: Atom) -> Self {
        Self {
            own: vec![atom],
            items_open: true,
            ..Self::NOTHING
        }
    }

    /// Adds `part` as something contained; says whether that is news, and whether it was too much.
    pub(super) fn hold(&mut self, part: &Self) -> Change {
        let open = self.items_open | part.open;
        let mut change = Change {
            grew: open != self.items_open,
            full: false,
        };
        self.items_open = open;
        for atom in part.own.iter().chain(&part.items) {
            change.add(insert(&mut self.items, *atom, &mut self.items_open));
        }
        change
    }

    /// Unites it with `other`.
    pub(super) fn join(&mut self, other: &Self) -> Change {
        let (open, items_open) = (self.open | other.open, self.items_open | other.items_open);
        let mut change = Change {
            grew: open != self.open || items_open != self.items_open,
            full: false,
        };
        (self.open, self.items_open) = (open, items_open);
        for atom in &other.own {
            change.add(insert(&mut self.own, *atom, &mut self.open));
        }
        for atom in &other.items {
            change.add(insert(&mut self.items, *atom, &mut self.items_open));
        }
        change
    }

    /// Adds one atom.
    pub(super) fn add(&mut self, atom: Atom) {
        insert(&mut self.own, atom, &mut self.open);
    }

    /// What iterating or indexing gives.
    pub(super) fn element(&self) -> Self {
        Self {
            own: self.items.clone(),
            items: self.items.clone(),
            open: self.items_open,
            items_open: self.items_open,
        }
    }
}

/// What a union did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// The set has something that it had not.
    pub(super) grew: bool,
    /// Something was left out, so the analysis is not complete.
    pub(super) full: bool,
}

impl Change {
    fn add(&mut self, other: Self) {
        self.grew |= other.grew;
        self.full |= other.full;
    }
}

fn insert(atoms: &mut Vec<Atom>, atom: Atom, open: &mut bool) -> Change {
    if atoms.contains(&atom) {
        return Change::default();
    }
    let texts = || atoms.iter().filter(|atom| atom.beginning().is_some());
    if atom.beginning().is_some() && texts().count() >= TEXTS_MAX {
        let grew = !*open;
        *open = true;
        return Change { grew, full: false };
    }
    if atoms.len() >= ATOMS_MAX {
        let grew = !*open;
        *open = true;
        return Change { grew, full: true };
    }
    atoms.push(atom);
    Change {
        grew: true,
        full: false,
    }
}
