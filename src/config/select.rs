//! `execution.select`: what `auto` means here.

use crate::code;
use crate::expression::{Expression, Reference};
use crate::plan::{Method, SelectRule};
use crate::workflow::yaml::{self, Keys, Node, Report};

const RULE: Keys = Keys {
    what: "a rule of `select`",
    now: &["when", "use"],
    later: &[],
};

pub(super) fn read(report: &mut Report<'_>, node: &Node) -> Vec<SelectRule> {
    let rules = yaml::list(report, node).unwrap_or_default();
    let read = rules.iter().filter_map(|node| rule(report, node));
    read.collect()
}

fn rule(report: &mut Report<'_>, node: &Node) -> Option<SelectRule> {
    let fields = yaml::fields(report, node, &RULE)?;
    let method = fields.required(report, &RULE, "use")?;
    let method = yaml::word(report, method, &Method::WORDS)?;
    let when = match fields.get("when") {
        Some(node) => Some(condition(report, node)?),
        None => None,
    };
    Some(SelectRule { when, method })
}

/// An expression over the facts of a step and nothing else.
fn condition(report: &mut Report<'_>, node: &Node) -> Option<Expression> {
    let text = yaml::text(report, node)?.trim();
    let inside = text
        .strip_prefix("${{")
        .and_then(|text| text.strip_suffix("}}"));
    let expression = match Expression::parse(inside.unwrap_or(text).trim()) {
        Ok(expression) => expression,
        Err(fault) => {
            report.error(fault.code, node.span, fault.message);
            return None;
        }
    };
    for reference in expression.references() {
        let known = match reference {
            Reference::Path { root, path, .. } => {
                path.is_empty() && SelectRule::NAMES.contains(&root.as_str())
            }
            Reference::Status { .. } => false,
        };
        if !known {
            let span = reference.span();
            let word = expression.source().get(span.start..span.end);
            report.error_with(
                code::UNKNOWN_NAME,
                node.span,
                format!("`{}` is no fact of a step", word.unwrap_or_default()),
                format!("a rule knows {}", SelectRule::NAMES.join(", ")),
            );
            return None;
        }
    }
    Some(expression)
}
