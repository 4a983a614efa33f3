//! A question as the person sees it who must answer it: what will happen, why it is asked, what to type.

use std::fmt::Write as _;

use serde_json::Value;

use super::listing::{self, LINES_MAX, listing};
use super::text::{bold, indented, line, painted_mark, quoted, safe, time, value};
use super::{Frame, modules, panel, table, written};
use crate::approval::Bounds;
use crate::expression::Template;
use crate::id::ApprovalId;
use crate::plan::Field;
use crate::run::payload::{
    AnalysisReported, Answer, ApprovalRequested, CodeGenerated, Subject, Values,
};
use crate::run::{ANSWER_DONE, ANSWER_RUN_AGAIN, ApprovalState, UNKNOWN_ANSWER};
use crate::service::approved::Approved;

/// Width of the names before the colon-less facts.
const INDENT: usize = 2;

/// Everything about one question.
pub(in crate::cli) fn text(frame: &Frame<'_>, asked: &ApprovalState) -> String {
    let request = &asked.request;
    let mut text = format!(
        "{} {}  {}\n",
        painted_mark("?"),
        bold(&line(&request.title)),
        request.approval
    );
    text.push_str(&table::pairs(&facts(frame, asked), INDENT));
    if let Some(analysis) = analysis(frame, request).filter(|_| request.subject != Subject::Step) {
        text.push_str(&code(frame, request, analysis));
        text.push_str(&modules::text(frame, analysis));
        if let Some(record) = written_of(frame, request) {
            text.push_str(&written::text(frame, record));
        }
        text.push_str(&edit(frame, request));
        text.push_str(&change(frame, request, analysis));
    }
    if !request.form.is_empty() {
        text.push_str("  form\n");
        let rows: Vec<(String, String)> = request
            .form
            .iter()
            .map(|(name, field)| (name.clone(), described(field)))
            .collect();
        text.push_str(&table::pairs(&rows, INDENT + 2));
    }
    text.push_str(&commands(frame, asked));
    text
}

fn analysis<'a>(frame: &Frame<'a>, request: &ApprovalRequested) -> Option<&'a AnalysisReported> {
    frame
        .state
        .step(&request.step)
        .and_then(|(_, step)| step.analysis.as_deref())
}

/// The writing of the code that is asked about.
fn written_of<'a>(frame: &Frame<'a>, request: &ApprovalRequested) -> Option<&'a CodeGenerated> {
    let (_, step) = frame.state.step(&request.step)?;
    Some(step.generation()?.record.as_ref())
}

fn facts(frame: &Frame<'_>, asked: &ApprovalState) -> Vec<(String, String)> {
    let request = &asked.request;
    let mut facts = vec![
        (
            "run".to_owned(),
            format!("{}  {}", frame.state.run, line(&frame.state.plan.name)),
        ),
        ("step".to_owned(), request.step.to_string()),
        ("why".to_owned(), line(why(frame, request))),
    ];
    let mut fact = |name: &str, text: String| facts.push((name.to_owned(), text));
    for (name, text) in panel::facts(frame, asked) {
        fact(&name, text);
    }
    for (name, shown) in &request.show {
        fact("shows", format!("{} = {}", line(name), value(shown)));
    }
    if let Some(record) = written_of(frame, request) {
        for (name, text) in written::facts(record) {
            fact(&name, text);
        }
    }
    if let Some(analysis) = analysis(frame, request) {
        fact("mode", analysis.mode.as_str().to_owned());
        let can: Vec<&str> = analysis
            .report
            .capabilities
            .iter()
            .map(|can| can.as_str())
            .collect();
        let can = if can.is_empty() {
            String::new()
        } else {
            format!("  ({})", can.join(", "))
        };
        fact("risk", format!("{}{can}", analysis.report.risk.as_str()));
        fact("policy", line(&analysis.decision.rule));
        fact("environment", line(&analysis.environment_text));
    }
    if request.subject == Subject::Code {
        let starter = frame.state.starter.as_deref();
        fact(
            "requester",
            line(starter.unwrap_or("nobody: a schedule or another run")),
        );
        let bounds = analysis(frame, request).map(|analysis| bounds(&analysis.bounds));
        for (name, text) in bounds.into_iter().flatten() {
            fact(name, line(&text));
        }
    }
    let inputs = frame
        .state
        .step(&request.step)
        .map(|(_, step)| &step.inputs);
    for (name, input) in inputs.into_iter().flatten() {
        fact("input", format!("{} = {}", line(name), value(input)));
    }
    let files = analysis(frame, request).map(|analysis| analysis.files.as_slice());
    for file in files.unwrap_or_default() {
        let held = file.sha256.map_or_else(
            || "there is no such file".to_owned(),
            |digest| format!("{} bytes, {digest}", file.bytes),
        );
        let (input, path) = (line(&file.input), line(&file.path));
        fact("file", format!("{input} = {path}  ({held})"));
    }
    fact("digest", request.subject_digest.to_string());
    facts
}

/// Bounds with a row of their own; all others are limits and share one.
const ROWS: [(&str, &str); 6] = [
    ("isolation", "isolation"),
    ("network", "network"),
    ("writable", "writable"),
    ("hidden", "hidden"),
    ("gateway", "gateway"),
    ("write_limits", "channels"),
];

/// What bounds the code: that is what a yes is bound to as well.
fn bounds(bounds: &Bounds) -> Vec<(&'static str, String)> {
    let row = |known: &str| ROWS.iter().position(|(name, _)| *name == known);
    let limits = bounds.iter().filter(|(name, _)| row(name).is_none());
    let limits: Vec<String> = limits
        .map(|(name, bound)| format!("{} {}", name.replace('_', " "), bound.told))
        .collect();
    let mut rows = Vec::new();
    if !limits.is_empty() {
        rows.push(("limits", limits.join(", ")));
    }
    rows.extend(ROWS.iter().filter_map(|(known, shown)| {
        let (_, bound) = bounds.iter().find(|(name, _)| name == known)?;
        Some((*shown, bound.told.clone()))
    }));
    rows
}

/// The reason, without the rule that a row of its own names.
fn why<'a>(frame: &Frame<'_>, request: &'a ApprovalRequested) -> &'a str {
    analysis(frame, request)
        .and_then(|analysis| {
            let rule = format!(" ({})", analysis.decision.rule);
            request.reason.strip_suffix(&rule)
        })
        .unwrap_or(&request.reason)
}

fn code(frame: &Frame<'_>, request: &ApprovalRequested, analysis: &AnalysisReported) -> String {
    let name = frame
        .state
        .step(&request.step)
        .and_then(|(step, _)| Some(step.kind.as_python()?.file_name.as_str()));
    let mut text = format!(
        "  code      {}  {}\n",
        line(name.unwrap_or_default()),
        analysis.code
    );
    let findings = analysis.report.findings.iter();
    let own: Vec<_> = findings.filter(|found| found.file.is_none()).collect();
    match frame.code(analysis.code) {
        Some(code) => {
            text.push_str(&listing(code, &own, INDENT + 2));
            if code.lines().count() > LINES_MAX {
                text.push_str("    the whole code is in the notebook\n");
            }
        }
        None => {
            text.push_str("    the stored code can't be read: do not approve it; `stepwell verify` says more\n");
            let said: Vec<String> = own.into_iter().map(listing::alone).collect();
            text.push_str(&indented(&said.join("\n"), INDENT + 2));
        }
    }
    if let Some(notebook) = &analysis.notebook {
        let _infallible = writeln!(text, "  notebook  {}", frame.shown(notebook));
    }
    text
}

/// What a person changed since the code was asked about before.
fn edit(frame: &Frame<'_>, request: &ApprovalRequested) -> String {
    let step = frame.state.step(&request.step).map(|(_, step)| step);
    let edit = step.and_then(|step| step.edit.as_ref());
    let Some(edit) = edit.filter(|edit| request.edited_by.as_ref() == Some(&edit.person)) else {
        return String::new();
    };
    let why = edit
        .comment
        .as_deref()
        .map_or_else(String::new, |text| format!(": {}", line(text)));
    format!(
        "  edited    by {} since it was asked as {}{why}\n{}",
        line(&edit.person),
        edit.approval,
        indented(&safe(&edit.diff), INDENT + 2)
    )
}

/// What is different from the code of this step that was approved last.
fn change(frame: &Frame<'_>, request: &ApprovalRequested, analysis: &AnalysisReported) -> String {
    let Some(before) = frame.approved(&request.step) else {
        return "  change    no code of this step was approved before\n".to_owned();
    };
    let when = format!(
        "by {} in {}, {}",
        line(&before.by),
        before.run.short(),
        time(before.at)
    );
    let now = frame.code(analysis.code);
    let diff = diff_to(before, now, analysis, request);
    let mut text = match (&diff, before.modules.as_deref()) {
        (Some(diff), _) => format!(
            "  change    from the code that was approved {when}\n{}",
            indented(&safe(diff), INDENT + 2)
        ),
        (None, _) if before.code != analysis.code => {
            format!("  change    other code was approved {when}; this one can't be read\n")
        }
        (None, Some([])) => {
            return format!("  change    none: the same code was approved {when}\n");
        }
        (None, Some(_)) => {
            format!(
                "  change    modules: the same code was approved {when}, with others beside it\n"
            )
        }
        (None, None) => format!("  change    the same code was approved {when}\n"),
    };
    match &before.modules {
        Some(changed) => text.push_str(&modules::changed(changed)),
        None => text.push_str(
            "    whether modules beside the workflow changed since then, and which, is not known\n",
        ),
    }
    text
}

/// The unified diff from approved code to what is asked about; none when they are the same.
pub(in crate::cli) fn diff_to(
    before: &Approved,
    now: Option<&str>,
    analysis: &AnalysisReported,
    request: &ApprovalRequested,
) -> Option<String> {
    before.diff_to(analysis.code, now?, &request.step)
}

/// A field in words: type, default, bounds, what it is for.
pub(in crate::cli) fn described(field: &Field) -> String {
    let mut text = field.field_type.as_str().to_owned();
    if let Some(literal) = default(field) {
        let shown = if literal == "" {
            "\"\"".to_owned()
        } else {
            value(literal)
        };
        let _infallible = write!(text, ", default {shown}");
    } else if !field.required {
        text.push_str(", optional");
    }
    if !field.choices.is_empty() {
        let choices: Vec<String> = field.choices.iter().map(value).collect();
        let _infallible = write!(text, ", one of {}", choices.join(", "));
    }
    if let Some(min) = field.min {
        let _infallible = write!(text, ", at least {min}");
    }
    if let Some(max) = field.max {
        let _infallible = write!(text, ", at most {max}");
    }
    if !field.description.is_empty() {
        let _infallible = write!(text, "  {}", line(&field.description));
    }
    text
}

fn default(field: &Field) -> Option<&Value> {
    match field.default.as_ref()? {
        Template::Literal(literal) => Some(literal),
        Template::Expression(_) | Template::Text(_) | Template::List(_) | Template::Map(_) => None,
    }
}

fn commands(frame: &Frame<'_>, asked: &ApprovalState) -> String {
    let request = &asked.request;
    // Who may not answer speaks for somebody who may.
    let may = frame.you.may(frame.state, asked, Answer::Approve);
    let by = may.err().map_or("", |_| " --as NAME");
    let approve = |form: &Values| approve(&request.approval, form, by);
    let yes = approve(&suggested(request));
    let no = format!("reject {} --comment \"…\"{by} --resume", request.approval);
    let mut text = String::from("  answer with\n");
    if request.subject == Subject::UnknownOutcome {
        for choice in [ANSWER_DONE, ANSWER_RUN_AGAIN] {
            let form = Values::from_iter([(UNKNOWN_ANSWER.to_owned(), Value::from(choice))]);
            let command = frame.settings.command(&approve(&form));
            let _infallible = writeln!(text, "    {command}");
        }
    } else {
        let _infallible = writeln!(text, "    {}", frame.settings.command(&yes));
    }
    if request.subject == Subject::Code {
        let edit = format!("approve {} --edit FILE{by} --resume", request.approval);
        let _infallible = writeln!(text, "    {}", frame.settings.command(&edit));
    }
    let _infallible = writeln!(text, "    {}", frame.settings.command(&no));
    if request.changes.is_some() && request.changes_left > 0 {
        let again = format!(
            "request-changes {} --comment \"…\"{by} --resume",
            request.approval
        );
        let _infallible = writeln!(text, "    {}", frame.settings.command(&again));
    }
    text
}

/// The form with its defaults; a field without one has to be thought of.
fn suggested(request: &ApprovalRequested) -> Values {
    request
        .form
        .iter()
        .filter(|(_, field)| field.required && default(field).is_none())
        .map(|(name, _)| (name.clone(), Value::from("…")))
        .collect()
}

fn approve(approval: &ApprovalId, form: &Values, by: &str) -> String {
    let form: String = form
        .iter()
        .map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            format!(" --form {}", quoted(&format!("{name}={text}")))
        })
        .collect();
    format!("approve {approval}{form}{by} --resume")
}
