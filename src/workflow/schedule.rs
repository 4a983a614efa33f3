//! `schedules`: when runs are started by themselves, and with what.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::compiler::Compiler;
use super::draft::{Site, Use};
use super::text::Uses;
use super::yaml::{self, Fields, Kind, Node};
use super::{keys, name, quantity};
use crate::code;
use crate::diagnostic::{Diagnostic, Place, Span, did_you_mean};
use crate::expression::Template;
use crate::plan::{Catchup, Field, Overlap, Schedule, check};
use crate::schedule::{Cron, Zone};

/// The zone of a schedule that names none.
const UTC: &str = "UTC";

pub(super) const CATCHUP: [(&str, Catchup); 3] = [
    ("none", Catchup::None),
    ("latest", Catchup::Latest),
    ("all", Catchup::All),
];

pub(super) const OVERLAP: [(&str, Overlap); 4] = [
    ("skip", Overlap::Skip),
    ("queue", Overlap::Queue),
    ("cancel_running", Overlap::CancelRunning),
    ("allow", Overlap::Allow),
];

impl Compiler<'_, '_> {
    /// Reads `schedules:`. What they hand to a run is checked against its inputs.
    pub(super) fn schedules(
        &mut self,
        node: &Node,
        inputs: &IndexMap<String, Field>,
        uses: &mut Vec<Use>,
    ) -> Vec<Schedule> {
        let Kind::List(items) = &node.kind else {
            let help = "every schedule begins with `- id: …`";
            yaml::wrong_type_with(&mut self.report, node, "a list", Some(help));
            return Vec::new();
        };
        let mut ids: BTreeMap<String, Span> = BTreeMap::new();
        let mut schedules = Vec::new();
        for item in items {
            let Some(fields) = yaml::fields(&mut self.report, item, &keys::SCHEDULE) else {
                continue;
            };
            let id = self.schedule_id(fields, &mut ids);
            schedules.extend(self.schedule(fields, id, inputs, uses));
        }
        schedules
    }

    fn schedule_id(&mut self, fields: Fields<'_>, ids: &mut BTreeMap<String, Span>) -> String {
        let Some(node) = fields.required(&mut self.report, &keys::SCHEDULE, "id") else {
            return String::new();
        };
        let Some(id) = yaml::text(&mut self.report, node) else {
            return String::new();
        };
        name::check(&mut self.report, "the id of a schedule", id, node.span);
        match ids.get(id) {
            Some(first) => {
                let line = Place::locate("", self.report.text(), *first).line;
                self.report.error_with(
                    code::DUPLICATE_ID,
                    node.span,
                    format!("two schedules have the id `{id}`"),
                    format!("the first one stands in line {line}"),
                );
            }
            None => {
                ids.insert(id.to_owned(), node.span);
            }
        }
        id.to_owned()
    }

    fn schedule(
        &mut self,
        fields: Fields<'_>,
        id: String,
        inputs: &IndexMap<String, Field>,
        uses: &mut Vec<Use>,
    ) -> Option<Schedule> {
        let cron = fields
            .required(&mut self.report, &keys::SCHEDULE, "cron")
            .and_then(|node| self.cron(node));
        let timezone = self.timezone(fields, &id);
        let with = self.schedule_with(fields, &id, inputs, uses);
        let report = &mut self.report;
        let catchup = match fields.get("catchup") {
            Some(node) => yaml::word(report, node, &CATCHUP),
            None => Some(Catchup::default()),
        };
        let overlap = match fields.get("overlap") {
            Some(node) => yaml::word(report, node, &OVERLAP),
            None => Some(Overlap::default()),
        };
        let mut duration = |key| {
            fields
                .get(key)
                .and_then(|node| quantity::duration(report, node))
        };
        let (catchup_window, jitter) = (duration("catchup_window"), duration("jitter"));
        if let Some(entry) = fields.entry("catchup_window")
            && catchup == Some(Catchup::None)
        {
            report.error_with(
                code::USELESS_KEY,
                entry.key_span,
                "`catchup_window` does nothing with `catchup: none`",
                "missed slots are left out, however old they are",
            );
        }
        Some(Schedule {
            id,
            cron: cron?,
            timezone: timezone?,
            catchup: catchup?,
            catchup_window,
            overlap: overlap?,
            jitter,
            with,
        })
    }

    fn cron(&mut self, node: &Node) -> Option<String> {
        let text = yaml::text(&mut self.report, node)?;
        match Cron::parse(text) {
            Ok(_) => Some(text.to_owned()),
            Err(fault) => {
                self.report
                    .error_with(code::BAD_VALUE, node.span, fault.message, fault.help);
                None
            }
        }
    }

    fn timezone(&mut self, fields: Fields<'_>, id: &str) -> Option<String> {
        let Some(node) = fields.get("timezone") else {
            if !fields.has_slip_of(&keys::SCHEDULE, "timezone") {
                let fault = Diagnostic::warning(
                    code::SCHEDULE_WITHOUT_TIMEZONE,
                    format!("the schedule `{id}` names no time zone: its times are {UTC}"),
                )
                .help("write it, so that nobody has to guess: `timezone: Europe/Berlin`");
                self.report.add(fields.node().span, fault);
            }
            return Some(UTC.to_owned());
        };
        let zone = yaml::text(&mut self.report, node)?;
        match Zone::parse(zone) {
            Ok(zone) => Some(zone.name().to_owned()),
            Err(fault) => {
                self.report
                    .error_with(code::BAD_VALUE, node.span, fault.to_string(), fault.help);
                None
            }
        }
    }

    /// What the runs are given: known inputs, values that fit, and nothing missing that has no default.
    fn schedule_with(
        &mut self,
        fields: Fields<'_>,
        id: &str,
        inputs: &IndexMap<String, Field>,
        uses: &mut Vec<Use>,
    ) -> IndexMap<String, Template> {
        let mut with = IndexMap::new();
        let entries = match fields.get("with") {
            Some(node) => yaml::map(&mut self.report, node).unwrap_or_default(),
            None => &[],
        };
        let uses = &mut Uses::new(Site::InputDefault, uses);
        for entry in entries {
            let Some(field) = inputs.get(&entry.key) else {
                self.unknown_schedule_input(&entry.key, entry.key_span, inputs);
                continue;
            };
            let Some(value) = self.template(&entry.node, uses) else {
                continue;
            };
            if let Template::Literal(literal) = &value
                && let Err(fault) = check(field, literal.clone(), &entry.key)
            {
                self.field_fault(&entry.node, fault);
            }
            with.insert(entry.key.clone(), value);
        }
        for (name, field) in inputs {
            let given = entries.iter().any(|entry| entry.key == *name);
            if field.required && field.default.is_none() && !given {
                self.report.error_with(
                    code::MISSING_INPUT,
                    fields.node().span,
                    format!("the schedule `{id}` does not give the input `{name}`"),
                    format!(
                        "write it under `with`, or give the input a default: `with: {{{name}: …}}`"
                    ),
                );
            }
        }
        with
    }

    fn unknown_schedule_input(&mut self, name: &str, span: Span, inputs: &IndexMap<String, Field>) {
        let mut fault =
            Diagnostic::error(code::UNKNOWN_INPUT, format!("there is no input `{name}`"));
        if let Some(near) = did_you_mean(name, inputs.keys().map(String::as_str)) {
            fault = fault.help(format!("did you mean `{near}`?"));
        } else if !inputs.is_empty() {
            let known: Vec<&str> = inputs.keys().map(String::as_str).collect();
            fault = fault.help(format!("there is: {}", known.join(", ")));
        }
        self.report.add(span, fault);
    }
}
