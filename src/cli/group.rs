//! One answer to many questions: those of the items of a foreach, each recorded on its own.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::answer::{self, Question, next, recorded};
use super::error::Error;
use super::open::Opened;
use super::view::text::{line, quoted};
use super::{Context, Exit, drive, find};
use crate::code::{self, Code};
use crate::id::ApprovalId;
use crate::plan::Field;
use crate::run::payload::Answer;
use crate::run::{ApprovalState, RunState, RunStatus};

/// What became of one question of the group.
struct Answered {
    approval: ApprovalId,
    step: String,
    result: Result<String, Error>,
}

/// Answers every open question of the run below a step; all must have the same form.
pub(super) async fn answer(
    context: &Context,
    opened: &Opened,
    question: &Question,
    answer: Answer,
) -> Result<Exit, Error> {
    let word = question.group.as_deref().unwrap_or_default();
    let mut state = find::state(opened, &question.id).await?;
    let group = questions(&state, word)?;
    let mut all = Vec::with_capacity(group.len());
    for (approval, step) in group {
        let result = match answer::vote(&state, &approval, question, answer) {
            Ok(vote) => match answer::submit(opened, &state, &vote).await {
                Ok(after) => {
                    state = after;
                    Ok(recorded(&state, &vote))
                }
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        all.push(Answered {
            approval,
            step,
            result,
        });
    }
    let refused = all.iter().any(|answered| answered.result.is_err());
    if question.resume {
        for answered in &all {
            context.output.remark(&told(answered));
        }
        return drive::drive_and_tell(context, opened, state.run).await;
    }
    tell(context, &state, &all);
    Ok(if refused {
        Exit::Failed
    } else {
        Exit::Succeeded
    })
}

/// The open questions in the order of the steps: the items of a foreach as they stand in its list.
pub(super) fn in_order(state: &RunState) -> Vec<&ApprovalState> {
    let places: HashMap<&str, usize> = state
        .steps()
        .enumerate()
        .map(|(place, (_, step))| (step.path.as_str(), place))
        .collect();
    let mut open: Vec<&ApprovalState> = state.open_approvals().collect();
    let place = |asked: &&ApprovalState| places.get(asked.request.step.as_str()).copied();
    open.sort_by_key(|asked| place(asked).unwrap_or(usize::MAX));
    open
}

/// How to answer the questions of all items of a foreach at once, where more than one is open.
pub(super) fn hints(context: &Context, state: &RunState) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for asked in state.open_approvals() {
        if let Some((step, _)) = asked.request.step.as_str().split_once('[') {
            *counts.entry(step).or_default() += 1;
        }
    }
    let several = counts.into_iter().filter(|(_, count)| *count > 1);
    let command = |step: &str| {
        let words = format!("approve {} --group {}", state.run.short(), quoted(step));
        context.settings.command(&words)
    };
    several
        .map(|(step, count)| {
            format!(
                "the {count} questions of `{}` at once:\n  {}\n",
                line(step),
                command(step)
            )
        })
        .collect()
}

/// A status as the end of a sentence: "the run …".
pub(super) fn told_run(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Pending => "has not begun",
        RunStatus::Running => "is running",
        RunStatus::Waiting => "waits",
        RunStatus::Paused => "is paused",
        RunStatus::Succeeded => "succeeded",
        RunStatus::Failed => "failed",
        RunStatus::Rejected => "was rejected",
        RunStatus::Cancelled => "was cancelled",
    }
}

/// The open questions at the step or inside it.
fn questions(state: &RunState, word: &str) -> Result<Vec<(ApprovalId, String)>, Error> {
    let inside = |asked: &&ApprovalState| {
        let rest = asked.request.step.as_str().strip_prefix(word);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '.']))
    };
    let found: Vec<&ApprovalState> = in_order(state).into_iter().filter(inside).collect();
    let Some(first) = found.first() else {
        let message = format!(
            "the run {} has no open question at `{}`",
            state.run,
            line(word)
        );
        return Err(Error::usage(code::NO_OPEN_APPROVAL, message)
            .help("`stepwell approvals RUN` lists the open ones with their steps"));
    };
    let other = found.iter().find(|asked| !same_form(asked, first));
    if let Some(other) = other {
        let message = format!(
            "the questions at `{}` do not all have the same form",
            line(word)
        );
        let steps = format!("{} and {} differ", first.request.step, other.request.step);
        return Err(Error::usage(code::FORM_INVALID, message)
            .help(steps)
            .help("answer them by their ids"));
    }
    let named = found.iter().map(|asked| {
        let request = &asked.request;
        (request.approval.clone(), request.step.to_string())
    });
    Ok(named.collect())
}

/// Whether two forms ask for the same; what a value is when none is given may differ from item to item.
fn same_form(one: &ApprovalState, other: &ApprovalState) -> bool {
    let plain = |asked: &ApprovalState| -> Vec<(String, Field)> {
        let fields = asked.request.form.iter();
        let fields = fields.map(|(name, field)| {
            let default = field.default.as_ref().map(|_| "".into());
            let default = default.map(crate::expression::Template::Literal);
            (
                name.clone(),
                Field {
                    default,
                    ..field.clone()
                },
            )
        });
        fields.collect()
    };
    one.request.subject == other.request.subject && plain(one) == plain(other)
}

fn told(answered: &Answered) -> String {
    match &answered.result {
        Ok(text) => text.clone(),
        Err(error) => format!(
            "refused {} ({}): {}",
            answered.approval,
            answered.step,
            message(error)
        ),
    }
}

fn message(error: &Error) -> &str {
    let first = error.diagnostics().first();
    first.map_or("", |diagnostic| &diagnostic.message)
}

fn code_of(error: &Error) -> Option<Code> {
    error
        .diagnostics()
        .first()
        .map(|diagnostic| diagnostic.code)
}

fn tell(context: &Context, state: &RunState, all: &[Answered]) {
    let next = next(context, state);
    context.output.result(
        || {
            json!({
                "run_id": state.run,
                "answered": all.iter().map(document).collect::<Vec<Value>>(),
                "status": state.status(),
                "next": next,
            })
        },
        || {
            let mut lines: Vec<String> = all.iter().map(told).collect();
            lines.push(match &next {
                Some(command) => {
                    format!("nothing goes on by itself; continue with\n  {command}")
                }
                None => format!("the run {}", told_run(state.status())),
            });
            lines.join("\n")
        },
    );
}

fn document(answered: &Answered) -> Value {
    let refused = answered.result.as_ref().err();
    json!({
        "approval_id": answered.approval,
        "step": answered.step,
        "recorded": answered.result.is_ok(),
        "refused": refused.map(|error| json!({"code": code_of(error), "message": message(error)})),
    })
}
