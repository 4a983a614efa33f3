//! Comprehensions, item by item.

use std::ops::ControlFlow;

use crate::diagnostic::Span;

use super::super::error::{Error, Fault};
use super::super::item::{Entries, Item};
use super::super::tree::{Clause, Comprehension, Element, Targets};
use super::{Evaluator, Result1, not_a_bool, sequence, text_key};

type Flow = Result<ControlFlow<()>, Error>;

impl<'a> Evaluator<'a> {
    pub(super) fn comprehension(
        &mut self,
        comprehension: &'a Comprehension,
        span: Span,
    ) -> Result1<'a> {
        match &comprehension.element {
            Element::Item(node) => {
                let mut items = Vec::new();
                let _all = self.each(&comprehension.clauses, &mut |evaluator| {
                    items.push(evaluator.item(node)?);
                    evaluator.pay(1, span)
                })?;
                Ok(Item::list(items))
            }
            Element::Pair(key, value) => {
                let mut map = Entries::new();
                let _all = self.each(&comprehension.clauses, &mut |evaluator| {
                    let name = evaluator.item(key)?;
                    let name = text_key(name).map_err(|fault| fault.at(key.span))?;
                    let item = evaluator.item(value)?;
                    map.insert(name, item);
                    evaluator.pay(1, span)
                })?;
                Ok(Item::map(map))
            }
        }
    }

    /// `any(…)` and `all(…)`: stops at the first bool that decides.
    pub(super) fn quantifier(
        &mut self,
        comprehension: &'a Comprehension,
        decides: bool,
    ) -> Result1<'a> {
        let Element::Item(node) = &comprehension.element else {
            return Ok(Item::Bool(!decides));
        };
        let flow = self.each(&comprehension.clauses, &mut |evaluator| {
            let item = evaluator.item(node)?;
            match item.as_bool() {
                Some(value) if value == decides => Ok(ControlFlow::Break(())),
                Some(_) => Ok(ControlFlow::Continue(())),
                None => {
                    let whose = if decides { "`any`" } else { "`all`" };
                    Err(not_a_bool(whose, &item).at(node.span))
                }
            }
        })?;
        Ok(Item::Bool(flow.is_break() == decides))
    }

    fn pay(&mut self, items: usize, span: Span) -> Flow {
        self.budget
            .make_items(items)
            .map(ControlFlow::Continue)
            .map_err(|fault| fault.at(span))
    }

    /// Visits every combination of the clauses that passes their conditions.
    fn each(&mut self, clauses: &'a [Clause], visit: &mut dyn FnMut(&mut Self) -> Flow) -> Flow {
        let Some((clause, inner)) = clauses.split_first() else {
            return visit(self);
        };
        let iterable = self.item(&clause.iterable)?;
        let at = |fault: Fault| fault.at(clause.iterable.span);
        let list = sequence::iterable(&iterable).map_err(at)?;
        let outer = self.locals.len();
        for item in list.iter() {
            let item = item.map_err(at)?;
            self.budget.spend(1).map_err(at)?;
            self.bind(&clause.targets, item)?;
            let mut passes = true;
            for condition in &clause.conditions {
                passes = passes && self.bool(condition, "the condition of a comprehension")?;
            }
            if passes && self.each(inner, visit)?.is_break() {
                self.locals.truncate(outer);
                return Ok(ControlFlow::Break(()));
            }
            self.locals.truncate(outer);
        }
        Ok(ControlFlow::Continue(()))
    }

    fn bind(&mut self, targets: &'a Targets, item: Item<'a>) -> Result<(), Error> {
        let (names, span) = match targets {
            Targets::One(name) => {
                self.locals.push((name, item));
                return Ok(());
            }
            Targets::Unpacked(names, span) => (names, *span),
        };
        let Item::List(list) = &item else {
            let message = format!("{} cannot be unpacked into names", item.kind());
            return Err(Fault::wrong_type(message)
                .help("write `for key, value in map.items()`, or one name")
                .at(span));
        };
        if list.len() != names.len() {
            let message = format!("{} names for a list of {}", names.len(), list.len());
            return Err(Fault::value(message).at(span));
        }
        for (name, part) in names.iter().zip(list.iter()) {
            let part = part.map_err(|fault| fault.at(span))?;
            self.locals.push((name, part));
        }
        Ok(())
    }
}
