//! One step: what all kinds have in common.

use std::time::Duration;

use indexmap::IndexMap;

use super::compiler::Compiler;
use super::draft::{Around, Block, Draft, Named, Site};
use super::field::FieldRole;
use super::text::Uses;
use super::yaml::{self, Fields, Node};
use super::{STEPS_MAX, keys, name, quantity, retry};
use crate::code;
use crate::diagnostic::{Place, Span};
use crate::id::StepPath;
use crate::plan::{HandlerKind, Handlers, Mode, OnFailure, Parent, SetStep, Step, StepKind};

pub(super) const ON_FAILURE: [(&str, OnFailure); 3] = [
    ("fail", OnFailure::Fail),
    ("continue", OnFailure::Continue),
    ("skip_dependents", OnFailure::SkipDependents),
];

/// The id of a step.
struct StepId {
    id: String,
    span: Span,
    /// Whether the author wrote it.
    written: bool,
}

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
        let named = self.step_id(fields, index, around);
        let step = self.blank(&named.id, around);
        // The steps inside come behind it and ask for its path, so its place is taken now.
        self.drafts
            .push(Draft::new(step.clone(), named.span, around));
        let mut draft = Draft::new(step, named.span, around);
        draft.unnamed = !named.written;
        draft.previous = previous;
        self.common(fields, &mut draft);
        if let Some(kind) = self.kind(fields, index, &mut draft) {
            draft.step.kind = kind;
        }
        self.code_only(fields, &mut draft);
        self.limits(fields, &mut draft);
        self.keeping(fields, &mut draft);
        self.note_rewind(fields, index);
        if let Some(slot) = self.drafts.get_mut(index) {
            *slot = draft;
        }
        Some(index)
    }

    fn step_id(&mut self, fields: Fields<'_>, index: usize, around: Option<&Around>) -> StepId {
        let unwritten = StepId {
            id: String::new(),
            span: fields.node().span,
            written: true,
        };
        if let (None, Some(Block::Handler(kind))) = (fields.get("id"), around.map(|one| &one.block))
        {
            return StepId {
                id: self.made_up_id(*kind, index),
                written: false,
                ..unwritten
            };
        }
        let Some(node) = fields.required(&mut self.report, &keys::STEP, "id") else {
            return unwritten;
        };
        let Some(id) = yaml::text(&mut self.report, node) else {
            return StepId {
                span: node.span,
                ..unwritten
            };
        };
        name::check(&mut self.report, "the id of a step", id, node.span);
        if id == Handlers::PATH {
            self.report.error_with(
                code::NAME_TAKEN,
                node.span,
                format!("`{id}` can't be the id of a step"),
                "the steps of handlers are shown below that word: take another one",
            );
        }
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
        StepId {
            id: id.to_owned(),
            span: node.span,
            written: true,
        }
    }

    /// An id for a step of a handler that has none: the kind of the handler and a number.
    fn made_up_id(&mut self, kind: HandlerKind, index: usize) -> String {
        let id = (1..=STEPS_MAX + 1)
            .map(|number| format!("{}_{number}", kind.as_str()))
            .find(|id| !self.by_id.contains_key(id))
            .unwrap_or_default();
        self.by_id.insert(id.clone(), index);
        id
    }

    /// A step of which nothing but id and place is known.
    fn blank(&self, id: &str, around: Option<&Around>) -> Step {
        let parent = around.and_then(|around| {
            let step = match around.outer {
                Some(outer) => self.drafts.get(outer)?.step.path.clone(),
                None => StepPath::new(Handlers::PATH),
            };
            Some(Parent {
                step,
                arm: around.block.name().to_owned(),
            })
        });
        let path = match (&parent, around.map(|around| &around.block)) {
            (Some(parent), Some(Block::Branch(part))) => {
                StepPath::new(format!("{}.{part}.{id}", parent.step))
            }
            (Some(parent), Some(Block::Handler(kind))) => {
                StepPath::new(format!("{}.{}.{id}", parent.step, kind.as_str()))
            }
            (Some(parent), _) => StepPath::new(format!("{}.{id}", parent.step)),
            (None, _) => StepPath::new(id),
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
    pub(super) fn named(&mut self, node: &Node) -> Vec<Named> {
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

    /// Keys that mean something for some kinds only.
    fn code_only(&mut self, fields: Fields<'_>, draft: &mut Draft) {
        self.refuse_useless(fields);
        let retry = fields.get("retry").and_then(|node| self.retry(node));
        let Draft { step, uses, .. } = draft;
        match &mut step.kind {
            StepKind::Python(python) => {
                let defaults = self.defaults.retry.as_ref();
                step.retry = retry::policy(python.mode, defaults, retry.as_ref());
                step.timeout = self.timeout(fields).or(self.defaults.timeout);
                if let Some(node) = fields.get("approve_code") {
                    python.approve_code = self.approve_code(node, uses);
                }
            }
            StepKind::Http(http) => {
                let mode = if http.writes() {
                    Mode::WriteAccess
                } else {
                    Mode::ReadOnly
                };
                step.retry = retry::policy(mode, self.defaults.retry.as_ref(), retry.as_ref());
                step.timeout = self.timeout(fields);
            }
            StepKind::Action(action) => {
                let defaults = self.defaults.retry.as_ref();
                step.retry = retry::policy(action.mode, defaults, retry.as_ref());
                step.timeout = self.timeout(fields);
            }
            StepKind::Notify(_) => {
                let defaults = self.defaults.retry.as_ref();
                step.retry = retry::policy(Mode::ReadOnly, defaults, retry.as_ref());
                step.timeout = self.timeout(fields);
            }
            StepKind::Set(_)
            | StepKind::Switch(_)
            | StepKind::Approval(_)
            | StepKind::Foreach(_)
            | StepKind::Until(_)
            | StepKind::Parallel(_)
            | StepKind::Workflow(_)
            | StepKind::Wait(_)
            | StepKind::Notebook(_)
            | StepKind::Fail(_)
            | StepKind::Succeed(_) => {}
        }
        let uses = &mut Uses::new(Site::Step, uses);
        if let Some(node) = fields.get("with") {
            // The code of a step sees `context` in the files of its attempt; an action is told in the process.
            let secrets = matches!(step.kind, StepKind::Action(_));
            let uses = &mut Uses {
                secrets,
                ..Uses::new(Site::Step, uses.list)
            };
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

    fn refuse_useless(&mut self, fields: Fields<'_>) {
        let Some(kind) = keys::KINDS.iter().find(|key| fields.get(key).is_some()) else {
            return;
        };
        for (key, kinds) in keys::MEANT_FOR {
            let Some(entry) = fields.entry(key).filter(|_| !kinds.contains(kind)) else {
                continue;
            };
            let inner = fields.get(kind).is_some_and(|_| keys::has_own(kind, key));
            let help = match kinds {
                _ if inner => format!("indent it below `{kind}:`"),
                ["python"] => "it belongs to steps that run Python code".to_owned(),
                [..] => format!("it belongs to steps of kind {}", kinds.join(", ")),
            };
            self.report.error_with(
                code::USELESS_KEY,
                entry.key_span,
                format!("`{key}` does nothing in a step of kind `{kind}`"),
                help,
            );
        }
    }

    /// The longest time of an attempt: of the step, or of its `python`.
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
            None => None,
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
