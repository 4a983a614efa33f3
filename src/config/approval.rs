//! `approval`: whether people are asked before code runs.

use super::Config;
use crate::approval::{CodeApproval, GlobalMode};
use crate::workflow::yaml::{self, Keys, Node, Report};

const APPROVAL: Keys = Keys {
    what: "`approval`",
    now: &["global_mode", "capabilities", "allow_self"],
    later: &["reviewers", "timeout", "notify"],
};

const CAPABILITIES: Keys = Keys {
    what: "`approval.capabilities`",
    now: &["python_execution"],
    later: &["memory"],
};

const PYTHON: Keys = Keys {
    what: "`python_execution`",
    now: &["enabled", "mode"],
    later: &[],
};

const GLOBAL_MODES: [(&str, GlobalMode); 3] = [
    ("disabled", GlobalMode::Disabled),
    ("selective", GlobalMode::Selective),
    ("all_capabilities", GlobalMode::AllCapabilities),
];

const CODE_MODES: [(&str, CodeApproval); 4] = [
    ("disabled", CodeApproval::Disabled),
    ("all_code", CodeApproval::AllCode),
    ("control_writes", CodeApproval::ControlWrites),
    ("epics_writes", CodeApproval::ControlWrites),
];

pub(super) fn read(report: &mut Report<'_>, node: &Node, config: &mut Config) {
    let Some(fields) = yaml::fields(report, node, &APPROVAL) else {
        return;
    };
    let allowed = fields.get("allow_self");
    if let Some(allowed) = allowed.and_then(|node| yaml::boolean(report, node)) {
        config.allow_self = allowed;
    }
    let policy = &mut config.approval;
    let mode = fields.get("global_mode");
    if let Some(mode) = mode.and_then(|node| yaml::word(report, node, &GLOBAL_MODES)) {
        policy.global_mode = mode;
    }
    let Some(fields) = fields
        .get("capabilities")
        .and_then(|node| yaml::fields(report, node, &CAPABILITIES))
        .and_then(|fields| fields.get("python_execution"))
        .and_then(|node| yaml::fields(report, node, &PYTHON))
    else {
        return;
    };
    let enabled = fields.get("enabled");
    if let Some(enabled) = enabled.and_then(|node| yaml::boolean(report, node)) {
        policy.python.enabled = enabled;
    }
    let mode = fields.get("mode");
    if let Some(mode) = mode.and_then(|node| yaml::word(report, node, &CODE_MODES)) {
        policy.python.mode = mode;
    }
}
