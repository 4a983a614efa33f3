//! `python: {task: …}`: code that a generator writes.

use super::compiler::Compiler;
use super::installed::Sort;
use super::text::Uses;
use super::yaml::{self, Fields, Kind, Node};
use crate::code;
use crate::expression::Template;
use crate::plan::{Reuse, TaskStep};

/// Most generations that can be asked for.
pub(super) const GENERATIONS_MAX: u32 = 100;

pub(super) const REUSE: [(&str, Reuse); 2] =
    [("never", Reuse::Never), ("approved", Reuse::Approved)];

/// Keys that say something to whoever writes the code.
const FOR_TASKS: [&str; 6] = [
    "expects",
    "user_query",
    "context",
    "generator",
    "max_generations",
    "reuse",
];

/// `requirements` as a file of packages. As a list beside `task` it is what the code must fulfil.
pub(super) fn requirements_file(fields: Fields<'_>) -> Option<&Node> {
    let node = fields.get("requirements")?;
    let sentences = fields.get("task").is_some() && matches!(node.kind, Kind::List(_));
    (!sentences).then_some(node)
}

impl Compiler<'_, '_> {
    /// What the code shall be written for.
    pub(super) fn task(&mut self, fields: Fields<'_>, uses: &mut Uses<'_>) -> Option<TaskStep> {
        let task = fields
            .get("task")
            .and_then(|node| self.filled(node, "a task", uses));
        let expects = match fields.get("expects") {
            Some(node) => self.expects(node, uses),
            None => None,
        };
        let requirements = match fields.get("requirements").map(|node| &node.kind) {
            Some(Kind::List(items)) => items
                .iter()
                .filter_map(|item| self.filled(item, "a requirement", uses))
                .collect(),
            Some(
                Kind::Null
                | Kind::Bool(_)
                | Kind::Int(_)
                | Kind::Float(_)
                | Kind::Text { .. }
                | Kind::Map(_),
            )
            | None => Vec::new(),
        };
        let mut told = |key: &str| {
            let node = fields.get(key)?;
            self.text_template(node, uses)
        };
        let (user_query, context) = (told("user_query"), told("context"));
        let generator = match fields.get("generator") {
            Some(node) => {
                let name = yaml::text(&mut self.report, node)?.to_owned();
                self.check_installed(Sort::Generator, &name, node.span);
                Some(name)
            }
            None => {
                let span = fields.entry("task").map(|entry| entry.key_span);
                if let Some(span) = span {
                    self.check_default_generator(span);
                }
                None
            }
        };
        let max_generations = match fields.get("max_generations") {
            Some(node) => yaml::whole(&mut self.report, node, 1, GENERATIONS_MAX)?,
            None => TaskStep::MAX_GENERATIONS,
        };
        let reuse = match fields.get("reuse") {
            Some(node) => yaml::word(&mut self.report, node, &REUSE)?,
            None => Reuse::default(),
        };
        Some(TaskStep {
            task: task?,
            expects,
            requirements,
            user_query,
            context,
            generator,
            max_generations,
            reuse,
        })
    }

    /// What the code shall leave: text, or a map from names to what they are.
    fn expects(&mut self, node: &Node, uses: &mut Uses<'_>) -> Option<Template> {
        match &node.kind {
            Kind::Text { .. } => self.filled(node, "`expects`", uses),
            Kind::Map(_) => self.template(node, uses),
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::List(_) => {
                let help = "write a sentence, or a map such as `{rms: RMS per BPM in micrometres}`";
                yaml::wrong_type_with(&mut self.report, node, "text or a map", Some(help));
                None
            }
        }
    }

    /// Text that says something.
    fn filled(&mut self, node: &Node, what: &str, uses: &mut Uses<'_>) -> Option<Template> {
        if node.text().is_some_and(|text| text.trim().is_empty()) {
            let message = format!("{what} must say something");
            self.report.error(code::BAD_VALUE, node.span, message);
            return None;
        }
        self.text_template(node, uses)
    }

    /// Nobody reads what is said to a generator when there is none.
    pub(super) fn refuse_task_keys(&mut self, fields: Fields<'_>, source: &str) {
        for key in FOR_TASKS {
            if let Some(entry) = fields.entry(key) {
                self.report.error_with(
                    code::USELESS_KEY,
                    entry.key_span,
                    format!("`{key}` does nothing beside `{source}`"),
                    "it belongs to code that a generator writes: `task: …`",
                );
            }
        }
    }
}
