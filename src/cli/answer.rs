//! Yes and no: a vote recorded, and what to type next.

use clap::Args;
use serde_json::json;

use super::error::Error;
use super::view::text::line;
use super::{Context, Exit, drive, find, person};
use crate::code;
use crate::diagnostic::did_you_mean;
use crate::plan;
use crate::run::payload::{Answer, Values};
use crate::run::{Actor, ApprovalState, Command, RunState, RunStatus, Vote};

/// Who answers which question, and what happens then.
#[derive(Debug, Args)]
pub(super) struct Question {
    /// The question: an approval id (apr_…), or a run that has one open question (@last is the newest)
    #[arg(value_name = "ID")]
    id: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// Speak for somebody else; the record keeps both names
    #[arg(long = "as", value_name = "NAME")]
    speak_for: Option<String>,
    /// Drive the run on in the foreground afterwards
    #[arg(long)]
    resume: bool,
}

/// Records the answer; with `--resume`, drives the run on.
pub(super) async fn answer(
    context: &Context,
    question: Question,
    answer: Answer,
    form: &[String],
) -> Result<Exit, Error> {
    let opened = context.open_for_run().await?;
    let (state, approval) = find::approval(context, &opened, &question.id).await?;
    let asked = state.approvals.get(&approval);
    let typist = person::name();
    let speaks_for = question.speak_for.filter(|name| *name != typist);
    let vote = Vote {
        approval,
        person: speaks_for.clone().unwrap_or_else(|| typist.clone()),
        typed_by: speaks_for.map(|_| typist.clone()),
        answer,
        form: asked.map_or_else(|| Ok(Values::new()), |asked| values(asked, form))?,
        comment: question.comment,
        seen: asked.map(|asked| asked.request.subject_digest),
    };
    let command = Command::Vote(vote.clone());
    let after = opened
        .engine
        .command(state.run, Actor::User(typist), command)
        .await?;
    if question.resume {
        context.output.remark(&recorded(&state, &vote));
        return drive::drive_and_tell(context, &opened, after.run).await;
    }
    let driver = opened.store.driver(after.run);
    told(context, &after, &vote, driver.as_deref());
    Ok(Exit::Succeeded)
}

fn told(context: &Context, after: &RunState, vote: &Vote, driver: Option<&str>) {
    let status = after.status();
    let next = next(context, after).filter(|_| driver.is_none());
    context.output.result(
        || {
            json!({
                "approval_id": vote.approval,
                "run_id": after.run,
                "answer": vote.answer,
                "person": vote.person,
                "typed_by": vote.typed_by,
                "status": status,
                "next": next,
                "driven_by": driver,
            })
        },
        || match (&next, driver) {
            (_, Some(driver)) => format!(
                "{}\nthe run goes on in {}",
                recorded(after, vote),
                line(driver)
            ),
            (Some(command), None) => format!(
                "{}\nnothing goes on by itself; continue with\n  {command}",
                recorded(after, vote)
            ),
            (None, None) => format!("{}\nthe run is {}", recorded(after, vote), status.as_str()),
        },
    );
}

/// The command that moves the run on, if any can.
fn next(context: &Context, after: &RunState) -> Option<String> {
    match after.status() {
        RunStatus::Pending | RunStatus::Running | RunStatus::Paused => Some(
            context
                .settings
                .command(&format!("resume {}", after.run.short())),
        ),
        RunStatus::Waiting => {
            let left = after.open_approvals().next()?;
            Some(
                context
                    .settings
                    .command(&format!("approve {}", left.request.approval)),
            )
        }
        RunStatus::Succeeded | RunStatus::Failed | RunStatus::Rejected | RunStatus::Cancelled => {
            None
        }
    }
}

fn recorded(state: &RunState, vote: &Vote) -> String {
    let word = match vote.answer {
        Answer::Approve => "approved",
        Answer::Reject => "rejected",
    };
    let step = state
        .approvals
        .get(&vote.approval)
        .map(|asked| asked.request.step.as_str());
    let by = match &vote.typed_by {
        Some(typist) => format!("{}, typed by {typist}", vote.person),
        None => vote.person.clone(),
    };
    format!(
        "{word} {} ({}) as {}",
        vote.approval,
        step.unwrap_or_default(),
        line(&by)
    )
}

/// Reads `name=value` by the types of the form.
fn values(asked: &ApprovalState, given: &[String]) -> Result<Values, Error> {
    let form = &asked.request.form;
    let mut values = Values::new();
    for pair in given {
        let Some((name, text)) = pair.split_once('=') else {
            return Err(
                Error::usage(code::USAGE, format!("`--form {}` has no value", line(pair)))
                    .help("write --form NAME=VALUE"),
            );
        };
        let Some(field) = form.get(name) else {
            return Err(unknown_field(asked, name));
        };
        let value = plan::parse_given(name, field, text)
            .map_err(|fault| Error::field(code::FORM_INVALID, "form field", &fault))?;
        values.insert(name.to_owned(), value);
    }
    Ok(values)
}

fn unknown_field(asked: &ApprovalState, name: &str) -> Error {
    let known: Vec<&str> = asked.request.form.keys().map(String::as_str).collect();
    let error = Error::usage(
        code::FORM_INVALID,
        format!("the form has no field `{}`", line(name)),
    );
    match did_you_mean(name, known.iter().copied()) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None if known.is_empty() => error.help("this question has no form"),
        None => error.help(format!("its fields are {}", known.join(", "))),
    }
}
