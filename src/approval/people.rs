//! Who has which role.

use std::collections::{BTreeMap, BTreeSet};

/// The people of an installation, by role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    by_role: BTreeMap<String, BTreeSet<String>>,
}

impl Roles {
    /// Gives that role to those people.
    pub fn add(&mut self, role: impl Into<String>, people: impl IntoIterator<Item = String>) {
        self.by_role.entry(role.into()).or_default().extend(people);
    }

    /// The roles of a person, in alphabetical order.
    #[must_use]
    pub fn of(&self, person: &str) -> Vec<String> {
        self.by_role
            .iter()
            .filter(|(_, people)| people.contains(person))
            .map(|(role, _)| role.clone())
            .collect()
    }

    /// The roles that somebody has, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let held = self.by_role.iter().filter(|(_, people)| !people.is_empty());
        held.map(|(role, _)| role.as_str())
    }

    /// Who has that role, in alphabetical order.
    pub fn people(&self, role: &str) -> impl Iterator<Item = &str> {
        let people = self.by_role.get(role);
        people.into_iter().flatten().map(String::as_str)
    }

    /// Whether there is such a role at all.
    #[must_use]
    pub fn knows(&self, role: &str) -> bool {
        self.by_role.contains_key(role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_has_the_roles_that_name_her() {
        let mut roles = Roles::default();
        roles.add("shift_lead", ["ada".to_owned()]);
        roles.add("analyst", ["ada".to_owned(), "bob".to_owned()]);
        roles.add("nobody", []);
        assert_eq!(roles.of("ada"), ["analyst", "shift_lead"]);
        assert_eq!(roles.of("bob"), ["analyst"]);
        assert!(roles.of("eve").is_empty());
        assert_eq!(roles.names().collect::<Vec<_>>(), ["analyst", "shift_lead"]);
        assert!(roles.knows("nobody") && !roles.knows("anybody"));
    }
}
