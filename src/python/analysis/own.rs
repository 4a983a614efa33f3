//! The deployment's own patterns: calls, stores and methods, with the arguments that they must have.

use ruff_text_size::TextRange;

use super::call::Site;
use super::reader::{Reader, Source};
use super::settings::{OwnPattern, Target, fits, fits_loosely};
use super::symbol::Symbol;
use super::value::{Atom, Set};

impl Reader<'_> {
    /// Reports what the patterns say of a call; without a site somebody else gets the function, whatever he gives it.
    pub(super) fn own_call(&mut self, path: Symbol, site: Option<&Site<'_>>, range: TextRange) {
        let name = self.symbols.text(path);
        self.own_patterns(&name, site, range, |target, name| match target {
            Target::Call(pattern) => fits(pattern, name),
            Target::Attribute(_) | Target::Method(_) => false,
        });
    }

    /// The same for a method of something that is not known.
    pub(super) fn own_method(&mut self, name: &str, site: &Site<'_>) {
        self.own_patterns(name, Some(site), site.range, |target, name| match target {
            Target::Method(method) => method == name,
            Target::Attribute(_) | Target::Call(_) => false,
        });
    }

    /// The same for a store to an attribute.
    pub(super) fn own_store(&mut self, path: Symbol, range: TextRange) {
        let name = self.symbols.text(path);
        self.own_patterns(&name, None, range, |target, name| match target {
            Target::Attribute(pattern) => fits(pattern, name),
            Target::Call(_) | Target::Method(_) => false,
        });
    }

    fn own_patterns(
        &mut self,
        name: &str,
        site: Option<&Site<'_>>,
        range: TextRange,
        is_meant: impl Fn(&Target, &str) -> bool,
    ) {
        let rules = self.rules;
        for (index, pattern) in rules.patterns.iter().enumerate() {
            if is_meant(&pattern.target, name) && self.arguments_fit(pattern, site) {
                self.keep(Source::Own(index), range, name);
            }
        }
    }

    fn arguments_fit(&mut self, pattern: &OwnPattern, site: Option<&Site<'_>>) -> bool {
        let Some(site) = site else { return true };
        let mut fitting = pattern.arguments.iter().map(|(place, wanted)| {
            let given = match place.parse() {
                Ok(position) => site.argument(position),
                Err(_) => {
                    let name = self.symbols.intern(place);
                    site.named(name)
                }
            };
            match given {
                Some(given) => self.fits_argument(wanted, given),
                // Something spread out may hold it.
                None => site.arguments.iter().any(|argument| argument.starred),
            }
        });
        fitting.all(|fits| fits)
    }

    /// Whether a value is, or may be, what a pattern wants.
    fn fits_argument(&self, wanted: &str, given: &Set) -> bool {
        given.open
            || given.own.is_empty()
            || given.own.iter().any(|atom| {
                if let Atom::Text(text) = *atom {
                    fits_loosely(wanted, &self.symbols.text(text))
                } else if let Atom::Constant(constant) = *atom {
                    wanted.eq_ignore_ascii_case(constant.as_str())
                } else {
                    true
                }
            })
    }
}
