//! Names: what the scope answers, and the rest of the path inside it.

use crate::code;
use crate::diagnostic::Span;

use super::super::error::{Error, Fault, clipped};
use super::super::item::Item;
use super::super::scope::Lookup;
use super::super::tree::{Key, Path};
use super::{Evaluator, Result1};

impl<'a> Evaluator<'a> {
    pub(super) fn path(&mut self, path: &'a Path, span: Span) -> Result1<'a> {
        let mut names: Vec<&str> = Vec::with_capacity(path.keys.len() + 1);
        names.push(&path.root);
        names.extend(path.keys.iter().map(|key| &*key.name));
        let (item, used) = match self.scope.lookup(&names) {
            Lookup::Json { value, used } => (
                Item::from_json(value).map_err(|fault| fault.at(span))?,
                used,
            ),
            Lookup::Value { value, used } => (Item::from_value(value), used),
            Lookup::Absent { reason } => {
                let message = format!("`{}` is absent: {reason}", clipped(&names.join(".")));
                return Err(Fault::new(code::EXPRESSION_ABSENT, message)
                    .help("`default(..., fallback)` takes a fallback when it is absent")
                    .at(span));
            }
            Lookup::Unknown { known } => return Err(unknown(&names, &known, span)),
        };
        self.rest(
            item,
            path.keys.get(used.saturating_sub(1)..).unwrap_or_default(),
        )
    }

    pub(super) fn local(&mut self, path: &'a Path) -> Result1<'a> {
        let bound = self
            .locals
            .iter()
            .rfind(|(name, _)| *name == &*path.root)
            .map_or(Item::Null, |(_, item)| item.clone());
        self.rest(bound, &path.keys)
    }

    /// Reads constant keys one after the other.
    fn rest(&mut self, item: Item<'a>, keys: &'a [Key]) -> Result1<'a> {
        let mut item = item;
        for key in keys {
            let at = |fault: Fault| fault.at(key.span);
            self.budget.spend(1).map_err(at)?;
            item = match &item {
                Item::Map(map) => map.required(&key.name).map_err(at)?,
                Item::Null
                | Item::Bool(_)
                | Item::Int(_)
                | Item::Float(_)
                | Item::Text(_)
                | Item::List(_)
                | Item::Date(_)
                | Item::DateTime(_)
                | Item::Duration(_) => return Err(at(no_keys(&item, &key.name))),
            };
        }
        Ok(item)
    }
}

/// The fault of reading a key from something that is not a map.
pub(super) fn no_keys(item: &Item<'_>, key: &str) -> Fault {
    let key = clipped(key);
    let fault = Fault::wrong_type(format!("{} has no key `{key}`", item.kind()));
    match item {
        Item::List(_) => fault.help(format!(
            "take one item, `x[0].{key}`, or all: `[x.{key} for x in xs]`"
        )),
        Item::Text(_) if super::super::method::find(&key).is_some() => {
            fault.help(format!("call the method: `.{key}()`"))
        }
        Item::Text(_)
        | Item::Null
        | Item::Bool(_)
        | Item::Int(_)
        | Item::Float(_)
        | Item::Map(_)
        | Item::Date(_)
        | Item::DateTime(_)
        | Item::Duration(_) => fault,
    }
}

fn unknown(names: &[&str], known: &[String], span: Span) -> Error {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let shown = names.join(".");
    // The scope does not say which part it stumbled over; the nearest name is that of the first one.
    let word = names
        .iter()
        .copied()
        .find(|name| {
            !known.contains(name)
                && crate::diagnostic::did_you_mean(name, known.iter().copied()).is_some()
        })
        .or_else(|| names.last().copied())
        .unwrap_or_default();
    Fault::new(
        code::EXPRESSION_UNKNOWN_NAME,
        format!("unknown name `{}`", clipped(&shown)),
    )
    .known(word, &known, "there is")
    .at(span)
}
