//! Notebooks and the summary of a run, as files for people. Views over the history: they may be made again
//! at any time, so a notebook that could not be written never changes what happened.

use std::sync::Arc;

use serde_json::Value;

use super::folder;
use super::modules::{self, Files};
use super::{Error, Shared};
use super::{files, inputs};

mod left;
mod run_page;
mod source;
mod surroundings;

pub(super) use left::Left;
pub(super) use run_page::{attempt_place, write_run};

use crate::approval::Verdict;
use crate::executor::{Outcome, OutcomeStatus};
use crate::failure::{Failure, FailureKind};
use crate::id::{Digest, StepPath};
use crate::plan::{PythonStep, Step, StepKind};
use crate::python::analysis::Severity;
use crate::python::notebook::{
    self, ApprovalLine, AttemptNotebook, FigureData, FindingLine, LinkData, ModuleText,
    NotebookState,
};
use crate::python::outcome::Packages;
use crate::run::payload::{AnalysisReported, Answer, ApprovalVoted, FileRef, ResultRecorded};
use crate::run::{self, Reveal, RunState, StepState, StepStatus, shown_results};
use crate::time::Timestamp;

/// Largest picture that a notebook holds, and the most of all of them, in bytes; the others are linked.
const PICTURE_BYTES_MAX: u64 = 8 << 20;
const PICTURES_BYTES_MAX: u64 = 32 << 20;

/// Writes the notebook of code that has not run: it waits for a person, or may not run at all. Its path
/// relative to the data folder, if it could be written.
pub(super) async fn write_waiting(
    shared: &Shared,
    state: &RunState,
    step: &Step,
    analysis: &AnalysisReported,
    (code, modules): (&str, &Files),
) -> Option<String> {
    let source = source::of_step(shared, step).await;
    let text = unrun_text(
        shared,
        state,
        (step, analysis),
        (code, source.as_ref(), modules),
    )?;
    let relative = format!(
        "{}/{}/waiting.ipynb",
        state.created.folder,
        folder::step_name(&analysis.step)
    );
    let path = shared.options.data.join(&relative);
    let inputs = state
        .step(&analysis.step)
        .map(|(_, step)| inputs::document(step))
        .filter(notebook::context_is_long);
    let written = match inputs {
        Some(inputs) => {
            let beside = path.with_file_name("context.json");
            files::write(beside, notebook::context_file(&inputs)).await
        }
        None => Ok(()),
    };
    match written.and(files::write(path, text).await) {
        Ok(()) => Some(relative),
        Err(error) => {
            tracing::warn!(run = %state.run, step = %analysis.step, %error, "the waiting notebook could not be written");
            None
        }
    }
}

/// The notebook of code that has not run, as the run stands.
fn unrun_text(
    shared: &Shared,
    state: &RunState,
    (step, analysis): (&Step, &AnalysisReported),
    (code, source, modules): (&str, Option<&Value>, &Files),
) -> Option<String> {
    let StepKind::Python(python) = &step.kind else {
        return None;
    };
    let (_, step_state) = state.step(&analysis.step)?;
    let number = u32::try_from(step_state.attempts.len())
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    let context = inputs::document(step_state);
    let run = state.run.to_string();
    let findings = findings(analysis);
    let covered = covered(analysis, Some(modules));
    let provenance = provenance(analysis);
    let variables = surroundings::variables(shared, state, (step, step_state), python, number);
    let refused = (analysis.decision.verdict == Verdict::Block).then(|| run::blocked(analysis));
    let page = AttemptNotebook {
        state: match step_state.status {
            _ if refused.is_some() => NotebookState::Failed,
            StepStatus::Rejected => NotebookState::Rejected,
            StepStatus::Cancelled => NotebookState::Cancelled,
            StepStatus::Pending
            | StepStatus::Ready
            | StepStatus::Running
            | StepStatus::Waiting
            | StepStatus::Succeeded
            | StepStatus::Failed
            | StepStatus::Skipped
            | StepStatus::NotRun
            | StepStatus::Unknown => NotebookState::Waiting,
        },
        variables: &variables,
        source,
        failure: refused.as_ref(),
        approvals: approval_lines(state, step_state),
        findings: &findings,
        covered: &covered,
        provenance: &provenance,
        ..blank(state, step_state, python, (&run, code, &context), number)
    };
    Some(notebook::to_text(&notebook::attempt(&page)))
}

fn blank<'a>(
    state: &'a RunState,
    step_state: &'a StepState,
    python: &'a PythonStep,
    (run, code, context): (&'a str, &'a str, &'a Value),
    attempt: u32,
) -> AttemptNotebook<'a> {
    AttemptNotebook {
        workflow: &state.plan.name,
        run,
        step: step_state.path.as_str(),
        attempt,
        state: NotebookState::Waiting,
        mode: python.mode.as_str(),
        code,
        file_name: &python.file_name,
        context,
        variables: &[],
        modules: state.created.workflow_folder.as_deref(),
        covered: &[],
        started: None,
        stdout: "",
        stderr: "",
        truncated: false,
        shown: None,
        source: None,
        results: None,
        figures: Vec::new(),
        artifacts: Vec::new(),
        failure: None,
        findings: &[],
        approvals: Vec::new(),
        provenance: &[],
        packages: &[],
    }
}

/// The modules that an approval covers, with those texts that are there.
fn covered<'a>(analysis: &'a AnalysisReported, texts: Option<&'a Files>) -> Vec<ModuleText<'a>> {
    let modules = analysis.modules.iter();
    let text = |path: &str| modules::text(path, texts?.get(path)?);
    modules
        .map(|(path, module)| ModuleText {
            path,
            digest: module.digest,
            text: text(path),
        })
        .collect()
}

fn findings(analysis: &AnalysisReported) -> Vec<FindingLine<'_>> {
    analysis
        .report
        .findings
        .iter()
        .map(|finding| FindingLine {
            rule: &finding.rule,
            severity: severity(finding.severity),
            file: finding.file.as_deref(),
            line: usize::try_from(finding.line).unwrap_or_default(),
            snippet: &finding.snippet,
            message: &finding.message,
        })
        .collect()
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
        Severity::Block => "block",
    }
}

fn provenance(analysis: &AnalysisReported) -> Vec<(&'static str, String)> {
    vec![
        ("Code", analysis.code.to_string()),
        ("Subject of an approval", analysis.subject.to_string()),
        ("Environment", analysis.environment_text.clone()),
        (
            "Policy",
            format!("{} ({})", analysis.decision.reason, analysis.decision.rule),
        ),
        ("Stepwell", env!("CARGO_PKG_VERSION").to_owned()),
    ]
}

fn provenance_of_attempt(
    state: &RunState,
    step_state: &StepState,
    (result, packages): (&ResultRecorded, &[String]),
    outcome: &Outcome,
) -> Vec<(&'static str, String)> {
    let analysis = step_state.analysis.as_deref();
    let mut lines = analysis.map(provenance).unwrap_or_default();
    lines.push(("Plan", state.plan_digest().to_string()));
    lines.push(("Python", outcome.python.clone()));
    if let Some(named) = result.packages {
        lines.push(("Packages", packages_line(analysis, named, packages)));
    }
    lines.push(("Seconds", format!("{:.3}", outcome.seconds)));
    lines.extend(result.notes.iter().map(|note| ("Note", note.clone())));
    lines
}

/// Which packages the code had, by their list, and of those that it imports by name their versions.
fn packages_line(
    analysis: Option<&AnalysisReported>,
    named: Packages,
    packages: &[String],
) -> String {
    let imports = analysis.map_or(&[][..], |analysis| &analysis.report.imports);
    let of_name = |name: &String| {
        let name = name.to_ascii_lowercase().replace('_', "-");
        packages.iter().find(|line| {
            let version = line.strip_prefix(&name);
            version.is_some_and(|rest| rest.starts_with("=="))
        })
    };
    let mut words: Vec<&str> = imports
        .iter()
        .filter_map(of_name)
        .map(String::as_str)
        .collect();
    let all = format!("{} installed, list {}", named.count, named.digest);
    words.push(&all);
    words.join(", ")
}

/// What a notebook needs to know of a step that ran.
fn parts<'a>(
    state: &'a RunState,
    step: &'a Step,
    path: &StepPath,
) -> Result<(&'a StepState, &'a PythonStep, Digest), Error> {
    let internal = |message: String| Error::Internal(message);
    let StepKind::Python(python) = &step.kind else {
        return Err(internal("only Python steps have notebooks".to_owned()));
    };
    let (_, step_state) = state
        .step(path)
        .ok_or_else(|| internal(format!("the plan has no step `{path}`")))?;
    let digest = step_state
        .code(python)
        .ok_or_else(|| internal("the step has no code".to_owned()))?;
    Ok((step_state, python, digest))
}

/// The digest of the code of a step that ran.
pub(super) fn code_of(state: &RunState, step: &Step, path: &StepPath) -> Result<Digest, Error> {
    parts(state, step, path).map(|(_, _, digest)| digest)
}

fn ended(failure: Option<&Failure>) -> NotebookState {
    match failure.map(|failure| failure.kind) {
        None => NotebookState::Succeeded,
        Some(FailureKind::Cancelled) => NotebookState::Cancelled,
        Some(_) => NotebookState::Failed,
    }
}

/// Makes the notebook of an attempt that has ended.
pub(super) async fn attempt_text(
    shared: &Arc<Shared>,
    state: &RunState,
    step: &Step,
    (result, left): (&ResultRecorded, &Left),
    outcome: &Outcome,
) -> Result<String, Error> {
    let (step_state, python, _) = parts(state, step, &result.step)?;
    let ((pictures, linked), source) = tokio::join!(
        pictures(shared, &result.figures),
        source::of_python(shared, python),
    );
    let context = inputs::document(step_state);
    let results = result.results.as_ref();
    let results = results.map(|results| shown_results(step, results, Reveal::No));
    let run = state.run.to_string();
    let analysis = step_state.analysis.as_deref();
    let findings = analysis.map(findings).unwrap_or_default();
    let covered = analysis.map(|analysis| covered(analysis, None));
    let lines = provenance_of_attempt(state, step_state, (result, &left.lines), outcome);
    let failure = match &outcome.status {
        OutcomeStatus::Succeeded => None,
        OutcomeStatus::Failed(failure) => Some(failure),
    };
    let variables =
        surroundings::variables(shared, state, (step, step_state), python, result.attempt);
    let page = AttemptNotebook {
        shown: left.shown.as_ref(),
        source: source.as_ref(),
        variables: &variables,
        state: ended(failure),
        started: step_state.attempts.last().map(|attempt| attempt.started_at),
        stdout: &left.stdout,
        stderr: &left.stderr,
        truncated: outcome.stdout.truncated || outcome.stderr.truncated,
        results: results.as_ref(),
        figures: pictures
            .iter()
            .map(|(file, bytes)| FigureData {
                title: &file.title,
                path: inside(file, &result.folder),
                media_type: &file.media_type,
                bytes,
            })
            .collect(),
        artifacts: linked
            .into_iter()
            .chain(&result.artifacts)
            .map(|file| link(file, &result.folder))
            .collect(),
        failure,
        findings: &findings,
        covered: covered.as_deref().unwrap_or_default(),
        approvals: approval_lines(state, step_state),
        provenance: &lines,
        packages: &left.lines,
        ..blank(
            state,
            step_state,
            python,
            (&run, &left.code, &context),
            result.attempt,
        )
    };
    Ok(notebook::to_text(&notebook::attempt(&page)))
}

/// The path of a file in the folder of its attempt.
fn inside<'a>(file: &'a FileRef, folder: &str) -> &'a str {
    let inside = file.path.strip_prefix(folder);
    let inside = inside.and_then(|path| path.strip_prefix('/'));
    inside.unwrap_or(&file.path)
}

fn link<'a>(file: &'a FileRef, folder: &str) -> LinkData<'a> {
    LinkData {
        title: &file.title,
        path: inside(file, folder),
        bytes: file.bytes,
        sha256: Some(file.digest),
    }
}

/// Every answer to the newest question about the code.
fn approval_lines<'a>(state: &'a RunState, step: &StepState) -> Vec<ApprovalLine<'a>> {
    let asked = step.approval.as_ref();
    let asked = asked.and_then(|asked| state.approvals.get(asked));
    let votes = asked.into_iter().flat_map(|asked| &asked.votes);
    let line = |(at, vote): &'a (Timestamp, ApprovalVoted)| ApprovalLine {
        by: &vote.person,
        at: *at,
        comment: vote.comment.as_deref().unwrap_or_default(),
        decision: match vote.answer {
            Answer::Approve => "approved",
            Answer::Reject => "rejected",
            Answer::RequestChanges => "changes wanted",
        },
        subject: vote.subject_digest,
    };
    votes.map(line).collect()
}

/// The pictures that fit into a notebook with their bytes, and those that do not.
async fn pictures<'a>(
    shared: &Shared,
    files: &'a [FileRef],
) -> (Vec<(&'a FileRef, Vec<u8>)>, Vec<&'a FileRef>) {
    let (mut pictures, mut linked) = (Vec::new(), Vec::new());
    let mut left = PICTURES_BYTES_MAX;
    for file in files {
        if file.bytes <= PICTURE_BYTES_MAX.min(left)
            && let Ok(bytes) = shared.ports.get_blob(file.digest).await
        {
            left -= file.bytes;
            pictures.push((file, bytes));
        } else {
            linked.push(file);
        }
    }
    (pictures, linked)
}
