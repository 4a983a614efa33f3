//! Yes, no and not like this: an answer recorded, and what to type next.

use clap::Args;
use serde_json::json;

use super::error::Error;
use super::open::Opened;
use super::view::text::line;
use super::{Context, Exit, drive, find, group, person};
use crate::code;
use crate::diagnostic::did_you_mean;
use crate::id::ApprovalId;
use crate::plan;
use crate::run::payload::{Answer, Values};
use crate::run::{Actor, ApprovalState, Command, RunState, RunStatus, Vote};

/// Who answers which question, and what happens then.
#[derive(Debug, Args)]
pub(super) struct Question {
    /// The question: an approval id (apr_…), or a run that has one open question (@last is the newest)
    #[arg(value_name = "ID")]
    pub(super) id: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub(super) comment: Option<String>,
    /// A value of the question's form
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) form: Vec<String>,
    /// Answer all open questions of the run below this step, each on its own
    #[arg(long, value_name = "STEP")]
    pub(super) group: Option<String>,
    /// Speak for somebody else; the record keeps both names
    #[arg(long = "as", value_name = "NAME")]
    speak_for: Option<String>,
    /// Drive the run on in the foreground afterwards
    #[arg(long)]
    pub(super) resume: bool,
}

impl Question {
    /// Who answers, and on whose keyboard when that is somebody else's.
    pub(super) fn speaker(&self) -> (String, Option<String>) {
        let typist = person::name();
        let named = self.speak_for.as_deref().map(str::trim);
        match named.filter(|name| *name != typist) {
            Some(person) => (person.to_owned(), Some(typist)),
            None => (typist, None),
        }
    }
}

/// Records the answer; with `--resume`, drives the run on.
pub(super) async fn answer(
    context: &Context,
    question: Question,
    answer: Answer,
) -> Result<Exit, Error> {
    let opened = context.open_for_run().await?;
    if question.group.is_some() {
        return group::answer(context, &opened, &question, answer).await;
    }
    let (state, approval) = find::approval(context, &opened, &question.id).await?;
    let vote = vote(&state, &approval, &question, answer)?;
    let after = submit(&opened, &state, &vote).await?;
    if question.resume {
        context.output.remark(&recorded(&after, &vote));
        let outermost = drive::outermost(&opened, &after).await?;
        return drive::drive_and_tell(context, &opened, outermost).await;
    }
    let driver = opened.store.driver(after.run);
    told(context, &after, &vote, driver.as_deref());
    Ok(Exit::Succeeded)
}

/// Records one answer under the name of whoever sits at the keyboard.
pub(super) async fn submit(
    opened: &Opened,
    state: &RunState,
    vote: &Vote,
) -> Result<RunState, Error> {
    let typist = vote.typed_by.clone().unwrap_or_else(|| vote.person.clone());
    let command = Command::Vote(vote.clone());
    Ok(opened
        .engine
        .command(state.run, Actor::User(typist), command)
        .await?)
}

/// The answer to one question as the arguments say it.
pub(super) fn vote(
    state: &RunState,
    approval: &ApprovalId,
    question: &Question,
    answer: Answer,
) -> Result<Vote, Error> {
    let asked = state.approvals.get(approval);
    let (person, typed_by) = question.speaker();
    let form = asked.map_or_else(|| Ok(Values::new()), |asked| values(asked, &question.form))?;
    Ok(Vote {
        approval: approval.clone(),
        person,
        // The engine knows them.
        roles: Vec::new(),
        typed_by,
        answer,
        form,
        comment: question.comment.clone(),
        seen: asked.map(|asked| asked.request.subject_digest),
    })
}

fn told(context: &Context, after: &RunState, vote: &Vote, driver: Option<&str>) {
    let status = after.status();
    let next = next(context, after).filter(|_| driver.is_none());
    let asked = after.approvals.get(&vote.approval);
    context.output.result(
        || {
            json!({
                "approval_id": vote.approval,
                "run_id": after.run,
                "answer": vote.answer,
                "person": vote.person,
                "typed_by": vote.typed_by,
                "closed": asked.and_then(|asked| asked.closed.as_ref()).map(|(outcome, ..)| outcome),
                "yes": asked.map(|asked| asked.tally().yes),
                "required": asked.map(|asked| asked.request.rules.required),
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
            (None, None) => format!("{}\nthe run {}", recorded(after, vote), group::told_run(status)),
        },
    );
}

/// The command that moves the run on, if any can.
pub(super) fn next(context: &Context, after: &RunState) -> Option<String> {
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

/// What was recorded, in a line.
pub(super) fn recorded(after: &RunState, vote: &Vote) -> String {
    let word = match vote.answer {
        Answer::Approve => "approved",
        Answer::Reject => "rejected",
        Answer::RequestChanges => "sent back",
    };
    let asked = after.approvals.get(&vote.approval);
    let step = asked.map(|asked| asked.request.step.as_str());
    let by = match &vote.typed_by {
        Some(typist) => format!("{}, typed by {typist}", vote.person),
        None => vote.person.clone(),
    };
    let more = asked.and_then(still_open).unwrap_or_default();
    format!(
        "{word} {} ({}) as {}{more}",
        vote.approval,
        step.unwrap_or_default(),
        line(&by)
    )
}

/// How many more answers an open question needs.
fn still_open(asked: &ApprovalState) -> Option<String> {
    let rules = &asked.request.rules;
    let yes = asked.tally().yes.len();
    asked.closed.is_none().then(|| {
        format!(
            "; {yes} of {} people have said yes, the question is still open",
            rules.required
        )
    })
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
