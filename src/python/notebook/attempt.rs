//! The notebook of one attempt.

use serde_json::{Map, Value, json};

use super::cell::{Cells, Code};
use super::shown::Shown;
use super::{
    AttemptNotebook, FigureData, FindingLine, NotebookState, figure, modules, output, parameters,
    sourced, text,
};

/// Findings shown; the rest is counted.
pub(super) const FINDINGS_MAX: usize = 200;
/// Most packages that are listed in the metadata.
const PACKAGES_MAX: usize = 500;

/// Makes the notebook of one attempt, in any state.
#[must_use]
pub fn attempt(notebook: &AttemptNotebook<'_>) -> Value {
    let mut cells = Cells::default();
    cells.markdown("title", &title(notebook));
    cells.markdown("summary", &summary(notebook));
    if !notebook.findings.is_empty() {
        cells.markdown("findings", &findings(notebook));
    }
    cells.code("helper", &parameters::helper());
    cells.code(
        "surroundings",
        &parameters::surroundings(notebook.variables, notebook.modules),
    );
    cells.code("parameters", &parameters::parameters(notebook.context));
    let count = if let Some(source) = notebook.source {
        sourced::add(&mut cells, notebook, source) + 1
    } else {
        let code = code(notebook);
        cells.code("code", &code);
        code.count.map_or(1, |count| count + 1)
    };
    modules::add(&mut cells, notebook);
    if notebook.failure.is_some() {
        cells.markdown("failure", &failure(notebook));
    }
    if let Some(results) = notebook.results {
        cells.code(
            "results",
            &Code {
                source: "results".to_owned(),
                count: Some(count),
                outputs: vec![output::results(results, count)],
                ..Code::default()
            },
        );
    }
    if !notebook.artifacts.is_empty() {
        cells.markdown("artifacts", &artifacts(notebook));
    }
    if !notebook.provenance.is_empty() {
        cells.markdown("provenance", &provenance(notebook));
    }
    cells.into_document(&about(notebook))
}

fn title(notebook: &AttemptNotebook<'_>) -> String {
    let step = text::markdown(notebook.step);
    let workflow = text::markdown(notebook.workflow);
    format!("# {step}\n\nA step of {workflow}.")
}

fn summary(notebook: &AttemptNotebook<'_>) -> String {
    let mut rows = vec![
        ("state", format!("**{}**", notebook.state.as_str())),
        ("mode", text::markdown_code(notebook.mode)),
        ("run", text::markdown_code(notebook.run)),
    ];
    match notebook.state {
        NotebookState::Waiting | NotebookState::Rejected => {}
        NotebookState::Succeeded
        | NotebookState::Failed
        | NotebookState::Cancelled
        | NotebookState::Unknown => rows.push(("attempt", notebook.attempt.to_string())),
    }
    if let Some(started) = notebook.started {
        rows.push(("started", started.to_string()));
    }
    for approval in &notebook.approvals {
        let comment = match text::markdown(approval.comment) {
            comment if comment.is_empty() => comment,
            comment => format!(": {comment}"),
        };
        let decision = text::markdown(approval.decision);
        let by = text::markdown(approval.by);
        rows.push((
            "approval",
            format!(
                "{decision} by {by}, {}, for {}{comment}",
                approval.at,
                text::markdown_code(&approval.subject.to_string())
            ),
        ));
    }
    let covered = notebook.state == NotebookState::Waiting && !notebook.covered.is_empty();
    let note = match note(notebook.state) {
        note if covered => format!("{note}{COVERED}"),
        note => note.to_owned(),
    };
    let gap = if note.is_empty() { "" } else { "\n\n" };
    format!("{note}{gap}{}", table("", "", &rows))
}

/// What follows the note where modules run with the code.
const COVERED: &str =
    " So do the modules beside the workflow that are listed under it: a yes covers them too.";

fn note(state: NotebookState) -> &'static str {
    match state {
        NotebookState::Succeeded | NotebookState::Failed => "",
        NotebookState::Waiting => {
            "> **Waiting for approval.** Nothing has run. Below is exactly the code that runs after a yes."
        }
        NotebookState::Rejected => "> **Rejected.** This code has not run.",
        NotebookState::Cancelled => {
            "> **Cancelled.** Below is what was captured before it was stopped."
        }
        NotebookState::Unknown => {
            "> **Outcome unknown.** The engine stopped while this code ran. A person has to check what it did."
        }
    }
}

fn findings(notebook: &AttemptNotebook<'_>) -> String {
    let file = text::markdown_code(notebook.file_name);
    let own: Vec<&FindingLine<'_>> = notebook
        .findings
        .iter()
        .filter(|finding| finding.file.is_none())
        .collect();
    let in_modules = modules::pointer(notebook);
    if own.is_empty() {
        return format!("## Findings\n\n{in_modules}");
    }
    let mut out = format!(
        "## Findings\n\nLines are those of {file}.\n\n| line | severity | rule | finding |\n|---:|---|---|---|\n"
    );
    for finding in own.iter().take(FINDINGS_MAX) {
        out.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            finding.line,
            text::markdown(finding.severity),
            text::markdown_code(finding.rule),
            text::markdown(finding.message)
        ));
    }
    let hidden = own.len().saturating_sub(FINDINGS_MAX);
    if hidden > 0 {
        out.push_str(&format!("\nand {hidden} more\n"));
    }
    if !in_modules.is_empty() {
        out.push_str(&format!("\n{in_modules}"));
    }
    out
}

/// The code as one cell. Cut into several it would read like a session that never took place: the lines that
/// tracebacks and findings name would be off, and Jupyter would show a picture before it is finished.
fn code(notebook: &AttemptNotebook<'_>) -> Code {
    let outputs = outputs(notebook);
    let executed = notebook.state == NotebookState::Succeeded || !outputs.is_empty();
    let raised = notebook
        .failure
        .is_some_and(|failure| failure.traceback.is_some());
    // Jupyter takes the end of a program for an error; what the code left is there all the same.
    let exits = notebook.state == NotebookState::Succeeded && notebook.code.contains("exit(");
    Code {
        source: notebook.code.trim_end_matches(['\n', '\r']).to_owned(),
        tags: if raised || exits {
            vec!["raises-exception"]
        } else {
            Vec::new()
        },
        count: executed.then_some(1),
        outputs,
        ..Code::default()
    }
}

/// What was printed before the traceback: Python prints it too, and the notebook shows it once.
fn without_traceback<'a>(stderr: &'a str, traceback: &str) -> &'a str {
    stderr
        .trim_end()
        .strip_suffix(traceback.trim_end())
        .filter(|before| before.is_empty() || before.ends_with('\n'))
        .filter(|_| !traceback.is_empty())
        .unwrap_or(stderr)
}

/// Takes the traceback out of what was printed last: it is shown as an error.
pub(super) fn strip_traceback(outputs: &mut Vec<Value>, traceback: &str) {
    let printed = outputs
        .iter_mut()
        .rev()
        .find(|output| output.get("name").and_then(Value::as_str) == Some("stderr"));
    let Some(lines) = printed.and_then(|output| output.get_mut("text")) else {
        return;
    };
    let whole: String = lines
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let before = without_traceback(&whole, traceback);
    *lines = json!(super::cell::lines(before));
    outputs.retain(|output| {
        output
            .get("text")
            .and_then(Value::as_array)
            .is_none_or(|text| !text.is_empty())
    });
}

fn outputs(notebook: &AttemptNotebook<'_>) -> Vec<Value> {
    let traceback = notebook
        .failure
        .and_then(|failure| failure.traceback.as_deref());
    let stderr = without_traceback(notebook.stderr, traceback.unwrap_or_default());
    let shown = Shown::read(notebook.shown);
    // What other processes printed is in the logs alone: then these are shown, and the order is lost.
    let is_whole =
        shown.printed("stdout") == notebook.stdout && shown.printed("stderr") == notebook.stderr;
    let others: Vec<FigureData<'_>> = notebook
        .figures
        .iter()
        .filter(|figure| !shown.figures().any(|path| path == figure.path))
        .copied()
        .collect();
    let mut recorded = shown.of(0, 1, &notebook.figures);
    if is_whole && shown.is_rich() {
        strip_traceback(&mut recorded, traceback.unwrap_or_default());
        recorded.extend(figure::outputs(&others));
        recorded.extend(notebook.failure.and_then(output::error));
        return recorded;
    }
    recorded.retain(|output| output.get("output_type").and_then(Value::as_str) != Some("stream"));
    let streams = [("stdout", notebook.stdout), ("stderr", stderr)];
    streams
        .into_iter()
        .filter_map(|(name, printed)| output::stream(name, printed, notebook.truncated))
        .chain(recorded)
        .chain(figure::outputs(&others))
        .chain(notebook.failure.and_then(output::error))
        .collect()
}

fn failure(notebook: &AttemptNotebook<'_>) -> String {
    let Some(failure) = notebook.failure else {
        return String::new();
    };
    let mut rows = vec![
        ("message", text::markdown(&failure.message)),
        ("kind", failure.kind.as_str().to_owned()),
        ("code", text::markdown_code(&failure.code)),
    ];
    if let Some(hint) = &failure.hint {
        rows.push(("what to do", text::markdown(hint)));
    }
    for cause in failure.cause.iter().take(FINDINGS_MAX) {
        rows.push(("because", text::markdown(cause)));
    }
    table("## Why it failed\n\n", "", &rows)
}

fn artifacts(notebook: &AttemptNotebook<'_>) -> String {
    let mut out = "## Artifacts\n\n| file | size | sha256 |\n|---|---:|---|\n".to_owned();
    for artifact in &notebook.artifacts {
        let title = if artifact.title.trim().is_empty() {
            artifact.path
        } else {
            artifact.title
        };
        let name = match text::link(artifact.path, text::Climbs::No) {
            Some(target) => format!("[{}]({target})", text::markdown(title)),
            None => text::markdown(title),
        };
        let digest = artifact
            .sha256
            .map(|digest| text::markdown_code(&digest.hex()))
            .unwrap_or_default();
        out.push_str(&format!(
            "| {name} | {} | {digest} |\n",
            text::size(artifact.bytes)
        ));
    }
    out
}

fn provenance(notebook: &AttemptNotebook<'_>) -> String {
    let rows: Vec<(&str, String)> = notebook
        .provenance
        .iter()
        .map(|(name, value)| (*name, text::markdown_code(value)))
        .collect();
    table("## Provenance\n\n", "", &rows)
}

/// A table of two columns; the names are made harmless here, the values by the caller.
fn table(before: &str, heading: &str, rows: &[(&str, String)]) -> String {
    let mut out = format!("{before}| {heading} | |\n|---|---|\n");
    for (name, value) in rows {
        out.push_str(&format!("| {} | {value} |\n", text::markdown(name)));
    }
    out
}

fn about(notebook: &AttemptNotebook<'_>) -> Value {
    let provenance: Map<String, Value> = notebook
        .provenance
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())))
        .collect();
    let mut about = json!({
        "attempt": notebook.attempt,
        "mode": notebook.mode,
        "provenance": provenance,
        "run": notebook.run,
        "state": notebook.state.as_str(),
        "step": notebook.step,
        "workflow": notebook.workflow,
    });
    if let Some(fields) = about.as_object_mut()
        && !notebook.packages.is_empty()
    {
        fields.insert("packages".to_owned(), json!(listed(notebook.packages)));
    }
    about
}

/// As many of the packages as a notebook carries.
fn listed(packages: &[String]) -> Vec<String> {
    let mut listed: Vec<String> = packages.iter().take(PACKAGES_MAX).cloned().collect();
    let hidden = packages.len().saturating_sub(PACKAGES_MAX);
    if hidden > 0 {
        listed.push(format!("and {hidden} more"));
    }
    listed
}
