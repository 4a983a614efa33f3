//! Who sits at the keyboard.

use nix::unistd::{Uid, User};

use crate::run::Actor;

/// The user of the operating system, by name; by number when it has none.
pub(super) fn name() -> String {
    let uid = Uid::effective();
    match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        Ok(None) | Err(_) => format!("uid-{uid}"),
    }
}

/// The same as the cause of an event.
pub(super) fn actor() -> Actor {
    Actor::User(name())
}
