//! Templates and conditions of a plan, evaluated; what goes wrong is a failure of the step.

use indexmap::IndexMap;

use crate::code;
use crate::expression::{self, Expression, Template, Value};
use crate::failure::{Failure, FailureKind};
use crate::run::payload::Values;
use crate::run::scope::RunScope;

pub(super) fn values(
    templates: &IndexMap<String, Template>,
    scope: &RunScope<'_>,
    place: &str,
) -> Result<Values, Failure> {
    templates
        .iter()
        .map(|(name, template)| {
            let value = evaluate(template, scope, &format!("{place}.{name}"))?;
            Ok((name.clone(), value.to_json()))
        })
        .collect()
}

pub(super) fn evaluate(
    template: &Template,
    scope: &RunScope<'_>,
    place: &str,
) -> Result<Value, Failure> {
    template
        .evaluate(scope)
        .map_err(|error| expression_failure(&error, place))
}

pub(super) fn text(value: &Value, place: &str) -> Result<String, Failure> {
    value
        .to_text()
        .map_err(|error| expression_failure(&error, place))
}

pub(super) fn truth(
    condition: &Expression,
    scope: &RunScope<'_>,
    place: &str,
) -> Result<bool, Failure> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "every other type is refused alike"
    )]
    match condition
        .evaluate(scope)
        .map_err(|error| expression_failure(&error, place))?
    {
        Value::Bool(value) => Ok(value),
        other => Err(Failure::new(
            FailureKind::Code,
            code::CONDITION_NOT_BOOL,
            format!(
                "`{place}: {}` gave {}, not True or False",
                condition.source(),
                other.type_name()
            ),
        )
        .hint("conditions are strict: compare, for example `len(x) > 0` or `x != \"\"`")),
    }
}

fn expression_failure(error: &expression::Error, place: &str) -> Failure {
    let failure = Failure::new(
        FailureKind::Code,
        error.code,
        format!("{place}: {}", error.message),
    );
    match error.help.first() {
        Some(help) => failure.hint(help.clone()),
        None => failure,
    }
}
