//! What a name may stand for, as far as the text tells.

use super::symbol::Symbol;
use super::world::{FunctionId, ScopeId};

/// Most constant texts that one set keeps; more make it open.
const TEXTS_MAX: usize = 16;
/// Most other atoms that one set keeps; more make the analysis say that it gave up.
const ATOMS_MAX: usize = 128;

/// A constant that is no text and no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Constant {
    True,
    False,
    None,
}

impl Constant {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::None => "none",
        }
    }
}

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
    /// `True`, `False`, `None`.
    Constant(Constant),
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

    /// Whether nothing can be reached through it.
    pub(super) fn is_plain(self) -> bool {
        matches!(self, Self::Text(_) | Self::Prefix(_) | Self::Constant(_))
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
    /// Whether something was left out for want of room.
    pub(super) full: bool,
}

impl Set {
    /// Nothing at all yet.
    pub(super) const NOTHING: Self = Self {
        own: Vec::new(),
        items: Vec::new(),
        open: false,
        items_open: false,
        full: false,
    };

    /// Anything the text does not tell.
    pub(super) const UNKNOWN: Self = Self {
        own: Vec::new(),
        items: Vec::new(),
        open: true,
        items_open: true,
        full: false,
    };

    /// Exactly this.
    pub(super) fn of(atom: Atom) -> Self {
        Self {
            own: vec![atom],
            items_open: true,
            ..Self::NOTHING
        }
    }

    /// Adds `part` as something contained; says whether that is news.
    pub(super) fn hold(&mut self, part: &Self) -> bool {
        let mut grew = raise(
            &mut self.items_open,
            part.open | part.items_open & !part.items.is_empty(),
        );
        grew |= raise(&mut self.full, part.full);
        for atom in part.own.iter().chain(&part.items) {
            grew |= insert(&mut self.items, *atom, &mut self.items_open, &mut self.full);
        }
        grew
    }

    /// Unites it with `other`; says whether that is news.
    pub(super) fn join(&mut self, other: &Self) -> bool {
        let mut grew = raise(&mut self.open, other.open);
        grew |= raise(&mut self.items_open, other.items_open);
        grew |= raise(&mut self.full, other.full);
        for atom in &other.own {
            grew |= insert(&mut self.own, *atom, &mut self.open, &mut self.full);
        }
        for atom in &other.items {
            grew |= insert(&mut self.items, *atom, &mut self.items_open, &mut self.full);
        }
        grew
    }

    /// Adds one atom.
    pub(super) fn add(&mut self, atom: Atom) {
        insert(&mut self.own, atom, &mut self.open, &mut self.full);
    }

    /// Whether it is exactly this constant.
    pub(super) fn is_only(&self, constant: Constant) -> bool {
        !self.open && self.own == [Atom::Constant(constant)]
    }

    /// What iterating or indexing gives.
    pub(super) fn element(&self) -> Self {
        Self {
            own: self.items.clone(),
            items: self.items.clone(),
            open: self.items_open,
            items_open: self.items_open,
            full: self.full,
        }
    }
}

fn raise(flag: &mut bool, by: bool) -> bool {
    let grew = by && !*flag;
    *flag |= by;
    grew
}

/// Adds an atom, or opens the set when there is no room; says whether that is news.
fn insert(atoms: &mut Vec<Atom>, atom: Atom, open: &mut bool, full: &mut bool) -> bool {
    if atoms.contains(&atom) {
        return false;
    }
    let texts = || atoms.iter().filter(|atom| atom.beginning().is_some());
    if atom.beginning().is_some() && texts().count() >= TEXTS_MAX {
        return raise(open, true);
    }
    if atoms.len() >= ATOMS_MAX {
        return raise(open, true) | raise(full, true);
    }
    atoms.push(atom);
    true
}
