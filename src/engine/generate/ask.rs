//! What a generator is told of a step.

use serde_json::{Map, Value, json};

use super::Place;
use crate::expression::format_duration;
use crate::failure::Failure;
use crate::generator::prompt::{Facts, Previous};
use crate::generator::shape;
use crate::plan::{Field, Mode};
use crate::run::payload::Feedback;

/// Longest list of packages that is told.
const PACKAGES_MAX: usize = 200;

pub(super) async fn facts(place: &Place<'_>) -> Result<Facts, Failure> {
    let task = place.step_state.task().cloned();
    let task = task.unwrap_or_else(|| crate::run::payload::TaskText {
        task: String::new(),
        expects: None,
        requirements: Vec::new(),
        user_query: None,
        context: None,
    });
    let outputs = place.step.outputs.iter().flatten();
    Ok(Facts {
        task: task.task,
        expects: task.expects,
        requirements: task.requirements,
        user_query: task.user_query,
        context_note: task.context,
        inputs: place.step_state.inputs.clone(),
        outputs: outputs
            .map(|(name, field)| (name.clone(), told(field)))
            .collect(),
        environment: environment(place).await?,
        may_write: place.python.mode == Mode::WriteAccess,
        previous: previous(place).await,
        changes: place.changes(),
    })
}

/// The type of a declared output, with its bounds and what the author says of it.
fn told(field: &Field) -> String {
    let mut value = serde_json::to_value(field).unwrap_or_default();
    let word = value
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or("any")
        .to_owned();
    let Some(rest) = value.as_object_mut() else {
        return word;
    };
    rest.remove("type");
    let about = rest.remove("description");
    let about = about.as_ref().and_then(Value::as_str).unwrap_or_default();
    let mut text = word;
    let facts: Vec<String> = rest
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    if !facts.is_empty() {
        text.push_str(&format!(" ({})", facts.join(", ")));
    }
    if !about.is_empty() {
        text.push_str(&format!(": {about}"));
    }
    text
}

async fn environment(place: &Place<'_>) -> Result<Vec<String>, Failure> {
    let shared = place.shared;
    let spec = super::super::analyse::spec_of(shared, place.python).await?;
    let progress =
        |text: &str| super::super::execute::note(shared, place.state, place.step_state, text);
    let installed = shared.ports.executor.packages(&spec, &progress).await?;
    let mut lines = installed;
    if lines.len() > PACKAGES_MAX {
        lines.truncate(PACKAGES_MAX);
        lines.push("… and more".to_owned());
    }
    if lines.len() == 1 {
        lines.push("no packages beside the standard library".to_owned());
    }
    let limit = place.step.timeout.unwrap_or(shared.options.timeout);
    lines.push(format!(
        "the code must end within {}",
        format_duration(limit)
    ));
    Ok(lines)
}

/// The code before this one, with what was wrong. A fresh try sees nothing of it, unless people speak of it.
async fn previous(place: &Place<'_>) -> Option<Previous> {
    let by_people = place.feedback() == Feedback::Changes;
    let none = place.due.feedback == Feedback::None;
    if !by_people && (none || place.due.is_fresh()) {
        return None;
    }
    let newest = place.step_state.generations.last()?;
    // What failed is the code that ran: a person may have changed it.
    let edited = place.step_state.edit.as_ref().map(|edit| edit.code);
    let code = match edited.or(newest.record.code) {
        Some(digest) => place.shared.ports.get_blob(digest).await.ok(),
        None => None,
    };
    let failure = place.due.failure.as_ref();
    Some(Previous {
        code: code.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        problem: failure
            .map(|failure| problem(place, failure))
            .unwrap_or_default(),
        traceback: failure.and_then(|failure| failure.traceback.clone()),
    })
}

/// What was wrong, with the lines that the analysis found.
fn problem(place: &Place<'_>, failure: &Failure) -> String {
    let mut text = failure.message.clone();
    if place.due.feedback == Feedback::Findings
        && let Some(analysis) = &place.step_state.analysis
    {
        for finding in &analysis.report.findings {
            let (place, column) = (finding.place(), finding.column);
            text.push_str(&format!("\n{place}, column {column}: {}", finding.message));
        }
    }
    text
}

/// The same for programs and templates. No value of an input is in it.
pub(super) fn as_json(place: &Place<'_>, facts: &Facts) -> Value {
    let shapes: Map<String, Value> = facts
        .inputs
        .iter()
        .map(|(name, value)| (name.clone(), shape::shape(value)))
        .collect();
    json!({
        "workflow": place.state.plan.name,
        "step": place.step_state.path,
        "task": facts.task,
        "expects": facts.expects,
        "requirements": facts.requirements,
        "user_query": facts.user_query,
        "context": facts.context_note,
        "inputs": shapes,
        "outputs": facts.outputs.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "environment": facts.environment,
        "mode": place.python.mode,
        "changes": facts.changes,
        "previous": facts.previous.as_ref().map(|previous| json!({
            "code": previous.code,
            "problem": previous.problem,
            "traceback": previous.traceback,
        })),
    })
}
