//! What this system offers, found out by trying: some let a process begin to enter a namespace and stop it half-way.

use std::io::Write as _;
use std::process::ExitCode;

use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, Scope,
};
use serde::{Deserialize, Serialize};

use super::{LANDLOCK, NO_NEW_PRIVILEGES, SECCOMP, calls, held, missing, no_new_privileges, space};
use crate::executor::Layer;
use crate::plan::Network;

/// What this system offers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::executor) struct Offered {
    /// Whether namespaces can be entered; or why not.
    pub namespaces: Result<(), String>,
    /// Every layer.
    pub layers: Vec<Layer>,
}

impl Default for Offered {
    fn default() -> Self {
        Self {
            namespaces: Err("nobody has tried".to_owned()),
            layers: Vec::new(),
        }
    }
}

/// `__probe`: enters everything that there is and says what that was.
#[must_use]
pub fn probe() -> ExitCode {
    let first = no_new_privileges();
    let namespaces =
        space::separate(space::wanted(Network::None)).map_err(|error| error.to_string());
    let mut layers = vec![first];
    layers.extend(space::layers(
        namespaces.as_ref().err().map(String::as_str),
        Network::None,
    ));
    layers.push(landlock());
    layers.push(calls::enter(Network::None));
    debug_assert!(layers.iter().any(|layer| layer.name == NO_NEW_PRIVILEGES));
    let offered = Offered { namespaces, layers };
    let said = serde_json::to_vec(&offered).map(|text| std::io::stdout().write_all(&text));
    if matches!(said, Ok(Ok(()))) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn landlock() -> Layer {
    let made = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V6))
        .and_then(|ruleset| ruleset.scope(Scope::Signal | Scope::AbstractUnixSocket))
        .and_then(Ruleset::create);
    match made {
        Ok(_) => held(LANDLOCK, "files and signals"),
        Err(error) => missing(LANDLOCK, &error.to_string()),
    }
}

/// Nothing of it: for those who can't ask.
impl Offered {
    pub(in crate::executor::local) fn nothing(reason: &str) -> Self {
        let names = [NO_NEW_PRIVILEGES, LANDLOCK, SECCOMP];
        Self {
            namespaces: Err(reason.to_owned()),
            layers: names.iter().map(|name| missing(name, reason)).collect(),
        }
    }
}
