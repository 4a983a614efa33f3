//! `wait`: for a length of time, an instant or a signal.

use super::compiler::Compiler;
use super::field::FieldRole;
use super::text::Uses;
use super::yaml::{self, Fields, Kind, Node};
use super::{keys, name, quantity};
use crate::code;
use crate::expression::Template;
use crate::plan::{Field, FieldType, OnWaitTimeout, WaitOn, WaitStep, check};

/// What can be waited for.
const ON: [&str; 3] = ["duration", "until", "signal"];
/// Keys that only mean something for a signal.
const SIGNAL_ONLY: [&str; 3] = ["payload", "timeout", "on_timeout"];
pub(super) const ON_TIMEOUT: [(&str, OnWaitTimeout); 2] = [
    ("fail", OnWaitTimeout::Fail),
    ("continue", OnWaitTimeout::Continue),
];

impl Compiler<'_, '_> {
    /// Reads `wait:`.
    pub(super) fn wait(&mut self, node: &Node, uses: &mut Uses<'_>) -> Option<WaitStep> {
        let fields = yaml::fields(&mut self.report, node, &keys::WAIT)?;
        let mut written = ON.iter().filter_map(|key| fields.entry(key));
        let Some(first) = written.next() else {
            if !ON.iter().any(|key| fields.has_slip_of(&keys::WAIT, key)) {
                self.report.error_with(
                    code::MISSING_KEY,
                    node.span,
                    "`wait` does not say what for",
                    format!("give it one of: {}", ON.join(", ")),
                );
            }
            return None;
        };
        if let Some(second) = written.next() {
            self.report.error_with(
                code::CONFLICTING_KEYS,
                second.key_span,
                format!("`{}` and `{}` exclude each other", first.key, second.key),
                "a step waits for one thing: make two steps",
            );
        }
        if first.key != "signal" {
            self.refuse_signal_only(fields, &first.key);
        }
        let on = match first.key.as_str() {
            "duration" => WaitOn::Duration(self.wait_duration(&first.node, uses)?),
            "until" => WaitOn::Until(self.wait_until(&first.node, uses)?),
            _ => self.signal(&first.node, fields, uses)?,
        };
        let timeout = fields
            .get("timeout")
            .and_then(|node| quantity::duration(&mut self.report, node));
        let on_timeout = self.on_wait_timeout(fields);
        Some(WaitStep {
            on,
            timeout,
            on_timeout,
        })
    }

    fn refuse_signal_only(&mut self, fields: Fields<'_>, on: &str) {
        for entry in SIGNAL_ONLY.iter().filter_map(|key| fields.entry(key)) {
            self.report.error_with(
                code::USELESS_KEY,
                entry.key_span,
                format!("`{}` does nothing beside `{on}`", entry.key),
                "it belongs to `signal`",
            );
        }
    }

    /// A length of time; checked now when it is written out.
    fn wait_duration(&mut self, node: &Node, uses: &mut Uses<'_>) -> Option<Template> {
        if node.text().is_none() {
            quantity::duration(&mut self.report, node);
            return None;
        }
        let template = self.template(node, uses)?;
        if template.expressions().is_empty() {
            quantity::duration(&mut self.report, node)?;
        }
        Some(template)
    }

    /// An instant; checked now when it is written out.
    fn wait_until(&mut self, node: &Node, uses: &mut Uses<'_>) -> Option<Template> {
        let template = self.text_template(node, uses)?;
        if template.expressions().is_empty() {
            let is = |kind| check(&Field::of(kind), node.to_json(), "").is_ok();
            if !is(FieldType::Datetime) && !is(FieldType::Date) {
                self.report.error_with(
                    code::BAD_VALUE,
                    node.span,
                    format!("`{}` is no instant", node.text().unwrap_or_default()),
                    "write it like `2026-11-22T08:30:00Z`, or as an expression",
                );
                return None;
            }
        }
        Some(template)
    }

    fn signal(&mut self, node: &Node, fields: Fields<'_>, uses: &mut Uses<'_>) -> Option<WaitOn> {
        let found = yaml::text(&mut self.report, node)?;
        name::check(&mut self.report, "the name of a signal", found, node.span);
        let payload = fields.get("payload").map(|node| {
            if let Kind::Map(entries) = &node.kind
                && entries.is_empty()
            {
                self.report.error_with(
                    code::BAD_VALUE,
                    node.span,
                    "`payload` holds no field",
                    "leave the key out when the signal may carry anything",
                );
            }
            self.fields(node, "the name of an entry", FieldRole::Given, uses)
        });
        Some(WaitOn::Signal {
            name: found.to_owned(),
            payload,
        })
    }

    fn on_wait_timeout(&mut self, fields: Fields<'_>) -> OnWaitTimeout {
        let Some(entry) = fields.entry("on_timeout") else {
            return OnWaitTimeout::default();
        };
        if fields.get("signal").is_some() && fields.get("timeout").is_none() {
            self.report.error_with(
                code::USELESS_KEY,
                entry.key_span,
                "`on_timeout` does nothing without `timeout`",
                "say how long: `timeout: 2h`",
            );
        }
        let found = yaml::word(&mut self.report, &entry.node, &ON_TIMEOUT).unwrap_or_default();
        let own = fields
            .get("payload")
            .and_then(|payload| payload.entry(OnWaitTimeout::OUTPUT));
        if let (OnWaitTimeout::Continue, Some(entry)) = (found, own) {
            self.report.error_with(
                code::NAME_TAKEN,
                entry.key_span,
                format!("the step gives out `{}` by itself", OnWaitTimeout::OUTPUT),
                "give this entry of the payload another name",
            );
        }
        found
    }
}
