//! What an action step will do, fixed when it is ready.

use serde_json::{Value, json};

use super::evaluate::{evaluate, text, values};
use crate::failure::Failure;
use crate::plan::{ActionStep, HttpStep, NotebookStep, NotifyStep, NotifyTarget, Step, StepKind};
use crate::run::payload::Values;
use crate::run::scope::RunScope;

/// The inputs of a step: `with`, or what its action needs.
pub(super) fn inputs(step: &Step, scope: &RunScope<'_>) -> Result<Values, Failure> {
    let mut inputs = match &step.kind {
        StepKind::Http(http) => request(http, scope)?,
        StepKind::Notify(notify) => message(notify, scope)?,
        StepKind::Notebook(notebook) => merge(notebook, scope)?,
        StepKind::Action(action) => brought(action, step, scope)?,
        StepKind::Python(_)
        | StepKind::Set(_)
        | StepKind::Switch(_)
        | StepKind::Approval(_)
        | StepKind::Foreach(_)
        | StepKind::Until(_)
        | StepKind::Parallel(_)
        | StepKind::Workflow(_)
        | StepKind::Wait(_)
        | StepKind::Fail(_)
        | StepKind::Succeed(_) => return values(&step.with, scope, "with"),
    };
    if let Some(key) = &step.idempotency_key {
        let place = "idempotency_key";
        let key = text(&evaluate(key, scope, place)?, place)?;
        inputs.insert(place.to_owned(), Value::String(key));
    }
    Ok(inputs)
}

fn request(http: &HttpStep, scope: &RunScope<'_>) -> Result<Values, Failure> {
    let mut headers = Values::new();
    for (name, template) in &http.headers {
        let place = format!("http.headers.{name}");
        let value = text(&evaluate(template, scope, &place)?, &place)?;
        headers.insert(name.clone(), Value::String(value));
    }
    let mut inputs = Values::new();
    inputs.insert("method".to_owned(), json!(http.method));
    let url = text(&evaluate(&http.url, scope, "http.url")?, "http.url")?;
    inputs.insert("url".to_owned(), Value::String(url));
    inputs.insert("headers".to_owned(), Value::Object(headers));
    if let Some(body) = &http.body {
        let body = evaluate(body, scope, "http.body")?.to_json();
        inputs.insert("body".to_owned(), body);
    }
    Ok(inputs)
}

fn message(notify: &NotifyStep, scope: &RunScope<'_>) -> Result<Values, Failure> {
    let mut inputs = Values::new();
    match &notify.to {
        NotifyTarget::Channel(name) => inputs.insert("channel".to_owned(), json!(name)),
        NotifyTarget::Webhook(url) => {
            let url = text(&evaluate(url, scope, "notify.webhook")?, "notify.webhook")?;
            inputs.insert("webhook".to_owned(), Value::String(url))
        }
    };
    let words = text(
        &evaluate(&notify.text, scope, "notify.text")?,
        "notify.text",
    )?;
    inputs.insert("text".to_owned(), Value::String(words));
    Ok(inputs)
}

fn merge(notebook: &NotebookStep, scope: &RunScope<'_>) -> Result<Values, Failure> {
    let mut inputs = Values::new();
    inputs.insert("merge".to_owned(), json!(notebook.merge));
    if let Some(title) = &notebook.title {
        let title = text(&evaluate(title, scope, "notebook.title")?, "notebook.title")?;
        inputs.insert("title".to_owned(), Value::String(title));
    }
    Ok(inputs)
}

/// `with` stands by itself among the inputs: its names are the author's.
fn brought(action: &ActionStep, step: &Step, scope: &RunScope<'_>) -> Result<Values, Failure> {
    let with = values(&step.with, scope, "with")?;
    Ok(Values::from_iter([
        ("action".to_owned(), json!(action.name)),
        ("with".to_owned(), Value::Object(with)),
    ]))
}
