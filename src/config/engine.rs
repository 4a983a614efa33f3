//! `engine`: how much happens at once.

use crate::workflow::yaml::{self, Keys, Node, Report};

/// Most steps that may be asked for at once.
const STEPS_AT_ONCE_MAX: u32 = 1_024;

/// How much happens at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Engine {
    /// `steps_at_once`: Python steps that run at the same time; none = as many as the machine has cores.
    pub steps_at_once: Option<u32>,
}

const ENGINE: Keys = Keys {
    what: "`engine`",
    now: &["steps_at_once"],
    later: &["workers", "lease"],
};

pub(super) fn read(report: &mut Report<'_>, node: &Node, engine: &mut Engine) {
    if let Some(fields) = yaml::fields(report, node, &ENGINE) {
        engine.steps_at_once = fields
            .get("steps_at_once")
            .and_then(|node| yaml::whole(report, node, 1, STEPS_AT_ONCE_MAX));
    }
}
