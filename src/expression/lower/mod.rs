//! From Ruff's tree to ours; whatever the language does not have is refused here.

mod call;
mod comprehension;
mod literal;
mod path;
mod slip;

use ruff_python_ast as ast;
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::diagnostic::Span;

use super::error::{Error, Fault};
use super::limit::DEPTH_MAX;
use super::reference::Reference;
use super::scan;
use super::tree::{Comparison, Kind, Logic, Node, Operator, Slice};

/// A tree and what it refers to.
pub(super) struct Lowered {
    pub(super) node: Node,
    pub(super) references: Vec<Reference>,
}

/// Reads one expression. Spans are relative to `text`.
pub(super) fn lower(text: &str) -> Result<Lowered, Error> {
    scan::check(text)?;
    let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let range = TextRange::new(TextSize::new(0), TextSize::new(end));
    // Parenthesised, so that an expression may run over several lines.
    let parsed = ruff_python_parser::parse_parenthesized_expression_range(text, range)
        .map_err(|error| slip::syntax_error(text, &error))?;
    let mut lowering = Lowering {
        locals: Vec::new(),
        references: Vec::new(),
        guards: 0,
        depth: 0,
    };
    let node = lowering.node(parsed.expr())?;
    let mut references = lowering.references;
    references.sort_by_key(|reference| reference.span().start);
    Ok(Lowered { node, references })
}

/// The walk over Ruff's tree.
struct Lowering {
    /// Names bound by the comprehensions around.
    locals: Vec<Box<str>>,
    references: Vec<Reference>,
    /// How many `default()` and `exists()` are around.
    guards: usize,
    depth: usize,
}

impl Lowering {
    fn node(&mut self, expr: &ast::Expr) -> Result<Node, Error> {
        let span = span(expr);
        if self.depth >= DEPTH_MAX {
            return Err(scan::too_deep().at(span));
        }
        self.depth += 1;
        let kind = self.kind(expr);
        self.depth -= 1;
        Ok(Node { kind: kind?, span })
    }

    fn boxed(&mut self, expr: &ast::Expr) -> Result<Box<Node>, Error> {
        self.node(expr).map(Box::new)
    }

    fn nodes(&mut self, exprs: &[ast::Expr]) -> Result<Vec<Node>, Error> {
        exprs.iter().map(|expr| self.node(expr)).collect()
    }

    fn kind(&mut self, expr: &ast::Expr) -> Result<Kind, Error> {
        match expr {
            ast::Expr::NumberLiteral(number) => literal::number(number),
            ast::Expr::StringLiteral(string) => Ok(literal::text(string.value.to_str())),
            ast::Expr::BooleanLiteral(boolean) => Ok(literal::boolean(boolean.value)),
            ast::Expr::NoneLiteral(_) => Ok(literal::none()),
            ast::Expr::Name(_) | ast::Expr::Attribute(_) => self.path(expr),
            ast::Expr::Subscript(subscript) => self.subscript(expr, subscript),
            ast::Expr::List(list) => Ok(Kind::List(self.nodes(&list.elts)?)),
            ast::Expr::Tuple(tuple) if tuple.parenthesized => {
                Ok(Kind::List(self.nodes(&tuple.elts)?))
            }
            ast::Expr::Dict(dict) => self.dict(dict),
            ast::Expr::UnaryOp(unary) => self.unary(unary),
            ast::Expr::BinOp(binary) => self.binary(binary),
            ast::Expr::BoolOp(logic) => {
                let word = match logic.op {
                    ast::BoolOp::And => Logic::And,
                    ast::BoolOp::Or => Logic::Or,
                };
                Ok(Kind::Logic(word, self.nodes(&logic.values)?))
            }
            ast::Expr::Compare(compare) => self.compare(compare),
            ast::Expr::If(choice) => Ok(Kind::Choice(Box::new([
                self.node(&choice.test)?,
                self.node(&choice.body)?,
                self.node(&choice.orelse)?,
            ]))),
            ast::Expr::Call(call) => self.call(call),
            ast::Expr::ListComp(list) => self.list_comprehension(&list.elt, &list.generators),
            ast::Expr::DictComp(dict) => self.dict_comprehension(dict),
            ast::Expr::Tuple(_)
            | ast::Expr::Generator(_)
            | ast::Expr::Set(_)
            | ast::Expr::SetComp(_)
            | ast::Expr::Named(_)
            | ast::Expr::Lambda(_)
            | ast::Expr::Await(_)
            | ast::Expr::Yield(_)
            | ast::Expr::YieldFrom(_)
            | ast::Expr::FString(_)
            | ast::Expr::TString(_)
            | ast::Expr::BytesLiteral(_)
            | ast::Expr::EllipsisLiteral(_)
            | ast::Expr::Starred(_)
            | ast::Expr::Slice(_)
            | ast::Expr::IpyEscapeCommand(_) => Err(slip::refused(expr)),
        }
    }

    fn unary(&mut self, unary: &ast::ExprUnaryOp) -> Result<Kind, Error> {
        match unary.op {
            ast::UnaryOp::Not => Ok(Kind::Not(self.boxed(&unary.operand)?)),
            ast::UnaryOp::UAdd => Ok(Kind::Plus(self.boxed(&unary.operand)?)),
            ast::UnaryOp::USub => match literal::negative(&unary.operand) {
                Some(kind) => Ok(kind),
                None => Ok(Kind::Negate(self.boxed(&unary.operand)?)),
            },
            ast::UnaryOp::Invert => Err(slip::operator("~", span(unary))),
        }
    }

    fn binary(&mut self, binary: &ast::ExprBinOp) -> Result<Kind, Error> {
        let operator = match binary.op {
            ast::Operator::Add => Operator::Add,
            ast::Operator::Sub => Operator::Subtract,
            ast::Operator::Mult => Operator::Multiply,
            ast::Operator::Div => Operator::Divide,
            ast::Operator::FloorDiv => Operator::FloorDivide,
            ast::Operator::Mod => Operator::Modulo,
            ast::Operator::Pow => Operator::Power,
            ast::Operator::MatMult
            | ast::Operator::LShift
            | ast::Operator::RShift
            | ast::Operator::BitOr
            | ast::Operator::BitXor
            | ast::Operator::BitAnd => {
                return Err(slip::operator(binary.op.as_str(), span(binary)));
            }
        };
        let sides = [self.node(&binary.left)?, self.node(&binary.right)?];
        Ok(Kind::Binary(operator, Box::new(sides)))
    }

    fn compare(&mut self, compare: &ast::ExprCompare) -> Result<Kind, Error> {
        let first = self.boxed(&compare.left)?;
        let mut rest = Vec::with_capacity(compare.ops.len());
        for (op, right) in compare.ops.iter().zip(&compare.comparators) {
            rest.push((comparison(*op, right)?, self.node(right)?));
        }
        Ok(Kind::Compare(first, rest))
    }

    fn slice(&mut self, of: &ast::Expr, slice: &ast::ExprSlice) -> Result<Kind, Error> {
        let of = self.node(of)?;
        let mut side =
            |side: &Option<Box<ast::Expr>>| side.as_deref().map(|expr| self.node(expr)).transpose();
        let (lower, upper, step) = (side(&slice.lower)?, side(&slice.upper)?, side(&slice.step)?);
        Ok(Kind::Slice(Box::new(Slice {
            of,
            lower,
            upper,
            step,
        })))
    }
}

fn comparison(op: ast::CmpOp, right: &ast::Expr) -> Result<Comparison, Error> {
    let is = |kind| {
        if right.is_none_literal_expr() {
            return Ok(kind);
        }
        Err(Fault::not_allowed("`is` is only for `None`")
            .help("write `==` or `!=` to compare values")
            .at(span(right)))
    };
    match op {
        ast::CmpOp::Eq => Ok(Comparison::Equal),
        ast::CmpOp::NotEq => Ok(Comparison::NotEqual),
        ast::CmpOp::Lt => Ok(Comparison::Less),
        ast::CmpOp::LtE => Ok(Comparison::LessEqual),
        ast::CmpOp::Gt => Ok(Comparison::Greater),
        ast::CmpOp::GtE => Ok(Comparison::GreaterEqual),
        ast::CmpOp::In => Ok(Comparison::In),
        ast::CmpOp::NotIn => Ok(Comparison::NotIn),
        ast::CmpOp::Is => is(Comparison::IsNone),
        ast::CmpOp::IsNot => is(Comparison::IsNotNone),
    }
}

/// Where a part of Ruff's tree stands.
fn span(node: &impl Ranged) -> Span {
    Span::new(node.start().to_usize(), node.end().to_usize())
}
