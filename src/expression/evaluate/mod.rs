//! The evaluator: a walk over the tree with a budget.

mod budget;
mod collection;
mod compare;
mod comprehension;
mod convert;
mod function;
mod method;
mod operator;
mod path;
mod sequence;
mod subscript;

use crate::diagnostic::Span;

use super::error::{Error, Fault};
use super::function::Function;
use super::item::{Entries, Item, Text};
use super::limit::RESULT_BYTES_MAX;
use super::reference::StatusFunction;
use super::scope::{Scope, StepStatusWord};
use super::tree::{Call, Comparison, Constant, Entry, Kind, Logic, Node, Slice};
use super::value::Value;

use budget::Budget;
pub(super) use sequence::is_space;

/// Computes the value of a tree.
pub(super) fn evaluate(node: &Node, scope: &dyn Scope) -> Result<Value, Error> {
    let item = Evaluator::new(scope).item(node)?;
    let mut room = RESULT_BYTES_MAX;
    item.into_value(&mut room)
        .map_err(|fault| fault.at(node.span))
}

/// Computes a condition.
pub(super) fn condition(node: &Node, scope: &dyn Scope) -> Result<bool, Error> {
    Evaluator::new(scope).bool(node, "a condition")
}

struct Evaluator<'a> {
    scope: &'a dyn Scope,
    /// Values bound by comprehensions, innermost last.
    locals: Vec<(&'a str, Item<'a>)>,
    budget: Budget,
}

type Result1<'a> = Result<Item<'a>, Error>;

impl<'a> Evaluator<'a> {
    fn new(scope: &'a dyn Scope) -> Self {
        Self {
            scope,
            locals: Vec::new(),
            budget: Budget::new(),
        }
    }

    fn item(&mut self, node: &'a Node) -> Result1<'a> {
        let at = |fault: Fault| fault.at(node.span);
        self.budget.spend(1).map_err(at)?;
        match &node.kind {
            Kind::Constant(constant) => Ok(constant_item(constant)),
            Kind::Path(path) => self.path(path, node.span),
            Kind::Local(path) => self.local(path),
            Kind::List(nodes) => {
                let items = self.items(nodes)?;
                self.budget.make_items(items.len()).map_err(at)?;
                Ok(Item::list(items))
            }
            Kind::Map(entries) => self.map(entries, node.span),
            Kind::Negate(operand) => operator::negate(&self.item(operand)?).map_err(at),
            Kind::Plus(operand) => operator::plus(self.item(operand)?).map_err(at),
            Kind::Not(operand) => Ok(Item::Bool(!self.bool(operand, "`not`")?)),
            Kind::Binary(operator, sides) => {
                let [left, right] = &**sides;
                let (left, right) = (self.item(left)?, self.item(right)?);
                operator::binary(*operator, &left, &right, &mut self.budget).map_err(at)
            }
            Kind::Logic(logic, operands) => self.logic(*logic, operands),
            Kind::Compare(first, rest) => self.compare(first, rest),
            Kind::Choice(nodes) => {
                let [condition, then, otherwise] = &**nodes;
                let holds = self.bool(condition, "the condition of `if`")?;
                self.item(if holds { then } else { otherwise })
            }
            Kind::Index(nodes) => {
                let [of, index] = &**nodes;
                let (of, key) = (self.item(of)?, self.item(index)?);
                subscript::index(&of, &key, &mut self.budget).map_err(|fault| fault.at(index.span))
            }
            Kind::Slice(slice) => self.slice(slice, node.span),
            Kind::Call(call) => self.call(call, node.span),
            Kind::Method(method, receiver, arguments) => {
                let receiver = self.item(receiver)?;
                let arguments = self.items(arguments)?;
                method::call(*method, &receiver, &arguments, &mut self.budget).map_err(at)
            }
            Kind::Default(nodes) => {
                let [value, fallback] = &**nodes;
                match self.present(value)? {
                    Some(item) => Ok(item),
                    None => self.item(fallback),
                }
            }
            Kind::Exists(value) => Ok(Item::Bool(self.present(value)?.is_some())),
            Kind::Status(function, step) => self.status(*function, step.as_deref(), node.span),
            Kind::Comprehension(comprehension) => self.comprehension(comprehension, node.span),
        }
    }

    fn items(&mut self, nodes: &'a [Node]) -> Result<Vec<Item<'a>>, Error> {
        nodes.iter().map(|node| self.item(node)).collect()
    }

    /// A value that must be a bool: there is no truthiness.
    fn bool(&mut self, node: &'a Node, whose: &str) -> Result<bool, Error> {
        let item = self.item(node)?;
        item.as_bool()
            .ok_or_else(|| not_a_bool(whose, &item).at(node.span))
    }

    /// The value, or `None` when something in it is absent or missing.
    fn present(&mut self, node: &'a Node) -> Result<Option<Item<'a>>, Error> {
        let bound = self.locals.len();
        match self.item(node) {
            Ok(item) => Ok(Some(item)),
            Err(error) if error.is_absence() => {
                self.locals.truncate(bound);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn map(&mut self, entries: &'a [Entry], span: Span) -> Result1<'a> {
        let mut map = Entries::new();
        for entry in entries {
            let value = match &entry.key {
                Some(key) => {
                    let name = text_key(self.item(key)?).map_err(|fault| fault.at(key.span))?;
                    let value = self.item(&entry.value)?;
                    map.insert(name, value);
                    continue;
                }
                None => self.item(&entry.value)?,
            };
            let at = |fault: Fault| fault.at(entry.value.span);
            let Item::Map(unpacked) = &value else {
                let message = format!("`**` unpacks a map, not {}", value.kind());
                return Err(at(Fault::wrong_type(message)));
            };
            self.budget.make_items(unpacked.len()).map_err(at)?;
            for pair in unpacked.iter() {
                let (key, item) = pair.map_err(at)?;
                map.insert(key, item);
            }
        }
        let count = map.len();
        self.budget
            .make_items(count)
            .map_err(|fault| fault.at(span))?;
        Ok(Item::map(map))
    }

    fn logic(&mut self, logic: Logic, operands: &'a [Node]) -> Result1<'a> {
        let (word, decides) = match logic {
            Logic::And => ("`and`", false),
            Logic::Or => ("`or`", true),
        };
        for operand in operands {
            if self.bool(operand, word)? == decides {
                return Ok(Item::Bool(decides));
            }
        }
        Ok(Item::Bool(!decides))
    }

    fn compare(&mut self, first: &'a Node, rest: &'a [(Comparison, Node)]) -> Result1<'a> {
        let mut left = self.item(first)?;
        let mut start = first.span.start;
        for (comparison, node) in rest {
            let right = self.item(node)?;
            let span = Span::new(start, node.span.end);
            let holds = compare::holds(*comparison, &left, &right, &mut self.budget)
                .map_err(|fault| fault.at(span))?;
            if !holds {
                return Ok(Item::Bool(false));
            }
            left = right;
            start = node.span.start;
        }
        Ok(Item::Bool(true))
    }

    fn slice(&mut self, slice: &'a Slice, span: Span) -> Result1<'a> {
        let of = self.item(&slice.of)?;
        let mut bound = |node: &'a Option<Node>| match node {
            Some(node) => {
                let item = self.item(node)?;
                subscript::bound(&item).map_err(|fault| fault.at(node.span))
            }
            None => Ok(None),
        };
        let bounds = [
            bound(&slice.lower)?,
            bound(&slice.upper)?,
            bound(&slice.step)?,
        ];
        subscript::slice(&of, bounds, &mut self.budget).map_err(|fault| fault.at(span))
    }

    fn call(&mut self, call: &'a Call, span: Span) -> Result1<'a> {
        if let [
            Node {
                kind: Kind::Comprehension(comprehension),
                ..
            },
        ] = call.arguments.as_slice()
            && comprehension.lazy
        {
            if call.function == Function::Any {
                return self.quantifier(comprehension, true);
            }
            if call.function == Function::All {
                return self.quantifier(comprehension, false);
            }
        }
        let arguments = self.items(&call.arguments)?;
        let option = call
            .option
            .as_ref()
            .map(|node| self.item(node))
            .transpose()?;
        function::call(call.function, &arguments, option, &mut self.budget)
            .map_err(|fault| fault.at(span))
    }

    fn status(&self, function: StatusFunction, step: Option<&str>, span: Span) -> Result1<'a> {
        let Some(step) = step else {
            return Ok(Item::Bool(true));
        };
        let Some(status) = self.scope.status(step) else {
            let shown = super::error::clipped(step);
            let message = format!("there is no step `{shown}`");
            return Err(Fault::new(crate::code::EXPRESSION_UNKNOWN_NAME, message).at(span));
        };
        Ok(Item::Bool(match function {
            StatusFunction::Succeeded => status == StepStatusWord::Succeeded,
            StatusFunction::Failed => status == StepStatusWord::Failed,
            StatusFunction::Skipped => status == StepStatusWord::Skipped,
            StatusFunction::Always => true,
        }))
    }
}

fn constant_item(constant: &Constant) -> Item<'_> {
    match constant {
        Constant::Null => Item::Null,
        Constant::Bool(value) => Item::Bool(*value),
        Constant::Int(value) => Item::Int(*value),
        Constant::Float(value) => Item::Float(*value),
        Constant::Text(text) => Item::Text(Text::Borrowed(text)),
    }
}

/// A key of a map, which must be a string.
fn text_key<'a>(item: Item<'a>) -> Result<Text<'a>, Fault> {
    let kind = item.kind();
    if let Item::Text(text) = item {
        return Ok(text);
    }
    Err(
        Fault::wrong_type(format!("the keys of a map are strings, not {kind}"))
            .help("write `str(...)`"),
    )
}

fn not_a_bool(whose: &str, found: &Item<'_>) -> Fault {
    let fault = Fault::wrong_type(format!("{whose} needs a bool, not {}", found.kind()));
    match found {
        Item::Int(_) | Item::Float(_) => fault.help("compare it: `x != 0`"),
        Item::Text(_) => fault.help("compare it: `x != \"\"`"),
        Item::List(_) | Item::Map(_) => fault.help("compare its length: `len(x) > 0`"),
        Item::Null => fault.help("compare it: `x is not None`"),
        Item::Bool(_) | Item::Date(_) | Item::DateTime(_) | Item::Duration(_) => fault,
    }
}
