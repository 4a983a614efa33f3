//! `foreach` and `until`: the same steps for every item, or until a condition holds.

use super::compiler::Compiler;
use super::draft::{Around, Block, Draft, Site};
use super::text::Uses;
use super::yaml::{self, Fields, Kind, Node};
use super::{keys, name, quantity, scope};
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::expression::{Expression, Reference, Template, parse_percent};
use crate::plan::{ForeachStep, Tolerance, UntilStep};

/// Most items of a foreach that are under way at the same time.
pub(super) const CONCURRENCY_MAX: u32 = 1_000;
/// The same when nothing is written.
const CONCURRENCY: u32 = 10;
/// Most items of a foreach.
pub(super) const ITEMS_MAX: u32 = 10_000;
/// Most rounds of an until.
pub(super) const ROUNDS_MAX: u32 = 100_000;
/// Outputs that a foreach gives out by itself beside its `collect`.
const FOREACH_OWN: [&str; 1] = ["keys"];
/// The same for an until.
const UNTIL_OWN: [&str; 1] = ["rounds"];

impl Compiler<'_, '_> {
    /// Reads `foreach:` of the step at `index`.
    pub(super) fn foreach(
        &mut self,
        node: &Node,
        index: usize,
        draft: &mut Draft,
    ) -> Option<ForeachStep> {
        let fields = yaml::fields(&mut self.report, node, &keys::FOREACH)?;
        let name = self.loop_name(fields, "item", draft.around.as_ref());
        let items = fields
            .required(&mut self.report, &keys::FOREACH, "items")
            .and_then(|node| self.foreach_items(node, &mut Uses::new(Site::Step, &mut draft.uses)));
        let key = fields
            .get("key")
            .and_then(|node| self.foreach_key(node, &name, draft));
        let concurrency = fields
            .get("concurrency")
            .and_then(|node| yaml::whole(&mut self.report, node, 1, CONCURRENCY_MAX));
        let tolerate = fields.get("tolerate").and_then(|node| self.tolerance(node));
        let fail_fast = fields
            .get("fail_fast")
            .and_then(|node| yaml::boolean(&mut self.report, node));
        let around = Around {
            outer: Some(index),
            part: 0,
            block: Block::Item(name.clone()),
        };
        let steps = fields
            .required(&mut self.report, &keys::FOREACH, "steps")
            .map(|node| self.steps(node, Some(&around)));
        let collect = self.collect(fields, &FOREACH_OWN, draft);
        Some(ForeachStep {
            items: items?,
            name,
            key,
            concurrency: concurrency.unwrap_or(CONCURRENCY),
            tolerate,
            fail_fast: fail_fast.unwrap_or(fields.get("tolerate").is_none()),
            steps: steps?,
            collect,
        })
    }

    /// Reads `until:` of the step at `index`.
    pub(super) fn until(
        &mut self,
        node: &Node,
        index: usize,
        draft: &mut Draft,
    ) -> Option<UntilStep> {
        let fields = yaml::fields(&mut self.report, node, &keys::UNTIL)?;
        let name = self.loop_name(fields, "round", draft.around.as_ref());
        let condition = fields
            .required(&mut self.report, &keys::UNTIL, "condition")
            .and_then(|node| self.condition(node, &mut Uses::new(Site::LoopBody, &mut draft.uses)));
        let every = fields
            .get("every")
            .and_then(|node| quantity::duration(&mut self.report, node));
        let max = self.rounds_max(fields);
        let around = Around {
            outer: Some(index),
            part: 0,
            block: Block::Round(name.clone()),
        };
        let steps = fields
            .required(&mut self.report, &keys::UNTIL, "steps")
            .map(|node| self.steps(node, Some(&around)));
        let collect = self.collect(fields, &UNTIL_OWN, draft);
        if collect.is_empty() {
            self.refuse_own_ids(&around, &UNTIL_OWN);
        }
        Some(UntilStep {
            condition: condition?,
            every,
            max: max?,
            name,
            steps: steps?,
            collect,
        })
    }

    fn rounds_max(&mut self, fields: Fields<'_>) -> Option<u32> {
        let Some(node) = fields.get("max") else {
            if !fields.has_slip_of(&keys::UNTIL, "max") {
                self.report.error_with(
                    code::MISSING_KEY,
                    fields.node().span,
                    "`until` needs the key `max`",
                    "say after how many rounds it gives up: `max: 20`",
                );
            }
            return None;
        };
        yaml::whole(&mut self.report, node, 1, ROUNDS_MAX)
    }

    /// `as:`: a name of its own, which hides no other.
    fn loop_name(
        &mut self,
        fields: Fields<'_>,
        unwritten: &str,
        around: Option<&Around>,
    ) -> String {
        let (found, span) = match fields.get("as") {
            Some(node) => match yaml::text(&mut self.report, node) {
                Some(found) => (found, node.span),
                None => return String::new(),
            },
            None => (unwritten, fields.node().span),
        };
        name::check(&mut self.report, "the name of a loop", found, span);
        let taken = if scope::is_reserved(found) {
            Some(format!("`{found}` has a meaning of its own in expressions"))
        } else {
            self.blocks_from(around)
                .find(|outer| outer.block.loop_name() == Some(found))
                .map(|_| format!("the loop around this one is called `{found}` too"))
        };
        if let Some(message) = taken {
            let help = "give this loop another name: `as: …`";
            self.report
                .error_with(code::NAME_TAKEN, span, message, help);
        }
        found.to_owned()
    }

    fn foreach_items(&mut self, node: &Node, uses: &mut Uses<'_>) -> Option<Template> {
        let template = match &node.kind {
            Kind::List(items) if items.is_empty() => {
                let message = "the list is empty: the steps never run";
                let warning = Diagnostic::warning(code::FOREACH_EMPTY, message)
                    .help("write the items, or an expression that gives a list");
                self.report.add(node.span, warning);
                self.template(node, uses)?
            }
            Kind::List(items)
                if u32::try_from(items.len()).is_ok_and(|count| count > ITEMS_MAX) =>
            {
                self.report.error(
                    code::BAD_VALUE,
                    node.span,
                    format!("the list has {} of at most {ITEMS_MAX} items", items.len()),
                );
                return None;
            }
            Kind::List(_) | Kind::Text { .. } => self.template(node, uses)?,
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Map(_) => {
                let help = "write a list, or one expression that gives one";
                yaml::wrong_type_with(&mut self.report, node, "a list", Some(help));
                return None;
            }
        };
        let is_text = node.text().is_some() && !matches!(template, Template::Expression(_));
        if is_text {
            let help = "write one expression and nothing around it: `items: ${{ … }}`";
            yaml::wrong_type_with(&mut self.report, node, "a list", Some(help));
            return None;
        }
        Some(template)
    }

    /// `key:`: without the item in it, all items would have the same.
    fn foreach_key(&mut self, node: &Node, name: &str, draft: &mut Draft) -> Option<Template> {
        let uses = &mut Uses::new(Site::ItemKey, &mut draft.uses);
        let template = match node.kind {
            Kind::List(_) | Kind::Map(_) | Kind::Null => {
                yaml::wrong_type(&mut self.report, node, "text");
                return None;
            }
            Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text { .. } => {
                self.template(node, uses)?
            }
        };
        let mut references = template
            .expressions()
            .into_iter()
            .flat_map(Expression::references);
        let reads_item = references
            .any(|reference| matches!(reference, Reference::Path { root, .. } if root == name));
        if !reads_item {
            self.report.error_with(
                code::FOREACH_KEY,
                node.span,
                "the key is the same for every item",
                format!("read the item in it, for example ${{{{ {name}.name }}}}"),
            );
        }
        Some(template)
    }

    /// `tolerate:`: a count or a percentage.
    fn tolerance(&mut self, node: &Node) -> Option<Tolerance> {
        const HELP: &str = "write how many items may fail: `2`, or their share: `10%`";
        match &node.kind {
            Kind::Int(_) => {
                let count = yaml::whole(&mut self.report, node, 0, ITEMS_MAX)?;
                Some(Tolerance::Count(u64::from(count)))
            }
            Kind::Text { text, .. } => {
                if let Err(fault) = parse_percent(text) {
                    let message = fault.to_string();
                    self.report
                        .error_with(code::BAD_VALUE, node.span, message, HELP);
                    return None;
                }
                quantity::share(&mut self.report, node).map(Tolerance::Share)
            }
            Kind::Null | Kind::Bool(_) | Kind::Float(_) | Kind::List(_) | Kind::Map(_) => {
                let expected = "a count or a percentage";
                yaml::wrong_type_with(&mut self.report, node, expected, Some(HELP));
                None
            }
        }
    }

    /// `collect:`; the names in `own` are given out anyway.
    fn collect(
        &mut self,
        fields: Fields<'_>,
        own: &[&str],
        draft: &mut Draft,
    ) -> indexmap::IndexMap<String, Template> {
        let Some(node) = fields.get("collect") else {
            return indexmap::IndexMap::new();
        };
        let entries = node.entries().unwrap_or_default();
        for entry in entries
            .iter()
            .filter(|entry| own.contains(&entry.key.as_str()))
        {
            self.report.error_with(
                code::NAME_TAKEN,
                entry.key_span,
                format!("the step gives out `{}` by itself", entry.key),
                "give this value another name",
            );
        }
        if node.entries().is_some_and(<[_]>::is_empty) {
            let message = "`collect` hands out nothing";
            self.report.error_with(
                code::BAD_VALUE,
                node.span,
                message,
                "name a value, for example `rms: ${{ steps.fit.outputs.rms }}`, or leave the key out",
            );
        }
        self.output_values(node, &mut Uses::new(Site::LoopBody, &mut draft.uses))
    }

    /// Steps whose id is the name of an output that the container has anyway.
    fn refuse_own_ids(&mut self, around: &Around, own: &[&str]) {
        let clash = self.drafts.iter().find(|draft| {
            draft.around.as_ref() == Some(around) && own.contains(&draft.step.id.as_str())
        });
        if let Some(draft) = clash {
            let message = format!("the step around gives out `{}` by itself", draft.step.id);
            let help = "give this step another id, or hand its values out with `collect`";
            self.report
                .error_with(code::NAME_TAKEN, draft.id_span, message, help);
        }
    }
}
