//! `engine`: how much happens at once.

use crate::code;
use crate::workflow::yaml::{self, Keys, Node, Report};

/// Most steps that may be asked for at once.
const STEPS_AT_ONCE_MAX: u32 = 1_024;

/// How much happens at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Engine {
    /// `steps_at_once`: Python steps that run at the same time; none = as many as the machine has cores.
    pub steps_at_once: Option<u32>,
    /// `worker`: what events call the processes of this configuration; none = host and process.
    pub worker: Option<String>,
}

/// Longest name of a worker, in characters.
const WORKER_CHARS_MAX: usize = 100;

const ENGINE: Keys = Keys {
    what: "`engine`",
    now: &["steps_at_once", "worker"],
    later: &["workers", "lease"],
};

pub(super) fn read(report: &mut Report<'_>, node: &Node, engine: &mut Engine) {
    if let Some(fields) = yaml::fields(report, node, &ENGINE) {
        engine.steps_at_once = fields
            .get("steps_at_once")
            .and_then(|node| yaml::whole(report, node, 1, STEPS_AT_ONCE_MAX));
        engine.worker = fields.get("worker").and_then(|node| worker(report, node));
    }
}

fn worker(report: &mut Report<'_>, node: &Node) -> Option<String> {
    let name = yaml::text(report, node)?;
    let plain = |c: char| !c.is_control() && !c.is_whitespace();
    if name.is_empty() || name.chars().count() > WORKER_CHARS_MAX || !name.chars().all(plain) {
        let message =
            format!("a worker has a name of 1 to {WORKER_CHARS_MAX} characters, without blanks");
        report.error(code::BAD_VALUE, node.span, message);
        return None;
    }
    Some(name.to_owned())
}
