//! Literals: numbers within 64 bits, strings, `True`, `False`, `None`, maps.

use ruff_python_ast as ast;

use super::super::error::{Error, Fault};
use super::super::tree::{Constant, Entry, Kind};
use super::{Lowering, slip, span};

pub(super) fn number(number: &ast::ExprNumberLiteral) -> Result<Kind, Error> {
    let constant = match &number.value {
        ast::Number::Int(int) => int.as_i64().map(Constant::Int).ok_or_else(|| {
            Fault::value("the integer does not fit into 64 bits")
                .help(format!("the largest is {}", i64::MAX))
        }),
        ast::Number::Float(float) if float.is_finite() => Ok(Constant::Float(*float)),
        ast::Number::Float(_) => Err(Fault::value("the number is too large for a float")),
        ast::Number::Complex { .. } => Err(Fault::not_allowed(
            "complex numbers are not part of the expression language",
        )),
    };
    constant
        .map(Kind::Constant)
        .map_err(|fault| fault.at(span(number)))
}

/// `-9223372036854775808`: the one integer whose digits alone do not fit.
pub(super) fn negative(operand: &ast::Expr) -> Option<Kind> {
    let ast::Number::Int(int) = &operand.as_number_literal_expr()?.value else {
        return None;
    };
    (int.as_u64()? == i64::MIN.unsigned_abs()).then_some(Kind::Constant(Constant::Int(i64::MIN)))
}

pub(super) fn text(text: &str) -> Kind {
    Kind::Constant(Constant::Text(text.into()))
}

pub(super) const fn boolean(value: bool) -> Kind {
    Kind::Constant(Constant::Bool(value))
}

pub(super) const fn none() -> Kind {
    Kind::Constant(Constant::Null)
}

impl Lowering {
    pub(super) fn dict(&mut self, dict: &ast::ExprDict) -> Result<Kind, Error> {
        let mut entries = Vec::with_capacity(dict.items.len());
        for item in &dict.items {
            if let Some(key) = &item.key
                && !slip::can_be_key(key)
            {
                return Err(Fault::wrong_type("the keys of a map are strings")
                    .help("put the key into quotes")
                    .at(span(key)));
            }
            let key = item.key.as_ref().map(|key| self.node(key)).transpose()?;
            let value = self.node(&item.value)?;
            entries.push(Entry { key, value });
        }
        Ok(Kind::Map(entries))
    }
}
