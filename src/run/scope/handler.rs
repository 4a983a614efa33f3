//! What the steps of handlers see beside what every step sees.

use serde_json::{Value as Json, json};

use super::{RunScope, plain};
use crate::expression::Lookup;
use crate::id::ApprovalId;
use crate::plan::HandlerKind;
use crate::run::frame::FrameKind;
use crate::run::payload::StepFailure;
use crate::run::state::RunState;
use crate::run::view::run_json;

/// Largest summary that expressions see, in bytes of JSON; a larger one has no steps.
const SUMMARY_BYTES_MAX: usize = 256 * 1024;
/// Deepest nesting of that summary; what lies deeper is left out.
const SUMMARY_DEPTH_MAX: usize = 48;

impl<'a> RunScope<'a> {
    /// A name that only handlers know; none = it is no such name here.
    pub(super) fn handler_name(&self, name: &str) -> Option<Lookup<'a>> {
        let (_, kind) = self.state.handler_around(self.frame)?;
        let FrameKind::Handler { kind, about } = kind else {
            return None;
        };
        let failures = self
            .state
            .decided
            .as_ref()
            .map(|decided| decided.failures.as_slice());
        let failures = failures.unwrap_or_default();
        let value = match name {
            "failure" => match failures.first() {
                Some(first) => failure_json(first),
                None => {
                    let reason = "nothing has failed".to_owned();
                    return Some(Lookup::Absent { reason });
                }
            },
            "failures" => failures.iter().map(failure_json).collect(),
            "approval" if *kind == HandlerKind::Waiting => {
                question_json(self.state, about.as_ref()?)
            }
            _ => return None,
        };
        let value = plain(&value);
        Some(Lookup::Value { value, used: 1 })
    }

    /// What `run.summary` is; none outside of handlers.
    pub(super) fn summary(&self) -> Option<Json> {
        self.state.handler_around(self.frame)?;
        Some(summary_json(self.state))
    }
}

fn failure_json(failed: &StepFailure) -> Json {
    json!({
        "step": failed.step,
        "kind": failed.failure.kind.as_str(),
        "code": failed.failure.code,
        "message": failed.failure.message,
        "hint": failed.failure.hint,
        "attempt": failed.attempt,
        "traceback": failed.failure.traceback,
        "event": failed.event,
    })
}

fn question_json(state: &RunState, about: &ApprovalId) -> Json {
    let Some(asked) = state.approvals.get(about) else {
        return Json::Null;
    };
    json!({
        "title": asked.request.title,
        "url": state.approval_url(about),
        "step": asked.request.step,
        "deadline": asked.expires_at(),
    })
}

/// The document of the run as its decision has it, within bounds.
fn summary_json(state: &RunState) -> Json {
    let mut summary = run_json(state);
    if let (Some(decided), Some(fields)) = (&state.decided, summary.as_object_mut()) {
        let failure = decided.failures.first();
        fields.insert("status".to_owned(), json!(decided.status));
        fields.insert("outputs".to_owned(), json!(decided.end.outputs));
        fields.insert("warnings".to_owned(), json!(decided.end.warnings));
        fields.insert(
            "failure".to_owned(),
            json!(failure.map(|first| json!({"step": first.step, "failure": first.failure}))),
        );
    }
    for large in ["stages", "steps", "outputs", "inputs"] {
        if summary.to_string().len() <= SUMMARY_BYTES_MAX {
            break;
        }
        if let Some(fields) = summary.as_object_mut() {
            fields.remove(large);
        }
    }
    prune(&mut summary, SUMMARY_DEPTH_MAX);
    summary
}

fn prune(value: &mut Json, depth: usize) {
    match value {
        Json::Array(_) | Json::Object(_) if depth == 0 => *value = Json::from("…"),
        Json::Array(items) => items.iter_mut().for_each(|item| prune(item, depth - 1)),
        Json::Object(map) => map.values_mut().for_each(|item| prune(item, depth - 1)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}
