//! One step: what all kinds have in common, and which kind it is.

use std::time::Duration;

use indexmap::IndexMap;

use super::compiler::Compiler;
use super::draft::{Around, Draft, Named, Site};
use super::field::FieldRole;
use super::text::Uses;
use super::yaml::{self, Fields, Node};
use super::{STEPS_MAX, keys, name, quantity, retry};
use crate::code;
use crate::diagnostic::{Place, Span};
use crate::id::StepPath;
use crate::plan::{OnFailure, Parent, SetStep, Step, StepKind};

pub(super) const ON_FAILURE: [(&str, OnFailure); 3] = [
    ("fail", OnFailure::Fail),
    ("continue", OnFailure::Continue),
    ("skip_dependents", OnFailure::SkipDependents),
];

/// Keys that only mean something where code runs.
const CODE_ONLY: [&str; 6] = ["with", "env", "outputs", "timeout", "retry", "approve_code"];

impl Compiler<'_, '_> {
    /// Reads a list of steps, at the top or in an arm; gives the paths of those that it could read.
    pub(super) fn steps(&mut self, node: &Node, around: Option<&Around>) -> Vec<StepPath> {
        let yaml::Kind::List(items) = &node.kind else {
            let help = "every step begins with `- id: …`";
            yaml::wrong_type_with(&mut self.report, node, "a list", Some(help));
            return Vec::new();
        };
        if items.is_empty() {
            self.report
                .error(code::BAD_VALUE, node.span, "the list holds no step");
        }
        let mut paths = Vec::new();
        let mut previous = None;
        for item in items {
            if self.drafts.len() >= STEPS_MAX {
                self.report.error(
                    code::TOO_MANY_STEPS,
                    item.span,
                    format!("the workflow has more than {STEPS_MAX} steps"),
                );
                break;
            }
            if let Some(index) = self.step(item, around, previous) {
                previous = Some(index);
                paths.extend(self.drafts.get(index).map(|draft| draft.step.path.clone()));
            }
        }
        paths
    }

    fn step(
        &mut self,
        node: &Node,
        around: Option<&Around>,
        previous: Option<usize>,
    ) -> Option<usize> {
        let fields = yaml::fields(&mut self.report, node, &keys::STEP)?;
        let index = self.drafts.len();
        let (id, id_span) = self.step_id(fields, index);
        let mut draft = Draft {
            step: self.blank(&id, around),
            id_span,
            needs: None,
            after: None,
            previous,
            around: around.cloned(),
            uses: Vec::new(),
        };
        // The steps of a switch's arms come behind it and ask for its path, so its place is taken now.
        self.drafts.push(Draft {
            step: draft.step.clone(),
            around: around.cloned(),
            uses: Vec::new(),
            needs: None,
            after: None,
            ..draft
        });
        self.common(fields, &mut draft);
        let mut uses = Vec::new();
        if let Some(kind) = self.kind(fields, index, &mut uses) {
            draft.step.kind = kind;
        }
        draft.uses.append(&mut uses);
        self.code_only(fields, &mut draft);
        self.limits(fields, &mut draft);
        self.keeping(fields, &mut draft);
        self.note_rewind(fields, index);
        if let Some(slot) = self.drafts.get_mut(index) {
            *slot = draft;
        }
        Some(index)
    }

    fn step_id(&mut self, fields: Fields<'_>, index: usize) -> (String, Span) {
        let Some(node) = fields.required(&mut self.report, &keys::STEP, "id") else {
            return (String::new(), fields.node().span);
        };
        let Some(id) = yaml::text(&mut self.report, node) else {
            return (String::new(), node.span);
        };
        name::check(&mut self.report, "the id of a step", id, node.span);
        if let Some(first) = self.by_id.get(id).and_then(|first| self.drafts.get(*first)) {
            let line = Place::locate("", self.report.text(), first.id_span).line;
            self.report.error_with(
                code::DUPLICATE_ID,
                node.span,
                format!("two steps have the id `{id}`"),
                format!("the first one stands in line {line}; ids are unique in a file"),
            );
        } else {
            self.by_id.insert(id.to_owned(), index);
        }
        (id.to_owned(), node.span)
    }

    /// A step of which nothing but id and place is known.
    fn blank(&self, id: &str, around: Option<&Around>) -> Step {
        let parent = around.and_then(|around| {
            let switch = &self.drafts.get(around.switch)?.step;
            Some(Parent {
                step: switch.path.clone(),
                arm: around.name.clone(),
            })
        });
        let path = match &parent {
            Some(parent) => StepPath::new(format!("{}.{id}", parent.step)),
            None => StepPath::new(id),
        };
        let blank = StepKind::Set(SetStep {
            values: IndexMap::new(),
        });
        Step {
            parent,
            ..Step::new(id, path, blank)
        }
    }

    fn common(&mut self, fields: Fields<'_>, draft: &mut Draft) {
        draft.step.name = fields.get("name").and_then(|node| self.plain_text(node));
        draft.step.description = fields
            .get("description")
            .and_then(|node| self.plain_text(node));
        draft.needs = fields.get("needs").map(|node| self.named(node));
        draft.after = fields.get("after").map(|node| self.named(node));
        let uses = &mut Uses::new(Site::Step, &mut draft.uses);
        draft.step.condition = fields.get("if").and_then(|node| self.condition(node, uses));
        if let Some(node) = fields.get("on_failure") {
            draft.step.on_failure =
                yaml::word(&mut self.report, node, &ON_FAILURE).unwrap_or_default();
        }
    }

    /// Text for people that is the same in every run.
    pub(super) fn plain_text(&mut self, node: &Node) -> Option<String> {
        let text = yaml::text(&mut self.report, node)?;
        if text.contains("${{") {
            self.report.error_with(
                code::BAD_VALUE,
                node.span,
                "names and descriptions are fixed text, without expressions",
                "write $${{ for the characters themselves",
            );
        }
        Some(text.replace("$${{", "${{"))
    }

    /// Ids of steps: one, or a list.
    fn named(&mut self, node: &Node) -> Vec<Named> {
        let one = |id: &str, node: &Node| Named {
            id: id.to_owned(),
            span: node.span,
        };
        if let Some(id) = node.text() {
            return vec![one(id, node)];
        }
        let items = yaml::list(&mut self.report, node).unwrap_or_default();
        items
            .iter()
            .filter_map(|item| yaml::text(&mut self.report, item).map(|id| one(id, item)))
            .collect()
    }

    /// What the step does.
    fn kind(
        &mut self,
        fields: Fields<'_>,
        index: usize,
        uses: &mut Vec<super::draft::Use>,
    ) -> Option<StepKind> {
        let mut written = keys::KINDS.iter().filter_map(|key| fields.entry(key));
        let Some(first) = written.next() else {
            let later = keys::LATER_KINDS
                .iter()
                .any(|key| fields.get(key).is_some());
            let slip = keys::KINDS
                .iter()
                .any(|key| fields.has_slip_of(&keys::STEP, key));
            if !later && !slip {
                self.report.error_with(
                    code::STEP_KIND,
                    fields.node().span,
                    "the step does not say what it does",
                    format!("give it one of: {}", keys::KINDS.join(", ")),
                );
            }
            return None;
        };
        if let Some(second) = written.next() {
            self.report.error_with(
                code::STEP_KIND,
                second.key_span,
                format!("the step is `{}` and `{}` at once", first.key, second.key),
                "a step does one thing: make two steps",
            );
        }
        let step_uses = &mut Uses::new(Site::Step, uses);
        match first.key.as_str() {
            "python" => {
                let id = self.drafts.get(index).map(|draft| draft.step.id.clone());
                let step = self.python(&first.node, &id.unwrap_or_default());
                step.map(StepKind::Python)
            }
            "set" => Some(StepKind::Set(SetStep {
                values: self.output_values(&first.node, step_uses),
            })),
            "switch" => self.switch(&first.node, index, uses).map(StepKind::Switch),
            _ => self
                .approval(&first.node, step_uses)
                .map(StepKind::Approval),
        }
    }

    /// A map of outputs and their values: their names must be readable in expressions.
    pub(super) fn output_values(
        &mut self,
        node: &Node,
        uses: &mut Uses<'_>,
    ) -> IndexMap<String, crate::expression::Template> {
        for entry in node.entries().unwrap_or_default() {
            name::check(
                &mut self.report,
                "the name of an output",
                &entry.key,
                entry.key_span,
            );
        }
        self.templates(node, uses)
    }

    /// Keys of steps that run code; on other steps they would do nothing.
    fn code_only(&mut self, fields: Fields<'_>, draft: &mut Draft) {
        let retry = fields.get("retry").and_then(|node| self.retry(node));
        let Draft { step, uses, .. } = draft;
        let StepKind::Python(python) = &mut step.kind else {
            if fields.get("python").is_none() {
                self.refuse_code_only(fields, step.kind.as_str());
            }
            return;
        };
        step.retry = retry::policy(python.mode, self.defaults.retry.as_ref(), retry.as_ref());
        step.timeout = self.timeout(fields);
        if let Some(node) = fields.get("approve_code") {
            python.approve_code = self.approve_code(node, uses);
        }
        let uses = &mut Uses::new(Site::Step, uses);
        if let Some(node) = fields.get("with") {
            step.with = self.templates(node, uses);
        }
        if let Some(node) = fields.get("env") {
            let uses = &mut Uses::new(Site::Step, uses.list).with_secrets();
            step.env = self.environment(node, uses);
        }
        if let Some(node) = fields.get("outputs") {
            step.outputs =
                Some(self.fields(node, "the name of an output", FieldRole::Output, uses));
        }
    }

    fn refuse_code_only(&mut self, fields: Fields<'_>, kind: &str) {
        for entry in CODE_ONLY.iter().filter_map(|key| fields.entry(key)) {
            if !keys::KINDS.iter().any(|key| fields.get(key).is_some()) {
                continue;
            }
            self.report.error_with(
                code::USELESS_KEY,
                entry.key_span,
                format!("`{}` does nothing in a step of kind `{kind}`", entry.key),
                "it belongs to steps that run Python code",
            );
        }
    }

    /// The longest time of an attempt: of the step, of its `python`, or the default of the file.
    fn timeout(&mut self, fields: Fields<'_>) -> Option<Duration> {
        let inner = fields
            .get("python")
            .and_then(|python| python.entry("timeout"));
        let own = match (fields.entry("timeout"), inner) {
            (Some(_), Some(second)) => {
                self.report.error(
                    code::CONFLICTING_KEYS,
                    second.key_span,
                    "`timeout` stands in the step and in its `python`",
                );
                None
            }
            (own, inner) => own.or(inner),
        };
        match own {
            Some(entry) => quantity::duration(&mut self.report, &entry.node),
            None => self.defaults.timeout,
        }
    }

    /// Variables of the environment: text, numbers and booleans.
    fn environment(
        &mut self,
        node: &Node,
        uses: &mut Uses<'_>,
    ) -> IndexMap<String, crate::expression::Template> {
        for entry in yaml::map(&mut self.report, node).unwrap_or_default() {
            let bad = entry.key.is_empty() || entry.key.contains(['=', '\0']);
            if bad {
                self.report.error(
                    code::BAD_VALUE,
                    entry.key_span,
                    format!("`{}` can't be the name of a variable", entry.key),
                );
            }
            if matches!(
                entry.node.kind,
                yaml::Kind::List(_) | yaml::Kind::Map(_) | yaml::Kind::Null
            ) {
                yaml::wrong_type(&mut self.report, &entry.node, "text");
            }
        }
        self.templates(node, uses)
    }
}
