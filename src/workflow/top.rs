//! The top of the file: version, name, inputs, defaults, outputs.

use std::time::Duration;

use indexmap::IndexMap;

use super::compiler::{Compiler, Defaults};
use super::draft::{Site, Use};
use super::field::FieldRole;
use super::text::Uses;
use super::yaml::{self, Fields, Kind, Node};
use super::{LANGUAGE, keys, quantity};
use crate::code;
use crate::expression::Template;
use crate::plan::{Concurrency, Field, Handlers, IsolationLevel, Schedule};

/// What a workflow says beside its steps.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) labels: IndexMap<String, String>,
    pub(super) inputs: IndexMap<String, Field>,
    pub(super) timeout: Option<Duration>,
    pub(super) fail_fast: bool,
    pub(super) concurrency: Option<Concurrency>,
    pub(super) schedules: Vec<Schedule>,
    pub(super) retention: Option<Duration>,
    pub(super) outputs: IndexMap<String, Template>,
    pub(super) handlers: Handlers,
    /// References of inputs, outputs and what else stands here.
    pub(super) uses: Vec<Use>,
}

impl Compiler<'_, '_> {
    /// Reads the whole file; the steps go to the drafts.
    pub(super) fn workflow(&mut self, root: &Node) -> Head {
        let mut head = Head::default();
        let Some(fields) = yaml::fields(&mut self.report, root, &keys::WORKFLOW) else {
            return head;
        };
        self.version(fields);
        if let Some(node) = fields.get("secrets") {
            self.read_secrets(node);
        }
        self.head(fields, &mut head);
        self.run_limits(fields, &mut head);
        if let Some(node) = fields.get("defaults") {
            self.defaults = self.read_defaults(node);
        }
        if let Some(node) = fields.required(&mut self.report, &keys::WORKFLOW, "steps") {
            self.steps(node, None);
        }
        if let Some(node) = fields.get("handlers") {
            head.handlers = self.handlers(node);
        }
        if let Some(node) = fields.get("outputs") {
            let uses = &mut Uses::new(Site::RunOutput, &mut head.uses);
            head.outputs = self.output_values(node, uses);
        }
        head
    }

    fn version(&mut self, fields: Fields<'_>) {
        let Some(node) = fields.required(&mut self.report, &keys::WORKFLOW, "version") else {
            return;
        };
        match node.kind {
            Kind::Int(version) if version == i64::from(LANGUAGE) => {}
            Kind::Int(version) => self.report.error(
                code::UNSUPPORTED_VERSION,
                node.span,
                format!("version {version} of the language is not known; this is {LANGUAGE}"),
            ),
            Kind::Null
            | Kind::Bool(_)
            | Kind::Float(_)
            | Kind::Text { .. }
            | Kind::List(_)
            | Kind::Map(_) => self.report.error_with(
                code::WRONG_TYPE,
                node.span,
                format!("expected a whole number, found {}", node.what()),
                format!("write `version: {LANGUAGE}`"),
            ),
        }
    }

    fn head(&mut self, fields: Fields<'_>, head: &mut Head) {
        if let Some(node) = fields.required(&mut self.report, &keys::WORKFLOW, "name") {
            head.name = self.workflow_name(node).unwrap_or_default();
        }
        if let Some(node) = fields.get("description") {
            head.description = self.plain_text(node).unwrap_or_default();
        }
        if let Some(node) = fields.get("labels") {
            head.labels = self.labels(node);
        }
        if let Some(node) = fields.get("inputs") {
            let uses = &mut Uses::new(Site::InputDefault, &mut head.uses);
            head.inputs = self.fields(node, "the name of an input", FieldRole::Given, uses);
        }
    }

    /// When runs begin, how many at once, how long they take and are kept.
    fn run_limits(&mut self, fields: Fields<'_>, head: &mut Head) {
        if let Some(node) = fields.get("schedules") {
            head.schedules = self.schedules(node, &head.inputs, &mut head.uses);
        }
        if let Some(node) = fields.get("concurrency") {
            let uses = &mut Uses::new(Site::RunStart, &mut head.uses);
            head.concurrency = self.concurrency(node, uses);
        }
        let report = &mut self.report;
        head.timeout = fields
            .get("timeout")
            .and_then(|node| quantity::duration(report, node));
        head.retention = fields
            .get("retention")
            .and_then(|node| quantity::duration(report, node));
        head.fail_fast = fields
            .get("fail_fast")
            .and_then(|node| yaml::boolean(report, node))
            .unwrap_or_default();
    }

    /// The name is part of folder names, so it holds nothing that a path could stumble over.
    fn workflow_name(&mut self, node: &Node) -> Option<String> {
        let name = yaml::text(&mut self.report, node)?;
        let fits = name.len() <= super::NAME_CHARS_MAX
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
        if !fits {
            self.report.error_with(
                code::BAD_ID,
                node.span,
                format!("`{name}` can't be the name of a workflow"),
                format!(
                    "letters, digits, _, - and . only, at most {}; the rest fits in `description`",
                    super::NAME_CHARS_MAX
                ),
            );
        }
        Some(name.to_owned())
    }

    fn read_defaults(&mut self, node: &Node) -> Defaults {
        let mut defaults = Defaults::default();
        let Some(fields) = yaml::fields(&mut self.report, node, &keys::DEFAULTS) else {
            return defaults;
        };
        defaults.retry = fields.get("retry").and_then(|node| self.retry(node));
        let Some(fields) = fields
            .get("python")
            .and_then(|node| yaml::fields(&mut self.report, node, &keys::DEFAULTS_PYTHON))
        else {
            return defaults;
        };
        defaults.execution = self.execution(fields);
        let reach = self.reach(fields, &["requirements"]);
        defaults.mode = fields.get("mode").and_then(|node| self.mode(node));
        defaults.timeout = fields
            .get("timeout")
            .and_then(|node| quantity::duration(&mut self.report, node));
        defaults.packages = fields
            .get("packages")
            .and_then(|node| yaml::texts(&mut self.report, node))
            .unwrap_or_default();
        defaults.requirements = fields
            .get("requirements")
            .and_then(|node| self.requirements(node, reach));
        let limits = fields.get("limits");
        defaults.limits = limits.map_or_else(Default::default, |node| self.step_limits(node));
        defaults.isolation = fields
            .get("isolation")
            .and_then(|node| yaml::word(&mut self.report, node, &IsolationLevel::WORDS_OF_STEP));
        defaults
    }
}
