//! Text with `${{ }}` in it, and what it refers to.

use indexmap::IndexMap;
use serde_json::Value;

use super::compiler::Compiler;
use super::draft::{Site, Use};
use super::secrets;
use super::yaml::{self, Entry, Inside, Kind, Node, place_inside};
use crate::code;
use crate::diagnostic::{Diagnostic, Span};
use crate::expression::{Expression, Lookup, Reference, Scope, StepStatusWord, Template};

/// Where references of the texts that are read go to.
pub(super) struct Uses<'u> {
    pub(super) site: Site,
    pub(super) list: &'u mut Vec<Use>,
    /// Whether secrets may be named.
    pub(super) secrets: bool,
}

impl<'u> Uses<'u> {
    pub(super) fn new(site: Site, list: &'u mut Vec<Use>) -> Self {
        Self {
            site,
            list,
            secrets: false,
        }
    }

    /// The same, where secrets may be named: `env`, the headers of requests, `with` of actions.
    pub(super) fn with_secrets(self) -> Self {
        Self {
            secrets: true,
            ..self
        }
    }

    /// Notes a reference that stands at `span` in the file.
    pub(super) fn add(&mut self, reference: &Reference, span: Span) {
        self.list.push(Use {
            reference: reference.clone(),
            span,
            site: self.site,
        });
    }
}

impl Compiler<'_, '_> {
    /// Any value, with expressions wherever text stands.
    pub(super) fn template(&mut self, node: &Node, uses: &mut Uses<'_>) -> Option<Template> {
        match &node.kind {
            Kind::Null => Some(Template::Literal(Value::Null)),
            Kind::Bool(value) => Some(Template::Literal(Value::Bool(*value))),
            Kind::Int(value) => Some(Template::Literal(Value::from(*value))),
            Kind::Float(value) => Some(Template::Literal(Value::from(*value))),
            Kind::Text { text, .. } => self.template_text(node, text, uses),
            Kind::List(items) => {
                let read: Vec<Option<Template>> =
                    items.iter().map(|item| self.template(item, uses)).collect();
                read.into_iter()
                    .collect::<Option<Vec<_>>>()
                    .map(Template::list)
            }
            Kind::Map(entries) => Some(Template::map(self.templates_of(entries, uses))),
        }
    }

    /// A map of values with free keys.
    pub(super) fn templates(
        &mut self,
        node: &Node,
        uses: &mut Uses<'_>,
    ) -> IndexMap<String, Template> {
        match yaml::map(&mut self.report, node) {
            Some(entries) => self.templates_of(entries, uses),
            None => IndexMap::new(),
        }
    }

    fn templates_of(
        &mut self,
        entries: &[Entry],
        uses: &mut Uses<'_>,
    ) -> IndexMap<String, Template> {
        let mut map = IndexMap::new();
        for entry in entries {
            if let Err(fault) = Template::check_key(&entry.key) {
                self.report.add(entry.key_span, fault.diagnostic(None));
            }
            if let Some(value) = self.template(&entry.node, uses) {
                map.insert(entry.key.clone(), value);
            }
        }
        map
    }

    /// Text, which may hold expressions; other values are refused.
    pub(super) fn text_template(&mut self, node: &Node, uses: &mut Uses<'_>) -> Option<Template> {
        let text = yaml::text(&mut self.report, node)?;
        self.template_text(node, text, uses)
    }

    fn template_text(&mut self, node: &Node, text: &str, uses: &mut Uses<'_>) -> Option<Template> {
        match Template::parse_text(text) {
            Ok(template) => {
                self.note_uses(node, &template, uses);
                Some(template)
            }
            Err(fault) => {
                let span = place_inside(self.report.text(), node, fault.span);
                self.report.add(span, fault.diagnostic(None));
                None
            }
        }
    }

    fn note_uses(&mut self, node: &Node, template: &Template, uses: &mut Uses<'_>) {
        let expressions = template.expressions();
        if expressions.is_empty() {
            return;
        }
        let inside = Inside::new(self.report.text(), node);
        for expression in expressions {
            for reference in expression.references() {
                let at = reference.span();
                let inner = Span::new(at.start + expression.offset(), at.end + expression.offset());
                let place = inside.place(inner);
                match reference {
                    Reference::Path { root, path, .. } if root == secrets::ROOT => {
                        self.secret_use(expression.source(), path, place, uses.secrets);
                    }
                    Reference::Path { .. } | Reference::Status { .. } => {
                        uses.add(reference, place);
                    }
                }
            }
        }
    }

    /// A condition: `true`, `false`, or one expression.
    pub(super) fn condition(&mut self, node: &Node, uses: &mut Uses<'_>) -> Option<Expression> {
        match &node.kind {
            Kind::Bool(value) => {
                return Expression::parse(if *value { "True" } else { "False" }).ok();
            }
            Kind::Text { .. } => {}
            Kind::Null | Kind::Int(_) | Kind::Float(_) | Kind::List(_) | Kind::Map(_) => {
                self.bad_condition(node, &format!("a condition can't be {}", node.what()), None);
                return None;
            }
        }
        let text = node.text().unwrap_or_default();
        match self.text_template(node, uses)? {
            Template::Expression(expression) => {
                self.check_constant(node, &expression);
                Some(expression)
            }
            Template::Text(_) => {
                let help = "write the whole condition inside one ${{ … }}";
                self.bad_condition(node, "a condition must be one expression", Some(help));
                None
            }
            Template::Literal(_) | Template::List(_) | Template::Map(_) => {
                let help = match yaml::old_boolean(text) {
                    Some(meant) => format!("write {meant}, without quotes"),
                    None => format!("write ${{{{ {} }}}}", text.trim()),
                };
                self.bad_condition(
                    node,
                    "a condition must be one expression, not text",
                    Some(&help),
                );
                None
            }
        }
    }

    fn bad_condition(&mut self, node: &Node, message: &str, help: Option<&str>) {
        let mut fault = Diagnostic::error(code::BAD_CONDITION, message);
        if let Some(help) = help {
            fault = fault.help(help);
        }
        self.report.add(node.span, fault);
    }

    /// A condition that refers to nothing has one value for ever; it must at least be a boolean.
    fn check_constant(&mut self, node: &Node, condition: &Expression) {
        if !condition.references().is_empty() {
            return;
        }
        if let Err(fault) = condition.condition(&Nothing) {
            let span = place_inside(
                self.report.text(),
                node,
                Span::new(
                    fault.span.start + condition.offset(),
                    fault.span.end + condition.offset(),
                ),
            );
            let mut diagnostic = Diagnostic::error(code::BAD_CONDITION, fault.message.clone());
            diagnostic.help.clone_from(&fault.help);
            self.report.add(span, diagnostic);
        }
    }
}

/// A scope without names, for expressions that use none.
struct Nothing;

impl Scope for Nothing {
    fn lookup(&self, _path: &[&str]) -> Lookup<'_> {
        Lookup::Unknown { known: Vec::new() }
    }

    fn status(&self, _step: &str) -> Option<StepStatusWord> {
        None
    }
}
