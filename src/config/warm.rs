//! `execution.local.warm`: interpreters that have imported the libraries of steps already.

use crate::executor::local::WarmOptions;
use crate::workflow::quantity;
use crate::workflow::yaml::{self, Keys, Kind, Node, Report};

const WARM: Keys = Keys {
    what: "`warm`",
    now: &["from", "wait", "parents", "forks", "memory", "idle"],
    later: &[],
};

/// Most of what is counted.
const COUNT_MAX: u32 = 1_000_000;
/// Most parents: each has the memory of its libraries.
const PARENTS_MAX: u32 = 64;

/// `true` or `false`; or how many there are, and how long.
pub(super) fn read(report: &mut Report<'_>, node: &Node) -> WarmOptions {
    let mut options = WarmOptions::default();
    if !matches!(node.kind, Kind::Map(_)) {
        options.enabled = yaml::boolean(report, node).unwrap_or(options.enabled);
        return options;
    }
    let Some(fields) = yaml::fields(report, node, &WARM) else {
        return options;
    };
    let mut whole = |key, max| {
        let node = fields.get(key);
        node.and_then(|node| yaml::whole(report, node, 1, max))
    };
    let parents = whole("parents", PARENTS_MAX).and_then(|count| usize::try_from(count).ok());
    options.from = whole("from", COUNT_MAX).unwrap_or(options.from);
    options.forks_max = whole("forks", COUNT_MAX).unwrap_or(options.forks_max);
    options.parents_max = parents.unwrap_or(options.parents_max);
    let mut duration = |key| {
        let node = fields.get(key);
        node.and_then(|node| quantity::duration(report, node))
    };
    options.patience = duration("wait").unwrap_or(options.patience);
    options.idle = duration("idle").unwrap_or(options.idle);
    let memory = fields.get("memory");
    options.memory_max = memory
        .and_then(|node| quantity::size(report, node))
        .unwrap_or(options.memory_max);
    options
}
