//! The field language: inputs of a run, outputs of a step, entries of a form.

use indexmap::IndexMap;

use super::compiler::Compiler;
use super::text::Uses;
use super::yaml::{self, Entry, Fields, Kind, Node};
use super::{keys, name};
use crate::code;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::expression::Template;
use crate::plan::{Field, FieldFault, FieldType, Items, check, whole_match};

/// What a field is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldRole {
    /// An input of the run: may have a default.
    Given,
    /// An entry of a form: may have a default, and says which answers need it.
    Form,
    /// An output: what the code leaves is all there is.
    Output,
}

/// The answer of a yes.
const YES: &str = "approve";
/// The answers of a person to a question.
pub(super) const ANSWERS: [(&str, &str); 3] =
    [(YES, YES), ("reject", "reject"), ("changes", "changes")];

impl Compiler<'_, '_> {
    /// A map of named fields. `what` is for messages: "the name of an input".
    pub(super) fn fields(
        &mut self,
        node: &Node,
        what: &str,
        role: FieldRole,
        uses: &mut Uses<'_>,
    ) -> IndexMap<String, Field> {
        let mut map = IndexMap::new();
        for entry in yaml::map(&mut self.report, node).unwrap_or_default() {
            name::check(&mut self.report, what, &entry.key, entry.key_span);
            if let Some(field) = self.field(&entry.node, role, uses) {
                map.insert(entry.key.clone(), field);
            }
        }
        map
    }

    fn field(&mut self, node: &Node, role: FieldRole, uses: &mut Uses<'_>) -> Option<Field> {
        if node.text().is_some() {
            return self.field_type(node).map(Field::of);
        }
        let report = &mut self.report;
        let fields = yaml::fields(report, node, &keys::FIELD)?;
        let type_node = fields.required(report, &keys::FIELD, "type")?;
        let mut field = Field::of(self.field_type(type_node)?);
        if let Some(node) = fields.get("description") {
            field.description = yaml::text(&mut self.report, node)?.to_owned();
        }
        if let Some(node) = fields.get("required") {
            field.required = yaml::boolean(&mut self.report, node)?;
        }
        if let Some(entry) = fields.entry("required_on") {
            self.required_on(&mut field, fields, entry, role);
        }
        self.field_bounds(&mut field, fields);
        self.field_pattern(&mut field, fields);
        if let Some(node) = fields.get("items") {
            self.only_for(&field, node, "items", &[FieldType::List, FieldType::Map]);
            // Inside of a form's entry there is nothing that one answer needs and another doesn't.
            let role = match role {
                FieldRole::Given | FieldRole::Form => FieldRole::Given,
                FieldRole::Output => FieldRole::Output,
            };
            field.items = self.items(node, role, uses);
        }
        if let Some(node) = fields.get("choices") {
            field.choices = self.choices(&field, node);
        }
        if let Some(node) = fields.get("default") {
            field.default = self.field_default(&field, node, role, uses);
        }
        Some(field)
    }

    /// The answers that need a value. Then `required` is about nothing else than a yes.
    fn required_on(
        &mut self,
        field: &mut Field,
        fields: Fields<'_>,
        entry: &Entry,
        role: FieldRole,
    ) {
        if role != FieldRole::Form {
            self.report.error_with(
                code::USELESS_KEY,
                entry.key_span,
                "`required_on` is for entries of a form",
                "elsewhere nobody answers: write `required: true` or `required: false`",
            );
            return;
        }
        if let Some(second) = fields.entry("required") {
            self.report.error_with(
                code::CONFLICTING_KEYS,
                second.key_span,
                "`required` and `required_on` exclude each other",
                "`required: true` is `required_on: [approve]`",
            );
        }
        let items = yaml::list(&mut self.report, &entry.node).unwrap_or_default();
        for item in items {
            if let Some(answer) = yaml::word(&mut self.report, item, &ANSWERS)
                && !field.required_on.iter().any(|known| known == answer)
            {
                field.required_on.push(answer.to_owned());
            }
        }
        if items.is_empty() && matches!(entry.node.kind, Kind::List(_)) {
            self.report.error_with(
                code::BAD_VALUE,
                entry.node.span,
                "the list names no answer",
                "for a value that nobody must give write `required: false`",
            );
        }
        field.required = field.required_on.iter().any(|answer| answer == YES);
    }

    fn field_type(&mut self, node: &Node) -> Option<FieldType> {
        let word = yaml::text(&mut self.report, node)?;
        let found = FieldType::parse(word);
        if found.is_none() {
            let known: Vec<&str> = FieldType::ALL.iter().map(|(word, _)| *word).collect();
            let meant = match word {
                "str" | "text" => Some("string"),
                "integer" => Some("int"),
                "number" | "double" => Some("float"),
                "boolean" => Some("bool"),
                "array" => Some("list"),
                "dict" | "object" => Some("map"),
                _ => did_you_mean(word, known.iter().copied()),
            };
            self.report.error_with(
                code::BAD_VALUE,
                node.span,
                format!("there is no type `{word}`"),
                match meant {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the types are: {}", known.join(", ")),
                },
            );
        }
        found
    }

    /// Refuses a key that says nothing about this type.
    fn only_for(&mut self, field: &Field, node: &Node, key: &str, types: &[FieldType]) {
        if types.contains(&field.field_type) {
            return;
        }
        let words: Vec<&str> = types.iter().map(|one| one.as_str()).collect();
        self.report.error(
            code::USELESS_KEY,
            node.span,
            format!(
                "`{key}` does nothing for the type {}; it is for {}",
                field.field_type.as_str(),
                words.join(" and ")
            ),
        );
    }

    fn field_bounds(&mut self, field: &mut Field, fields: Fields<'_>) {
        const NUMBERS: [FieldType; 2] = [FieldType::Int, FieldType::Float];
        if let Some(node) = fields.get("min") {
            self.only_for(field, node, "min", &NUMBERS);
            field.min = yaml::number(&mut self.report, node);
        }
        if let Some(node) = fields.get("max") {
            self.only_for(field, node, "max", &NUMBERS);
            field.max = yaml::number(&mut self.report, node);
            if let (Some(min), Some(max)) = (field.min, field.max)
                && min > max
            {
                self.report.error(
                    code::BAD_VALUE,
                    node.span,
                    format!("`max` {max} is less than `min` {min}"),
                );
            }
        }
        if let Some(node) = fields.get("min_items") {
            self.only_for(field, node, "min_items", &[FieldType::List]);
            field.min_items = yaml::whole(&mut self.report, node, 0, u32::MAX).map(u64::from);
        }
    }

    fn field_pattern(&mut self, field: &mut Field, fields: Fields<'_>) {
        let Some(node) = fields.get("pattern") else {
            return;
        };
        self.only_for(
            field,
            node,
            "pattern",
            &[FieldType::String, FieldType::File],
        );
        let Some(pattern) = yaml::text(&mut self.report, node) else {
            return;
        };
        match whole_match(pattern) {
            Ok(_) => field.pattern = Some(pattern.to_owned()),
            Err(fault) => self.report.error(
                code::BAD_VALUE,
                node.span,
                format!("not a regular expression: {fault}"),
            ),
        }
    }

    /// `items`: a type, a field, or the entries of a record.
    fn items(&mut self, node: &Node, role: FieldRole, uses: &mut Uses<'_>) -> Option<Items> {
        let is_field = node.text().is_some()
            || node
                .entry("type")
                .and_then(|entry| entry.node.text())
                .is_some_and(|word| node.entries().is_some() && FieldType::parse(word).is_some());
        if is_field {
            let field = self.field(node, role, uses)?;
            return Some(Items::Each(Box::new(field)));
        }
        let record = self.fields(node, "the name of an entry", role, uses);
        Some(Items::Record(record))
    }

    fn choices(&mut self, field: &Field, node: &Node) -> Vec<serde_json::Value> {
        let items = yaml::list(&mut self.report, node).unwrap_or_default();
        if items.is_empty() {
            self.report
                .error(code::BAD_VALUE, node.span, "`choices` holds no value");
        }
        let mut choices = Vec::new();
        for item in items {
            match check(field, item.to_json(), "this choice") {
                Ok(value) => choices.push(value),
                Err(fault) => self.field_fault(item, fault),
            }
        }
        choices
    }

    fn field_default(
        &mut self,
        field: &Field,
        node: &Node,
        role: FieldRole,
        uses: &mut Uses<'_>,
    ) -> Option<Template> {
        if role == FieldRole::Output {
            self.report.error_with(
                code::USELESS_KEY,
                node.span,
                "an output has no default",
                "write `required: false` when the code may leave it out",
            );
            return None;
        }
        let template = self.template(node, uses)?;
        if template.expressions().is_empty()
            && let Err(fault) = check(field, node.to_json(), "the default")
        {
            self.field_fault(node, fault);
            return None;
        }
        Some(template)
    }

    pub(super) fn field_fault(&mut self, node: &Node, fault: FieldFault) {
        let mut diagnostic = Diagnostic::error(fault.code, fault.to_string());
        diagnostic.help.extend(fault.help);
        self.report.add(node.span, diagnostic);
    }
}
