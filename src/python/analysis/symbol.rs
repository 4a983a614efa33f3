//! Texts as small numbers, and what the rules say of each qualified name, looked up once.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use super::catalogue::{Catalogue, Facts};
use super::rules::Rule;

/// A text that was met: an identifier, a constant or a qualified name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Symbol(u32);

/// Longest qualified name that is followed, in segments.
const SEGMENTS_MAX: usize = 10;

/// A hash map for short keys that nobody chooses to collide for gain.
pub(super) type FastMap<K, V> = HashMap<K, V, BuildHasherDefault<FastHasher>>;

/// Multiply and rotate, as the Rust compiler hashes its own short keys.
#[derive(Default)]
pub(super) struct FastHasher(u64);

impl Hasher for FastHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        let mut last = [0u8; 8];
        for (slot, byte) in last.iter_mut().zip(rest) {
            *slot = *byte;
        }
        self.write_u64(u64::from_le_bytes(last));
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(u64::from_ne_bytes(value.to_ne_bytes()));
    }
}

/// All texts that were met in one analysis.
pub(super) struct Symbols<'r> {
    catalogue: Catalogue<'r>,
    texts: Vec<Rc<str>>,
    numbers: FastMap<Rc<str>, Symbol>,
    attributes: FastMap<(Symbol, Symbol), Option<Symbol>>,
    facts: FastMap<Symbol, Facts>,
}

impl<'r> Symbols<'r> {
    pub(super) fn new(catalogue: Catalogue<'r>) -> Self {
        Self {
            catalogue,
            texts: Vec::new(),
            numbers: FastMap::default(),
            attributes: FastMap::default(),
            facts: FastMap::default(),
        }
    }

    /// The number of a text.
    pub(super) fn intern(&mut self, text: &str) -> Symbol {
        if let Some(symbol) = self.numbers.get(text) {
            return *symbol;
        }
        let symbol = Symbol(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        let text: Rc<str> = text.into();
        self.texts.push(Rc::clone(&text));
        self.numbers.insert(text, symbol);
        symbol
    }

    /// The text of a number.
    pub(super) fn text(&self, symbol: Symbol) -> Rc<str> {
        usize::try_from(symbol.0)
            .ok()
            .and_then(|index| self.texts.get(index))
            .map_or_else(|| Rc::from(""), Rc::clone)
    }

    /// The qualified name of a module as imported.
    pub(super) fn module(&mut self, name: &str) -> Symbol {
        let canonical = self.catalogue.canonical(name);
        self.intern(&canonical)
    }

    /// The qualified name of an attribute, when any rule could ever care for it or for something below it.
    pub(super) fn attribute(&mut self, path: Symbol, name: Symbol) -> Option<Symbol> {
        if let Some(known) = self.attributes.get(&(path, name)) {
            return *known;
        }
        let full = format!("{}.{}", self.text(path), self.text(name));
        let canonical = self.catalogue.canonical(&full).into_owned();
        let live = canonical.split('.').count() <= SEGMENTS_MAX && self.catalogue.live(&canonical);
        let symbol = live.then(|| self.intern(&canonical));
        self.attributes.insert((path, name), symbol);
        symbol
    }

    /// Whether some rule writes this name, or one below it, in so many words.
    pub(super) fn is_named(&self, path: Symbol) -> bool {
        self.catalogue.is_named(&self.text(path))
    }

    /// The rule for a method that says enough by its name.
    pub(super) fn method_rule(&self, name: &str) -> Option<Rule> {
        self.catalogue.method_rule(name)
    }

    /// What the rules say of a qualified name.
    pub(super) fn facts(&mut self, path: Symbol) -> Facts {
        if let Some(facts) = self.facts.get(&path) {
            return *facts;
        }
        let facts = self.catalogue.facts(&self.text(path));
        self.facts.insert(path, facts);
        facts
    }
}
