//! Which parts and outputs a step has.

use super::scope::unknown_part;
use super::yaml::Report;
use crate::code;
use crate::diagnostic::Span;
use crate::id::StepPath;
use crate::plan::{OnWaitTimeout, ParallelStep, Step, StepKind, WaitOn, WaitStep};

/// Checks what is read of a step: `path` is the id, the part, and what is read of that.
pub(super) fn check_step(report: &mut Report<'_>, step: &Step, span: Span, path: &[String]) {
    let parts = parts_of(&step.kind);
    let id = &step.id;
    let Some(part) = path.get(1) else {
        report.error_with(
            code::UNKNOWN_FIELD,
            span,
            format!("`steps.{id}` alone has no value"),
            format!("read one of its parts: {}", parts.join(", ")),
        );
        return;
    };
    if !parts.contains(&part.as_str()) {
        let what = format!("`{id}`, a step of kind {}, has no", step.kind.as_str());
        if known_outputs(step).is_some_and(|outputs| outputs.contains(&part.as_str())) {
            report.error_with(
                code::UNKNOWN_FIELD,
                span,
                format!("{what} `{part}`"),
                format!("it is an output: write `steps.{id}.outputs.{part}`"),
            );
            return;
        }
        unknown_part(report, span, (code::UNKNOWN_FIELD, &what), (part, parts));
        return;
    }
    if part != "outputs" {
        return;
    }
    let (Some(outputs), Some(name)) = (known_outputs(step), path.get(2)) else {
        return;
    };
    if !outputs.contains(&name.as_str()) {
        let what = format!("`{id}` has no output");
        let of = (code::UNKNOWN_OUTPUT, what.as_str());
        unknown_part(report, span, of, (name, &outputs));
        return;
    }
    if let StepKind::Parallel(parallel) = &step.kind {
        check_branch(report, parallel, span, path);
    }
}

fn parts_of(kind: &StepKind) -> &'static [&'static str] {
    match kind {
        StepKind::Python(_) => &[
            "outputs", "results", "status", "attempts", "figures", "notebook", "failure",
        ],
        StepKind::Set(_) | StepKind::Approval(_) => &["outputs", "status", "attempts", "failure"],
        StepKind::Switch(_) => &["outputs", "arm", "status", "attempts", "failure"],
        StepKind::Foreach(_) => &["outputs", "failures", "status", "attempts", "failure"],
        StepKind::Notebook(_) => &["outputs", "notebook", "status", "attempts", "failure"],
        StepKind::Until(_)
        | StepKind::Parallel(_)
        | StepKind::Workflow(_)
        | StepKind::Wait(_)
        | StepKind::Http(_)
        | StepKind::Notify(_)
        | StepKind::Action(_)
        | StepKind::Fail(_)
        | StepKind::Succeed(_) => &["outputs", "status", "attempts", "failure"],
    }
}

/// The outputs that a step can have, when the file says it.
pub(super) fn known_outputs(step: &Step) -> Option<Vec<&str>> {
    match &step.kind {
        StepKind::Python(_) | StepKind::Action(_) => {
            let outputs = step.outputs.as_ref()?;
            Some(outputs.keys().map(String::as_str).collect())
        }
        StepKind::Set(set) => Some(set.values.keys().map(String::as_str).collect()),
        StepKind::Approval(approval) => Some(approval.form.keys().map(String::as_str).collect()),
        StepKind::Switch(switch) => {
            let mut names: Vec<&str> = Vec::new();
            for name in switch.arms.iter().flat_map(|arm| arm.set.keys()) {
                if !names.contains(&name.as_str()) {
                    names.push(name);
                }
            }
            Some(names)
        }
        StepKind::Foreach(foreach) if foreach.collect.is_empty() => Some(vec!["items", "keys"]),
        StepKind::Foreach(foreach) => Some(with_own(foreach.collect.keys(), "keys")),
        StepKind::Until(until) if until.collect.is_empty() => {
            let mut ids: Vec<&str> = until.steps.iter().map(id_of).collect();
            ids.push("rounds");
            Some(ids)
        }
        StepKind::Until(until) => Some(with_own(until.collect.keys(), "rounds")),
        StepKind::Parallel(parallel) => {
            let names = parallel.branches.iter().map(|branch| branch.name.as_str());
            Some(names.collect())
        }
        StepKind::Workflow(child) if child.wait => {
            Some(child.outputs.iter().map(String::as_str).collect())
        }
        StepKind::Workflow(_) => Some(vec!["run_id"]),
        StepKind::Wait(wait) => wait_outputs(wait),
        StepKind::Http(_) => Some(vec!["status", "headers", "body"]),
        StepKind::Notebook(_) => Some(vec!["notebook"]),
        StepKind::Notify(_) | StepKind::Fail(_) | StepKind::Succeed(_) => Some(Vec::new()),
    }
}

fn with_own<'s>(names: impl Iterator<Item = &'s String>, own: &'s str) -> Vec<&'s str> {
    names.map(String::as_str).chain([own]).collect()
}

/// The id of the step at the end of a path.
fn id_of(path: &StepPath) -> &str {
    path.as_str().rsplit('.').next().unwrap_or_default()
}

fn wait_outputs(wait: &WaitStep) -> Option<Vec<&str>> {
    let payload = match &wait.on {
        WaitOn::Duration(_) | WaitOn::Until(_) => return Some(Vec::new()),
        WaitOn::Signal { payload, .. } => payload.as_ref()?,
    };
    let own = match wait.on_timeout {
        OnWaitTimeout::Fail => None,
        OnWaitTimeout::Continue => Some(OnWaitTimeout::OUTPUT),
    };
    Some(payload.keys().map(String::as_str).chain(own).collect())
}

/// `steps.par.outputs.left.fit`: the branch has that step.
fn check_branch(report: &mut Report<'_>, parallel: &ParallelStep, span: Span, path: &[String]) {
    let branch = parallel
        .branches
        .iter()
        .find(|branch| path.get(2) == Some(&branch.name));
    let (Some(branch), Some(id)) = (branch, path.get(3)) else {
        return;
    };
    let inner: Vec<&str> = branch.steps.iter().map(id_of).collect();
    if !inner.contains(&id.as_str()) {
        let what = format!("the branch `{}` has no step", branch.name);
        let of = (code::UNKNOWN_STEP, what.as_str());
        unknown_part(report, span, of, (id, &inner));
    }
}

/// Whether a step of that kind leaves a notebook.
pub(super) fn has_notebook(kind: &StepKind) -> bool {
    parts_of(kind).contains(&"notebook")
}
