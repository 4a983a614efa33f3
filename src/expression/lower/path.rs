//! Names, attributes and subscripts: `steps.load.outputs["quality"]` is one path.

use ruff_python_ast as ast;
use ruff_text_size::Ranged;

use crate::code;
use crate::diagnostic::Span;

use super::super::error::{Error, Fault};
use super::super::reference::Reference;
use super::super::tree::{Constant, Key, Kind, Node, Path};
use super::{Lowering, span};

impl Lowering {
    /// A name or an attribute.
    pub(super) fn path(&mut self, expr: &ast::Expr) -> Result<Kind, Error> {
        if let Some(path) = constant_path(expr) {
            return self.named(path, span(expr));
        }
        let ast::Expr::Attribute(attribute) = expr else {
            return Err(super::slip::refused(expr));
        };
        let of = self.node(&attribute.value)?;
        let key = Node {
            kind: Kind::Constant(Constant::Text(attribute.attr.as_str().into())),
            span: span(&attribute.attr),
        };
        Ok(Kind::Index(Box::new([of, key])))
    }

    pub(super) fn subscript(
        &mut self,
        expr: &ast::Expr,
        subscript: &ast::ExprSubscript,
    ) -> Result<Kind, Error> {
        if let Some(path) = constant_path(expr) {
            return self.named(path, span(expr));
        }
        if let ast::Expr::Slice(slice) = subscript.slice.as_ref() {
            return self.slice(&subscript.value, slice);
        }
        Ok(Kind::Index(Box::new([
            self.node(&subscript.value)?,
            self.node(&subscript.slice)?,
        ])))
    }

    fn named(&mut self, path: Path, span: Span) -> Result<Kind, Error> {
        if self.locals.contains(&path.root) {
            return Ok(Kind::Local(path));
        }
        if let Some(right) = misspelt(&path.root) {
            return Err(Fault::new(
                code::EXPRESSION_UNKNOWN_NAME,
                format!("unknown name `{}`", path.root),
            )
            .help(format!("write `{right}`: expressions are Python"))
            .at(span));
        }
        self.references.push(Reference::Path {
            root: path.root.to_string(),
            path: path.keys.iter().map(|key| key.name.to_string()).collect(),
            span,
            guarded: self.guards > 0,
        });
        Ok(Kind::Path(path))
    }
}

/// The words of YAML and JSON for Python's constants.
fn misspelt(name: &str) -> Option<&'static str> {
    match name {
        "true" => Some("True"),
        "false" => Some("False"),
        "null" | "none" | "nil" | "undefined" => Some("None"),
        _ => None,
    }
}

/// Walks down attributes and constant string subscripts to a name.
fn constant_path(expr: &ast::Expr) -> Option<Path> {
    let mut keys = Vec::new();
    let mut at = expr;
    loop {
        if let Some(name) = at.as_name_expr() {
            keys.reverse();
            let root = name.id.as_str().into();
            return Some(Path { root, keys });
        }
        if let Some(attribute) = at.as_attribute_expr() {
            keys.push(Key {
                name: attribute.attr.as_str().into(),
                span: span(&attribute.attr),
            });
            at = &attribute.value;
        } else {
            let subscript = at.as_subscript_expr()?;
            let text = subscript.slice.as_string_literal_expr()?;
            keys.push(Key {
                name: text.value.to_str().into(),
                span: Span::new(text.start().to_usize(), text.end().to_usize()),
            });
            at = &subscript.value;
        }
    }
}
