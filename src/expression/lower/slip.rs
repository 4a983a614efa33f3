//! Messages for what is not in the language, and for habits from other languages.

use ruff_python_ast as ast;
use ruff_python_parser::ParseError;

use crate::diagnostic::Span;

use super::super::error::{Error, Fault};
use super::span;

/// One line that names everything there is.
const ALLOWED: &str = "allowed: names and paths, literals, lists, maps, + - * / // % **, comparisons, in, \
    and, or, not, `a if c else b`, comprehensions, indexing, slices, functions and methods";

/// Refuses a form of Python that is not in the language.
pub(super) fn refused(expr: &ast::Expr) -> Error {
    let (what, instead) = form(expr);
    let fault = Fault::not_allowed(format!("{what} is not part of the expression language"));
    let fault = match instead {
        "" => fault,
        line => fault.help(line),
    };
    fault.help(ALLOWED).at(span(expr))
}

fn form(expr: &ast::Expr) -> (&'static str, &'static str) {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "Ruff's enum; the forms that the language has never come here"
    )]
    match expr {
        ast::Expr::Tuple(_) => ("a list without brackets", "write `[a, b]`"),
        ast::Expr::Generator(_) => (
            "a comprehension without brackets",
            "write `[x for x in xs]`",
        ),
        ast::Expr::Set(_) | ast::Expr::SetComp(_) => ("a set", "write a list, or `unique([...])`"),
        ast::Expr::Named(_) => ("an assignment", "write `==` to compare"),
        ast::Expr::Lambda(_) => ("a lambda", "write a comprehension"),
        ast::Expr::Await(_) => ("`await`", ""),
        ast::Expr::Yield(_) | ast::Expr::YieldFrom(_) => ("`yield`", ""),
        ast::Expr::FString(_) | ast::Expr::TString(_) => ("an f-string", "join with `+`"),
        ast::Expr::BytesLiteral(_) => ("a byte string", "write a plain string"),
        ast::Expr::EllipsisLiteral(_) => ("`...`", ""),
        ast::Expr::Starred(_) => ("unpacking with `*`", "join lists with `+`"),
        _ => ("this", ""),
    }
}

/// Refuses `{**a for …}`.
pub(super) fn unpacking(at: Span) -> Error {
    Fault::not_allowed("unpacking in a comprehension is not part of the expression language")
        .help("write `{key: value for key, value in map.items()}`")
        .at(at)
}

/// Refuses an operator on bits or matrices.
pub(super) fn operator(symbol: &str, at: Span) -> Error {
    let instead = match symbol {
        "&" => "write `and`",
        "|" => "write `or`; maps are joined with `{**a, **b}`",
        "^" => "write `**` for a power",
        "~" => "write `not`",
        _ => "",
    };
    let fault = Fault::not_allowed(format!("`{symbol}` is not part of the expression language"));
    let fault = match instead {
        "" => fault,
        line => fault.help(line),
    };
    fault.help(ALLOWED).at(at)
}

/// Whether a key of a map literal could be a string.
pub(super) fn can_be_key(key: &ast::Expr) -> bool {
    !(key.is_number_literal_expr()
        || key.is_boolean_literal_expr()
        || key.is_none_literal_expr()
        || key.is_list_expr()
        || key.is_dict_expr()
        || key.is_tuple_expr())
}

/// What to write for a function or method that people know from elsewhere.
pub(super) fn instead_of(name: &str) -> Option<&'static str> {
    match name {
        "success" => Some("write `succeeded('step_id')`"),
        "failure" => Some("write `failed('step_id')`"),
        "now" | "today" => Some("expressions read no clock; use `run.started_at`"),
        "toJSON" | "to_json" | "tojson" => Some("write `json(value)`"),
        "list" | "tuple" | "set" => Some("write a comprehension, or `unique(list)`"),
        "map" | "filter" => Some("write a comprehension: `[x for x in xs if x > 0]`"),
        "contains" => Some("write `a in b`"),
        "append" => Some("values never change; write `a + [b]`"),
        "format" => Some("write `format(value, \".2f\")`"),
        "type" | "isinstance" => Some("declare the type of the input or output instead"),
        _ => None,
    }
}

/// Turns Ruff's error into ours, with help for the usual slips.
pub(super) fn syntax_error(text: &str, error: &ParseError) -> Error {
    let start = error.location.start().to_usize();
    let end = error.location.end().to_usize().max(start + 1);
    let message = error.error.to_string();
    let mut fault = Fault::syntax(format!("this is not an expression: {}", lowered(&message)));
    for (sign, line) in [
        ("&&", "write `and` for `&&`"),
        ("||", "write `or` for `||`"),
        ("===", "write `==` for `===`"),
        ("?", "write `a if condition else b` for `condition ? a : b`"),
        ("$", "write a name as it is, without `$`"),
    ] {
        if text.contains(sign) {
            fault = fault.help(line);
        }
    }
    if text.contains('!') && text.replace("!=", "").contains('!') {
        fault = fault.help("write `not` for `!`");
    }
    if text.contains('=') && has_single_equals(text) {
        fault = fault.help("write `==` to compare");
    }
    let before = text.get(..start).unwrap_or_default().trim_end();
    if before.ends_with('.') {
        fault = fault.help("a key that is a Python keyword is read by subscript: `x[\"class\"]`");
    }
    fault.at(Span::new(start, end.min(text.len()).max(start)))
}

fn has_single_equals(text: &str) -> bool {
    let mut rest = text.to_owned();
    for pair in ["===", "==", "!=", "<=", ">=", ":="] {
        rest = rest.replace(pair, "");
    }
    rest.contains('=')
}

fn lowered(message: &str) -> String {
    let mut chars = message.chars();
    chars
        .next()
        .map(|first| first.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}
