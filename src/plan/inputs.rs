//! What a run was given, against what its workflow declares.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::check::{FieldFault, check};
use super::{Field, Plan};
use crate::code;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::expression::Scope;

/// Checks the given inputs and adds the defaults. A default that is an expression is evaluated over `scope`,
/// which knows `run.scheduled_at` and `run.started_at`. Inputs that are neither given nor required are left out.
///
/// # Errors
/// Every input that is unknown, missing or does not fit its field.
pub fn resolve_inputs(
    plan: &Plan,
    mut given: Map<String, Value>,
    scope: &dyn Scope,
) -> Result<IndexMap<String, Value>, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let mut inputs = IndexMap::new();
    for (name, field) in &plan.inputs {
        let value = match given.remove(name) {
            Some(value) => Ok(Some(value)),
            None => default_of(name, field, scope),
        };
        let checked = value.and_then(|value| match value {
            Some(value) => check(field, value, name)
                .map(Some)
                .map_err(|fault| Box::new(fault.diagnostic("input"))),
            None if field.required => Err(Box::new(missing(name, field))),
            None => Ok(None),
        });
        match checked {
            Ok(Some(value)) => {
                inputs.insert(name.clone(), value);
            }
            Ok(None) => {}
            Err(fault) => faults.push(*fault),
        }
    }
    faults.extend(given.keys().map(|name| unknown(name, plan)));
    if faults.is_empty() {
        Ok(inputs)
    } else {
        Err(faults)
    }
}

fn default_of(
    name: &str,
    field: &Field,
    scope: &dyn Scope,
) -> Result<Option<Value>, Box<Diagnostic>> {
    let Some(template) = &field.default else {
        return Ok(None);
    };
    match template.evaluate(scope) {
        Ok(value) => Ok(Some(value.to_json())),
        Err(fault) => {
            let mut diagnostic = Diagnostic::error(
                fault.code,
                format!("the default of input `{name}`: {}", fault.message),
            );
            diagnostic.help = fault.help;
            Err(Box::new(diagnostic))
        }
    }
}

fn missing(name: &str, field: &Field) -> Diagnostic {
    let message = format!("the input `{name}` is missing");
    let fault = Diagnostic::error(code::MISSING_INPUT, message).help(format!(
        "give it: -i {name}=<{}>",
        field.field_type.as_str()
    ));
    if field.description.is_empty() {
        fault
    } else {
        fault.help(format!("{name}: {}", field.description))
    }
}

fn unknown(name: &str, plan: &Plan) -> Diagnostic {
    let fault = Diagnostic::error(
        code::UNKNOWN_INPUT,
        format!("the workflow has no input `{name}`"),
    );
    let known = || plan.inputs.keys().map(String::as_str);
    match did_you_mean(name, known()) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None if plan.inputs.is_empty() => fault.help("it takes no inputs"),
        None => fault.help(format!(
            "its inputs are: {}",
            known().collect::<Vec<_>>().join(", ")
        )),
    }
}

impl FieldFault {
    /// The same as a diagnostic; `what` says what the value is: "input", "output".
    #[must_use]
    pub fn diagnostic(&self, what: &str) -> Diagnostic {
        let fault = Diagnostic::error(self.code, format!("{what} `{}`: {}", self.at, self.message));
        match &self.help {
            Some(help) => fault.help(help.clone()),
            None => fault,
        }
    }
}
