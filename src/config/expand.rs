//! `${NAME}` and `${NAME:-fallback}` in text. `$${` stands for the characters themselves.

use super::Environment;
use crate::code;
use crate::diagnostic::Span;
use crate::workflow::yaml::{self, Kind, Node, Report, place_inside};

/// Replaces the variables in every text of the tree. Plain text is then read again, so that
/// `execution_timeout: ${SECONDS:-120}` is a number.
pub(super) fn expand(report: &mut Report<'_>, node: &mut Node, env: Environment<'_>) {
    match &mut node.kind {
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => {}
        Kind::Text { text, plain } => {
            if !text.contains("${") {
                return;
            }
            let (source, plain) = (text.clone(), *plain);
            let expanded = replaced(report, node, &source, env);
            node.kind = if plain {
                yaml::plain(report, node.span, &expanded)
            } else {
                let text = expanded;
                Kind::Text { text, plain }
            };
        }
        Kind::List(items) => {
            for item in items {
                expand(report, item, env);
            }
        }
        Kind::Map(entries) => {
            for entry in entries {
                expand(report, &mut entry.node, env);
            }
        }
    }
}

fn replaced(report: &mut Report<'_>, node: &Node, source: &str, env: Environment<'_>) -> String {
    let mut out = String::new();
    let mut rest = source;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        if let Some(literal) = before.strip_suffix('$') {
            out.push_str(literal);
            out.push_str("${");
            rest = from.get(2..).unwrap_or_default();
            continue;
        }
        out.push_str(before);
        let start = source.len() - from.len();
        let Some(end) = from.find('}') else {
            fault(
                report,
                node,
                Span::new(start, source.len()),
                "`${` is never closed",
            );
            return out;
        };
        let inside = from.get(2..end).unwrap_or_default();
        let span = Span::new(start, start + end + 1);
        out.push_str(&value(report, node, span, inside, env));
        rest = from.get(end + 1..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

fn value(
    report: &mut Report<'_>,
    node: &Node,
    span: Span,
    inside: &str,
    env: Environment<'_>,
) -> String {
    let (name, fallback) = match inside.split_once(":-") {
        Some((name, fallback)) => (name, Some(fallback)),
        None => (inside, None),
    };
    if !is_name(name) {
        fault(
            report,
            node,
            span,
            &format!("`{name}` is no name of a variable"),
        );
        return String::new();
    }
    let found = env(name);
    match (found, fallback) {
        (Some(found), _) if !found.is_empty() => found,
        (_, Some(fallback)) => fallback.to_owned(),
        (Some(empty), None) => empty,
        (None, None) => {
            let span = place_inside(report.text(), node, span);
            report.error_with(
                code::UNSET_VARIABLE,
                span,
                format!("the environment variable `{name}` is not set"),
                format!("set it, or write ${{{name}:-fallback}}"),
            );
            String::new()
        }
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn fault(report: &mut Report<'_>, node: &Node, span: Span, message: &str) {
    let span = place_inside(report.text(), node, span);
    report.error_with(
        code::BAD_VALUE,
        span,
        message,
        "variables are written ${NAME} or ${NAME:-fallback}; $${ stands for the characters ${",
    );
}
