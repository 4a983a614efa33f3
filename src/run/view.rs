//! A run as people and programs see it: the document that `show --json` prints.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::handler::HandlerState;
use super::payload::{AnalysisReported, Answer, ApprovalRequested, FileRef, StepReused, Trigger};
use super::question::ApprovalState;
use super::sensitive::{Reveal, shown_outputs, shown_results, shown_run_outputs};
use super::state::{AttemptStatus, MapState, RunState, StepState, StepStatus};
use super::summary::{OpenQuestion, RunStatus, RunSummary};
use crate::expression::format_duration;
use crate::id::StepPath;
use crate::plan::{Step, StepKind};

/// The row of the run, for lists and for recovery.
#[must_use]
pub fn summary(state: &RunState) -> RunSummary {
    let own = state.open_approvals().map(|asked| OpenQuestion {
        approval: asked.request.approval.clone(),
        step: asked.request.step.clone(),
        title: cut(&asked.request.title),
    });
    let questions = own
        .chain(questions_inside(state))
        .take(RunSummary::QUESTIONS_MAX);
    RunSummary {
        run: state.run,
        workflow: state.plan.name.clone(),
        plan: state.plan_digest(),
        status: state.status(),
        created_at: state.created_at,
        updated_at: state.updated_at,
        last_seq: state.seq,
        questions: questions.collect(),
        steps_done: u32::try_from(state.settled_count()).unwrap_or(u32::MAX),
        steps_total: u32::try_from(state.step_count()).unwrap_or(u32::MAX),
        holds: state.holds(),
    }
}

/// The open questions of the runs that steps of this one started: `step/child_step`.
fn questions_inside(state: &RunState) -> impl Iterator<Item = OpenQuestion> {
    let waiting = state
        .frontier()
        .filter_map(|(_, step)| Some((step, step.waiting_child()?)));
    waiting.flat_map(|(step, waiting)| {
        waiting.questions.iter().map(|asked| OpenQuestion {
            step: StepPath::new(format!("{}/{}", step.path, asked.step)),
            ..asked.clone()
        })
    })
}

/// Longest title in a row, in characters: rows stay small.
const TITLE_CHARS_MAX: usize = 120;

fn cut(title: &str) -> String {
    if title.chars().count() <= TITLE_CHARS_MAX {
        return title.to_owned();
    }
    let head: String = title.chars().take(TITLE_CHARS_MAX - 1).collect();
    format!("{head}…")
}

/// The document of a run, without sensitive outputs.
#[must_use]
pub fn run_json(state: &RunState) -> Value {
    run_json_with(state, Reveal::No)
}

/// The document of a run.
#[must_use]
pub fn run_json_with(state: &RunState, reveal: Reveal) -> Value {
    let steps: Map<String, Value> = state
        .steps()
        .map(|(step, step_state)| {
            (
                step_state.path.as_str().to_owned(),
                step_json(step, step_state, reveal),
            )
        })
        .collect();
    let stages: Map<String, Value> = state
        .steps()
        .filter(|(step, _)| step.parent.is_none())
        .map(|(step, step_state)| (step.id.clone(), stage_json(step, step_state, reveal)))
        .collect();
    let ending = state.ending.as_ref();
    let failure = ending.and_then(|ending| ending.failure.as_ref());
    let outputs = ending.map(|ending| shown_run_outputs(state, &ending.outputs, reveal));
    let mut document = json!({
        "run_id": state.run,
        "workflow": state.plan.name,
        "plan": state.plan_digest(),
        "status": state.status(),
        "created_at": state.created_at,
        "started_at": state.started_at,
        "ended_at": ending.map(|ending| ending.at),
        "retried": state.reopenings,
        "forked_from": forked_from(state),
        "versions": state.versions,
        "folder": state.created.folder,
        "inputs": state.created.inputs,
        "outputs": outputs,
        "warnings": ending.map(|ending| ending.warnings.as_slice()).unwrap_or_default(),
        "failure": failure.map(|(step, failure)| json!({"step": step, "failure": failure})),
        "steps": steps,
        "decided": state.decided.as_ref().map(|decided| decided.status),
        "handlers": state.handlers.iter().map(handler_json).collect::<Vec<_>>(),
        "waiting": waiting_json(state),
        "pipeline_completed": state.status() == RunStatus::Succeeded,
        "stages": stages,
    });
    keeping(
        &mut document,
        &state.created.labels,
        state.plan.retention.map(format_duration),
    );
    if let (Some(at), Some(fields)) = (state.files_removed, document.as_object_mut()) {
        fields.insert("files_removed".to_owned(), json!(at));
    }
    if let (Some(thread), Some(fields)) = (&state.created.thread, document.as_object_mut()) {
        fields.insert("thread_id".to_owned(), json!(thread.id));
    }
    document
}

/// Adds labels and how long files are kept, where somebody has said so.
fn keeping(document: &mut Value, labels: &IndexMap<String, String>, retention: Option<String>) {
    let Some(fields) = document.as_object_mut() else {
        return;
    };
    if !labels.is_empty() {
        fields.insert("labels".to_owned(), json!(labels));
    }
    if let Some(retention) = retention {
        fields.insert("retention".to_owned(), json!(retention));
    }
}

fn forked_from(state: &RunState) -> Option<Value> {
    let Trigger::Fork { run, seq, .. } = &state.created.trigger else {
        return None;
    };
    Some(json!({"run_id": run, "seq": seq}))
}

/// Everything that people can do for the run: questions, those of the runs inside it, signals that are awaited.
fn waiting_json(state: &RunState) -> Vec<Value> {
    let own = state
        .open_approvals()
        .map(|asked| approval_json(state, asked));
    let inside = questions_inside(state).map(
        |asked| json!({"approval_id": asked.approval, "step": asked.step, "title": asked.title}),
    );
    let signals = state.steps().filter_map(|(step, step_state)| {
        let StepKind::Wait(wait) = &step.kind else {
            return None;
        };
        let waits = step_state.status == StepStatus::Waiting;
        let signal = wait.signal().filter(|_| waits)?;
        Some(
            json!({"signal": signal, "step": step_state.path, "expires_at": step_state.wakes_at()}),
        )
    });
    own.chain(inside).chain(signals).collect()
}

fn handler_json(handler: &HandlerState) -> Value {
    let failure = handler
        .ended
        .as_ref()
        .and_then(|(_, failure)| failure.as_ref());
    json!({
        "handler": handler.path(),
        "kind": handler.named.kind,
        "about": handler.named.about,
        "status": match (&handler.ended, failure) {
            (None, _) => "running",
            (Some(_), None) => "succeeded",
            (Some(_), Some(_)) => "failed",
        },
        "started_at": handler.started_at,
        "ended_at": handler.ended.as_ref().map(|(at, _)| at),
        "failure": failure,
    })
}

fn stage_json(step: &Step, state: &StepState, reveal: Reveal) -> Value {
    let results = state
        .result
        .as_ref()
        .and_then(|result| result.results.as_ref());
    json!({
        "status": state.status,
        "success": state.status == StepStatus::Succeeded,
        "results": results.map(|results| shown_results(step, results, reveal)),
        "outputs": state.outputs.as_ref().map(|outputs| shown_outputs(step, outputs, reveal)),
    })
}

fn step_json(step: &Step, state: &StepState, reveal: Reveal) -> Value {
    let result = state.result.as_ref();
    let files = |files: &[FileRef]| serde_json::to_value(files).unwrap_or_default();
    let mut document = json!({
        "kind": step.kind.as_str(),
        "name": step.name,
        "status": state.status,
        "why": state.why,
        "inputs": state.inputs,
        "outputs": state.outputs.as_ref().map(|outputs| shown_outputs(step, outputs, reveal)),
        "attempts": state.attempts.iter().map(attempt_json).collect::<Vec<_>>(),
        "generations": generations_json(state),
        "arm": state.branch.as_ref().map(|branch| &branch.arm),
        "notebook": result.and_then(|result| result.notebook.as_ref()).map(|file| &file.path)
            .or_else(|| state.analysis.as_ref().and_then(|analysis| analysis.notebook.as_ref())),
        "figures": files(result.map(|result| result.figures.as_slice()).unwrap_or_default()),
        "artifacts": files(result.map(|result| result.artifacts.as_slice()).unwrap_or_default()),
        "notes": result.map(|result| result.notes.as_slice()).unwrap_or_default(),
        "packages": result.and_then(|result| result.packages),
        "isolation": result.map(|result| result.isolation.layers.as_slice()).unwrap_or_default(),
        "seconds": result.map(|result| result.seconds),
        "analysis": state.analysis.as_ref().map(|analysis| json!({
            "mode": analysis.mode,
            "risk": analysis.report.risk,
            "capabilities": analysis.report.capabilities,
            "findings": analysis.report.findings,
            "decision": analysis.decision,
            "subject": analysis.subject,
        })),
        "run_id": state.children.last().map(|child| child.run),
        "items": state.map.as_ref().map(|map| items_json(step, map, reveal)),
        "rounds": state.rounds.as_ref().map(|rounds| rounds.closed.len()),
        "failure": state.failure,
        "copied_from": state.copied_from.map(|(run, seq)| json!({"run_id": run, "seq": seq})),
        "retry_at": state.retry.as_ref().map(|retry| retry.at),
        "ready_at": state.ready_at,
        "ended_at": state.ended_at,
    });
    keeping(
        &mut document,
        &step.labels,
        step.retention.map(format_duration),
    );
    if let Some(fields) = document.as_object_mut() {
        fields.extend(cache_json(state));
        if let Some(at) = state.files_removed {
            fields.insert("files_removed".to_owned(), json!(at));
        }
    }
    if let Some(key) = &state.idempotency_key
        && let Some(fields) = document.as_object_mut()
    {
        fields.insert("idempotency_key".to_owned(), json!(key));
    }
    document
}

/// Every time that code was written for the step; null for a step whose code is part of the plan.
fn generations_json(state: &StepState) -> Value {
    if state.generations.is_empty() {
        return Value::Null;
    }
    let generations = state.generations.iter();
    generations
        .map(|generation| {
            let mut document = serde_json::to_value(generation.record.as_ref()).unwrap_or_default();
            if let Some(fields) = document.as_object_mut() {
                fields.remove("step");
                fields.insert("seq".to_owned(), json!(generation.seq));
            }
            document
        })
        .collect()
}

/// What the cache had for a step, where it was looked for.
fn cache_json(state: &StepState) -> Option<(String, Value)> {
    if let Some(reused) = &state.look.reused {
        return Some(("reused_from".to_owned(), reused_json(reused)));
    }
    let missed = state.look.missed.as_ref()?;
    let reason = serde_json::to_value(&missed.reason).unwrap_or_default();
    let told = missed.reason.told();
    Some((
        "cache_missed".to_owned(),
        json!({"key": missed.key, "reason": reason, "text": told}),
    ))
}

/// Where a result that was taken again comes from.
#[must_use]
pub fn reused_json(reused: &StepReused) -> Value {
    json!({
        "run_id": reused.run,
        "step": reused.result.step,
        "attempt": reused.result.attempt,
        "seq": reused.seq,
        "key": reused.key,
        "made_at": reused.made_at,
        "age_ms": reused.age_ms,
        "text": reused.told(),
    })
}

fn items_json(step: &Step, map: &MapState, reveal: Reveal) -> Value {
    let items = map.closed.iter().zip(map.keys.iter()).map(|(closed, key)| {
        json!({
            "key": key,
            "status": closed.as_ref().map(|closed| closed.status),
            "outputs": closed.as_ref().map(|closed| shown_outputs(step, &closed.outputs, reveal)),
            "failure": closed.as_ref().and_then(|closed| closed.failure.as_ref()),
        })
    });
    items.collect()
}

fn attempt_json(attempt: &super::state::Attempt) -> Value {
    let (status, failure) = match &attempt.status {
        AttemptStatus::Open => ("running", Value::Null),
        AttemptStatus::Succeeded => ("succeeded", Value::Null),
        AttemptStatus::Failed { failure, .. } => {
            ("failed", serde_json::to_value(failure).unwrap_or_default())
        }
        AttemptStatus::Unknown { evidence } => ("unknown", Value::from(evidence.as_str())),
    };
    json!({
        "attempt": attempt.number,
        "phase": attempt.phase,
        "worker": attempt.worker,
        "status": status,
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "failure": failure,
    })
}

/// Who should answer: the text of the author, or people by name and role.
fn reviewers(request: &ApprovalRequested) -> Value {
    match (&request.rules.people, &request.reviewers) {
        (Some(people), _) => json!({"users": people.users, "roles": people.roles}),
        (None, text) => json!(text),
    }
}

/// The answers that the question takes.
fn answers(request: &ApprovalRequested) -> Vec<Answer> {
    let sent_back = request.changes.is_some() && request.changes_left > 0;
    let all = Answer::ALL.into_iter();
    all.filter(|answer| *answer != Answer::RequestChanges || sent_back)
        .collect()
}

/// Who changed the code that is asked about, and how.
fn edited_json(step_state: Option<&StepState>, request: &ApprovalRequested) -> Option<Value> {
    let by = request.edited_by.as_ref()?;
    let edit = step_state?
        .edit
        .as_ref()
        .filter(|edit| edit.person == *by)?;
    Some(json!({
        "person": edit.person,
        "typed_by": edit.typed_by,
        "approval_id": edit.approval,
        "base": edit.base,
        "code": edit.code,
        "diff": edit.diff,
        "comment": edit.comment,
    }))
}

/// What bounds the code, in words by name.
fn bounds_json(analysis: &AnalysisReported) -> Value {
    let bounds = analysis.bounds.iter();
    bounds
        .map(|(name, bound)| (name.to_owned(), Value::from(bound.told.as_str())))
        .collect()
}

/// The modules beside the workflow that a yes covers.
fn modules_json(analysis: &AnalysisReported) -> Value {
    let modules = analysis.modules.iter();
    modules
        .map(|(path, module)| json!({"module": path, "digest": module.digest}))
        .collect()
}

/// A question with everything that a person needs to answer it.
#[must_use]
pub fn approval_json(state: &RunState, asked: &ApprovalState) -> Value {
    let request = &asked.request;
    let step_state = state.step(&request.step).map(|(_, step_state)| step_state);
    let analysis = step_state.and_then(|step| step.analysis.as_deref());
    let written = step_state.and_then(StepState::generation);
    let written = written.map(|newest| newest.record.as_ref());
    let tally = asked.tally();
    json!({
        "approval_id": request.approval,
        "run_id": state.run,
        "workflow": state.plan.name,
        "step": request.step,
        "subject": request.subject,
        "subject_digest": request.subject_digest,
        "title": request.title,
        "reason": request.reason,
        "reviewers": reviewers(request),
        "required": request.rules.required,
        "reject_quorum": request.rules.reject_quorum,
        "allow_self": request.rules.allow_self,
        "yes": tally.yes,
        "no": tally.no,
        "votes": asked.votes.iter().map(|(at, vote)| json!({
            "person": vote.person,
            "typed_by": vote.typed_by,
            "answer": vote.answer,
            "comment": vote.comment,
            "form": vote.form,
            "at": at,
        })).collect::<Vec<_>>(),
        "remind_at": asked.remind_at(),
        "reminders": asked.reminded,
        "expires_at": asked.expires_at(),
        "on_timeout": request.rules.on_timeout,
        "escalated_at": asked.escalated.as_ref().map(|(at, _)| at),
        "changes": request.changes,
        "changes_left": request.changes_left,
        "answers": answers(request),
        "form": request.form,
        "show": request.show,
        "requested_at": asked.requested_at,
        "mode": analysis.map(|analysis| analysis.mode),
        "code": analysis.map(|analysis| analysis.code),
        "modules": analysis.map(modules_json),
        "edited": edited_json(step_state, request),
        "generated": written.map(|written| json!({
            "generator": written.generator,
            "model": written.model,
            "prompt": written.prompt,
            "answer": written.answer,
            "cost": written.cost,
            "reused": written.reused,
            "approved_before": written.approved_before,
        })),
        "environment": analysis.map(|analysis| analysis.environment_text.as_str()),
        "bounds": analysis.map(bounds_json),
        "changed": analysis.map(|analysis| &analysis.changed),
        "risk": analysis.map(|analysis| analysis.report.risk),
        "findings": analysis.map(|analysis| analysis.report.findings.as_slice()),
        "inputs": step_state.map(|step| &step.inputs),
        "files": analysis.map(|analysis| analysis.files.as_slice()),
        "notebook": analysis.and_then(|analysis| analysis.notebook.as_ref()),
    })
}
