//! Which names exist where, and which parts they have.

use indexmap::IndexMap;

use super::draft::{Site, Use};
use super::yaml::Report;
use crate::code::{self, Code};
use crate::diagnostic::{Diagnostic, Span, did_you_mean};
use crate::plan::{Field, Step, StepKind};

const RUN: [&str; 6] = [
    "id",
    "scheduled_at",
    "started_at",
    "trigger",
    "interval_start",
    "interval_end",
];
/// What is known of a run before it begins.
const RUN_BEFORE: [&str; 2] = ["scheduled_at", "started_at"];
const WORKFLOW: [&str; 2] = ["name", "version"];
/// Names of the language that have no meaning in this version.
const LATER: [&str; 5] = ["failure", "failures", "approval", "changes", "round"];

fn roots(site: Site) -> &'static [&'static str] {
    match site {
        Site::Step | Site::ArmSet { .. } | Site::RunOutput => {
            &["inputs", "steps", "run", "workflow"]
        }
        Site::ApproveCode => &["check", "inputs", "steps", "run", "workflow"],
        Site::RunStart => &["inputs", "run", "workflow"],
        Site::InputDefault => &["run"],
    }
}

/// Whether expressions there can begin with this name.
pub(super) fn knows(site: Site, root: &str) -> bool {
    roots(site).contains(&root)
}

/// Checks a reference to anything but a step, whose first name is known.
pub(super) fn check(
    report: &mut Report<'_>,
    inputs: &IndexMap<String, Field>,
    used: &Use,
    root: &str,
    path: &[String],
) {
    let run: &[&str] = match used.site {
        Site::InputDefault => &RUN_BEFORE,
        Site::Step | Site::ArmSet { .. } | Site::ApproveCode | Site::RunStart | Site::RunOutput => {
            &RUN
        }
    };
    let (parts, code, what): (Vec<&str>, Code, &str) = match root {
        "inputs" => (
            inputs.keys().map(String::as_str).collect(),
            code::UNKNOWN_INPUT,
            "there is no input",
        ),
        "run" => (run.to_vec(), code::UNKNOWN_FIELD, "`run` has no"),
        "workflow" => (WORKFLOW.to_vec(), code::UNKNOWN_FIELD, "`workflow` has no"),
        _ => return,
    };
    if let Some(part) = path.first().filter(|part| !parts.contains(&part.as_str())) {
        unknown_part(report, used.span, (code, what), part, &parts);
    }
}

/// Reports a first name that does not exist there; `meant` is what the author had in mind, when it is plain.
pub(super) fn unknown_root(report: &mut Report<'_>, used: &Use, root: &str, meant: Option<String>) {
    let known = roots(used.site);
    if LATER.contains(&root) {
        report.error(
            code::NOT_SUPPORTED_YET,
            used.span,
            format!("`{root}` in expressions is not supported yet"),
        );
        return;
    }
    let mut fault = Diagnostic::error(
        code::UNKNOWN_NAME,
        format!("the name `{root}` does not exist here"),
    );
    let near = || did_you_mean(root, known.iter().copied()).map(str::to_owned);
    fault = match meant.or_else(near) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault.help(format!("in scope are: {}", known.join(", "))),
    };
    report.add(used.span, fault);
}

fn unknown_part(
    report: &mut Report<'_>,
    span: Span,
    (code, what): (Code, &str),
    part: &str,
    known: &[&str],
) {
    let mut fault = Diagnostic::error(code, format!("{what} `{part}`"));
    if let Some(near) = did_you_mean(part, known.iter().copied()) {
        fault = fault.help(format!("did you mean `{near}`?"));
    } else if !known.is_empty() {
        fault = fault.help(format!("there is: {}", known.join(", ")));
    }
    report.add(span, fault);
}

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
        unknown_part(report, span, (code::UNKNOWN_FIELD, &what), part, parts);
        return;
    }
    if part != "outputs" {
        return;
    }
    if let (Some(outputs), Some(name)) = (known_outputs(step), path.get(2))
        && !outputs.contains(&name.as_str())
    {
        let what = format!("`{id}` has no output");
        unknown_part(report, span, (code::UNKNOWN_OUTPUT, &what), name, &outputs);
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
        | StepKind::Fail(_)
        | StepKind::Succeed(_) => &["outputs", "status", "attempts", "failure"],
    }
}

/// The outputs that a step can have, when the file says it.
pub(super) fn known_outputs(step: &Step) -> Option<Vec<&str>> {
    match &step.kind {
        StepKind::Python(_) => {
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
        StepKind::Foreach(_)
        | StepKind::Until(_)
        | StepKind::Parallel(_)
        | StepKind::Workflow(_)
        | StepKind::Wait(_)
        | StepKind::Http(_)
        | StepKind::Notify(_)
        | StepKind::Notebook(_)
        | StepKind::Fail(_)
        | StepKind::Succeed(_) => None,
    }
}
