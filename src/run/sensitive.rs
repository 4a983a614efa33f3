//! Outputs that are kept as they are, and not shown.

use serde_json::{Map, Value};

use super::payload::Values;
use super::state::RunState;
use crate::expression::{Expression, Reference, Template};
use crate::plan::Step;
use crate::python::reference::is_reference;

/// What stands for a sensitive output.
pub const HIDDEN: &str = "•••";

/// Whether sensitive outputs are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reveal {
    /// They are hidden.
    #[default]
    No,
    /// Somebody asked for them.
    Yes,
}

/// Outputs of a step as they are shown.
#[must_use]
pub fn shown_outputs(step: &Step, outputs: &Values, reveal: Reveal) -> Values {
    hide(outputs, reveal, |name| is_sensitive(step, name))
}

/// Results of a step as they are shown: what they have under the name of a sensitive output is hidden.
#[must_use]
pub fn shown_results(step: &Step, results: &Value, reveal: Reveal) -> Value {
    match results {
        Value::Object(map) if !is_reference(results) => {
            Value::Object(shown_outputs(step, map, reveal))
        }
        // Results that are no map are the output `value`.
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            if reveal == Reveal::No && is_sensitive(step, "value") {
                HIDDEN.into()
            } else {
                results.clone()
            }
        }
    }
}

/// Outputs of a run as they are shown: those that read a sensitive output of a step are hidden.
#[must_use]
pub fn shown_run_outputs(state: &RunState, outputs: &Values, reveal: Reveal) -> Values {
    hide(outputs, reveal, |name| {
        let template = state.plan.outputs.get(name);
        template.is_some_and(|template| reads_sensitive(state, template))
    })
}

fn hide(values: &Values, reveal: Reveal, hidden: impl Fn(&str) -> bool) -> Values {
    let shown = values.iter().map(|(name, value)| {
        let value = if reveal == Reveal::No && hidden(name) {
            HIDDEN.into()
        } else {
            value.clone()
        };
        (name.clone(), value)
    });
    shown.collect::<Map<_, _>>()
}

fn is_sensitive(step: &Step, output: &str) -> bool {
    step.sensitive.iter().any(|name| name == output)
}

fn reads_sensitive(state: &RunState, template: &Template) -> bool {
    let expressions = template.expressions().into_iter();
    expressions
        .flat_map(Expression::references)
        .any(|reference| {
            let Reference::Path { root, path, .. } = reference else {
                return false;
            };
            let mut names = path.iter().map(String::as_str);
            let (Some(id), part, name) = (names.next(), names.next(), names.next()) else {
                return false;
            };
            let step = state.plan.steps.iter().find(|step| step.id == id);
            let Some(step) = step.filter(|_| root == "steps") else {
                return false;
            };
            match (part, name) {
                (None | Some("outputs" | "results"), None) => !step.sensitive.is_empty(),
                (Some("outputs" | "results"), Some(name)) => is_sensitive(step, name),
                (Some(_), _) | (None, Some(_)) => false,
            }
        })
}
