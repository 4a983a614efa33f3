//! `people` and `notifications`: who has which role, and where people look.

use super::{Config, channels};
use crate::approval::Roles;
use crate::code;
use crate::workflow::yaml::{self, Keys, Kind, Node, Report};

const PEOPLE: Keys = Keys {
    what: "`people`",
    now: &["roles"],
    later: &[],
};

const NOTIFICATIONS: Keys = Keys {
    what: "`notifications`",
    now: &["base_url"],
    later: &[],
};

pub(super) fn read(report: &mut Report<'_>, node: &Node, roles: &mut Roles) {
    let entries = yaml::fields(report, node, &PEOPLE)
        .and_then(|fields| fields.get("roles"))
        .and_then(|node| yaml::map(report, node));
    for entry in entries.unwrap_or_default() {
        let names = yaml::texts(report, &entry.node).unwrap_or_default();
        if entry.key.is_empty() || names.iter().any(|name| name.trim().is_empty()) {
            report.error(
                code::BAD_VALUE,
                entry.key_span,
                "a role and everybody in it need a name",
            );
        }
        roles.add(entry.key.clone(), names);
    }
}

pub(super) fn read_notifications(report: &mut Report<'_>, node: &Node, config: &mut Config) {
    config.base_url = yaml::fields(report, node, &NOTIFICATIONS)
        .and_then(|fields| fields.get("base_url"))
        // `${STEPWELL_URL:-}` of an unset variable leaves nothing behind, which means: not set.
        .filter(|node| node.kind != Kind::Null)
        .and_then(|node| channels::url(report, node))
        .map(|url| url.trim_end_matches('/').to_owned());
}
