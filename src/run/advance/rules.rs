//! The rules of a question as the author wrote them, evaluated.

use std::time::Duration;

use super::evaluate::{evaluate, text};
use crate::approval::{People, Rules};
use crate::expression::{Template, Value};
use crate::failure::Failure;
use crate::plan::{AskRules, NamedReviewers, Reviewers};
use crate::run::scope::RunScope;

/// Evaluates the rules of a question; the text, if any, is what people read of who should answer.
///
/// # Errors
/// An expression fails, or gives something else than names.
pub fn ask_rules(
    rules: &AskRules,
    scope: &RunScope<'_>,
    allow_self: bool,
    place: &str,
) -> Result<(Option<String>, Rules), Failure> {
    let at = format!("{place}.reviewers");
    let (said, reviewers) = match &rules.reviewers {
        None => (None, None),
        Some(Reviewers::Text(template)) => {
            (Some(text(&evaluate(template, scope, &at)?, &at)?), None)
        }
        Some(Reviewers::Named(named)) => (None, Some(people(named, scope, &at)?)),
    };
    let escalate_to = match &rules.escalate_to {
        Some(Reviewers::Named(named)) => {
            Some(people(named, scope, &format!("{place}.escalate_to"))?)
        }
        // A text names nobody: the same people have more time.
        Some(Reviewers::Text(_)) | None => None,
    };
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let rules = Rules {
        people: reviewers,
        required: rules.required.max(1),
        reject_quorum: rules.reject_quorum.max(1),
        allow_self: rules.allow_self.unwrap_or(allow_self),
        remind_ms: rules.remind.iter().copied().map(ms).collect(),
        timeout_ms: rules.timeout.map(ms),
        on_timeout: rules.on_timeout,
        escalate_to,
        notify: rules.notify.clone(),
    };
    Ok((said, rules))
}

fn people(named: &NamedReviewers, scope: &RunScope<'_>, place: &str) -> Result<People, Failure> {
    let mut users = Vec::with_capacity(named.users.len());
    for template in &named.users {
        users.extend(names(template, scope, &format!("{place}.users"))?);
    }
    Ok(People {
        users,
        roles: named.roles.clone(),
    })
}

/// One name, or a list of names that an expression gives.
fn names(template: &Template, scope: &RunScope<'_>, place: &str) -> Result<Vec<String>, Failure> {
    let value = evaluate(template, scope, place)?;
    if let Value::List(items) = &value {
        return items.iter().map(|item| text(item, place)).collect();
    }
    Ok(vec![text(&value, place)?])
}
