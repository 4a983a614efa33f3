//! A yes to code that is changed first: looked at by the policy, recorded with the change, asked about anew.

use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use serde_json::json;

use super::answer::{Question, next};
use super::error::Error;
use super::open::Opened;
use super::view::text::{indented, line, safe};
use super::{Context, Exit, command, drive, find, settings};
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::engine::Edit;
use crate::id::ApprovalId;
use crate::run::payload::CodeEdited;
use crate::run::{RunState, nobody_may_approve};

/// Records the changed code; with `--resume`, drives the run on.
pub(super) async fn answer(
    context: &Context,
    question: Question,
    file: Option<PathBuf>,
) -> Result<Exit, Error> {
    if !question.form.is_empty() {
        let message = "a question about code has no form".to_owned();
        return Err(Error::usage(code::FORM_INVALID, message).help("leave `--form` out"));
    }
    let opened = context.open_for_run().await?;
    let (state, approval) = find::approval(context, &opened, &question.id).await?;
    let code = match file {
        Some(file) => command::exec::code(context, &file)?,
        None => in_editor(&opened, &state, &approval).await?,
    };
    let asked = state.approvals.get(&approval);
    let (person, typed_by) = question.speaker();
    let edit = Edit {
        approval: approval.clone(),
        person,
        typed_by,
        comment: question.comment.clone(),
        seen: asked.map(|asked| asked.request.subject_digest),
        code,
    };
    let after = opened.engine.edit(state.run, edit).await?;
    let found = asked.and_then(|asked| after.step(&asked.request.step));
    let edits = found
        .map(|(_, step)| step.edits.as_slice())
        .unwrap_or_default();
    let Some(edited) = edits.iter().rev().find(|edit| edit.approval == approval) else {
        let message = "the change was recorded and can't be found".to_owned();
        return Err(Error::new(Exit::Internal, code::INTERNAL, message));
    };
    if let Some(warning) = nobody(&opened, &after, edited) {
        context.output.diagnostics(&[warning]);
    }
    if question.resume {
        context.output.remark(&told(&after, edited));
        let outermost = drive::outermost(&opened, &after).await?;
        return drive::drive_and_tell(context, &opened, outermost).await;
    }
    tell(context, &opened, &after, edited);
    Ok(Exit::Succeeded)
}

fn tell(context: &Context, opened: &Opened, after: &RunState, edited: &CodeEdited) {
    let driver = opened.store.driver(after.run);
    let next = next(context, after).filter(|_| driver.is_none());
    context.output.result(
        || {
            json!({
                "approval_id": edited.approval,
                "run_id": after.run,
                "step": edited.step,
                "answer": "edit",
                "person": edited.person,
                "typed_by": edited.typed_by,
                "closed": "superseded",
                "base": edited.base,
                "code": edited.code,
                "diff": edited.diff,
                "counts_as_yes": own_yes(after, edited),
                "status": after.status(),
                "next": next,
                "driven_by": driver,
            })
        },
        || {
            let said = format!(
                "{}\n{}",
                told(after, edited),
                indented(&safe(&edited.diff), 2).trim_end()
            );
            match (&next, driver.as_deref()) {
                (_, Some(driver)) => format!("{said}\nthe run goes on in {}", line(driver)),
                (Some(command), None) => {
                    format!("{said}\nnothing goes on by itself; continue with\n  {command}")
                }
                (None, None) => said,
            }
        },
    );
}

/// What was recorded, in a line.
fn told(after: &RunState, edited: &CodeEdited) -> String {
    let by = match &edited.typed_by {
        Some(typist) => format!("{}, typed by {typist}", edited.person),
        None => edited.person.clone(),
    };
    let then = if own_yes(after, edited) {
        "it is looked at anew, and your yes counts for exactly this code"
    } else {
        "it is looked at anew, and somebody else must say yes to it"
    };
    format!(
        "changed the code of {} ({}) as {}; {then}",
        edited.step,
        edited.approval,
        line(&by)
    )
}

/// The change leaves nobody who may say yes: said at once, since the run would wait for ever.
fn nobody(opened: &Opened, after: &RunState, edited: &CodeEdited) -> Option<Diagnostic> {
    let asked = after.approvals.get(&edited.approval)?;
    let people = |role: &str| opened.engine.people_of(role);
    if !nobody_may_approve(after, asked, Some(&edited.person), &people) {
        return None;
    }
    let message = format!(
        "too few people may say yes to the changed code of {}",
        edited.step
    );
    Some(Diagnostic::warning(code::SELF_APPROVAL, message).help(NOBODY))
}

/// What to do where nobody may answer.
pub(in crate::cli) const NOBODY: &str = "fewer people than must say yes may: with `allow_self: false` who started the run or changed the code does not count. Give the role to somebody else in config.yml, or end the run with `stepwell reject` or `stepwell cancel`";

/// Whether the rules of the question let who changed the code approve it. Those of the question to come are the same
/// unless the configuration changes.
fn own_yes(after: &RunState, edited: &CodeEdited) -> bool {
    let asked = after.approvals.get(&edited.approval);
    asked.is_some_and(|asked| asked.request.rules.allow_self)
}

/// The code as somebody at a terminal leaves it in an editor.
async fn in_editor(
    opened: &Opened,
    state: &RunState,
    approval: &ApprovalId,
) -> Result<String, Error> {
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        let message = "`--edit` without a file needs a terminal".to_owned();
        return Err(Error::usage(code::USAGE, message)
            .help("write --edit FILE, or --edit - for standard input"));
    }
    let asked = state.approvals.get(approval);
    let step = asked.and_then(|asked| state.step(&asked.request.step));
    let analysis = step.and_then(|(_, step)| step.analysis.as_ref());
    let Some(analysis) = analysis else {
        let message = format!("{approval} is not about code");
        return Err(Error::usage(code::EDIT_REFUSED, message));
    };
    let bytes = opened.engine.blob(analysis.code).await?;
    let file = opened
        .engine
        .folder(state)
        .path()
        .join(format!("{approval}.edit.py"));
    let unreadable = |error: &std::io::Error| Error::unreadable(&file, error);
    fs::write(&file, bytes).map_err(|error| unreadable(&error))?;
    let left = edit(&file).and_then(|()| fs::read(&file).map_err(|error| unreadable(&error)));
    // What was left there is in the history, or of no use.
    let _gone = fs::remove_file(&file);
    String::from_utf8(left?).map_err(|_| {
        let message = "what the editor left is not UTF-8 text".to_owned();
        Error::usage(code::CODE_UNREADABLE, message)
    })
}

fn edit(file: &Path) -> Result<(), Error> {
    let named = settings::variable;
    let editor = named("VISUAL").or_else(|| named("EDITOR"));
    let editor = editor.unwrap_or_else(|| "vi".into());
    // An editor may be named with options: `code --wait`.
    let ended = Process::new("sh")
        .args(["-c", "exec $0 \"$1\""])
        .arg(&editor)
        .arg(file)
        .status();
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(_) | Err(_) => {
            let message = format!("the editor `{}` did not end well", editor.to_string_lossy());
            Err(Error::usage(code::USAGE, message)
                .help("name one in VISUAL or EDITOR, or write --edit FILE"))
        }
    }
}
