//! What a run's state means to a caller.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::approved;
use super::outcome::CoveredModule;
use super::plan::STEP;
use super::{
    ApprovedBefore, Outcome, PendingApproval, PythonExecutionSuccess, PythonExecutorError,
    PythonServiceResult, Rejected, Waiting,
};
use crate::artifact::disk::open_plain;
use crate::code;
use crate::failure::{Failure, FailureKind};
use crate::open::Opened;
use crate::plan::Mode;
use crate::run::payload::{AnalysisReported, Closed, Phase, Subject};
use crate::run::{ApprovalState, RunState, RunStatus, StepState};

/// Most bytes of standard output that a result holds: 8 MiB.
const STDOUT_BYTES_MAX: u64 = 8 << 20;

/// How the call ended; nothing while the run goes on.
pub(super) async fn outcome(
    opened: &Opened,
    data: &Path,
    state: &RunState,
) -> Result<Option<Outcome>, PythonExecutorError> {
    Ok(match state.status() {
        RunStatus::Pending | RunStatus::Running => None,
        RunStatus::Waiting | RunStatus::Paused => Some(Outcome::Waiting(Box::new(
            waiting(opened, data, state).await?,
        ))),
        RunStatus::Succeeded => Some(Outcome::Completed(Box::new(
            completed(opened, data, state).await?,
        ))),
        RunStatus::Rejected => Some(Outcome::Rejected(Box::new(rejected(state)))),
        RunStatus::Failed | RunStatus::Cancelled => Some(Outcome::Failed(failed(opened, state))),
    })
}

fn thread(state: &RunState) -> Option<String> {
    state
        .created
        .thread
        .as_ref()
        .map(|thread| thread.id.clone())
}

/// The step that ran code: the one of a request, or the last one of a workflow.
fn worker(state: &RunState) -> Option<&StepState> {
    let own = state.step_with_id(STEP).map(|(_, step)| step);
    own.or_else(|| {
        let ran = state.steps().filter(|(_, step)| step.result.is_some());
        ran.last().map(|(_, step)| step)
    })
}

async fn completed(
    opened: &Opened,
    data: &Path,
    state: &RunState,
) -> Result<PythonServiceResult, PythonExecutorError> {
    let step = worker(state);
    let result = step.and_then(|step| step.result.as_ref());
    let analysis = step.and_then(|step| step.analysis.as_ref());
    let code = match analysis {
        Some(analysis) => text(opened.engine.blob(analysis.code).await?),
        None => String::new(),
    };
    let folder = result.map_or_else(
        || opened.engine.folder(state).path(),
        |result| data.join(&result.folder),
    );
    let notebook = match result.and_then(|result| result.notebook.as_ref()) {
        Some(file) => data.join(&file.path),
        None => opened.engine.folder(state).notebook(),
    };
    let notebook = Some(notebook).filter(|path| path.is_file());
    let outputs = || {
        let ending = state.ending.as_ref();
        ending.map_or_else(Default::default, |ending| {
            serde_json::Value::Object(ending.outputs.clone())
        })
    };
    let files = |files: Option<&[crate::run::payload::FileRef]>| {
        let files = files.unwrap_or_default().iter();
        files.map(|file| data.join(&file.path)).collect()
    };
    Ok(PythonServiceResult {
        run_id: state.run,
        thread_id: thread(state),
        execution_result: PythonExecutionSuccess {
            success: true,
            results: match result {
                Some(result) => result.results.clone().unwrap_or_default(),
                None => outputs(),
            },
            stdout: stdout(&folder),
            execution_time: result.map_or(0.0, |result| result.seconds),
            notebook_link: notebook.as_deref().map(link),
            notebook_path: notebook,
            figure_paths: files(result.map(|result| result.figures.as_slice())),
            artifact_paths: files(result.map(|result| result.artifacts.as_slice())),
            notes: result
                .map(|result| result.notes.clone())
                .unwrap_or_default(),
            folder_path: folder,
        },
        generated_code: code,
        generation_attempt: step.map_or(0, |step| {
            u32::try_from(step.generations.len()).unwrap_or(u32::MAX)
        }),
        attempt: step.map_or(0, tries),
        mode: analysis.map_or(Mode::ReadOnly, |analysis| analysis.mode),
        analysis: analysis.map(|analysis| analysis.report.clone()),
        environment: analysis.map(|analysis| analysis.environment),
        environment_text: analysis.map(|analysis| analysis.environment_text.clone()),
    })
}

/// What the code printed. The file lies where the code could reach it, so it may be anything by now.
fn stdout(folder: &Path) -> String {
    let mut bytes = Vec::new();
    let read = open_plain(&folder.join("stdout.log"))
        .and_then(|file| file.take(STDOUT_BYTES_MAX).read_to_end(&mut bytes));
    match read {
        Ok(_) => text(bytes),
        Err(_) => String::new(),
    }
}

fn text(bytes: Vec<u8>) -> String {
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

/// The address of a file that opens where the file is.
pub(super) fn link(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    let mut link = String::from("file://");
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte) {
            link.push(char::from(*byte));
        } else {
            let _never_fails = write!(link, "%{byte:02X}");
        }
    }
    link
}

fn failed(opened: &Opened, state: &RunState) -> PythonExecutorError {
    let ending = state.ending.as_ref();
    let Some((path, failure)) = ending.and_then(|ending| ending.failure.as_ref()) else {
        let reason = ending.and_then(|ending| ending.reason.clone());
        let message = reason.unwrap_or_else(|| format!("the run is {}", state.status().as_str()));
        let failure = Failure::new(FailureKind::Cancelled, code::CANCELLED, message);
        return PythonExecutorError::of_failure(&failure).of_run(state.run);
    };
    let step = state.step(path).map(|(_, step)| step);
    let attempt = step
        .and_then(|step| step.attempts.last())
        .map(|attempt| attempt.number);
    let folder = attempt.map(|attempt| opened.engine.folder(state).attempt(path, attempt));
    // Whoever writes code is reached over a network too.
    let newest = step.and_then(|step| step.attempts.last());
    let error = match newest.map(|attempt| attempt.phase) {
        Some(Phase::Execute) | None => PythonExecutorError::of_execution(failure),
        Some(Phase::Generate) => PythonExecutorError::of_failure(failure),
    };
    error
        .of_run(state.run)
        .of_attempt(step.map(tries).filter(|tries| *tries > 0), folder)
}

/// How often code of the step was run.
fn tries(step: &StepState) -> u32 {
    u32::try_from(step.tries()).unwrap_or(u32::MAX)
}

fn rejected(state: &RunState) -> Rejected {
    let no = state.approvals.values().rev().find_map(|asked| {
        let (closed, by, _) = asked.closed.as_ref()?;
        (*closed == Closed::Rejected).then_some((asked, by))
    });
    let vote = no.and_then(|(asked, _)| asked.last(crate::run::payload::Answer::Reject));
    let reason = vote.and_then(|vote| vote.comment.clone());
    let told = state
        .ending
        .as_ref()
        .and_then(|ending| ending.reason.clone());
    Rejected {
        run_id: state.run,
        thread_id: thread(state),
        approval_id: no.map(|(asked, _)| asked.request.approval.clone()),
        by: no.map(|(_, by)| by.clone()),
        reason: reason.or(told),
    }
}

async fn waiting(
    opened: &Opened,
    data: &Path,
    state: &RunState,
) -> Result<Waiting, PythonExecutorError> {
    let mut approvals = Vec::new();
    for asked in state.open_approvals() {
        approvals.push(pending(opened, data, state, asked).await?);
    }
    let user_message = match approvals.as_slice() {
        [] => "the run is paused, or waits for a run inside it or a signal".to_owned(),
        [one] => format!("{}: {}", one.title, one.reason),
        [first, rest @ ..] => format!("{} (and {} more)", first.title, rest.len()),
    };
    Ok(Waiting {
        run_id: state.run,
        thread_id: thread(state),
        user_message,
        approvals,
    })
}

async fn pending(
    opened: &Opened,
    data: &Path,
    state: &RunState,
    asked: &ApprovalState,
) -> Result<PendingApproval, PythonExecutorError> {
    let request = &asked.request;
    let step = state.step(&request.step).map(|(_, step)| step);
    let analysis = step.and_then(|step| step.analysis.as_ref());
    let code = match analysis {
        Some(analysis) => Some(text(opened.engine.blob(analysis.code).await?)),
        None => None,
    };
    let modules = match analysis {
        Some(analysis) => covered(opened, analysis).await,
        None => Vec::new(),
    };
    let bounds = analysis.iter().flat_map(|analysis| analysis.bounds.iter());
    let bounds = bounds.map(|(name, bound)| (name.to_owned(), bound.told.clone()));
    let before = before(opened, state, asked, code.as_deref()).await;
    let inputs = &state.created.inputs;
    let objective = inputs.get("task_objective").and_then(|text| text.as_str());
    let notebook = analysis.and_then(|analysis| analysis.notebook.as_ref());
    let notebook: Option<PathBuf> = notebook.map(|path| data.join(path));
    let kind = match request.subject {
        Subject::Code => "code",
        Subject::Step => "step",
        Subject::UnknownOutcome => "unknown_outcome",
    };
    Ok(PendingApproval {
        approval_id: request.approval.clone(),
        approval_type: kind.to_owned(),
        title: request.title.clone(),
        reason: request.reason.clone(),
        subject_digest: request.subject_digest,
        step_objective: objective.map(str::to_owned),
        expected_results: inputs.get("expected_results").cloned(),
        code,
        modules,
        safety_concerns: analysis
            .map(|analysis| analysis.report.findings.clone())
            .unwrap_or_default(),
        execution_mode: analysis.map(|analysis| analysis.mode),
        inputs: step.map(|step| step.inputs.clone()).unwrap_or_default(),
        files: analysis
            .map(|analysis| analysis.files.clone())
            .unwrap_or_default(),
        bounds: bounds.collect(),
        approved_before: before,
        environment: analysis.map(|analysis| analysis.environment_text.clone()),
        notebook_link: notebook.as_deref().filter(|path| path.is_file()).map(link),
        notebook_path: notebook.map(|path| path.to_string_lossy().into_owned()),
        form: request.form.keys().cloned().collect(),
        expires_at: asked.expires_at().map(|at| at.to_string()),
    })
}

async fn covered(opened: &Opened, analysis: &AnalysisReported) -> Vec<CoveredModule> {
    let mut texts = approved::module_texts(opened, analysis, true).await;
    let modules = analysis.modules.iter();
    modules
        .map(|(path, module)| CoveredModule {
            module: path.clone(),
            digest: module.digest,
            text: texts.remove(path),
        })
        .collect()
}

/// What differs from the code of this step that somebody approved last.
async fn before(
    opened: &Opened,
    state: &RunState,
    asked: &ApprovalState,
    now: Option<&str>,
) -> Option<ApprovedBefore> {
    let request = &asked.request;
    if request.subject != Subject::Code {
        return None;
    }
    let (_, step) = state.step(&request.step)?;
    let analysis = step.analysis.as_ref()?;
    let last = approved::last(opened, state, &request.step).await?;
    Some(ApprovedBefore {
        run_id: last.run,
        diff: last.diff_to(analysis.code, now?, &request.step),
        by: last.by,
        at: last.at,
        code: last.code,
        modules: last.modules,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_open_whatever_the_folder_is_called() {
        let path = Path::new("/my data é/a%b/notebook.ipynb");
        assert_eq!(
            link(path),
            "file:///my%20data%20%C3%A9/a%25b/notebook.ipynb"
        );
    }
}
